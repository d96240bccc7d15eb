#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

/// A queue of any broker, as clients name it.
struct ClusterQueue {
  std::string topic;
  std::string broker_name;
  int32_t queue_id = 0;
  friend auto operator<=>(const ClusterQueue&, const ClusterQueue&) = default;
  friend bool operator==(const ClusterQueue&, const ClusterQueue&) = default;
};

/// Which of `queues` the member `client` of a group consumes. Queues and client ids are sorted. nullopt: RocketMQ's broker knows no strategy of that name. A client that is no
/// member gets nothing. Source: RocketMQ 5.3.3 AllocateMessageQueueAveragely, AllocateMessageQueueAveragelyByCircle.
std::optional<std::vector<ClusterQueue>> AllocateQueues(std::string_view strategy, std::string_view client,
                                                        std::span<const ClusterQueue> queues,
                                                        std::span<const std::string> clients);

/// The same for a group that pops: every member pops from any queue of every broker (queue id -1), or, with `share`, from those of its own and of the `share` members behind it.
/// Sorted, each once. Source: RocketMQ 5.3.3 QueryAssignmentProcessor.allocate4Pop.
std::optional<std::vector<ClusterQueue>> AllocateQueuesForPop(std::string_view strategy, std::string_view client,
                                                              std::span<const ClusterQueue> queues,
                                                              std::span<const std::string> clients, int32_t share);

}  // namespace broker
