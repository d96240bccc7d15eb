#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/pop/allocate.h"
#include "core/task.h"
#include "core/time.h"

namespace broker {

/// The queues of topics on all brokers of the cluster, as the nameservers know them; without a nameserver, on this one. One shard.
class ClusterQueues {
 public:
  explicit ClusterQueues(BrokerShard& shard) : shard_(shard) {}

  /// Those that can be read, sorted; none for a topic that nobody has. What was found is kept for a while, and for longer when no nameserver answers.
  core::Task<std::vector<ClusterQueue>> Find(std::string topic);

 private:
  struct Known {
    std::vector<ClusterQueue> queues;
    core::MonoTime until;
  };
  core::Task<bool> Ask(const core::Endpoint* nameserver, const std::string* topic, std::vector<ClusterQueue>& queues);

  BrokerShard& shard_;
  std::map<std::string, Known> known_;
};

}  // namespace broker
