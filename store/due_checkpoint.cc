#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/due_index.h"
#include "store/run_merge.h"

// How the index of waiting messages comes to disk. What is written here is found again by due_recovery.cc.

namespace store {
namespace {

/// So many runs of about the same size become one; sizes differ by as much from class to class. With ten million entries there are some twenty runs.
constexpr size_t kMergeRuns = 4;
constexpr uint64_t kSmallestClassEntries = 4096;

/// Of what fails in a checkpoint only the reading of runs tells that one is damaged: an error of a write has the same code.
absl::Status NotOfReading(absl::Status status) {
  return absl::IsDataLoss(status) ? absl::UnavailableError(status.message()) : std::move(status);
}

int SizeClass(uint64_t entries) { return static_cast<int>((std::bit_width(entries / kSmallestClassEntries) + 1) / 2); }

}  // namespace

core::Task<absl::Status> DueIndex::Checkpoint() {
  if (unread_from_.has_value() && core::Reactor::Current().now() >= read_again_at_) CO_RETURN_IF_ERROR(co_await ReadAgain());
  if (unread_from_.has_value()) {
    if (CheckRoom().ok()) co_return absl::OkStatus();
    // Rather than refuse new ones it is taken for damage as any other.
    core::LogError("what can't be read of log ", options_.log.log_number,
                   " is given up: messages that wait there are not delivered");
    unread_from_.reset();
  }
  // While there are dead ones in the runs the log that says so must be read again after a crash. They go soon: all of them are due.
  if (NextDue() > dead_until_) dead_.clear();
  if (!dead_.empty()) co_return absl::OkStatus();
  if (!WantsNote()) co_return absl::OkStatus();
  // No suspension until memory is frozen: what is entered from now on lies behind what is now in the log, and is found there again.
  const LogSpan span = log_.Span();
  changed_ = false;
  absl::Status status = co_await SpillMemory();
  const bool spilled = status.ok();
  if (spilled) status = co_await MergeRuns();
  const bool merged = status.ok();
  if (merged) status = co_await Commit(span);
  if (!status.ok()) changed_ = true;
  co_return !spilled || merged ? NotOfReading(std::move(status)) : status;
}

core::Task<absl::Status> DueIndex::SpillMemory() {
  if (memory_.empty()) co_return absl::OkStatus();
  frozen_.assign(memory_.begin(), memory_.end());
  frozen_next_ = 0;
  frozen_taken_back_ = std::exchange(memory_taken_back_, 0);
  memory_.clear();

  const uint64_t number = next_number_++;
  absl::StatusOr<std::unique_ptr<DueRunWriter>> writer =
      co_await DueRunWriter::Create(options_.directory, {options_.log, options_.kind, number});
  absl::Status status = writer.status();
  for (size_t i = 0; status.ok() && i < frozen_.size(); ++i) {
    (*writer)->Add(frozen_[i]);
    if ((*writer)->full()) status = co_await (*writer)->Write();
  }
  std::unique_ptr<DueRun> run;
  if (status.ok()) {
    absl::StatusOr<std::unique_ptr<DueRun>> finished = co_await (*writer)->Finish();
    status = finished.status();
    if (finished.ok()) run = *std::move(finished);
  } else if (writer.ok()) {
    co_await (*writer)->Abandon();
  }

  const core::Semaphore::Hold turn = co_await turn_.Take(1);
  if (run != nullptr) {
    auto cursor = std::make_unique<DueRunCursor>();
    cursor->run = std::move(run);
    cursor->next = frozen_next_;
    cursor->taken_back_left = frozen_taken_back_;
    // What comes next is at hand: nobody waits for the file because of it.
    cursor->window.assign(
        frozen_.begin() + static_cast<int64_t>(frozen_next_),
        frozen_.begin() + static_cast<int64_t>(std::min(frozen_.size(), frozen_next_ + 8 * kRunPageEntries)));
    cursor->window_begin = frozen_next_;
    runs_.push_back(std::move(cursor));
  } else {
    memory_.insert(frozen_.begin() + static_cast<int64_t>(frozen_next_), frozen_.end());
    memory_taken_back_ += frozen_taken_back_;
  }
  frozen_ = {};
  frozen_next_ = 0;
  frozen_taken_back_ = 0;
  co_return status;
}

core::Task<absl::Status> DueIndex::MergeRuns() {
  for (;;) {
    std::map<int, std::vector<DueRunCursor*>> classes;
    for (const std::unique_ptr<DueRunCursor>& cursor : runs_)
      classes[SizeClass(cursor->left())].push_back(cursor.get());
    const auto crowded = std::find_if(classes.begin(), classes.end(),
                                      [](const auto& of_size) { return of_size.second.size() >= kMergeRuns; });
    if (crowded == classes.end()) co_return absl::OkStatus();
    CO_RETURN_IF_ERROR(co_await Merge(std::move(crowded->second)));
  }
}

core::Task<absl::Status> DueIndex::Merge(std::vector<DueRunCursor*> sources) {
  RunMerge<DueEntry> merge;
  for (DueRunCursor* source : sources) {
    merge.Add(*source->run, source->next);
    source->last_popped.reset();
  }
  const uint64_t number = next_number_++;
  absl::StatusOr<std::unique_ptr<DueRunWriter>> created =
      co_await DueRunWriter::Create(options_.directory, {options_.log, options_.kind, number});
  if (!created.ok()) co_return NotOfReading(created.status());
  const std::unique_ptr<DueRunWriter> writer = *std::move(created);
  absl::Status status;
  std::optional<DueEntry> last;  // the message looked at, to be written unless it is taken back
  bool done = false;
  while (status.ok() && !done) {
    if (!merge.ready()) status = co_await merge.Fill();
    while (status.ok() && !writer->full() && merge.ready()) {
      const DueEntry* const head = merge.Head();
      const bool same = head != nullptr && last.has_value() && last->SameMessage(*head);
      if (same) {
        // Both vanish; what takes back comes behind what it takes back. The same one twice is one.
        if (head->taken_back() && !last->taken_back()) last.reset();
      } else {
        if (last.has_value()) writer->Add(*last);
        last.reset();
        if (head != nullptr) last = *head;
      }
      done = head == nullptr;
      if (done) break;
      merge.Advance();
    }
    if (status.ok() && writer->full()) status = NotOfReading(co_await writer->Write());
    co_await core::Yield();
  }
  std::unique_ptr<DueRun> run;
  if (status.ok() && writer->entries() > 0) {
    absl::StatusOr<std::unique_ptr<DueRun>> finished = co_await writer->Finish();
    status = NotOfReading(finished.status());
    if (finished.ok()) run = *std::move(finished);
  } else {
    co_await writer->Abandon();
  }
  CO_RETURN_IF_ERROR(status);

  const core::Semaphore::Hold turn = co_await turn_.Take(1);
  // Meanwhile delivery went on with the old ones: the new one begins where they are now. Nothing was added to them and always the first of all was popped,
  // so that is one place.
  std::optional<DueEntry> popped;
  for (const DueRunCursor* source : sources) {
    if (source->last_popped.has_value() && (!popped.has_value() || *popped < *source->last_popped))
      popped = source->last_popped;
  }
  auto cursor = std::make_unique<DueRunCursor>();
  if (run != nullptr) {
    if (popped.has_value()) {
      const DueEntry behind{.due = popped->due, .place = popped->position() + 1};
      const absl::StatusOr<uint64_t> next = co_await run->LowerBound(behind);
      if (!next.ok()) {
        (void)co_await run->Close();
        (void)co_await core::fs::Remove(DueRunPath(options_.directory, number));
        co_return next.status();
      }
      cursor->next = *next;
    }
    cursor->taken_back_left = run->header().taken_back;
    cursor->run = std::move(run);
  }
  std::erase_if(runs_, [&](std::unique_ptr<DueRunCursor>& old) {
    if (std::find(sources.begin(), sources.end(), old.get()) == sources.end()) return false;
    obsolete_.push_back(old->run->number());
    closing_.push_back(std::move(old->run));
    return true;
  });
  if (cursor->run != nullptr) runs_.push_back(std::move(cursor));
  co_return absl::OkStatus();
}

std::string DueIndex::Describe(const LogSpan& span) const {
  DueCheckpoint checkpoint{
      .replay_from = span.batch, .entered_below = span.next, .next_number = next_number_, .runs = {}};
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_)
    checkpoint.runs.push_back({cursor->run->number(), cursor->next, cursor->taken_back_left});
  return EncodeDueCheckpoint(checkpoint);
}

