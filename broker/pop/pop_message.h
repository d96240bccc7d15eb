#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/pop/pops.h"
#include "broker/pop/waits.h"
#include "broker/pull_reads.h"
#include "broker/request_filter.h"
#include "broker/sql/filter_cache.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/pop.h"
#include "net/router.h"

namespace broker {

/// POP_MESSAGE: messages from whatever queue of a topic has some, or from its group's retry topic, taken for a time. Order of the checks: RocketMQ 5.3.3 PopMessageProcessor. One that
/// finds nothing is held until there is something or its time is up (to the millisecond).
class PopHandlers {
 public:
  explicit PopHandlers(BrokerShard& shard) : shard_(shard) {}

  core::Task<net::Reply> Pop(net::RequestContext context, net::PopMessageRequest request);

 private:
  /// A request that owns its text: it may outlive its frame.
  struct Wanted {
    std::string group;
    std::string topic;
    std::string retry_topic;
    std::string attempt_id;
    int32_t queue_id = -1;
    int32_t messages = 0;
    int64_t invisible = 0;
    bool from_last = false;
    bool order = false;
    RequestFilter filter;
  };
  /// What an attempt has found.
  struct Found {
    absl::Status status;
    core::WallMillis pop_time = 0;
    std::vector<std::pair<char, PoppedQueue>> queues;  // with their kind of topic
    int32_t messages = 0;
    size_t bytes = 0;
    int64_t rest = 0;
    bool full = false;
  };

  core::Task<std::optional<net::Reply>> Check(const net::PopMessageRequest& request);
  core::Task<Found> Attempt(const Wanted& wanted);
  core::Task<void> TakeFromTopic(const Wanted& wanted, bool retry, Found& found);
  net::Reply Answer(const Wanted& wanted, Found found, net::AnswerRoom room);
  net::Reply Nothing(const Wanted& wanted, const Found& found, net::ResponseCode code) const;
  void AddHeader(const Wanted& wanted, const Found& found, net::Reply& reply) const;

  BrokerShard& shard_;
  PullSizes sizes_;
  sql::FilterCache filters_;
  uint32_t turn_ = 0;  // where the next pop of all queues begins
};

/// Messages of one pop at most.
inline constexpr int32_t kPopMessagesMost = 32;

/// Until when a request is held that its client has made at `born_time` (ms, by its clock; 0 or nothing: now) and gives up `poll_time` ms later. nullopt: it is not held.
std::optional<core::MonoTime> PopDeadline(std::optional<int64_t> born_time, int64_t poll_time);

/// Why a consumer of `group` may not read `topic` (queue -1: any) by pops; nothing: it may. The group is made where groups are made automatically. Source: RocketMQ 5.3.3
/// PopMessageProcessor, NotificationProcessor, PeekMessageProcessor.
core::Task<std::optional<net::Reply>> RefusePop(BrokerShard& shard, std::string group, std::string topic,
                                                int32_t queue_id);

/// Queues of the topic that a pop looks at, by owner, in the order from `first` on; of one queue only that one. With retry topics there is one a shard.
std::vector<std::pair<core::ShardId, std::vector<int32_t>>> PopQueuesByOwner(const BrokerShard& shard,
                                                                             std::string_view topic, int32_t queue_id,
                                                                             uint32_t first);

void RegisterPopHandlers(BrokerShard& shard);

}  // namespace broker
