#pragma once

#include <string>

#include "absl/status/status.h"
#include "core/task.h"

namespace broker {

class BrokerShard;

/// The second half of deleting a topic, once its configuration is gone: what every shard knows of it goes, its messages too. When that is durable
/// everywhere the row in kDeletedTopics goes, which came with the first half. May be repeated. From any shard.
core::Task<absl::Status> DropTopicEverywhere(BrokerShard& here, std::string topic);

/// Finishes the deletions that the last end of the process has interrupted, before anyone is served. On shard 0.
core::Task<absl::Status> FinishTopicRemovals(BrokerShard& here);

}  // namespace broker
