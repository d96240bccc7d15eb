#include "broker/pop/copies.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/message_properties.h"
#include "broker/now.h"
#include "broker/pop/receipt.h"
#include "broker/pop/records.h"
#include "broker/pull.h"
#include "broker/pull_owner.h"
#include "broker/record_draft.h"
#include "broker/wait_until_due.h"
#include "broker/topic_config.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/pop_link.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace broker {
namespace {

/// Of one round.
constexpr size_t kRoundMessages = 256;
constexpr PullLimits kReadLimits = {.messages = 32, .bytes = size_t{1} << 20};
/// The wall clock may step meanwhile, so it is looked at so often.
constexpr absl::Duration kSleepMax = absl::Milliseconds(200);
/// After a disk was full or failed, or a message could not be read: another time it may.
constexpr absl::Duration kCopyRetryPause = absl::Milliseconds(100);
constexpr int kUnreadableMax = 600;
/// While a retry topic is being made, which usually takes a few milliseconds; after it could not be made.
constexpr absl::Duration kMakingPause = absl::Milliseconds(10);
constexpr absl::Duration kMakePause = absl::Seconds(1);

core::Task<absl::Status> ReadRecords(store::ShardStore& log, PullReads& reads, core::QueueKey queue,
                                     core::LogicalOffset from, PullLimits limits, PullOutcome& outcome) {
  PullJob job;
  job.topic = queue.topic;
  job.queue_id = queue.queue_id;
  job.in_memory = limits;
  job.on_disk = limits;
  const bool on_disk = OnDisk(log, queue, from);
  outcome = co_await ReadQueue(log, reads, job, queue, from, on_disk, core::StopToken());
  co_return outcome.stopped ? absl::CancelledError("stopped") : absl::OkStatus();
}

/// Where the copies of a group's messages go. Those that were popped from a retry topic stay in it.
std::string RetryTopicFor(const PopQueue& queue) {
  return IsRetryTopic(queue.queue.topic) ? queue.queue.topic : PopRetryTopicOf(queue.queue.topic, queue.group);
}

}  // namespace

core::Task<void> PopCopies::Stop() {
  scope_.RequestStop();
  co_await scope_.Join();
}

core::Task<void> PopCopies::Loop() {
  const core::StopToken stop = scope_.stop_token();
  bool failing = false;
  while (!stop.stop_requested()) {
    if (!co_await IsDueOrWait(in_flight_.NextDue(), kSleepMax, earlier_, stop)) continue;
    const absl::Status status = co_await CopyDue();
    if (!status.ok() && !failing)
      core::LogError("popped messages whose time is up have to wait: ", core::ToStd(status.message()));
    if (status.ok() && failing) core::LogInfo("popped messages are delivered again when their time is up");
    failing = !status.ok();
    co_await core::Yield();  // many may be due at once
  }
}

core::Task<absl::Status> PopCopies::CopyDue() {
  absl::Status status;
  std::vector<Copying> batches;
  for (auto& [queue, name] : in_flight_.TakeDue(Now(), kRoundMessages))
    batches.push_back({.queue = queue, .name = name, .retry = {}, .copied = {}});
  for (Copying& one : batches) FindRetryQueue(one);
  std::vector<core::Semaphore::Hold> turns;
  for (size_t i = 0; i < batches.size(); ++i) {
    PopQueue& queue = *batches[i].queue;
    const bool held = std::any_of(batches.begin(), batches.begin() + static_cast<std::ptrdiff_t>(i),
                                  [&](const Copying& other) { return other.queue.get() == &queue; });
    if (!held) turns.push_back(co_await queue.turn.Take(1));
  }
  // Whoever had the turn may have taken all of it away.
  std::erase_if(batches, [](const Copying& one) { return !one.queue->batches.contains(one.name); });
  for (Copying& one : batches) one.batch = &one.queue->batches.at(one.name);
  const absl::Status copied = co_await CopyAll(batches);
  status.Update(copied);
  MetaChanges changes;
  for (Copying& one : batches) {
    if (one.done) {
      in_flight_.Remove(*one.queue, one.name, changes);
    } else {
      in_flight_.PutBack(*one.queue, *one.batch, Now() + absl::ToInt64Milliseconds(one.being_made ? kMakingPause : kCopyRetryPause));
    }
  }
  if (!changes.empty()) {
    const absl::Status committed = co_await meta_.Commit(std::move(changes));
    status.Update(committed);
  }
  turns.clear();
  while (!batches.empty()) {
    std::shared_ptr<PopQueue> queue = std::move(batches.back().queue);
    batches.pop_back();
    in_flight_.Drop(std::move(queue));
  }
  co_return status;
}

