#include "broker/pull_owner.h"

#include <string>
#include <utility>

#include "broker/offset_table.h"

namespace broker {
namespace {

store::FetchRequest RequestOf(BrokerShard& here, const PullJob& job, core::LogicalOffset from) {
  store::FetchRequest request;
  request.queue.topic = job.topic;
  request.queue.queue_id = job.queue_id;
  request.from = from;
  const bool in_memory = job.in_memory == job.on_disk || here.store().OffsetInMemory(request.queue, from);
  const PullLimits& limits = in_memory ? job.in_memory : job.on_disk;
  request.messages_max = limits.messages;
  request.bytes_max = limits.bytes;
  request.filter = job.filter;
  return request;
}

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

}  // namespace

core::Task<PullOutcome> PullNow(BrokerShard& here, const PullJob* job) {
  if (job->commit.has_value()) here.offsets().Commit(job->group, job->topic, job->queue_id, *job->commit);
  store::FetchRequest request = RequestOf(here, *job, job->from);
  store::FetchResult result = co_await here.store().Fetch(std::move(request));
  co_return OutcomeOf(std::move(result));
}

core::Task<PullOutcome> PullHeld(BrokerShard& here, const PullJob* job, core::MonoTime deadline, core::StopToken stop) {
  HeldPulls::Place place(here.held_pulls());
  if (!place) {
    PullOutcome outcome;
    outcome.full = true;
    co_return outcome;
  }
  core::LogicalOffset from = job->from;
  while (true) {
    core::QueueKey queue{std::string(job->topic), job->queue_id};
    const core::WaitResult woken = co_await here.store().WaitForMessage(std::move(queue), from, deadline, stop);
    if (woken == core::WaitResult::kStopped) {
      PullOutcome outcome;
      outcome.stopped = true;
      co_return outcome;
    }
    store::FetchRequest request = RequestOf(here, *job, from);
    store::FetchResult result = co_await here.store().Fetch(std::move(request));
    if (result.status == store::FetchStatus::kNoMatchedMessage && result.next > from) {
      from = result.next;
      if (woken == core::WaitResult::kNotified) continue;
    }
    const bool nothing_new = PullResponseCode(result.status, from) == net::ResponseCode::kPullNotFound;
    if (nothing_new && woken == core::WaitResult::kNotified) continue;
    if (nothing_new && from > job->from) {
      // The time is up and what arrived was for others: the client need not have it looked at again.
      result.status = store::FetchStatus::kNoMatchedMessage;
      result.next = from;
    }
    co_return OutcomeOf(std::move(result));
  }
}

}  // namespace broker
