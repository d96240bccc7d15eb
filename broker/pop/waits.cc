#include "broker/pop/waits.h"

#include <algorithm>
#include <utility>

#include "core/reactor.h"

namespace broker {
namespace {

/// What is not taken by who was woken is somebody else's: soon, and then less and less often, as it may be that nobody can take it.
constexpr absl::Duration kPaceMin = absl::Milliseconds(1);
constexpr absl::Duration kPaceMax = absl::Milliseconds(64);

}  // namespace

core::Task<void> PopWaits::Stop() {
  while (!watches_.empty()) Close(watches_.begin());
  co_await scope_.Join();
}

void PopWaits::Close(std::map<Name, std::shared_ptr<Watch>>::iterator it) {
  const std::shared_ptr<Watch> watch = std::move(it->second);
  watches_.erase(it);
  watch->stop.RequestStop();
  watch->arrived.NotifyAll();
}

core::Task<core::WaitResult> PopWaits::Wait(const PopWish* wish, const PopPlaces* places, core::MonoTime deadline,
                                            core::StopToken stop) {
  if (stop.stop_requested()) co_return core::WaitResult::kStopped;
  std::shared_ptr<Watch>& there = watches_[NameOf(*wish)];
  if (there == nullptr) {
    there = std::make_shared<Watch>();
    there->group = wish->group;
    there->order = wish->order;
  }
  const std::shared_ptr<Watch> watch = there;
  ++watch->waiting;
  // They wake nobody before the wait has begun: the first look is one tick later. Queues may have been added since others began to wait.
  for (const core::QueueKey& place : *places) {
    if (watch->queues.insert(place).second) scope_.Spawn(WatchQueue(watch, place));
  }
  const core::WaitResult result = co_await watch->arrived.Wait(deadline, stop);
  if (--watch->waiting == 0) {
    const auto it = watches_.find(NameOf(*wish));
    if (it != watches_.end() && it->second == watch) Close(it);
  }
  co_return result;
}

core::Task<void> PopWaits::WatchQueue(std::shared_ptr<Watch> watch, core::QueueKey queue) {
  const core::StopToken stop = watch->stop.token();
  co_await core::EndOfTick();
  absl::Duration pace = kPaceMin;
  core::LogicalOffset seen(-1);
  while (!stop.stop_requested()) {
    const core::LogicalOffset from = position_(watch->group, queue);
    const core::WaitResult woken = co_await log_.WaitForMessage(queue, from, core::MonoTime::Max(), stop);
    if (woken == core::WaitResult::kStopped || stop.stop_requested()) co_return;
    if (watch->order && !co_await unblocked_(&watch->group, &queue, stop)) co_return;
    pace = from == seen ? std::min(2 * pace, kPaceMax) : kPaceMin;
    seen = from;
    watch->arrived.NotifyOne();
    core::Sleep pause(pace, stop);
    (void)co_await pause;
  }
}

template <typename Matches>
void PopWaits::WakeIf(Matches matches) {
  for (auto it = watches_.begin(); it != watches_.end();) {
    const auto one = it++;
    if (matches(one->first)) Close(one);
  }
}

void PopWaits::WakeAll(std::string_view group, std::string_view topic) {
  WakeIf([&](const Name& name) { return std::get<0>(name) == group && std::get<1>(name) == topic; });
}

void PopWaits::WakeAllOf(std::string_view topic) {
  WakeIf([&](const Name& name) { return std::get<1>(name) == topic; });
}

size_t PopWaits::Waiting(const PopWish& wish) const {
  const auto it = watches_.find(NameOf(wish));
  return it == watches_.end() ? 0 : it->second->waiting;
}

}  // namespace broker
