#include "store/due_index.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/assert.h"
#include "core/reactor.h"
#include "core/status.h"
#include "store/run_merge.h"

namespace store {
namespace {

/// Of each run so much is in memory: one read of 32 KiB.
constexpr size_t kWindowPages = 8;
/// Peek needs no more of a run.
constexpr uint64_t kWindowLeast = kRunPageEntries;
constexpr int kRefuseFactor = 4;

}  // namespace

DueIndex::DueIndex(DueIndexOptions options, MetaStore& meta, ShardStore& log)
    : options_(std::move(options)), meta_(meta), log_(log) {}
DueIndex::~DueIndex() = default;

core::Task<absl::Status> DueIndex::Close() {
  absl::Status status;
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) {
    const absl::Status closed = co_await cursor->run->Close();
    status.Update(closed);
  }
  for (const std::unique_ptr<DueRun>& run : std::exchange(closing_, {})) {
    const absl::Status closed = co_await run->Close();
    status.Update(closed);
  }
  runs_.clear();
  co_return status;
}

absl::Status DueIndex::CheckRoom() const {
  if (memory_.size() < kRefuseFactor * options_.memory_entries) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "no more messages that have to wait can be taken: the index of those that do can't be written");
}

void DueIndex::Insert(const DueEntry& entry) {
  changed_ = true;
  if (memory_.insert(entry).second && entry.taken_back()) ++memory_taken_back_;
}

void DueIndex::TakeBack(const DueEntry& entry) {
  // What is in memory is in no run.
  if (memory_.erase({.due = entry.due, .place = entry.position()}) > 0) {
    changed_ = true;
    return;
  }
  DueEntry mark = entry;
  mark.place |= DueEntry::kTakenBack;
  Insert(mark);
}

uint64_t DueIndex::waiting() const {
  // What takes back and what it takes back are both counted until they meet.
  int64_t count =
      static_cast<int64_t>(memory_entries()) - 2 * static_cast<int64_t>(memory_taken_back_ + frozen_taken_back_);
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) {
    count += static_cast<int64_t>(cursor->left()) - 2 * static_cast<int64_t>(cursor->taken_back_left);
  }
  return static_cast<uint64_t>(std::max<int64_t>(count, 0));
}

core::WallMillis DueIndex::NextDue() const {
  core::WallMillis next = std::numeric_limits<core::WallMillis>::max();
  if (!memory_.empty()) next = memory_.begin()->due;
  if (frozen_next_ < frozen_.size()) next = std::min(next, frozen_[frozen_next_].due);
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) {
    if (cursor->exhausted()) continue;
    // Not in memory at this moment: Peek will tell.
    next = cursor->InWindow(cursor->next) ? std::min(next, cursor->at(cursor->next).due)
                                          : std::numeric_limits<core::WallMillis>::min();
  }
  return next;
}

