#include "broker/transactions.h"

#include <algorithm>
#include <utility>

#include "broker/config.h"
#include "broker/delay.h"
#include "broker/half_message.h"
#include "broker/message_id.h"
#include "broker/message_properties.h"
#include "broker/now.h"
#include "broker/record_draft.h"
#include "broker/schedule.h"
#include "broker/system_topics.h"
#include "broker/wire_status.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/half_record.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace broker {
namespace {

/// Failed commits with copies in light queues that are remembered, so that none is made twice.
constexpr size_t kDispatchingMax = 1024;

using net::ResponseCode;

/// A producer that takes nothing is waited for, and then this round does without it.
constexpr absl::Duration kAskPause = absl::Milliseconds(10);
constexpr absl::Duration kAskPatience = absl::Seconds(5);

store::DueEntry EntryOf(const store::RecordRef& record) {
  return {.due = static_cast<core::WallMillis>(record.position), .place = record.position, .bytes = record.bytes, .crc = record.crc};
}

SendRefusal RefuseHalf(ResponseCode code, std::string remark) { return {code, std::move(remark)}; }

SendRefusal NotPending(uint64_t position) {
  return RefuseHalf(ResponseCode::kSystemError,
                    core::StrCat("Find prepared transaction message failed: none is pending at position ", position,
                                 " of this log; it was committed or rolled back before, was put aside, or never was"));
}

}  // namespace

/// A half message that was read: the view points into the bytes, `message` into both.
struct Transactions::Half {
  Half(core::Slice b, const store::RecordView& r) : bytes(std::move(b)), record(r), message(record) {}
  core::Slice bytes;
  store::RecordView record;
  HalfMessage message;
};

void Transactions::MakeHalfIndex(store::DueIndexOptions& index) {
  index.topic = store::kHalfTopic;
  index.read_event = store::ReadHalfEvent;
  index.kind = store::DueKind::kHalf;
}

core::Task<absl::StatusOr<std::unique_ptr<Transactions>>> Transactions::Open(TransactionsOptions options, const BrokerConfig& config,
                                                                             store::MetaStore& meta, store::ShardStore& log,
                                                                             Schedule& schedule) {
  std::unique_ptr<Transactions> opened(new Transactions(std::move(options), config, log, schedule));
  CO_ASSIGN_OR_RETURN(opened->index_, co_await store::DueIndex::Open(opened->options_.index, meta, log));
  opened->upkeep_.emplace(*opened->index_, "pending transactions", [] {});
  co_return opened;
}

void Transactions::Start() {
  log_.AddKeeper(this);
  scope_.Spawn(CheckLoop());
  scope_.Spawn(upkeep_->Run(scope_.stop_token()));
}

core::Task<absl::Status> Transactions::Stop() {
  stopping_ = true;
  scope_.RequestStop();
  co_await scope_.Join();
  co_return co_await upkeep_->Close();
}

TransactionStats Transactions::stats() const {
  TransactionStats stats = stats_;
  stats.pending = index_->waiting();
  return stats;
}

core::Task<absl::StatusOr<store::AppendResult>> Transactions::Prepare(store::MessageDraft draft,
                                                                      std::optional<store::Durability> durability) {
  CO_RETURN_IF_ERROR(index_->CheckRoom());
  draft.topic = store::kHalfTopic;
  draft.queue_id = options_.index.queue_id;
  draft.prepared_transaction_offset = store::MakeHalfLink(0);
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await log_.BeginAppendInTurn(draft, durability));
  index_->Insert(EntryOf(begun.record));
  store::AppendResult result;
  result.first_queue_offset = begun.queue_offset;
  result.positions.push_back(begun.position);
  if (begun.pending != nullptr) CO_RETURN_IF_ERROR(co_await log_.EndAppend(std::move(begun)));
  co_return result;
}

// --- The end of a transaction.