void PopCopies::FindRetryQueue(Copying& copying) {
  copying.orphaned = !options_.topic_exists(copying.queue->queue.topic);
  if (copying.orphaned) return;
  core::QueueKey retry{RetryTopicFor(*copying.queue), 0};
  retry.queue_id = options_.retry_queue(retry.topic);
  if (options_.retry_topic_is_ready(retry.topic)) {
    copying.retry = std::move(retry);
    return;
  }
  copying.being_made = !failing_.contains(retry.topic);
  if (making_.insert(retry.topic).second) scope_.Spawn(MakeRetryTopic(std::move(retry.topic)));
}

/// Takes as long as a nameserver, or a disk, lets it: messages of other topics do not wait for it.
core::Task<void> PopCopies::MakeRetryTopic(std::string topic) {
  const absl::Status made = co_await options_.make_retry_topic(topic);
  if (made.ok()) {
    if (failing_.erase(topic) > 0) core::LogInfo("the topic ", topic, " is there now: popped messages that waited for it come again");
  } else if (!scope_.stop_requested()) {
    if (failing_.insert(topic).second)
      core::LogError("popped messages whose time is up wait for the topic ", topic, " to be made: ", core::ToStd(made.message()));
    core::Sleep pause(kMakePause, scope_.stop_token());
    (void)co_await pause;
  }
  making_.erase(topic);
}

core::Task<absl::Status> PopCopies::CopyAll(std::span<Copying> batches) {
  absl::Status status = co_await Prepare(batches);
  std::vector<store::BegunAppend> begun;
  for (Copying& one : batches) {
    if (one.done || one.retry.topic.empty()) continue;
    const absl::Status copied = co_await Copy(one, begun);
    one.done = copied.ok();
    status.Update(copied);
  }
  bool durable = true;
  for (store::BegunAppend& one : begun) {
    const absl::Status ended = co_await log_.EndAppend(std::move(one));
    durable = durable && ended.ok();
    status.Update(ended);
  }
  // Which of them are there is found out the next time.
  for (Copying& one : batches) one.done = one.done && (durable || one.orphaned);
  co_return status;
}

core::Task<absl::Status> PopCopies::Prepare(std::span<Copying> batches) {
  absl::Status status;
  MetaChanges changes;
  for (Copying& one : batches) {
    if (one.orphaned) {
      stats_.gone += one.batch->pending.count();
      one.done = true;
    } else if (one.retry.topic.empty()) {
      continue;
    } else if (one.batch->copies_from.has_value() && *one.batch->copies_from <= log_.MaxOffset(one.retry).value()) {
      const absl::Status found = co_await FindCopies(one);
      status.Update(found);
      if (!found.ok()) one.retry = {};
    } else {
      // Or a power cut has taken the end of the retry topic's queue, and what may be copied now comes to lie before where it was.
      one.batch->copies_from = log_.MaxOffset(one.retry).value();
      in_flight_.Note(*one.queue, *one.batch, changes);
    }
  }
  if (changes.empty()) co_return status;
  const absl::Status noted = co_await meta_.Commit(std::move(changes));
  if (!noted.ok()) {
    for (Copying& one : batches) one.retry = {};
  }
  co_return noted.ok() ? status : noted;
}

