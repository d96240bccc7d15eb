#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/time.h"
#include "core/types.h"
#include "store/shard_store.h"

namespace broker {

/// What somebody who wants to pop waits for. Text is borrowed.
struct PopWish {
  std::string_view group;
  std::string_view topic;  // that was asked for; its retry topic is watched as well
  int32_t queue_id = -1;   // -1: any
  bool order = false;
};

/// Where messages for a wish may turn up on a shard.
using PopPlaces = std::vector<core::QueueKey>;

/// Who waits for messages to pop from queues of this shard. For each wish there is one watcher a queue, whoever and how many wait for it; when there is something behind where
/// the group goes on, it wakes the one that waits longest, and the next one if it is still there a moment later. One shard.
class PopWaits {
 public:
  /// Where the group goes on in a queue.
  using Position = std::function<core::LogicalOffset(std::string_view group, const core::QueueKey& queue)>;
  /// Waits while messages of a queue must not be taken, as others before them are not acknowledged. False: stopped.
  using Unblocked =
      std::function<core::Task<bool>(const std::string* group, const core::QueueKey* queue, core::StopToken stop)>;

  /// `log` outlives it.
  PopWaits(store::ShardStore& log, Position position, Unblocked unblocked)
      : log_(log), position_(std::move(position)), unblocked_(std::move(unblocked)) {}
  core::Task<void> Stop();

  /// Until there may be something in one of `places`. `wish` and `places` are borrowed; the same wish has the same places.
  core::Task<core::WaitResult> Wait(const PopWish* wish, const PopPlaces* places, core::MonoTime deadline,
                                    core::StopToken stop);
  /// Wakes all who wait for messages of that group and topic: the group goes on elsewhere.
  void WakeAll(std::string_view group, std::string_view topic);
  /// All that wait for messages of the topic, of any group.
  void WakeAllOf(std::string_view topic);
  /// How many wait for exactly that, in order or not.
  size_t Waiting(const PopWish& wish) const;

 private:
  using Name = std::tuple<std::string, std::string, int32_t, bool>;
  struct Watch {
    std::string group;
    bool order = false;
    size_t waiting = 0;
    std::set<core::QueueKey> queues;  // that are watched
    core::Notifier arrived;
    core::StopSource stop;
  };
  static Name NameOf(const PopWish& wish) {
    return {std::string(wish.group), std::string(wish.topic), wish.queue_id, wish.order};
  }
  core::Task<void> WatchQueue(std::shared_ptr<Watch> watch, core::QueueKey queue);
  void Close(std::map<Name, std::shared_ptr<Watch>>::iterator it);
  template <typename Matches>
  void WakeIf(Matches matches);

  store::ShardStore& log_;
  const Position position_;
  const Unblocked unblocked_;
  std::map<Name, std::shared_ptr<Watch>> watches_;
  core::Scope scope_;
};

}  // namespace broker