core::Task<absl::StatusOr<std::optional<store::DueEntry>>> Transactions::FindPending(uint64_t position) {
  if (upkeep_->damaged()) co_return absl::UnavailableError("the index of pending transactions is being made anew: say it again later");
  const auto at = static_cast<core::WallMillis>(position);
  if (const store::LogSpan span = log_.Span(); position < span.begin || position >= span.next) co_return std::nullopt;
  // Nearly all are ended soon after they were begun.
  if (std::optional<store::DueEntry> found = index_->FindInMemory({.due = at, .place = position}); found.has_value()) co_return found;
  const absl::StatusOr<std::vector<store::DueEntry>> found = co_await index_->Find(at);
  if (!found.ok()) {
    upkeep_->Note(found.status());
    co_return found.status();
  }
  if (found->empty()) co_return std::nullopt;
  co_return found->front();
}

core::Task<absl::StatusOr<Transactions::Half>> Transactions::ReadHalf(store::DueEntry entry) {
  CO_ASSIGN_OR_RETURN(core::Slice bytes, co_await log_.ReadRecord(entry.record()));
  CO_ASSIGN_OR_RETURN(const store::RecordView record, store::ParseRecord(bytes.bytes()));
  co_return Half(std::move(bytes), record);
}

core::Task<absl::StatusOr<Transactions::Half>> Transactions::TakeHalf(store::DueEntry entry, bool last_time) {
  absl::StatusOr<Half> half = co_await ReadHalf(entry);
  if (half.ok() && !half->message.ok()) half = absl::DataLossError("it does not say where it belongs");
  const absl::Status& status = half.status();
  if ((last_time && absl::IsDataLoss(status)) || absl::IsNotFound(status)) {
    core::LogError("the message of a pending transaction at position ", entry.position(), " is lost: ", core::ToStd(status.message()));
    ++stats_.damaged;
    index_->TakeBack(entry);
  }
  co_return half;
}

core::Task<std::optional<SendRefusal>> Transactions::End(EndOfTransaction end) {
  std::optional<store::BegunAppend> begun;
  std::optional<SendRefusal> refusal;
  {
    const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
    const absl::StatusOr<std::optional<store::DueEntry>> entry = co_await FindPending(end.position);
    if (!entry.ok()) co_return RefuseHalf(ResponseCodeOf(entry.status()), std::string(entry.status().message()));
    if (!entry->has_value()) co_return NotPending(end.position);
    const absl::StatusOr<Half> read = co_await TakeHalf(**entry, /*last_time=*/false);
    if (!read.ok()) co_return RefuseHalf(ResponseCode::kSystemError, std::string(read.status().message()));
    const Half& half = *read;
    if (options_.refuse != nullptr) refusal = options_.refuse(end, half.message.topic);
    if (refusal.has_value()) co_return refusal;
    if (half.message.group != end.group) {
      co_return RefuseHalf(ResponseCode::kSystemError, core::StrCat("The producer group wrong: the transaction was begun by ", half.message.group,
                                                                ", not by ", end.group));
    }
    if (half.record.queue_offset.value() != end.queue_offset) {
      co_return RefuseHalf(ResponseCode::kSystemError, core::StrCat("The transaction state table offset wrong: the message is number ",
                                                                half.record.queue_offset.value(), ", not ", end.queue_offset));
    }
    // Who has set his own time to be asked after is asked once it is over: until then his answer counts, later only the one to the question. By this
    // broker's clock; RocketMQ compares it with the producer's.
    const absl::Duration immunity = std::max(half.message.Immunity(config_.transaction_time_out), config_.transaction_time_out);
    if (!end.from_check && !half.message.immunity.empty() &&
        Now() - half.record.store_timestamp > absl::ToInt64Milliseconds(immunity)) {
      co_return RefuseHalf(ResponseCode::kIllegalOperation,
                       core::StrCat(kPropertyCheckImmunity, " is over: the transaction ends by the answer to the check-back"));
    }
    const bool gone = end.commit && !options_.topic_exists(half.message.topic);
    if (gone) core::LogWarning("a committed message is discarded, as its topic is gone: ", half.message.topic);
    absl::StatusOr<store::BegunAppend> append =
        end.commit && !gone ? co_await BeginCommit(**entry, half) : co_await BeginRollback(**entry, half);
    if (!append.ok()) co_return RefuseHalf(ResponseCodeOfAppend(append.status()), std::string(append.status().message()));
    index_->TakeBack(**entry);
    ++(gone ? stats_.discarded : end.commit ? stats_.committed : stats_.rolled_back);
    if (append->pending != nullptr) begun = *std::move(append);
    if (gone) {
      refusal = RefuseHalf(ResponseCode::kTopicNotExist, core::StrCat("topic[", half.message.topic, "] was deleted: the message is discarded"));
    }
  }
  if (!begun.has_value()) co_return refusal;
  const absl::Status durable = co_await log_.EndAppend(*std::move(begun));
  if (durable.ok()) co_return refusal;
  co_return RefuseHalf(ResponseCodeOfAppend(durable), std::string(durable.message()));
}