core::Task<absl::Status> PopCopies::FindCopies(Copying& copying) {
  // What was begun and perhaps not seen yet is so afterwards.
  CO_RETURN_IF_ERROR(co_await log_.Flush());
  core::LogicalOffset from(*copying.batch->copies_from);
  while (from < log_.MaxOffset(copying.retry)) {
    PullOutcome outcome;
    CO_RETURN_IF_ERROR(co_await ReadRecords(log_, reads_, copying.retry, from, kReadLimits, outcome));
    if (outcome.next <= from) break;
    from = outcome.next;
    if (outcome.messages == 0) continue;
    ForEachRecord(*outcome.records, [&](const store::RecordView& record) {
      if (store::IsPopLink(record.prepared_transaction_offset))
        copying.copied.push_back(store::PositionInPopLink(record.prepared_transaction_offset));
    });
  }
  std::sort(copying.copied.begin(), copying.copied.end());
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<store::BegunAppend>> PopCopies::CopyOne(const Copying& copying,
                                                                  const store::RecordView& record) {
  // As RocketMQ 5.3.3 PopReviveService.reviveRetry makes it.
  store::MessageDraft draft = DraftOf(record);
  draft.topic = copying.retry.topic;
  draft.queue_id = copying.retry.queue_id;
  draft.reconsume_times = NextReconsumeTimes(draft.reconsume_times);
  draft.prepared_transaction_offset = store::MakePopLink(store::LogPositionOf(record.position));
  draft.tags_code = store::TagsCodeOf(record.properties);
  bool known = false;  // since when it is popped
  ForEachProperty(record.properties,
                  [&](std::string_view name, std::string_view) { known = known || name == kPropertyFirstPopTime; });
  std::string first_time;
  if (!known) AppendProperty(first_time, kPropertyFirstPopTime, absl::StrCat(copying.batch->pop_time));
  // Clients do without it where there is no room.
  if (draft.properties.size() + first_time.size() <= store::kPropertiesBytesMax) draft.more_properties = first_time;
  CO_ASSIGN_OR_RETURN(store::BegunAppend begun, co_await log_.BeginAppendInTurn(draft, store::Durability::kSynced));
  options_.on_stored(draft);
  ++stats_.copied;
  const int64_t late = Now() - copying.batch->due();
  if (late > kLateMs) ++stats_.late;
  stats_.late_ms_max = std::max(stats_.late_ms_max, late);
  co_return begun;
}

core::Task<absl::Status> PopCopies::Copy(Copying& copying, std::vector<store::BegunAppend>& begun) {
  PopBatch& batch = *copying.batch;
  const core::QueueKey& queue = copying.queue->queue;
  std::optional<size_t> number = batch.pending.Next(0);
  while (number.has_value()) {
    const int64_t wanted = batch.start + static_cast<int64_t>(*number);
    PullOutcome outcome;
    CO_RETURN_IF_ERROR(co_await ReadRecords(log_, reads_, queue, core::LogicalOffset(wanted), kReadLimits, outcome));
    std::vector<store::RecordView> records;
    if (outcome.messages > 0)
      ForEachRecord(*outcome.records, [&](const store::RecordView& record) { records.push_back(record); });
    if (records.empty() || records.front().queue_offset.value() != wanted) {
      if (wanted >= outcome.min.value() && ++batch.unreadable < kUnreadableMax) {
        co_return absl::UnavailableError(
            absl::StrCat("message ", wanted, " of ", queue.topic, "/", queue.queue_id, " can't be read"));
      }
      ++stats_.gone;
      batch.unreadable = 0;  // the next one has as long
      number = batch.pending.Next(*number + 1);
      continue;
    }
    for (const store::RecordView& record : records) {
      if (!number.has_value() || record.queue_offset.value() != batch.start + static_cast<int64_t>(*number)) continue;
      number = batch.pending.Next(*number + 1);
      if (std::binary_search(copying.copied.begin(), copying.copied.end(), store::LogPositionOf(record.position)))
        continue;
      CO_ASSIGN_OR_RETURN(store::BegunAppend one, co_await CopyOne(copying, record));
      if (one.pending != nullptr) begun.push_back(std::move(one));
    }
  }
  co_return absl::OkStatus();
}

}  // namespace broker
