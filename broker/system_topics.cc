#include "broker/system_topics.h"

#include <algorithm>
#include <array>
#include <utility>

#include "broker/catalog_writer.h"
#include "core/strings.h"
#include "store/half_record.h"

namespace broker {
namespace {

constexpr std::string_view kReplyTopicSuffix = "_REPLY_TOPIC";

// Source: RocketMQ 5.3.3 TopicValidator.SYSTEM_TOPIC_SET.
constexpr std::array<std::string_view, 10> kSystemTopics = {
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
};
constexpr std::string_view kSystemTopicPrefix = "rmq_sys_";

// Source: RocketMQ 5.3.3 TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET.
constexpr std::array<std::string_view, 6> kForbiddenToSend = {
    "SCHEDULE_TOPIC_XXXX",        "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC", "SELF_TEST_TOPIC",          "OFFSET_MOVED_EVENT",
};

TopicConfig Make(std::string name, int32_t queues, int32_t perm = kPermReadWrite) {
  TopicConfig config;
  config.name = std::move(name);
  config.read_queues = queues;
  config.write_queues = queues;
  config.perm = perm;
  return config;
}

}  // namespace

std::string ReplyTopicOf(std::string_view cluster) { return core::StrCat(cluster, kReplyTopicSuffix); }

std::vector<TopicConfig> SystemTopics(const CatalogOptions& options) {
  constexpr int32_t kTemplate = kPermReadWrite | kPermInherit;
  std::vector<TopicConfig> topics;
  topics.push_back(Make("SELF_TEST_TOPIC", 1));
  if (options.auto_create_topic) {
    topics.push_back(Make(std::string(kAutoCreateTopic), options.default_topic_queues, kTemplate));
  }
  topics.push_back(Make("BenchmarkTest", 1024));
  topics.push_back(Make(options.cluster_name, 16, options.cluster_topic_enable ? kTemplate : kPermInherit));
  if (options.broker_name != options.cluster_name) {
    topics.push_back(Make(options.broker_name, 1, options.broker_topic_enable ? kTemplate : kPermInherit));
  }
  topics.push_back(Make("OFFSET_MOVED_EVENT", 1));
  topics.push_back(Make("SCHEDULE_TOPIC_XXXX", 18));
  if (options.trace_topic_enable) topics.push_back(Make(options.trace_topic, 1));
  topics.push_back(Make(ReplyTopicOf(options.cluster_name), 1));
  topics.push_back(Make(core::StrCat("rmq_sys_REVIVE_LOG_", options.cluster_name), 8));
  topics.push_back(Make(core::StrCat("rmq_sys_SYNC_BROKER_MEMBER_", options.broker_name), 1, kPermInherit));
  topics.push_back(Make(std::string(store::kHalfTopic), options.logs));
  topics.push_back(Make(std::string(store::kHalfEndTopic), options.logs));
  topics.push_back(Make(std::string(store::kDueTopic), options.logs));
  topics.push_back(Make(std::string(kPutAsideTopic), options.logs));
  return topics;
}

std::vector<GroupConfig> SystemGroups() {
  std::vector<GroupConfig> groups;
  for (const char* name : {"TOOLS_CONSUMER", "FILTERSRV_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY", "CID_ONSAPI_PULL",
                           "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER", "CID_RMQ_SYS_TRANS"}) {
    GroupConfig group;
    group.name = name;
    groups.push_back(std::move(group));
  }
  return groups;
}

bool IsSystemTopicOf(const CatalogOptions& options, std::string_view name) {
  if (IsSystemTopic(name) || name == options.cluster_name || name == options.broker_name) return true;
  return name == options.trace_topic || name == ReplyTopicOf(options.cluster_name);
}

std::span<const std::string_view> FixedSystemTopics() { return kSystemTopics; }

bool IsSystemTopic(std::string_view name) {
  return std::find(kSystemTopics.begin(), kSystemTopics.end(), name) != kSystemTopics.end() ||
         name.starts_with(kSystemTopicPrefix);
}

bool HoldsWaitingMessages(std::string_view name) { return name == store::kDueTopic || name == store::kHalfTopic; }

bool HasQueueInEachLog(std::string_view name) {
  return HoldsWaitingMessages(name) || name == store::kHalfEndTopic || name == kPutAsideTopic;
}

bool IsForbiddenToSend(std::string_view name) {
  return std::find(kForbiddenToSend.begin(), kForbiddenToSend.end(), name) != kForbiddenToSend.end();
}

}  // namespace broker