core::Task<absl::StatusOr<store::BegunAppend>> Transactions::BeginCommit(const store::DueEntry& entry, const Half& half) {
  PreparedMessage message;
  store::MessageDraft& draft = message.draft;
  draft = DraftOf(half.record);
  draft.topic = half.message.topic;
  draft.queue_id = half.message.queue_id;
  draft.sys_flag = (draft.sys_flag & ~kSysFlagTransaction) | kSysFlagCommitted;
  draft.tags_code = store::JavaHash(half.message.tags);
  draft.prepared_transaction_offset = store::MakeHalfLink(entry.position());
  const ScannedProperties scanned = ScanProperties(draft.properties);
  if (AsksToWait(scanned)) {
    Delay delay;
    // It was looked at when the message came; what is not possible any more is delivered at once.
    if (!ReadDelay(config_, scanned, Now(), delay).has_value() && delay.waits()) {
      MakeWaiting(delay, message);
      co_return co_await schedule_.BeginAppend(draft, delay.due, store::MakeHalfLink(entry.position()), std::nullopt,
                                               store::Admission::kMakesRoom);
    }
  }
  std::string more;
  if (!scanned.dispatch.empty() && options_.dispatch != nullptr) {
    if (dispatching_.size() >= kDispatchingMax) dispatching_.erase(dispatching_.begin());
    CO_RETURN_IF_ERROR(co_await options_.dispatch(scanned.dispatch, &draft, &dispatching_[entry.position()], &more));
    dispatching_.erase(entry.position());
  }
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun,
                      co_await log_.BeginAppendInTurn(draft, std::nullopt, store::Admission::kMakesRoom));
  options_.on_stored(draft);
  co_return begun;
}

core::Task<absl::StatusOr<store::BegunAppend>> Transactions::BeginRollback(const store::DueEntry& entry, const Half& half) {
  // As RocketMQ notes it: tag d, and the half message's number.
  constexpr std::string_view kTag = "d";
  const std::string body = core::StrCat(half.record.queue_offset.value(), ",");
  std::string properties;
  AppendProperty(properties, kPropertyTags, kTag);
  store::MessageDraft draft;
  draft.topic = store::kHalfEndTopic;
  draft.queue_id = options_.end_queue;
  draft.born_timestamp = Now();
  draft.born_host = half.record.store_host;
  draft.store_host = half.record.store_host;
  draft.prepared_transaction_offset = store::MakeHalfLink(entry.position());
  draft.body = std::as_bytes(std::span(body));
  draft.properties = properties;
  draft.tags_code = store::JavaHash(kTag);
  co_return co_await log_.BeginAppendInTurn(draft, std::nullopt, store::Admission::kMakesRoom);
}

// --- Those that nobody ends.

