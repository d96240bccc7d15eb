#include "broker/schedule.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "broker/message_properties.h"
#include "broker/now.h"
#include "broker/record_draft.h"
#include "broker/wait_until_due.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/due_record.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace broker {
namespace {

/// Of one round: messages read at once, delivered and waited for together.
constexpr size_t kRoundEntries = 128;
constexpr size_t kRoundBytes = size_t{4} << 20;
/// The wall clock may step meanwhile, so it is looked at so often.
constexpr absl::Duration kDeliverSleepMax = absl::Milliseconds(200);
/// After a disk was full or failed.
constexpr absl::Duration kDeliverRetryPause = absl::Milliseconds(100);
/// What is due that soon is not copied on: its segment waits for it.
constexpr absl::Duration kSoon = absl::Minutes(1);

core::Task<void> ReadOne(store::ShardStore& log, store::RecordRef ref, absl::StatusOr<core::Slice>& into) {
  into = co_await log.ReadRecord(ref);
}

}  // namespace

/// What a waiting record says of its message.
struct Schedule::Waiting {
  std::string_view topic;
  int32_t queue_id = -1;
  std::string_view tags;
  std::string_view uniq_key;
  std::string_view dispatch;
  bool by_level = false;

  explicit Waiting(const store::RecordView& record) {
    ForEachProperty(record.properties, [this](std::string_view name, std::string_view value) {
      if (name == kPropertyRealTopic)
        topic = value;
      else if (name == kPropertyRealQueue)
        std::from_chars(value.data(), value.data() + value.size(), queue_id);
      else if (name == kPropertyTags)
        tags = value;
      else if (name == kPropertyUniqKey)
        uniq_key = value;
      else if (name == kPropertyMultiDispatch)
        dispatch = value;
      else if (name == kPropertyDelay)
        by_level = IsLevel(value);
    });
  }
  static bool IsLevel(std::string_view value) {
    int32_t level = 0;
    std::from_chars(value.data(), value.data() + value.size(), level);
    return level > 0;
  }
  bool ok() const { return !topic.empty() && queue_id >= 0; }
};

core::Task<absl::StatusOr<std::unique_ptr<Schedule>>> Schedule::Open(ScheduleOptions options, store::MetaStore& meta,
                                                                     store::ShardStore& log) {
  std::unique_ptr<Schedule> schedule(new Schedule(std::move(options), log));
  CO_ASSIGN_OR_RETURN(schedule->index_, co_await store::DueIndex::Open(schedule->options_.index, meta, log));
  schedule->upkeep_.emplace(*schedule->index_, "delayed messages", [there = schedule.get()] { there->earlier_.NotifyAll(); });
  co_return schedule;
}

void Schedule::Start() {
  log_.AddKeeper(this);
  scope_.Spawn(DeliverLoop());
  scope_.Spawn(upkeep_->Run(scope_.stop_token()));
}

core::Task<absl::Status> Schedule::Stop() {
  stopping_ = true;
  scope_.RequestStop();
  co_await scope_.Join();
  co_return co_await upkeep_->Close();
}

ScheduleStats Schedule::stats() const {
  ScheduleStats stats = stats_;
  stats.waiting = index_->waiting();
  stats.runs = index_->runs();
  stats.made_anew = index_->made_anew();
  return stats;
}

core::Task<absl::StatusOr<store::BegunAppend>> Schedule::BeginAppend(store::MessageDraft draft, core::WallMillis due, int64_t link,
                                                                     std::optional<store::Durability> durability,
                                                                     store::Admission admission) {
  CO_RETURN_IF_ERROR(index_->CheckRoom());
  draft.topic = store::kDueTopic;
  draft.queue_id = options_.index.queue_id;
  draft.prepared_transaction_offset = link;
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await log_.BeginAppendInTurn(draft, durability, admission));
  const bool first = due < index_->NextDue();
  index_->Insert({due, begun.record.position, begun.record.bytes, begun.record.crc});
  if (first) earlier_.NotifyAll();
  co_return begun;
}

core::Task<absl::StatusOr<store::AppendResult>> Schedule::Append(store::MessageDraft draft, core::WallMillis due,
                                                                 std::optional<store::Durability> durability) {
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await BeginAppend(draft, due, store::MakeDueLink(0), durability));
  store::AppendResult result;
  result.first_queue_offset = begun.queue_offset;
  result.positions.push_back(begun.position);
  if (begun.pending != nullptr) CO_RETURN_IF_ERROR(co_await log_.EndAppend(std::move(begun)));
  co_return result;
}