core::Task<absl::Status> DueIndex::Commit(LogSpan span) {
  std::string text;
  {
    // Nothing is half delivered: what the cursors have passed is in the log.
    const core::Semaphore::Hold turn = co_await turn_.Take(1);
    std::erase_if(runs_, [&](std::unique_ptr<DueRunCursor>& cursor) {
      if (!cursor->exhausted()) return false;
      obsolete_.push_back(cursor->run->number());
      closing_.push_back(std::move(cursor->run));
      return true;
    });
    text = Describe(span);
  }
  // And it stays there: a power cut that took a delivered message must take the cursor with it.
  CO_RETURN_IF_ERROR(co_await log_.Flush());
  std::vector<MetaChange> changes;
  changes.push_back({MetaTable::kDue, std::string(DueCheckpointKey(options_.kind)), std::move(text)});
  CO_RETURN_IF_ERROR(co_await meta_.Commit(std::move(changes)));
  replay_from_ = span.batch;
  co_await RemoveObsolete();
  co_return absl::OkStatus();
}

core::Task<void> DueIndex::RemoveObsolete() {
  for (const std::unique_ptr<DueRun>& run : std::exchange(closing_, {})) (void)co_await run->Close();
  for (const uint64_t number : std::exchange(obsolete_, {})) {
    const absl::Status removed = co_await core::fs::Remove(DueRunPath(options_.directory, number));
    // The next start removes it.
    if (!removed.ok()) core::LogWarning(removed.ToString());
  }
}

}  // namespace store
