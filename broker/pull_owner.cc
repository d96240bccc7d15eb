#include "broker/pull_owner.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "broker/config.h"
#include "broker/lmq.h"
#include "broker/multi_dispatch.h"
#include "broker/offset_table.h"
#include "broker/pull_reads.h"
#include "broker/stats_item.h"
#include "core/reactor.h"

namespace broker {
namespace {

core::QueueKey QueueOf(const PullJob& job) { return {std::string(job.topic), job.queue_id}; }

PullOutcome OutcomeOf(store::FetchResult result) {
  PullOutcome outcome;
  outcome.status = result.status;
  outcome.next = result.next;
  outcome.min = result.min;
  outcome.max = result.max;
  outcome.messages = result.messages;
  outcome.bytes = result.bytes;
  if (result.messages > 0) outcome.records = core::Foreign<store::FetchResult>(std::move(result));
  return outcome;
}

/// What a pull is told once its group's offset was reset. Source: RocketMQ 5.3.3 PullMessageProcessor, GetMessageStatus.OFFSET_RESET.
std::optional<PullOutcome> TakeReset(BrokerShard& here, const PullJob& job) {
  const std::optional<core::LogicalOffset> reset = here.offsets().TakeReset(job.group, job.topic, job.queue_id, job.from);
  if (!reset.has_value()) return std::nullopt;
  const core::QueueKey queue = QueueOf(job);
  PullOutcome outcome;
  outcome.reset = true;
  outcome.next = *reset;
  outcome.min = here.store().MinOffset(queue);
  outcome.max = here.store().MaxOffset(queue);
  return outcome;
}

core::Task<PullOutcome> Told(PullOutcome outcome) { co_return outcome; }

core::Task<PullOutcome> Read(BrokerShard& here, const PullJob& job, core::QueueKey queue, core::LogicalOffset from,
                             bool on_disk, core::StopToken stop) {
  return ReadQueue(here.store(), here.pull_reads(), job, std::move(queue), from, on_disk, stop);
}

core::Task<PullOutcome> CommitAndRead(BrokerShard& here, const PullJob& job, core::QueueKey queue, bool on_disk,
                                      core::StopToken stop) {
  // A pull that waited for its turn while its topic was deleted must leave nothing for a new one of that name.
  if (job.commit.has_value() && here.catalog().FindTopic(job.topic) != nullptr && here.offsets().HasRoomFor(job.group, job.topic, job.queue_id, here.lmq_queues().offsets_max()))
    here.offsets().Commit(job.group, job.topic, job.queue_id, *job.commit);
  return Read(here, job, std::move(queue), job.from, on_disk, stop);
}

// Waits for messages that pass the filter. Those that do not pass move the place from which to read on, so that they are looked at once; the client is
// told of it when the time is up.
core::Task<PullOutcome> Held(BrokerShard& here, const PullJob* job, core::MonoTime deadline, core::StopToken stop) {
  HeldPulls::Place place(here.held_pulls(), {job->group, job->topic, job->queue_id}, stop);
  if (!place) {
    PullOutcome outcome;
    outcome.full = true;
    co_return outcome;
  }
  if (place.brief()) {
    deadline = std::min(deadline, core::Reactor::Current().now() + here.config().short_polling_time);
  }
  core::LogicalOffset from = job->from;
  while (true) {
    core::QueueKey queue = QueueOf(*job);
    const core::WaitResult woken = co_await here.store().WaitForMessage(queue, from, deadline, place.token());
    // A connection that is gone must not take the reset along.
    if (stop.stop_requested() || (woken == core::WaitResult::kStopped && !place.called())) co_return PullOutcome::Stopped();
    if (std::optional<PullOutcome> reset = TakeReset(here, *job)) co_return std::move(*reset);
    const bool on_disk = OnDisk(here.store(), queue, from);
    PullOutcome outcome = co_await Read(here, *job, std::move(queue), from, on_disk, stop);
    if (outcome.stopped) co_return outcome;
    if (outcome.status == store::FetchStatus::kNoMatchedMessage && outcome.next > from) {
      from = outcome.next;
      if (woken == core::WaitResult::kNotified) continue;
    }
    const bool nothing_new = PullResponseCode(outcome.status, from) == net::ResponseCode::kPullNotFound;
    if (nothing_new && woken == core::WaitResult::kNotified) continue;
    if (nothing_new && from > job->from) {
      // The time is up and what arrived was for others: the client need not have it looked at again.
      outcome.status = store::FetchStatus::kNoMatchedMessage;
      outcome.next = from;
    }
    co_return outcome;
  }
}

}  // namespace

bool OnDisk(const store::ShardStore& store, const core::QueueKey& queue, core::LogicalOffset from) {
  return !store.OffsetInMemory(queue, from) && from < store.MaxOffset(queue) && from >= store.MinOffset(queue);
}

core::Task<PullOutcome> ReadQueue(store::ShardStore& store, PullReads& reads, const PullJob& job, core::QueueKey queue, core::LogicalOffset from,
                                  bool on_disk, core::StopToken stop) {
  const uint64_t key = PullSizes::KeyOf(job.topic, job.queue_id);
  const core::MonoTime began = core::Reactor::Current().now();
  net::AnswerBytes::Hold room;
  if (on_disk) {
    room = co_await reads.Take(key, job.on_disk.bytes, stop);
    if (!room || stop.stop_requested()) co_return PullOutcome::Stopped();
  }
  const PullLimits& limits = on_disk ? job.on_disk : job.in_memory;
  store::FetchRequest request;
  request.queue = std::move(queue);
  request.from = from;
  request.messages_max = limits.messages;
  request.bytes_max = limits.bytes;
  request.filter = job.filter.tags;
  request.property_filter = job.filter.sql.get();
  store::FetchResult result = co_await store.Fetch(std::move(request));
  if (IsLmq(job.topic)) result = ShowDispatched(std::move(result));
  PullOutcome outcome = OutcomeOf(std::move(result));
  outcome.on_disk = on_disk;
  outcome.millis = MillisBetween(began, core::Reactor::Current().now());
  if (on_disk) reads.Learn(key, outcome.bytes);
  co_return outcome;
}

core::Task<PullOutcome> PullNow(BrokerShard& here, const PullJob* job) {
  if (std::optional<PullOutcome> reset = TakeReset(here, *job)) co_return std::move(*reset);
  core::QueueKey queue = QueueOf(*job);
  PullOutcome outcome;
  outcome.on_disk = OnDisk(here.store(), queue, job->from);
  if (outcome.on_disk) {
    outcome.bytes = here.pull_reads().Expect(PullSizes::KeyOf(job->topic, job->queue_id), job->on_disk.bytes);
  } else {
    outcome = co_await CommitAndRead(here, *job, std::move(queue), false, core::StopToken());
  }
  co_return outcome;
}

core::Task<PullOutcome> PullPatiently(BrokerShard& here, const PullJob* job, core::StopToken stop) {
  // Also before it is held: the reset may have come between the first look and this one.
  if (std::optional<PullOutcome> reset = TakeReset(here, *job)) return Told(std::move(*reset));
  if (job->held_until.has_value()) return Held(here, job, *job->held_until, stop);
  core::QueueKey queue = QueueOf(*job);
  const bool on_disk = OnDisk(here.store(), queue, job->from);
  return CommitAndRead(here, *job, std::move(queue), on_disk, stop);
}

}  // namespace broker