// --- Delivery.

core::Task<void> Schedule::DeliverLoop() {
  const core::StopToken stop = scope_.stop_token();
  bool failing = false;
  while (!stop.stop_requested()) {
    if (!co_await IsDueOrWait(index_->NextDue(), kDeliverSleepMax, earlier_, stop)) continue;
    const absl::Status status = co_await DeliverSome();
    if (!status.ok()) {
      if (!std::exchange(failing, true))
        core::LogError("delayed messages of this shard have to wait: ", core::ToStd(status.message()));
      core::Sleep pause(kDeliverRetryPause, stop);
      (void)co_await pause;
      continue;
    }
    if (std::exchange(failing, false)) core::LogInfo("delayed messages of this shard are delivered again");
    co_await core::Yield();  // many may be due at once
  }
}

/// A message as it is to be in its queue. Points into the record and itself.
struct Schedule::Delivery {
  Delivery(const store::RecordView& record, const Waiting& waiting, const store::DueEntry& entry) : draft(DraftOf(record)) {
    draft.topic = waiting.topic;
    draft.queue_id = waiting.queue_id;
    draft.tags_code = waiting.tags.empty() ? 0 : store::JavaHash(waiting.tags);
    draft.prepared_transaction_offset = store::MakeDueLink(entry.position());
    // A message that waited for a level shows no timer; one with a timer shows when it began to wait and when it was done. Source: RocketMQ 5.3.3
    // ScheduleMessageService.messageTimeUp, TimerMessageStore.
    AppendWithout(properties, record.properties, [&](std::string_view name) {
      return waiting.by_level ? name == store::kPropertyDueTime
                              : name == kPropertyTimerEnqueueMs || name == kPropertyTimerDequeueMs;
    });
    if (!waiting.by_level) {
      AppendProperty(added, kPropertyTimerEnqueueMs, core::StrCat(record.store_timestamp));
      AppendProperty(added, kPropertyTimerDequeueMs, core::StrCat(Now()));
      if (properties.size() + added.size() > store::kPropertiesBytesMax) added.clear();
    }
    draft.properties = properties;
    draft.more_properties = added;
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  store::MessageDraft draft;
  std::string properties;
  std::string added;
  std::string dispatched;  // more properties
};

core::Task<void> Schedule::DispatchAhead(const store::DueEntry& entry, const core::Slice& bytes) {
  const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes.bytes());
  if (!record.ok()) co_return;
  const Waiting waiting(*record);
  if (waiting.dispatch.empty() || !waiting.ok() || !options_.topic_exists(waiting.topic)) co_return;
  Delivery delivery(*record, waiting, entry);
  // Deliver asks again, and is told what became of it.
  (void)co_await options_.dispatch(waiting.dispatch, &delivery.draft, &dispatching_[entry.position()], &delivery.dispatched);
}

core::Task<absl::Status> Schedule::DeliverSome() {
  const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
  if (upkeep_->damaged()) co_return absl::DataLossError("their index is made anew");
  const absl::StatusOr<std::vector<store::DueIndex::Next>> next =
      co_await index_->Peek(Now(), kRoundEntries, kRoundBytes);
  if (!next.ok()) {
    upkeep_->Note(next.status());
    co_return next.status();
  }
  std::vector<absl::StatusOr<core::Slice>> records(next->size());
  core::Scope reads;
  for (size_t i = 0; i < next->size(); ++i) {
    if ((*next)[i].waits) reads.Spawn(ReadOne(log_, (*next)[i].entry.record(), records[i]));
  }
  co_await reads.Join();
  // All that were read in vain, not only the first: what lies in one bad place is waited for together.
  for (size_t i = 0; i < next->size(); ++i) {
    const store::DueEntry& entry = (*next)[i].entry;
    if (!absl::IsDataLoss(records[i].status()))
      patience_.Forget(entry.position());
    else if (!patience_.IsOver(entry.position()))
      records[i] = absl::UnavailableError(records[i].status().message());
  }
  if (options_.dispatch != nullptr) {
    core::Scope dispatches;  // side by side, as each waits for other shards
    for (size_t i = 0; i < next->size(); ++i) {
      if ((*next)[i].waits && records[i].ok()) dispatches.Spawn(DispatchAhead((*next)[i].entry, *records[i]));
    }
    co_await dispatches.Join();
  }
  std::vector<store::BegunAppend> pending;
  absl::Status status;
  for (size_t i = 0; i < next->size() && status.ok(); ++i) {
    const store::DueIndex::Next& one = (*next)[i];
    if (one.waits)
      status = co_await Deliver(one.entry, records[i], pending);
    else
      index_->Pop(one.entry);
  }
  co_await EndAll(std::move(pending));
  co_return status;
}

