#include <algorithm>
#include <set>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/due_index.h"
#include "store/due_record.h"
#include "store/segment.h"

// The index of waiting messages from what is on disk.

namespace store {
namespace {

/// Between two readings of a log of which the disk refuses a part: a bad sector may stay bad, and delivery stands still meanwhile.
constexpr absl::Duration kReadAgainPauseMin = absl::Seconds(2);
constexpr absl::Duration kReadAgainPauseMax = absl::Minutes(30);

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<DueIndex>>> DueIndex::Open(DueIndexOptions options, MetaStore& meta,
                                                                     ShardStore& log) {
  std::unique_ptr<DueIndex> index(new DueIndex(std::move(options), meta, log));
  const absl::Status status = co_await index->Load();
  if (!status.ok()) {
    (void)co_await index->Close();
    co_return status;
  }
  co_return index;
}

core::Task<absl::Status> DueIndex::Load() {
  const std::string* const checkpoint = meta_.Find(MetaTable::kDue, DueCheckpointKey(options_.kind));
  absl::Status status;
  if (checkpoint != nullptr) status = co_await LoadRuns(*checkpoint);
  if (!status.ok()) {
    core::LogError("the index of waiting messages in ", options_.topic, " of log ", options_.log.log_number,
                   " is made anew from the log: ", status.ToString());
    ++made_anew_;
    co_await DropRuns();
  }
  CO_RETURN_IF_ERROR(co_await RemoveStrayRuns());
  // With runs every link behind the checkpoint counts. Without, nothing waited then, and what is linked to must come first.
  co_return co_await ReadLog(runs_.empty() ? co_await FirstRecordFrom(replay_from_) : replay_from_);
}

core::Task<absl::Status> DueIndex::LoadRuns(const std::string& checkpoint) {
  CO_ASSIGN_OR_RETURN(const DueCheckpoint noted, ParseDueCheckpoint(checkpoint));
  replay_from_ = noted.replay_from;
  entered_below_ = noted.entered_below;
  next_number_ = noted.next_number;
  if (replay_from_ > log_.Span().batch) co_return absl::DataLossError("its checkpoint lies behind the end of the log");
  for (const DueCheckpoint::Run& run : noted.runs) {
    auto cursor = std::make_unique<DueRunCursor>();
    cursor->next = run.next;
    cursor->taken_back_left = run.taken_back_left;
    CO_ASSIGN_OR_RETURN(cursor->run, co_await DueRun::Open(options_.directory, {options_.log, options_.kind, run.number}));
    const bool fits =
        cursor->next <= cursor->run->header().entries && cursor->taken_back_left <= cursor->run->header().taken_back;
    runs_.push_back(std::move(cursor));
    if (!fits) co_return absl::DataLossError("its checkpoint does not fit its files");
  }
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) CO_RETURN_IF_ERROR(co_await FillWindow(*cursor));
  co_return absl::OkStatus();
}

core::Task<void> DueIndex::DropRuns() {
  for (const std::unique_ptr<DueRunCursor>& cursor : std::exchange(runs_, {})) {
    obsolete_.push_back(cursor->run->number());
    (void)co_await cursor->run->Close();
  }
  replay_from_ = 0;
  entered_below_ = 0;
}

core::Task<absl::Status> DueIndex::RemoveStrayRuns() {
  std::set<uint64_t> known;
  for (const std::unique_ptr<DueRunCursor>& cursor : runs_) known.insert(cursor->run->number());
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> files, co_await core::fs::List(options_.directory));
  for (const core::DirectoryEntry& file : files) {
    const std::optional<uint64_t> number = PositionOfSegmentName(file.name, kDueRunSuffix);
    if (!number.has_value()) continue;
    next_number_ = std::max(next_number_, *number + 1);
    if (!known.contains(*number))
      CO_RETURN_IF_ERROR(co_await core::fs::Remove(DueRunPath(options_.directory, *number)));
  }
  obsolete_.clear();
  co_return absl::OkStatus();
}