core::Task<void> Transactions::CheckLoop() {
  const core::StopToken stop = scope_.stop_token();
  core::MonoTime next = core::Reactor::Current().now() + config_.transaction_check_interval;
  while (!stop.stop_requested()) {
    core::Sleep pause(next, stop);
    if (co_await pause == core::WaitResult::kStopped) co_return;
    const absl::Status status = co_await CheckRound();
    if (!status.ok()) core::LogError("not all pending transactions could be asked for: ", core::ToStd(status.message()));
    // Counted from the last time, not from now: a round that takes long does not put off the next one.
    next = std::max(next + config_.transaction_check_interval, core::Reactor::Current().now());
  }
}

core::Task<absl::Status> Transactions::CheckRound() {
  Round round{{Now(), log_.Span().next}, {}};
  store::DueScan scan{.below = round.below, .found = {}};
  while (!scan.done) {
    if (stopping_) co_return absl::OkStatus();
    {
      const core::Semaphore::Hold upkeep = co_await upkeep_->turn().Take(1);
      if (upkeep_->damaged()) co_return absl::OkStatus();  // the next round
      const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
      const absl::Status status = co_await index_->ScanOn(scan);
      upkeep_->Note(status);
      CO_RETURN_IF_ERROR(status);
    }
    for (const store::DueEntry& entry : scan.found) {
      if (stopping_) co_return absl::OkStatus();
      CO_RETURN_IF_ERROR(co_await CheckOne(entry, round));
    }
    co_await core::Yield();
  }
  if (round.complete) rounds_.push_back({round.now, round.below});
  while (rounds_.size() > static_cast<size_t>(config_.transaction_check_max)) rounds_.pop_front();
  co_return round.unreadable;
}

int64_t Transactions::TimesAsked(uint64_t position, core::WallMillis stored, int64_t asked_after) const {
  return std::count_if(rounds_.begin(), rounds_.end(), [&](const Looked& round) {
    return position < round.below && stored < round.now && round.now - stored >= asked_after;
  });
}

core::Task<absl::Status> Transactions::CheckOne(const store::DueEntry& entry, Round& round) {
  if (entry.position() < log_.Span().begin) {
    // It was put aside before its segment went, and a crash has made the index forget that.
    const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
    const absl::StatusOr<std::vector<store::DueEntry>> still = co_await index_->Find(entry.due);
    if (still.ok() && !still->empty()) index_->TakeBack(entry);
    co_return absl::OkStatus();
  }
  const absl::StatusOr<Half> read = co_await ReadHalf(entry);
  if (!read.ok()) {
    // It must not keep the others from being asked for, and the disk may read it another time.
    round.unreadable = read.status();
    co_return absl::OkStatus();
  }
  const Half& half = *read;
  const core::WallMillis stored = half.record.store_timestamp;
  const int64_t asked_after = absl::ToInt64Milliseconds(half.message.Immunity(config_.transaction_time_out));
  if (stored >= round.now || round.now - stored < asked_after) co_return absl::OkStatus();
  // How often it was asked for is not stored: it follows from the rounds that this process has made.
  const int64_t times = TimesAsked(entry.position(), stored, asked_after);
  if (times >= config_.transaction_check_max) {
    core::LogWarning("a transaction of ", half.message.group, " for ", half.message.topic, ", message ", half.message.uniq_key,
                     ", was asked for ", times, " times: it is put aside in ", kPutAsideTopic);
    if (const absl::Status status = co_await PutAside(entry.position(), /*last_time=*/false); !status.ok()) round.unreadable = status;
    co_return absl::OkStatus();
  }

  TransactionCheck check;
  check.group = std::string(half.message.group);
  check.topic = std::string(half.message.topic);
  check.queue_offset = half.record.queue_offset.value();
  check.physical_offset = half.record.position.value();
  check.uniq_key = std::string(half.message.uniq_key);
  check.offset_message_id = std::string(MessageId::OfRecord(half.record.store_host, half.record.position).text());
  store::MessageDraft draft = DraftOf(half.record);
  draft.topic = half.message.topic;
  draft.queue_id = half.message.queue_id;
  std::string counted;
  AppendProperty(counted, kPropertyCheckTimes, core::StrCat(times + 1));
  if (draft.properties.size() + counted.size() <= store::kPropertiesBytesMax) draft.more_properties = counted;
  check.record.resize(store::RecordBytes(draft));
  store::EncodeRecord(draft, {half.record.queue_offset, half.record.position, half.record.store_timestamp},
                      reinterpret_cast<std::byte*>(check.record.data()));
  ++stats_.checks;
  AskResult result = co_await options_.ask(&check);
  const core::MonoTime patience = core::Reactor::Current().now() + kAskPatience;
  while (result == AskResult::kFull && !stopping_ && core::Reactor::Current().now() < patience) {
    (void)co_await core::Sleep(kAskPause, scope_.stop_token());
    result = co_await options_.ask(&check);
  }
  if (result == AskResult::kNobody) ++stats_.unasked;
  if (result == AskResult::kFull) round.complete = false;  // this round does not count
  co_return absl::OkStatus();
}