core::Task<absl::Status> Schedule::Deliver(const store::DueEntry& entry, const absl::StatusOr<core::Slice>& bytes,
                                           std::vector<store::BegunAppend>& pending) {
  absl::Status readable = bytes.status();
  absl::StatusOr<store::RecordView> record = absl::DataLossError("");
  if (readable.ok()) {
    record = store::ParseRecord(bytes->bytes());
    if (!record.ok()) readable = absl::DataLossError(record.status().message());
  }
  if (absl::IsDataLoss(readable) || absl::IsNotFound(readable)) {
    core::LogError("a delayed message that was due at ", entry.due, " is lost: ", core::ToStd(readable.message()));
    ++stats_.damaged;
    patience_.Forget(entry.position());
    dispatching_.erase(entry.position());
    index_->Pop(entry);
    co_return absl::OkStatus();
  }
  CO_RETURN_IF_ERROR(readable);

  const Waiting waiting(*record);
  if (!waiting.ok() || !options_.topic_exists(waiting.topic)) {
    core::LogWarning("a delayed message is discarded, as its topic is gone: ", waiting.topic);
    CO_RETURN_IF_ERROR(co_await AppendTakeBack(entry, *record, waiting, pending));
    ++stats_.discarded;
    dispatching_.erase(entry.position());
    index_->Pop(entry);
    co_return absl::OkStatus();
  }
  Delivery delivery(*record, waiting, entry);
  store::MessageDraft& draft = delivery.draft;
  if (!waiting.dispatch.empty() && options_.dispatch != nullptr) {
    // The index gives its entries away in their order, so those behind this one wait with it.
    CO_RETURN_IF_ERROR(co_await options_.dispatch(waiting.dispatch, &draft, &dispatching_[entry.position()], &delivery.dispatched));
  }

  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await log_.BeginAppendInTurn(draft, std::nullopt, store::Admission::kMakesRoom));
  index_->Pop(entry);
  dispatching_.erase(entry.position());
  if (begun.pending != nullptr) pending.push_back(std::move(begun));
  const int64_t late = Now() - entry.due;
  ++stats_.delivered;
  if (late > absl::ToInt64Milliseconds(kLate)) ++stats_.late;
  stats_.late_ms_max = std::max(stats_.late_ms_max, late);
  options_.on_delivered(draft);
  co_return absl::OkStatus();
}

core::Task<absl::Status> Schedule::AppendTakeBack(const store::DueEntry& entry, const store::RecordView& record,
                                                  const Waiting& waiting, std::vector<store::BegunAppend>& pending) {
  store::MessageDraft draft = DraftOf(record);
  draft.topic = store::kDueTopic;
  draft.queue_id = options_.index.queue_id;
  draft.prepared_transaction_offset = store::MakeDueLink(entry.position());
  constexpr std::string_view kBody = "0";  // no record of RocketMQ's is without a body
  draft.body = std::as_bytes(std::span(kBody.data(), kBody.size()));
  std::string properties;
  AppendProperty(properties, store::kPropertyTakesBack, core::StrCat(waiting.topic, "+", waiting.uniq_key));
  AppendProperty(properties, store::kPropertyDueTime, core::StrCat(entry.due));
  draft.properties = properties;
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await log_.BeginAppendInTurn(draft, std::nullopt, store::Admission::kMakesRoom));
  if (begun.pending != nullptr) pending.push_back(std::move(begun));
  co_return absl::OkStatus();
}

core::Task<void> Schedule::EndAll(std::vector<store::BegunAppend> pending) {
  // Whether the promise holds in time concerns nobody: the index is not noted before the log is flushed.
  for (store::BegunAppend& append : pending) (void)co_await log_.EndAppend(std::move(append));
}