core::Task<absl::Status> DueIndex::FillWindow(DueRunCursor& cursor) {
  const uint64_t entries = cursor.run->header().entries;
  const uint64_t wanted = std::min(entries, cursor.next + kWindowLeast);
  if (cursor.exhausted() || (cursor.InWindow(cursor.next) && cursor.window_begin + cursor.window.size() >= wanted))
    co_return absl::OkStatus();
  const uint64_t page = cursor.next / kRunPageEntries;
  std::vector<DueEntry> window;
  window.reserve(kWindowPages * kRunPageEntries);
  CO_RETURN_IF_ERROR(co_await cursor.run->Read(page, kWindowPages, window));
  cursor.window = std::move(window);
  cursor.window_begin = page * kRunPageEntries;
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::vector<DueIndex::Next>>> DueIndex::Peek(core::WallMillis now, size_t entries_max,
                                                                       size_t bytes_max) {
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) CO_RETURN_IF_ERROR(co_await FillWindow(*cursor));
  if (!dead_.empty() && NextDue() > dead_until_) dead_.clear();
  const uint64_t log_begin = log_.Span().begin;

  // From here on nothing suspends. The heads of all sources, moved on as they are taken.
  auto in_memory = memory_.begin();
  size_t in_frozen = frozen_next_;
  std::vector<uint64_t> in_runs;
  in_runs.reserve(runs_.size());
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) in_runs.push_back(cursor->next);
  std::vector<Next> found;
  size_t bytes = 0;
  const auto take_least = [&]() -> std::optional<DueEntry> {
    const DueEntry* least = in_memory == memory_.end() ? nullptr : &*in_memory;
    size_t source = SIZE_MAX;
    if (in_frozen < frozen_.size() && (least == nullptr || frozen_[in_frozen] < *least)) {
      least = &frozen_[in_frozen];
      source = SIZE_MAX - 1;
    }
    for (size_t i = 0; i < runs_.size(); ++i) {
      if (in_runs[i] == runs_[i]->run->header().entries) continue;
      if (!runs_[i]->InWindow(in_runs[i]))
        return std::nullopt;  // what comes then is not in memory: enough for this time
      const DueEntry& head = runs_[i]->at(in_runs[i]);
      if (least == nullptr || head < *least) {
        least = &head;
        source = i;
      }
    }
    if (least == nullptr || least->due > now) return std::nullopt;
    const DueEntry entry = *least;
    if (source == SIZE_MAX)
      ++in_memory;
    else if (source == SIZE_MAX - 1)
      ++in_frozen;
    else
      ++in_runs[source];
    return entry;
  };
  while (const std::optional<DueEntry> entry = take_least()) {
    if (!found.empty() && found.back().entry.SameMessage(*entry)) {
      // The same one again, from before and from behind the last checkpoint, or what takes it back.
      if (entry->taken_back()) found.back().waits = false;
      continue;
    }
    if (found.size() >= entries_max || (!found.empty() && bytes + entry->bytes > bytes_max)) break;
    bytes += entry->bytes;
    // What lies before the log's begin has been copied on before its segment went.
    const bool waits = !entry->taken_back() && entry->position() >= log_begin && !dead_.contains(entry->position());
    found.push_back({{entry->due, entry->position(), entry->bytes, entry->crc}, waits});
  }
  co_return found;
}

void DueIndex::Pop(const DueEntry& entry) {
  changed_ = true;
  dead_.erase(entry.position());
  for (auto found = memory_.lower_bound(entry); found != memory_.end() && found->SameMessage(entry);) {
    if (found->taken_back()) --memory_taken_back_;
    found = memory_.erase(found);
  }
  for (; frozen_next_ < frozen_.size() && frozen_[frozen_next_].SameMessage(entry); ++frozen_next_) {
    if (frozen_[frozen_next_].taken_back()) --frozen_taken_back_;
  }
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) {
    for (; !cursor->exhausted() && cursor->InWindow(cursor->next) && cursor->at(cursor->next).SameMessage(entry);
         ++cursor->next) {
      cursor->last_popped = cursor->at(cursor->next);
      if (cursor->last_popped->taken_back()) --cursor->taken_back_left;
    }
  }
}

namespace {

/// Keeps of the entries, which are sorted, those messages that wait.
void KeepWaiting(std::vector<DueEntry>& entries, const absl::flat_hash_set<uint64_t>& dead) {
  size_t kept = 0;
  for (size_t i = 0; i < entries.size();) {
    const DueEntry first = entries[i];
    bool waits = !first.taken_back() && !dead.contains(first.position());
    for (; i < entries.size() && entries[i].SameMessage(first); ++i) waits = waits && !entries[i].taken_back();
    if (waits) entries[kept++] = first;
  }
  entries.resize(kept);
}

}  // namespace

std::optional<DueEntry> DueIndex::FindInMemory(const DueEntry& of) const {
  const auto found = memory_.lower_bound(of);
  if (found == memory_.end() || !found->SameMessage(of) || found->taken_back()) return std::nullopt;
  // It was being written when it was taken back, and came back here as that failed: the mark is next to it.
  const auto next = std::next(found);
  if (next != memory_.end() && next->SameMessage(of)) return std::nullopt;
  return *found;
}

