#include "store/key_index.h"

#include <algorithm>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"

namespace store {

KeyIndex::KeyIndex(KeyIndexOptions options, SegmentList& segments, CommitLog& log)
    : options_(std::move(options)), segments_(segments), log_(log), tail_(options_.log, options_.table_entries) {}

KeyIndex::~KeyIndex() = default;

core::Task<absl::Status> KeyIndex::Load() {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> files, co_await core::fs::List(options_.directory));
  // What was made of this log lies before the mark with which its opening has begun.
  const uint64_t log_end = log_.batch_begin() - kBlock;
  std::vector<uint64_t> begins;
  size_t names = 0;
  for (const core::DirectoryEntry& file : files) {
    if (const std::optional<uint64_t> begin = PositionOfSegmentName(file.name, kKeyRunSuffix)) begins.push_back(*begin);
    if (!PositionOfSegmentName(file.name, kNewKeyRunSuffix).has_value()) continue;
    ++names;
    CO_RETURN_IF_ERROR(co_await core::fs::Remove(core::StrCat(options_.directory, "/", file.name)));
  }
  std::sort(begins.begin(), begins.end());
  for (const uint64_t begin : begins) CO_RETURN_IF_ERROR(co_await LoadRun(begin, log_end));
  // Before anything is appended: what the log takes in the place of what it has lost must not meet an index of that.
  if (names > 0 || runs_.size() < begins.size())
    CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory(options_.directory));
  BeginTail();
  co_return absl::OkStatus();
}

core::Task<absl::Status> KeyIndex::LoadRun(uint64_t begin, uint64_t log_end) {
  const std::string path = KeyRunPath(options_.directory, begin);
  const Segment* const segment = segments_.Find(begin);
  absl::StatusOr<std::unique_ptr<KeyRun>> run = co_await KeyRun::Open(options_.directory, options_.log, begin);
  if (!run.ok()) {
    // Too few descriptors, say, are no reason to read the log again.
    if (!absl::IsDataLoss(run.status())) co_return run.status();
    ++damaged_runs_;
    core::LogWarning("keys to be read from the log again: ", run.status().ToString());
    co_return co_await core::fs::Remove(path);
  }
  const KeyStretch stretch = (*run)->stretch();
  // Its segment has expired; it is of a log that a power cut has shortened; it is part of a merged one; or it lacks what could not be read.
  const uint64_t covered = runs_.empty() ? 0 : runs_.back()->stretch().end;
  const bool counts = segment != nullptr && stretch.end <= segment->limit() && stretch.end <= log_end &&
                      begin >= covered && !stretch.unreadable;
  if (counts) {
    runs_.push_back(*std::move(run));
    co_return absl::OkStatus();
  }
  (void)co_await (*run)->Close();
  co_return co_await core::fs::Remove(path);
}

/// Where the last run of the segment that is written to ends; what lies behind it is in no file yet.
void KeyIndex::BeginTail() {
  appended_from_ = log_.next_record();
  const Segment& active = log_.active();
  tail_segment_ = active.position;
  const bool begun = !runs_.empty() && runs_.back()->stretch().begin >= active.position;
  const uint64_t begin = begun ? runs_.back()->stretch().end : active.position;
  tail_.Begin(begin, begun ? std::max(runs_.back()->stretch().resume, active.data_begin()) : active.data_begin());
}

void KeyIndex::Start() {
  if (!options_.build) return;
  scope_.Spawn(FollowLoop());
  scope_.Spawn(FillLoop());
}

core::Task<void> KeyIndex::Stop() {
  scope_.RequestStop();
  co_await scope_.Join();
}

core::Task<void> KeyIndex::Close() {
  const core::Semaphore::Hold all = co_await users_.Take(kUsersMax);
  for (const std::unique_ptr<KeyRun>& run : std::exchange(runs_, {})) (void)co_await run->Close();
}

core::Task<void> KeyIndex::LetGo(Runs runs) {
  for (const std::unique_ptr<KeyRun>& run : runs) {
    (void)co_await run->Close();
    const absl::Status removed = co_await core::fs::Remove(KeyRunPath(options_.directory, run->stretch().begin));
    // The next start removes it.
    if (!removed.ok()) core::LogWarning(removed.ToString());
  }
}

core::Task<void> KeyIndex::Forget(const Segment& segment) {
  const core::Semaphore::Hold all = co_await users_.Take(kUsersMax);
  Runs gone;
  std::erase_if(runs_, [&](std::unique_ptr<KeyRun>& run) {
    const bool in_it = run->stretch().begin >= segment.position && run->stretch().begin < segment.limit();
    if (in_it) gone.push_back(std::move(run));
    return in_it;
  });
  co_await LetGo(std::move(gone));
}

