#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/group_config.h"
#include "broker/topic_config.h"

namespace broker {

struct CatalogOptions;

/// The topics that a broker makes for itself at start. Source: RocketMQ 5.3.3, TopicConfigManager.init.
std::vector<TopicConfig> SystemTopics(const CatalogOptions& options);
/// The groups that exist on every broker. Source: RocketMQ 5.3.3, SubscriptionGroupManager.init.
std::vector<GroupConfig> SystemGroups();
/// Whether administrators must leave the topic alone: those of IsSystemTopic and those named after this broker and its cluster.
bool IsSystemTopicOf(const CatalogOptions& options, std::string_view name);

}  // namespace broker
