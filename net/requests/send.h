#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3 SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader, ConsumerSendMsgBackRequestHeader.

namespace net {

/// What every form of send says about a message, whose body is the frame's. Text points into the frame.
struct SendMessageHeader {
  std::string_view producer_group;
  std::string_view topic;
  std::string_view default_topic;  // whose configuration a topic made on the fly takes
  int32_t default_topic_queue_nums = 0;
  int32_t queue_id = 0;
  int32_t sys_flag = 0;
  int64_t born_timestamp = 0;
  int32_t flag = 0;             // the user's
  std::string_view properties;  // name 0x01 value 0x02 ...
  int32_t reconsume_times = 0;
  bool unit_mode = false;
  bool batch = false;
  std::optional<int32_t> max_reconsume_times;
};

/// Field names written out: SEND_MESSAGE and, with the same header, SEND_REPLY_MESSAGE.
struct SendMessageRequest : SendMessageHeader {
  static constexpr RequestCode kCode = RequestCode::kSendMessage;
  static constexpr auto kFields = std::tuple(
      Required("producerGroup", &SendMessageHeader::producer_group), Required("topic", &SendMessageHeader::topic),
      Required("defaultTopic", &SendMessageHeader::default_topic),
      Required("defaultTopicQueueNums", &SendMessageHeader::default_topic_queue_nums),
      Required("queueId", &SendMessageHeader::queue_id), Required("sysFlag", &SendMessageHeader::sys_flag),
      Required("bornTimestamp", &SendMessageHeader::born_timestamp), Required("flag", &SendMessageHeader::flag),
      Optional("properties", &SendMessageHeader::properties),
      Optional("reconsumeTimes", &SendMessageHeader::reconsume_times),
      Optional("unitMode", &SendMessageHeader::unit_mode), Optional("batch", &SendMessageHeader::batch),
      Optional("maxReconsumeTimes", &SendMessageHeader::max_reconsume_times));
};
struct SendReplyMessageRequest : SendMessageRequest {
  static constexpr RequestCode kCode = RequestCode::kSendReplyMessage;
};

/// Field names of one letter: what clients use (`n`, the broker's name, is not looked at).
struct SendMessageV2Request : SendMessageHeader {
  static constexpr RequestCode kCode = RequestCode::kSendMessageV2;
  static constexpr auto kFields = std::tuple(
      Required("a", &SendMessageHeader::producer_group), Required("b", &SendMessageHeader::topic),
      Required("c", &SendMessageHeader::default_topic), Required("d", &SendMessageHeader::default_topic_queue_nums),
      Required("e", &SendMessageHeader::queue_id), Required("f", &SendMessageHeader::sys_flag),
      Required("g", &SendMessageHeader::born_timestamp), Required("h", &SendMessageHeader::flag),
      Optional("i", &SendMessageHeader::properties), Optional("j", &SendMessageHeader::reconsume_times),
      Optional("k", &SendMessageHeader::unit_mode), Optional("l", &SendMessageHeader::max_reconsume_times),
      Optional("m", &SendMessageHeader::batch));
};
/// The body is a batch (remoting_util.h: BatchReader).
struct SendBatchMessageRequest : SendMessageV2Request {
  static constexpr RequestCode kCode = RequestCode::kSendBatchMessage;
};
struct SendReplyMessageV2Request : SendMessageV2Request {
  static constexpr RequestCode kCode = RequestCode::kSendReplyMessageV2;
};

/// Answers every form of send, on SUCCESS, FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT and SLAVE_NOT_AVAILABLE. MSG_REGION and TRACE_ON
/// belong into every answer to a send, errors too: Java clients dereference the extension fields.
struct SendMessageResponse {
  std::string_view msg_id;  // offset message id; of a batch all of them, joined by commas
  int32_t queue_id = 0;
  int64_t queue_offset = 0;
  std::optional<std::string_view> transaction_id;
  std::optional<std::string_view> batch_uniq_id;
  std::optional<std::string_view> recall_handle;
  std::string_view region = "DefaultRegion";
  bool trace_on = true;
  static constexpr auto kFields = std::tuple(
      Required("msgId", &SendMessageResponse::msg_id), Required("queueId", &SendMessageResponse::queue_id),
      Required("queueOffset", &SendMessageResponse::queue_offset),
      Optional("transactionId", &SendMessageResponse::transaction_id),
      Optional("batchUniqId", &SendMessageResponse::batch_uniq_id),
      Optional("recallHandle", &SendMessageResponse::recall_handle),
      Optional("MSG_REGION", &SendMessageResponse::region), Optional("TRACE_ON", &SendMessageResponse::trace_on));
};

/// A consumer returns a message it could not process.
struct ConsumerSendMsgBackRequest {
  static constexpr RequestCode kCode = RequestCode::kConsumerSendMsgBack;
  int64_t offset = 0;  // physical
  std::string_view group;
  int32_t delay_level = 0;
  std::optional<std::string_view> origin_msg_id;
  std::optional<std::string_view> origin_topic;
  bool unit_mode = false;
  std::optional<int32_t> max_reconsume_times;
  static constexpr auto kFields = std::tuple(
      Required("offset", &ConsumerSendMsgBackRequest::offset), Required("group", &ConsumerSendMsgBackRequest::group),
      Required("delayLevel", &ConsumerSendMsgBackRequest::delay_level),
      Optional("originMsgId", &ConsumerSendMsgBackRequest::origin_msg_id),
      Optional("originTopic", &ConsumerSendMsgBackRequest::origin_topic),
      Optional("unitMode", &ConsumerSendMsgBackRequest::unit_mode),
      Optional("maxReconsumeTimes", &ConsumerSendMsgBackRequest::max_reconsume_times));
};

}  // namespace net
