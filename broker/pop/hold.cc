#include "broker/pop/hold.h"

#include <memory>
#include <utility>
#include <vector>

#include "broker/held_pulls.h"
#include "broker/pop/pop_message.h"
#include "broker/pop/receipt.h"
#include "core/reactor.h"
#include "core/scope.h"

namespace broker {
namespace {

/// Passes a stop on.
struct Relay final : core::StopCallback {
  explicit Relay(core::StopSource& s) : to(s) {}
  void OnStop() noexcept override { to.RequestStop(); }
  core::StopSource& to;
};

/// Every shard that has a queue of the wish.
std::vector<std::pair<core::ShardId, PopPlaces>> PlacesOf(BrokerShard& shard, const PopWish& wish) {
  std::vector<std::pair<core::ShardId, PopPlaces>> places(shard.placement().shards());
  for (uint32_t id = 0; id < places.size(); ++id) places[id].first = core::ShardId(id);
  for (auto& [owner, queues] : PopQueuesByOwner(shard, wish.topic, wish.queue_id, 0)) {
    for (const int32_t queue_id : queues) places[owner.value()].second.push_back({std::string(wish.topic), queue_id});
  }
  if (!wish.order) {
    const std::string retry = PopRetryTopicOf(wish.topic, wish.group);
    for (auto& [owner, queues] : places) queues.push_back({retry, shard.placement().QueueOn(owner, retry)});
  }
  std::erase_if(places, [](const auto& one) { return one.second.empty(); });
  return places;
}

struct Waiting {
  core::StopSource enough;  // one has found something, or nobody waits any more
  bool notified = false;
};

core::Task<void> WaitOn(BrokerShard& shard, core::ShardId owner, const PopWish* wish, const PopPlaces* places,
                        core::MonoTime deadline, Waiting& waiting) {
  core::WaitResult result = core::WaitResult::kStopped;
  if (owner == shard.id()) {
    result = co_await shard.pop_waits().Wait(wish, places, deadline, waiting.enough.token());
  } else {
    core::StopSource there;
    RemoteStop remote(owner, there);
    if (waiting.enough.stop_requested()) co_return;
    waiting.enough.token().Register(remote);
    result = co_await shard.peers().On(
        owner,
        [](BrokerShard& other, const PopWish* what, const PopPlaces* where, core::MonoTime until,
           core::StopToken stop) { return other.pop_waits().Wait(what, where, until, stop); },
        wish, places, deadline, there.token());
    co_await remote.Settled();
  }
  waiting.notified = waiting.notified || result == core::WaitResult::kNotified;
  waiting.enough.RequestStop();
}

}  // namespace

core::Task<core::WaitResult> WaitForPop(BrokerShard& shard, const PopWish* wish, core::MonoTime deadline,
                                        core::StopToken stop) {
  const std::vector<std::pair<core::ShardId, PopPlaces>> places = PlacesOf(shard, *wish);
  Waiting waiting;
  Relay relay(waiting.enough);
  if (stop.stop_requested()) co_return core::WaitResult::kStopped;
  stop.Register(relay);
  core::Scope waits;
  for (const auto& [owner, queues] : places) waits.Spawn(WaitOn(shard, owner, wish, &queues, deadline, waiting));
  co_await waits.Join();
  if (stop.stop_requested()) co_return core::WaitResult::kStopped;
  if (waiting.notified) co_return core::WaitResult::kNotified;
  co_return core::Reactor::Current().now() >= deadline ? core::WaitResult::kTimeout : core::WaitResult::kStopped;
}

core::Task<size_t> CountWaitingPops(BrokerShard& shard, const PopWish* wish) {
  // Whoever waits for any queue waits on each shard that has one.
  const std::vector<std::pair<core::ShardId, PopPlaces>> places = PlacesOf(shard, *wish);
  if (places.empty()) co_return 0;
  co_return co_await shard.peers().On(
      places.front().first, [](BrokerShard& there, const PopWish* what) { return there.pop_waits().Waiting(*what); },
      wish);
}

}  // namespace broker