core::Task<absl::StatusOr<std::vector<DueEntry>>> DueIndex::Find(core::WallMillis due) {
  std::vector<DueEntry> found;
  const DueEntry least{.due = due};
  for (size_t i = 0; i < runs_.size(); ++i) {
    DueRun& run = *runs_[i]->run;
    CO_ASSIGN_OR_RETURN(uint64_t number, co_await run.LowerBound(least));
    number = std::max(number, runs_[i]->next);
    for (bool more = true; more && number < run.header().entries;) {
      std::vector<DueEntry> page;
      CO_RETURN_IF_ERROR(co_await run.Read(number / kRunPageEntries, 1, page));
      for (size_t slot = number % kRunPageEntries; more && slot < page.size(); ++slot, ++number) {
        more = page[slot].due == due;
        if (more) found.push_back(page[slot]);
      }
    }
  }
  for (auto entry = memory_.lower_bound(least); entry != memory_.end() && entry->due == due; ++entry)
    found.push_back(*entry);
  for (size_t i = frozen_next_; i < frozen_.size() && frozen_[i].due <= due; ++i) {
    if (frozen_[i].due == due) found.push_back(frozen_[i]);
  }
  std::sort(found.begin(), found.end());
  KeepWaiting(found, dead_);
  co_return found;
}

core::Task<absl::Status> DueIndex::ScanOn(DueScan& scan) {
  constexpr size_t kLookedAt = 16 * 1024;
  constexpr size_t kFound = 256;
  scan.found.clear();
  RunMerge<DueEntry> merge;
  for (size_t i = 0; i < runs_.size(); ++i) {
    DueRun& run = *runs_[i]->run;
    CO_ASSIGN_OR_RETURN(const uint64_t first, co_await run.LowerBound(scan.from));
    merge.Add(run, std::max(first, runs_[i]->next));
  }
  size_t looked_at = 0;
  std::optional<DueEntry> last;  // waits, unless what comes next takes it back
  const auto settle = [&] {
    if (!last.has_value() || last->taken_back() || dead_.contains(last->position())) return;
    if (last->position() < scan.below)
      scan.found.push_back(*last);
    else
      scan.lowest = std::min(scan.lowest, last->position());
  };
  while (!scan.done && looked_at < kLookedAt && scan.found.size() < kFound) {
    if (!merge.ready()) CO_RETURN_IF_ERROR(co_await merge.Fill());
    // Memory may have changed while the runs were read.
    auto in_memory = memory_.lower_bound(scan.from);
    auto in_frozen = std::lower_bound(frozen_.begin() + static_cast<int64_t>(frozen_next_), frozen_.end(), scan.from);
    while (merge.ready() && looked_at < kLookedAt && scan.found.size() < kFound) {
      const DueEntry* const in_runs = merge.Head();
      const DueEntry* head = in_runs;
      if (in_memory != memory_.end() && (head == nullptr || *in_memory < *head)) head = &*in_memory;
      if (in_frozen != frozen_.end() && (head == nullptr || *in_frozen < *head)) head = &*in_frozen;
      if (head == nullptr) {
        scan.done = true;
        break;
      }
      const DueEntry entry = *head;
      if (in_runs == head)
        merge.Advance();
      else if (in_frozen != frozen_.end() && head == &*in_frozen)
        ++in_frozen;
      else
        ++in_memory;
      if (last.has_value() && last->SameMessage(entry)) {
        if (entry.taken_back()) last = entry;
      } else {
        settle();
        last = entry;
        ++looked_at;
      }
      scan.from = {.due = entry.due, .place = entry.position() + 1};
    }
  }
  // Nothing more of the last message comes: scan.from is behind all that speaks of it, and it is seen as a whole before this returns unless a limit was
  // reached within it; then it is looked at again.
  if (scan.done)
    settle();
  else if (last.has_value())
    scan.from = {.due = last->due, .place = last->position()};
  co_return absl::OkStatus();
}

bool DueIndex::WantsNote() const { return changed_ || waiting() > 0 || !runs_.empty(); }

bool DueIndex::WantsCheckpoint() const {
  if (memory_.size() >= options_.memory_entries) return true;
  if (unread_from_.has_value()) return core::Reactor::Current().now() >= read_again_at_;
  return WantsNote() && log_.Span().batch >= replay_from_ + options_.replay_bytes;
}

}  // namespace store