core::Task<absl::Status> Transactions::PutAside(uint64_t position, bool last_time) {
  const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
  CO_ASSIGN_OR_RETURN(const std::optional<store::DueEntry> entry, co_await FindPending(position));
  if (!entry.has_value()) co_return absl::OkStatus();  // ended just now
  const absl::StatusOr<Half> half = co_await TakeHalf(*entry, last_time);
  if ((last_time && absl::IsDataLoss(half.status())) || absl::IsNotFound(half.status())) co_return absl::OkStatus();  // given up
  CO_RETURN_IF_ERROR(half.status());
  store::MessageDraft draft = DraftOf(half->record);
  draft.topic = kPutAsideTopic;
  draft.queue_id = options_.aside_queue;
  draft.tags_code = store::JavaHash(half->message.tags);
  draft.prepared_transaction_offset = store::MakeHalfLink(position);
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun,
                      co_await log_.BeginAppendInTurn(draft, std::nullopt, store::Admission::kMakesRoom));
  index_->TakeBack(*entry);
  ++stats_.put_aside;
  options_.on_stored(draft);
  if (begun.pending != nullptr) (void)co_await log_.EndAppend(std::move(begun));
  co_return absl::OkStatus();
}

core::Task<bool> Transactions::LetGo(uint64_t end) {
  const core::Semaphore::Hold upkeep = co_await upkeep_->turn().Take(1);
  std::vector<uint64_t> pending;
  store::DueScan scan{.below = end, .found = {}};
  while (!scan.done) {
    if (stopping_ || upkeep_->damaged()) co_return false;
    const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
    const absl::Status status = co_await index_->ScanOn(scan);
    upkeep_->Note(status);
    if (!status.ok()) co_return false;
    for (const store::DueEntry& entry : scan.found) pending.push_back(entry.position());
    // They come in the order of the log.
    if (scan.lowest != UINT64_MAX) break;
  }
  if (!pending.empty()) {
    core::LogWarning(pending.size(), " transactions that nobody has ended are put aside in ", kPutAsideTopic, ", as their segment has expired");
  }
  for (const uint64_t position : pending) {
    if (stopping_) co_return false;
    if (const absl::Status status = co_await PutAside(position, patience_.IsOver(position)); !status.ok()) {
      core::LogWarning("a segment that has expired stays, as a transaction in it can't be put aside: ", core::ToStd(status.message()));
      co_return false;
    }
    patience_.Forget(position);
  }
  // The segment goes for good: what has come in the place of its half messages must be there after a power cut.
  const bool flushed = (co_await log_.Flush()).ok();
  co_return flushed && !stopping_;
}

}  // namespace broker
