#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

struct UpdateAndCreateTopicRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateAndCreateTopic;
  std::string_view topic;
  std::string_view default_topic;
  int32_t read_queue_nums = 0;
  int32_t write_queue_nums = 0;
  int32_t perm = 0;
  std::string_view topic_filter_type;
  std::optional<int32_t> topic_sys_flag;
  bool order = false;
  std::optional<std::string_view> attributes;
  bool force = false;
  static constexpr auto kFields =
      std::tuple(Required("topic", &UpdateAndCreateTopicRequest::topic),
                 Required("defaultTopic", &UpdateAndCreateTopicRequest::default_topic),
                 Required("readQueueNums", &UpdateAndCreateTopicRequest::read_queue_nums),
                 Required("writeQueueNums", &UpdateAndCreateTopicRequest::write_queue_nums),
                 Required("perm", &UpdateAndCreateTopicRequest::perm),
                 Required("topicFilterType", &UpdateAndCreateTopicRequest::topic_filter_type),
                 Optional("topicSysFlag", &UpdateAndCreateTopicRequest::topic_sys_flag),
                 Optional("order", &UpdateAndCreateTopicRequest::order),
                 Optional("attributes", &UpdateAndCreateTopicRequest::attributes),
                 Optional("force", &UpdateAndCreateTopicRequest::force));
};

/// Body: {topicConfigList:[TopicConfig]}.
struct UpdateAndCreateTopicListRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateAndCreateTopicList;
  static constexpr auto kFields = std::tuple();
};

struct DeleteTopicInBrokerRequest {
  static constexpr RequestCode kCode = RequestCode::kDeleteTopicInBroker;
  std::string_view topic;
  static constexpr auto kFields = std::tuple(Required("topic", &DeleteTopicInBrokerRequest::topic));
};

struct GetAllTopicConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetAllTopicConfig;
  static constexpr auto kFields = std::tuple();
};

struct GetTopicConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetTopicConfig;
  std::string_view topic;
  bool logical = false;
  static constexpr auto kFields =
      std::tuple(Required("topic", &GetTopicConfigRequest::topic), Optional("lo", &GetTopicConfigRequest::logical));
};

struct GetTopicStatsInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kGetTopicStatsInfo;
  std::string_view topic;
  static constexpr auto kFields = std::tuple(Required("topic", &GetTopicStatsInfoRequest::topic));
};

struct QueryTopicConsumeByWhoRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryTopicConsumeByWho;
  std::string_view topic;
  static constexpr auto kFields = std::tuple(Required("topic", &QueryTopicConsumeByWhoRequest::topic));
};

struct GetSystemTopicListFromBrokerRequest {
  static constexpr RequestCode kCode = RequestCode::kGetSystemTopicListFromBroker;
  static constexpr auto kFields = std::tuple();
};

struct CleanExpiredConsumeQueueRequest {
  static constexpr RequestCode kCode = RequestCode::kCleanExpiredConsumeQueue;
  static constexpr auto kFields = std::tuple();
};

struct CleanUnusedTopicRequest {
  static constexpr RequestCode kCode = RequestCode::kCleanUnusedTopic;
  static constexpr auto kFields = std::tuple();
};

struct DeleteExpiredCommitLogRequest {
  static constexpr RequestCode kCode = RequestCode::kDeleteExpiredCommitLog;
  static constexpr auto kFields = std::tuple();
};

}  // namespace net
