#pragma once

#include <span>
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

/// Topics that the broker itself lives on: an administrator may not change or delete them. The fixed list, and every name that begins with
/// rmq_sys_; topics named like the cluster and the broker are added by the broker itself.
bool IsSystemTopic(std::string_view name);
/// The fixed list of them.
std::span<const std::string_view> FixedSystemTopics();
/// Topics that nobody may send to: "Sending message to topic[x] is forbidden." (NO_PERMISSION).
bool IsForbiddenToSend(std::string_view name);
/// Whether what is stored there belongs to other topics, and is nobody's yet.
bool HoldsWaitingMessages(std::string_view name);
/// Whether the topic has a queue in each log.
bool HasQueueInEachLog(std::string_view name);
/// Where half messages go that nobody has ended.
inline constexpr std::string_view kPutAsideTopic = "TRANS_CHECK_MAX_TIME_TOPIC";
/// Where replies to requests are kept. Source: RocketMQ 5.3.3 MixAll.getReplyTopic.
std::string ReplyTopicOf(std::string_view cluster);
/// Groups with this prefix exist without being made.
inline constexpr std::string_view kSystemGroupPrefix = "CID_RMQ_SYS_";

}  // namespace broker