/// Where the first record of the queue of waiting messages lies at or behind `position`; the end of the log when none does.
core::Task<uint64_t> DueIndex::FirstRecordFrom(uint64_t position) {
  // The queue does not know what lies in ranges that recovery had to skip.
  if (log_.Stats().damaged_bytes > 0) co_return position;
  const core::QueueKey queue{std::string(options_.topic), options_.queue_id};
  uint64_t first = log_.Span().batch;
  int64_t low = log_.MinOffset(queue).value();
  int64_t high = log_.MaxOffset(queue).value();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    FetchRequest request;
    request.queue = queue;
    request.from = core::LogicalOffset(middle);
    request.messages_max = 1;
    const FetchResult found = co_await log_.Fetch(std::move(request));
    const absl::StatusOr<RecordView> record =
        found.parts.empty() ? absl::NotFoundError("damaged") : ParseRecord(found.parts.front().bytes());
    // One that can't be read says nothing, and may be readable when the log is looked through: all of it, then.
    if (!record.ok() || record->queue_offset.value() != middle) co_return position;
    const uint64_t at = LogPositionOf(record->position);
    if (at >= position) {
      // Replay takes a whole block for the begin of a batch.
      first = std::min(first, at % kBlock == 0 ? at - 1 : at);
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  co_return first;
}

core::Task<absl::Status> DueIndex::ReadLog(uint64_t from) {
  absl::flat_hash_map<uint64_t, DueEntry> waiting;  // by position
  const auto end_of_waiting = [&](uint64_t position, std::optional<core::WallMillis> due) {
    if (position == 0) return;
    if (const auto ended = waiting.find(position); ended != waiting.end()) {
      memory_.erase(ended->second);  // an earlier reading did not come to what ends it
      waiting.erase(ended);
      return;
    }
    if (runs_.empty()) return;
    if (due.has_value())
      TakeBack({.due = *due, .place = position});
    else
      dead_.insert(position);
  };
  const auto look_at = [&](const ReplayedRecord& record) {
    const DueEvent event = options_.read_event(record);
    switch (event.kind) {
      case DueEvent::Kind::kNone:
        break;
      case DueEvent::Kind::kWaits:
        if (record.ref.position < entered_below_) break;
        end_of_waiting(event.replaced, event.due);
        waiting[record.ref.position] = {event.due, record.ref.position, record.ref.bytes, record.ref.crc};
        break;
      case DueEvent::Kind::kTakenBack:
        if (record.ref.position < entered_below_) break;
        end_of_waiting(event.replaced, event.due);
        break;
      case DueEvent::Kind::kDelivered:
        end_of_waiting(event.replaced, std::nullopt);
        // It was due when it was stored in its queue, and store times never go back.
        dead_until_ = std::max(dead_until_, record.view.store_timestamp);
        break;
    }
  };
  const absl::StatusOr<uint64_t> end = co_await log_.Replay(from, look_at);
  if (end.ok()) {
    // The next start need not read that much again.
    if (*end > from + options_.replay_bytes) changed_ = true;
    unread_from_.reset();
    read_again_pause_ = absl::ZeroDuration();
  } else if (absl::IsUnavailable(end.status())) {
    unread_from_ = from;
    read_again_pause_ = std::clamp(2 * read_again_pause_, kReadAgainPauseMin, kReadAgainPauseMax);
    read_again_at_ = core::Reactor::Current().now() + read_again_pause_;
    core::LogError("messages that wait in log ", options_.log.log_number,
                   " where it can't be read are not delivered before it can: ", core::ToStd(end.status().message()));
  } else {
    co_return end.status();
  }
  // The clock may have stepped back meanwhile.
  if (!dead_.empty()) dead_until_ = std::max(dead_until_, core::Reactor::Current().wall_now());
  constexpr size_t kSlice = 4096;
  size_t entered = 0;
  for (const auto& [position, entry] : waiting) {
    Insert(entry);
    if (++entered % kSlice == 0) co_await core::Yield();
  }
  co_return absl::OkStatus();
}

/// What was delivered, came in or was taken back since the log was read the first time is known already: it is in the log as well, or enters itself.
core::Task<absl::Status> DueIndex::ReadAgain() {
  const core::Semaphore::Hold turn = co_await turn_.Take(1);
  CO_RETURN_IF_ERROR(co_await log_.Flush());
  co_return co_await ReadLog(*unread_from_);
}

core::Task<absl::Status> DueIndex::Rebuild() {
  ++made_anew_;
  co_await DropRuns();
  memory_.clear();
  memory_taken_back_ = 0;
  frozen_.clear();
  frozen_next_ = 0;
  frozen_taken_back_ = 0;
  dead_.clear();
  changed_ = true;
  // Only what is written can be read; what is entered meanwhile enters itself, too.
  CO_RETURN_IF_ERROR(co_await log_.Flush());
  co_return co_await ReadLog(co_await FirstRecordFrom(0));
}

}  // namespace store