// --- What else becomes of messages that wait.

core::Task<absl::StatusOr<bool>> Schedule::TakeBack(std::string topic, std::string uniq_key, core::WallMillis due) {
  const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
  const absl::StatusOr<std::vector<store::DueEntry>> found = co_await index_->Find(due);
  upkeep_->Note(found.status());
  CO_RETURN_IF_ERROR(found.status());
  for (const store::DueEntry& entry : *found) {
    const absl::StatusOr<core::Slice> bytes = co_await log_.ReadRecord(entry.record());
    if (!bytes.ok()) continue;
    const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes->bytes());
    if (!record.ok()) continue;
    const Waiting waiting(*record);
    if (waiting.topic != topic || waiting.uniq_key != uniq_key) continue;
    std::vector<store::BegunAppend> pending;
    CO_RETURN_IF_ERROR(co_await AppendTakeBack(entry, *record, waiting, pending));
    index_->TakeBack(entry);
    dispatching_.erase(entry.position());
    ++stats_.taken_back;
    for (store::BegunAppend& append : pending) CO_RETURN_IF_ERROR(co_await log_.EndAppend(std::move(append)));
    co_return true;
  }
  co_return false;
}

core::Task<bool> Schedule::LetGo(uint64_t end) {
  if (looked_through_ >= end) co_return true;
  const core::Semaphore::Hold upkeep = co_await upkeep_->turn().Take(1);
  const core::WallMillis soon = Now() + absl::ToInt64Milliseconds(kSoon);
  // What comes from now on lies behind this.
  uint64_t lowest = log_.Span().batch;
  store::DueScan scan{.below = end, .found = {}};
  while (!scan.done) {
    if (stopping_ || upkeep_->damaged()) co_return false;
    const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
    absl::Status status = co_await index_->ScanOn(scan);
    for (size_t i = 0; i < scan.found.size() && status.ok(); ++i) {
      const store::DueEntry& entry = scan.found[i];
      if (entry.due < soon)
        lowest = std::min(lowest, entry.position());
      else
        status = co_await CopyOn(entry);
    }
    if (!status.ok()) {
      upkeep_->Note(status);
      core::LogWarning("a segment that has expired stays, as messages in it that wait can't be copied on: ",
                       core::ToStd(status.message()));
      co_return false;
    }
  }
  // The segment goes for good: what has come in the place of its messages, copies and delivered ones, must be there after a power cut.
  if (const absl::Status flushed = co_await log_.Flush(); !flushed.ok()) co_return false;
  looked_through_ = std::min(lowest, scan.lowest);
  co_return looked_through_ >= end;
}

core::Task<absl::Status> Schedule::CopyOn(const store::DueEntry& entry) {
  const absl::StatusOr<core::Slice> bytes = co_await log_.ReadRecord(entry.record());
  if (absl::IsNotFound(bytes.status())) {  // it was given up before its segment went, and the index has forgotten that in a crash
    index_->TakeBack(entry);
    co_return absl::OkStatus();
  }
  if (absl::IsDataLoss(bytes.status())) {
    if (!patience_.IsOver(entry.position())) co_return absl::UnavailableError(bytes.status().message());
    patience_.Forget(entry.position());
    core::LogError("a delayed message for ", entry.due, " is lost: ", core::ToStd(bytes.status().message()));
    ++stats_.damaged;
    index_->TakeBack(entry);
    co_return absl::OkStatus();
  }
  CO_RETURN_IF_ERROR(bytes.status());
  const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes->bytes());
  CO_RETURN_IF_ERROR(record.status());
  store::MessageDraft draft = DraftOf(*record);
  draft.tags_code = store::JavaHash(Waiting(*record).tags);
  draft.prepared_transaction_offset = store::MakeDueLink(entry.position());
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await log_.BeginAppendInTurn(draft, std::nullopt, store::Admission::kMakesRoom));
  index_->Insert({entry.due, begun.record.position, begun.record.bytes, begun.record.crc});
  index_->TakeBack(entry);
  ++stats_.copied_on;
  if (begun.pending != nullptr) (void)co_await log_.EndAppend(std::move(begun));
  co_return absl::OkStatus();
}

}  // namespace broker
