#include "broker/pop/pops.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/message_properties.h"
#include "broker/now.h"
#include "broker/offset_table.h"
#include "broker/pop/receipt.h"
#include "broker/pop/records.h"
#include "broker/pull_owner.h"
#include "broker/record_draft.h"
#include "broker/topic_config.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/record.h"

namespace broker {
namespace {

/// Rounds of reading in which all messages are filtered out, of up to 800 each, before others get their turn.
constexpr int kFilteredRoundsMax = 64;
/// The wall clock may step meanwhile, so it is looked at so often.
constexpr absl::Duration kLookMax = absl::Milliseconds(200);

core::Task<void> CommitInto(store::MetaStore& meta, MetaChanges changes, absl::Status& status) {
  const absl::Status committed = co_await meta.Commit(std::move(changes));
  status.Update(committed);
}

/// Appends a message of a retry topic as one of the topic that was asked for, with its receipt, as clients could not know where it is from. Source: RocketMQ 5.3.3
/// PopMessageProcessor.popMsgFromQueue.
void AppendShown(const PopJob& job, int64_t start, const store::RecordView& record, std::string& out) {
  PopReceipt receipt;
  receipt.start_offset = start;
  receipt.pop_time = job.pop_time;
  receipt.invisible_time = job.invisible;
  receipt.topic_kind = PopTopicKind(job.topic);
  receipt.broker_name = job.broker_name;
  receipt.queue_id = record.queue_id;
  receipt.queue_offset = record.queue_offset.value();
  std::string text;
  AppendProperty(text, kPropertyPopCk, receipt.Text());
  store::MessageDraft draft = DraftOf(record);
  draft.topic = job.shown_topic;
  // Where there is no room for it, the client makes it from the topic that the record names.
  if (draft.properties.size() + text.size() <= store::kPropertiesBytesMax) {
    draft.more_properties = text;
  } else {
    draft.topic = record.topic;
  }
  const size_t begin = out.size();
  out.resize(begin + store::RecordBytes(draft));
  store::EncodeRecord(draft, {record.queue_offset, record.position, record.store_timestamp},
                      reinterpret_cast<std::byte*>(out.data() + begin));
}

/// Cuts `offsets` to what one batch can name: a hole in the queue may be wider.
void CutToBatch(std::vector<int64_t>& offsets) {
  const auto far = std::find_if(offsets.begin(), offsets.end(), [&](int64_t offset) {
    return offset - offsets.front() >= static_cast<int64_t>(OffsetBits::kMax);
  });
  offsets.erase(far, offsets.end());
}

}  // namespace

Pops::Pops(PopsOptions options, store::MetaStore& meta, store::ShardStore& log, OffsetTable& offsets, PullReads& reads)
    : options_(std::move(options)),
      meta_(meta),
      log_(log),
      offsets_(offsets),
      reads_(reads),
      in_flight_(meta, options_.messages_max),
      copies_(options_.copies, meta, log, reads, in_flight_) {}

core::Task<absl::Status> Pops::CutAtEnds() {
  MetaChanges changes;
  size_t queues = 0;
  for (const std::shared_ptr<PopQueue>& queue : in_flight_.FindAll({}, {})) {
    const size_t before = changes.size();
    in_flight_.CutAt(*queue, log_.MaxOffset(queue->queue).value(), changes);
    if (changes.size() > before) ++queues;
    // Those that were open were lost: nobody will acknowledge one any more, and so let the group go on.
    if (!queue->ordered.has_value() || !queue->ordered->done()) continue;
    offsets_.Commit(queue->group, queue->queue.topic, queue->queue.queue_id, core::LogicalOffset(queue->ordered->NextOffset()));
    changes.push_back(offsets_.RowOf(queue->group, queue->queue));
    in_flight_.SetOrdered(*queue, std::nullopt, changes);
  }
  if (changes.empty()) co_return absl::OkStatus();
  core::LogWarning("groups have lost messages that they had popped from ", queues, " queues, with the end of these");
  co_return co_await meta_.Commit(std::move(changes));
}

void Pops::Start() { copies_.Start(); }

core::Task<void> Pops::Stop() { return copies_.Stop(); }

PopStats Pops::stats() const {
  PopStats stats = stats_;
  stats.in_flight = in_flight_.messages();
  stats.in_flight_max = in_flight_.messages_max();
  stats.queues = in_flight_.queues();
  stats.copies = copies_.stats();
  return stats;
}

core::LogicalOffset Pops::Position(std::string_view group, std::string_view topic, int32_t queue_id,
                                   bool from_last) const {
  const std::optional<core::LogicalOffset> committed = offsets_.Find(group, topic, queue_id);
  if (committed.has_value()) return *committed;
  const core::QueueKey queue{std::string(topic), queue_id};
  const core::LogicalOffset min = log_.MinOffset(queue);
  if (!from_last || IsRetryTopic(topic)) return min;
  // A queue all of which is in memory is so young that the group may want all of it. Source: RocketMQ 5.3.3 PopMessageProcessor.getInitOffset.
  if (min.value() == 0 && log_.OffsetInMemory(queue, min)) return min;
  return core::LogicalOffset(std::max<int64_t>(log_.MaxOffset(queue).value() - 1, 0));
}

// --- Taking.

core::Task<PopOutcome> Pops::Take(const PopJob* job) {
  PopOutcome outcome;
  core::Scope commits;  // begun in order, waited for together
  for (const int32_t queue_id : job->queues) co_await TakeFrom(*job, queue_id, outcome, commits);
  co_await commits.Join();
  co_return outcome;
}

core::Task<PullOutcome> Pops::ReadOn(const PopJob& job, int32_t queue_id, const PullLimits& limits,
                                     core::LogicalOffset& from) {
  PullJob read;
  read.group = job.group;
  read.topic = job.topic;
  read.queue_id = queue_id;
  read.in_memory = limits;
  read.on_disk = limits;
  read.filter = job.filter;
  const core::QueueKey key{std::string(job.topic), queue_id};
  for (int round = 0;; ++round) {
    const bool on_disk = OnDisk(log_, key, from);
    PullOutcome outcome = co_await ReadQueue(log_, reads_, read, key, from, on_disk, core::StopToken());
    if (outcome.messages > 0 || round == kFilteredRoundsMax) co_return outcome;
    // Not what the group may have committed once, of messages that have expired or were never here; or all of it was for others.
    const bool beyond = from > outcome.max;
    const core::LogicalOffset next = beyond ? outcome.max : outcome.next;
    if (next == from || (next < from && !beyond)) co_return outcome;
    from = next;
    offsets_.Commit(job.group, job.topic, queue_id, from);
    if (from >= outcome.max) co_return outcome;
    co_await core::Yield();
  }
}

core::Task<void> Pops::TakeFrom(const PopJob& job, int32_t queue_id, PopOutcome& outcome, core::Scope& commits) {
  std::shared_ptr<PopQueue> queue = in_flight_.Of(job.group, job.topic, queue_id);
  co_await TakeFrom(job, *queue, outcome, commits);
  in_flight_.Drop(std::move(queue));
}

core::Task<void> Pops::TakeFrom(const PopJob& job, PopQueue& queue, PopOutcome& outcome, core::Scope& commits) {
  const int32_t queue_id = queue.queue.queue_id;
  const core::Semaphore::Hold turn = co_await queue.turn.Take(1);
  if (!options_.copies.topic_exists(job.topic)) co_return;  // deleted meanwhile: nothing is left of it for a new one of that name
  // What waits behind a blocked queue is not counted: it would only wake those who can't take it. Source: RocketMQ 5.3.3 PopMessageProcessor.popMsgFromQueue.
  if (job.order && queue.ordered.has_value() && queue.ordered->Blocks(job.attempt_id, job.pop_time)) co_return;
  core::LogicalOffset from = Position(job.group, job.topic, queue_id, job.from_last);
  (void)offsets_.TakeReset(job.group, job.topic, queue_id, from);  // from now on others may commit again
  const core::LogicalOffset max = log_.MaxOffset(queue.queue);
  PullLimits limits = job.limits;
  limits.messages -= outcome.messages;
  if (limits.messages <= 0 || outcome.bytes >= limits.bytes || in_flight_.full()) {
    outcome.rest += std::max<int64_t>(max - from, 0);
    if (in_flight_.full()) {
      outcome.full = true;
      ++stats_.refused;
    }
    co_return;
  }
  limits.bytes -= outcome.bytes;
  if (!offsets_.Find(job.group, job.topic, queue_id).has_value() && max.value() > 0)
    offsets_.Commit(job.group, job.topic, queue_id, from);
  PullOutcome read = co_await ReadOn(job, queue_id, limits, from);
  if (read.messages == 0) {
    outcome.rest += std::max<int64_t>(read.max - from, 0);
    co_return;
  }
  PoppedQueue popped;
  popped.queue_id = queue_id;
  ForEachRecord(*read.records,
                [&](const store::RecordView& record) { popped.offsets.push_back(record.queue_offset.value()); });
  core::LogicalOffset next = read.next;
  if (const size_t all = popped.offsets.size(); CutToBatch(popped.offsets), popped.offsets.size() < all) {
    limits.messages = static_cast<int32_t>(popped.offsets.size());
    next = core::LogicalOffset(popped.offsets.back() + 1);
    read = co_await ReadOn(job, queue_id, limits, from);
  }
  if (job.order && queue.ordered.has_value()) {
    const auto done = [&](int64_t offset) { return queue.ordered->IsAcknowledged(offset); };
    if (std::any_of(popped.offsets.begin(), popped.offsets.end(), done)) {
      store::FetchResult open = KeepRecords(*read.records, [&](const store::RecordView& record) { return !done(record.queue_offset.value()); });
      std::erase_if(popped.offsets, done);
      read.messages = open.messages;
      read.bytes = open.bytes;
      read.records = core::Foreign<store::FetchResult>(std::move(open));
    }
    if (popped.offsets.empty()) {  // those in front of them have expired
      offsets_.Commit(job.group, job.topic, queue_id, next);
      outcome.rest += std::max<int64_t>(read.max - next, 0);
      co_return;
    }
  }
  popped.start = popped.offsets.front();

  MetaChanges changes;
  if (job.order) {
    OrderedBatch batch =
        OrderedBatch::After(queue.ordered, job.attempt_id, job.pop_time, job.invisible, from.value(), popped.offsets);
    for (const int64_t offset : popped.offsets) popped.ordered.push_back(*batch.Find(offset));
    in_flight_.SetOrdered(queue, std::move(batch), changes);
    offsets_.Commit(job.group, job.topic, queue_id, from);
  } else {
    PopBatch batch;
    batch.start = popped.start;
    batch.pop_time = job.pop_time;
    batch.invisible = job.invisible;
    for (const int64_t offset : popped.offsets) batch.pending.Set(static_cast<size_t>(offset - popped.start));
    in_flight_.Add(queue, std::move(batch), changes);
    copies_.Wake();
    offsets_.Commit(job.group, job.topic, queue_id, next);
  }
  changes.push_back(offsets_.RowOf(job.group, queue.queue));
  commits.Spawn(CommitInto(meta_, std::move(changes), outcome.status));

  outcome.messages += read.messages;
  outcome.bytes += read.bytes;
  outcome.rest += std::max<int64_t>(read.max - next, 0);
  if (job.shown_topic.empty()) {
    popped.records = std::move(read.records);
  } else {
    ForEachRecord(*read.records,
                  [&](const store::RecordView& record) { AppendShown(job, popped.start, record, popped.shown); });
  }
  outcome.queues.push_back(std::move(popped));
}

// --- What consumers say.

Pops::Bounds Pops::BoundsOf(const PopReply& reply) const {
  const core::QueueKey queue{std::string(reply.topic), reply.queue_id};
  return {log_.MinOffset(queue).value(), log_.MaxOffset(queue).value()};
}

absl::Status Pops::CheckOffsets(const PopReply& reply, const Bounds& bounds) {
  for (const int64_t offset : reply.offsets) {
    if (bounds.Has(offset)) return absl::OkStatus();
  }
  return absl::OutOfRangeError(absl::StrCat("offset is illegal, key:", core::ToAbsl(reply.topic), "@", reply.queue_id,
                                            ", commit:", reply.offsets.front(), ", store:", bounds.min, "~", bounds.max,
                                            ": give the offset that the message has in that queue"));
}

core::Task<PopReplied> Pops::Finish(PopReplied replied, MetaChanges changes) {
  if (!changes.empty()) replied.status = co_await meta_.Commit(std::move(changes));
  co_return replied;
}

core::Task<PopReplied> Pops::Acknowledge(const PopReply* reply) {
  PopReplied replied;
  std::shared_ptr<PopQueue> queue = in_flight_.Find(reply->group, reply->topic, reply->queue_id);
  const PopQueue nothing;
  const core::WallMillis now = Now();
  std::vector<int64_t> pending;
  const Bounds bounds = BoundsOf(*reply);
  if (replied.status = CheckOffsets(*reply, bounds); !replied.status.ok()) co_return replied;
  for (const int64_t offset : reply->offsets) {
    if (!bounds.Has(offset)) continue;  // has expired since, which takes nothing away from the others, as in RocketMQ
    const ReceiptState state = in_flight_.Judge(queue == nullptr ? nothing : *queue, reply->start, reply->pop_time,
                                                reply->invisible, offset, now);
    replied.state = std::max(state == ReceiptState::kPending ? ReceiptState::kDone : state, replied.state);
    if (state == ReceiptState::kPending || state == ReceiptState::kDone) ++replied.done;
    if (state == ReceiptState::kPending) pending.push_back(offset);
  }
  if (pending.empty()) co_return replied;
  MetaChanges changes;
  in_flight_.Acknowledge(*queue, {reply->start, reply->pop_time}, pending, changes);
  stats_.acknowledged += pending.size();
  in_flight_.Drop(std::move(queue));
  co_return co_await Finish(std::move(replied), std::move(changes));
}

core::Task<PopReplied> Pops::Change(const PopReply* reply, int64_t invisible) {
  PopReplied replied;
  MetaChanges changes;
  if (replied.status = CheckOffsets(*reply, BoundsOf(*reply)); !replied.status.ok()) co_return replied;
  const int64_t offset = reply->offsets.front();
  const core::WallMillis now = Now();
  const std::shared_ptr<PopQueue> queue = in_flight_.Find(reply->group, reply->topic, reply->queue_id);
  replied.state = queue == nullptr
                      ? in_flight_.Judge(PopQueue(), reply->start, reply->pop_time, reply->invisible, offset, now)
                      : in_flight_.Judge(*queue, reply->start, reply->pop_time, reply->invisible, offset, now);
  if (replied.state == ReceiptState::kPending) {
    replied.invisible = invisible;
    replied.pop_time = in_flight_.Change(*queue, {reply->start, reply->pop_time}, offset, now, invisible, changes);
    copies_.Wake();
    ++stats_.changed;
  }
  co_return co_await Finish(std::move(replied), std::move(changes));
}

// --- In order.

bool Pops::Blocked(std::string_view group, const core::QueueKey& queue, std::string_view attempt_id) const {
  const std::shared_ptr<PopQueue> found = in_flight_.Find(group, queue.topic, queue.queue_id);
  return found != nullptr && found->ordered.has_value() && found->ordered->Blocks(attempt_id, Now());
}

core::Task<bool> Pops::WaitUnblocked(const std::string* group, const core::QueueKey* queue, core::StopToken stop) {
  while (Blocked(*group, *queue, {})) {
    const std::shared_ptr<PopQueue> found = in_flight_.Find(*group, queue->topic, queue->queue_id);
    const absl::Duration until = absl::Milliseconds(found->ordered->BlockedUntil() - Now());
    const core::WaitResult woken =
        co_await found->unblocked.Wait(core::Reactor::Current().now() + std::min(until, kLookMax), stop);
    if (woken == core::WaitResult::kStopped) co_return false;
  }
  co_return true;
}

std::optional<PopReplied> Pops::RefuseOrdered(const PopQueue* queue, const PopReply& reply, int64_t offset) const {
  PopReplied replied;
  if (offset < Position(reply.group, reply.topic, reply.queue_id, false).value()) return replied;  // done
  // It may be said again, also when others of its pop have come again meanwhile.
  if (queue != nullptr && queue->ordered.has_value() && queue->ordered->IsAcknowledged(offset)) return replied;
  if (queue == nullptr || !queue->ordered.has_value() || queue->ordered->pop_time != reply.pop_time) {
    replied.state = ReceiptState::kExpired;
    return replied;
  }
  OrderedBatch batch = *queue->ordered;
  const OrderedBatch::Message* const message = batch.Find(offset);
  if (message == nullptr) {
    replied.status = absl::InvalidArgumentError(
        absl::StrCat("offset is illegal, key:", core::ToAbsl(reply.topic), "@", reply.queue_id, ", commit:", offset,
                     ": it is not among the messages of that pop; give the offset that the message has"));
    return replied;
  }
  return std::nullopt;
}

core::Task<PopReplied> Pops::AcknowledgeOrdered(const PopReply* reply) {
  PopReplied replied;
  std::shared_ptr<PopQueue> queue = in_flight_.Find(reply->group, reply->topic, reply->queue_id);
  // A pop that reads meanwhile would put the group's offset back to where it began.
  core::Semaphore::Hold turn;
  if (queue != nullptr) turn = co_await queue->turn.Take(1);
  const Bounds bounds = BoundsOf(*reply);
  if (replied.status = CheckOffsets(*reply, bounds); !replied.status.ok()) co_return replied;
  absl::Status illegal;
  std::optional<OrderedBatch> batch;
  for (const int64_t offset : reply->offsets) {
    if (!bounds.Has(offset)) continue;
    if (std::optional<PopReplied> refused = RefuseOrdered(queue.get(), *reply, offset); refused.has_value()) {
      if (illegal.ok()) illegal = refused->status;
      replied.state = std::max(replied.state, refused->state);
      if (refused->status.ok() && refused->state == ReceiptState::kDone) ++replied.done;
      continue;
    }
    if (!batch.has_value()) batch = *queue->ordered;
    batch->Find(offset)->acknowledged = true;
    ++replied.done;
    ++stats_.acknowledged;
  }
  MetaChanges changes;
  if (batch.has_value()) {
    // Not while a reset waits for the next pop: then the batch is of before, and went.
    offsets_.Commit(reply->group, reply->topic, reply->queue_id, core::LogicalOffset(batch->NextOffset()));
    changes.push_back(offsets_.RowOf(reply->group, queue->queue));
    in_flight_.SetOrdered(*queue, batch->done() ? std::nullopt : std::move(batch), changes);
  }
  turn.Release();  // commits keep their order without it
  if (queue != nullptr) in_flight_.Drop(std::move(queue));
  replied = co_await Finish(std::move(replied), std::move(changes));
  replied.status.Update(illegal);
  co_return replied;
}

core::Task<PopReplied> Pops::ChangeOrdered(const PopReply* reply, int64_t invisible) {
  PopReplied replied;
  MetaChanges changes;
  if (replied.status = CheckOffsets(*reply, BoundsOf(*reply)); !replied.status.ok()) co_return replied;
  const int64_t offset = reply->offsets.front();
  const std::shared_ptr<PopQueue> queue = in_flight_.Find(reply->group, reply->topic, reply->queue_id);
  core::Semaphore::Hold turn;
  if (queue != nullptr) turn = co_await queue->turn.Take(1);
  if (std::optional<PopReplied> refused = RefuseOrdered(queue.get(), *reply, offset); refused.has_value())
    co_return std::move(*refused);
  OrderedBatch batch = *queue->ordered;
  const core::WallMillis now = Now();
  const core::WallMillis visible = invisible > std::numeric_limits<core::WallMillis>::max() - now
                                       ? std::numeric_limits<core::WallMillis>::max()
                                       : now + invisible;
  batch.Find(offset)->visible = visible;
  in_flight_.SetOrdered(*queue, std::move(batch), changes);
  ++stats_.changed;
  replied.state = ReceiptState::kPending;
  replied.pop_time = reply->pop_time;
  replied.invisible = visible - reply->pop_time;
  turn.Release();
  co_return co_await Finish(std::move(replied), std::move(changes));
}

core::Task<absl::Status> Pops::Reset(std::string group, core::QueueKey queue, std::function<void()> move) {
  std::shared_ptr<PopQueue> popped = in_flight_.Find(group, queue.topic, queue.queue_id);
  MetaChanges changes;
  if (popped == nullptr) {
    move();
  } else {
    core::Semaphore::Hold turn = co_await popped->turn.Take(1);
    move();
    in_flight_.RemoveAll(*popped, changes);
    turn.Release();
    in_flight_.Drop(std::move(popped));
  }
  if (changes.empty()) co_return absl::OkStatus();  // the offset is stored with all others
  changes.push_back(offsets_.RowOf(group, queue));
  co_return co_await meta_.Commit(std::move(changes));
}

core::Task<absl::Status> Pops::Forget(std::string group, std::string topic) {
  std::vector<std::shared_ptr<PopQueue>> all = in_flight_.FindAll(group, topic);
  for (std::shared_ptr<PopQueue>& queue : all) {
    MetaChanges changes;
    {
      const core::Semaphore::Hold turn = co_await queue->turn.Take(1);
      in_flight_.RemoveAll(*queue, changes);
      if (!changes.empty()) CO_RETURN_IF_ERROR(co_await meta_.Commit(std::move(changes)));
    }
    in_flight_.Drop(std::move(queue));
  }
  co_return absl::OkStatus();
}

}  // namespace broker