core::Task<absl::Status> KeyIndex::WriteRun(KeyCollector& from) {
  const KeyStretch stretch = from.stretch();
  const Segment* const segment = segments_.Find(stretch.begin);
  if (segment == nullptr) co_return absl::OkStatus();  // it has expired
  // A run must never speak of what a power cut takes.
  const bool active = segment == &log_.active();
  CO_RETURN_IF_ERROR(co_await log_.FlushTo(active ? stretch.end : std::min(stretch.end, segment->end)));
  co_await from.table().Sort();
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyRunWriter> writer,
                      co_await KeyRunWriter::Create(options_.directory, options_.log, stretch));
  absl::Status status;
  for (size_t i = 0; i < KeyTable::kParts && status.ok(); ++i) {
    const std::vector<KeyEntry>& part = from.table().part(i);
    for (size_t entry = 0; entry < part.size() && status.ok(); ++entry) {
      writer->Add(part[entry]);
      if (writer->full()) status = co_await writer->Write();
    }
  }
  if (!status.ok()) {
    co_await writer->Abandon();
    co_return status;
  }
  CO_ASSIGN_OR_RETURN(std::unique_ptr<KeyRun> run, co_await writer->Finish());
  co_await AddRun(std::move(run));
  co_return absl::OkStatus();
}

core::Task<void> KeyIndex::AddRun(std::unique_ptr<KeyRun> run) {
  if (segments_.Find(run->stretch().begin) == nullptr) {  // it has expired meanwhile
    Runs gone;
    gone.push_back(std::move(run));
    co_await LetGo(std::move(gone));
    co_return;
  }
  const auto behind = std::find_if(runs_.begin(), runs_.end(), [&](const std::unique_ptr<KeyRun>& other) {
    return other->stretch().begin > run->stretch().begin;
  });
  runs_.insert(behind, std::move(run));
  ++fills_;
  filled_.NotifyAll();
  to_fill_.NotifyAll();
}

core::Task<absl::StatusOr<std::vector<KeyIndex::Place>>> KeyIndex::Places(uint64_t hash, core::MonoTime deadline) {
  const uint64_t target = log_.next_record();
  core::Semaphore::Hold turn;
  for (;;) {
    turn = co_await turn_.Take(1, deadline);
    if (!turn) co_return absl::DeadlineExceededError("the newest messages are not in the index of keys yet");
    if (log_.open_batch() != nullptr && tail_.stretch().resume == log_.batch_begin()) EnterOpen(*log_.open_batch());
    if (tail_.stretch().end >= target) break;
    CO_RETURN_IF_ERROR((co_await FollowSlice()).status());
    turn.Release();
    co_await core::Yield();
  }
  std::vector<Place> places;
  const KeyStretch& tail = tail_.stretch();
  places.push_back({.begin = tail.begin,
                    .end = tail.end,
                    .time_min = tail.time_min,
                    .time_max = tail.time_max,
                    .in_order = tail.in_order,
                    .in_memory = tail_.table().Find(hash)});
  for (const std::unique_ptr<KeyRun>& run : runs_) {
    const KeyStretch& stretch = run->stretch();
    if (run->damaged) continue;
    places.push_back({.begin = stretch.begin,
                      .end = stretch.end,
                      .time_min = stretch.time_min,
                      .time_max = stretch.time_max,
                      .in_order = stretch.in_order,
                      .run = run.get(),
                      .in_memory = {}});
  }
  for (const Hole& hole : Holes()) {
    places.push_back({.begin = hole.begin,
                      .end = hole.end,
                      .time_min = hole.segment->time_min,
                      .time_max = hole.segment->time_max,
                      .hole = true,
                      .in_memory = {}});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin > b.begin; });
  co_return places;
}

void KeyIndex::NoteDamage(KeyRun& run, const absl::Status& status) {
  if (std::exchange(run.damaged, true)) return;
  ++damaged_runs_;
  core::LogError("keys are read from the log again: ", status.ToString());
  to_fill_.NotifyAll();
}

core::Task<core::WaitResult> KeyIndex::WaitForFill(uint64_t fills, core::MonoTime deadline) {
  if (fills != fills_) co_return core::WaitResult::kNotified;
  ++waiting_for_fill_;
  const core::WaitResult result = co_await filled_.Wait(deadline);
  --waiting_for_fill_;
  co_return result;
}

KeyIndex::Last KeyIndex::last() const {
  if (tail_.stretch().time_max > 0 || runs_.empty()) return {tail_.stretch().end, tail_.stretch().time_max};
  return {runs_.back()->stretch().end, runs_.back()->stretch().time_max};
}

KeyIndexStats KeyIndex::stats() const {
  KeyIndexStats stats{.runs = runs_.size(), .damaged_runs = damaged_runs_, .entered_late = entered_late_};
  if (!options_.build) return stats;
  stats.bytes_missing = log_.next_record() - std::min(log_.next_record(), tail_.stretch().end);
  for (const Hole& hole : Holes()) stats.bytes_missing += hole.end - hole.begin;
  return stats;
}

}  // namespace store
