#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace broker {

/// What a consumer holds in his hands for a message that he has popped: POP_CK, the "extraInfo" of his ack. Eight fields with one blank in between: start offset, pop time,
/// invisible time, revive queue, kind of topic, broker, queue, offset of the message. Proxies append more. Times in ms. Source: RocketMQ 5.3.3 ExtraInfoUtil.
struct PopReceipt {
  int64_t start_offset = 0;
  int64_t pop_time = 0;
  int64_t invisible_time = 0;
  int32_t revive_queue = 0;
  char topic_kind = '0';
  std::string_view broker_name;
  int32_t queue_id = 0;
  int64_t queue_offset = 0;

  /// When the message is seen again, unless it is acknowledged; held at the largest number.
  int64_t due() const;
  std::string Text() const;
  /// Total. Six fields will do, as that is what RocketMQ's broker looks at; then queue and offset are 0. kInvalidArgument says which is wrong.
  static absl::StatusOr<PopReceipt> Parse(std::string_view text);
};

/// RocketMQ's revive queue of messages that are consumed in order; others have 0 here, as nothing is kept in a revive topic. Source: KeyBuilder.POP_ORDER_REVIVE_QUEUE.
inline constexpr int32_t kOrderedReviveQueue = 999;

/// Where messages of `topic` wait that the group has popped and not acknowledged: "%RETRY%group_topic". Source: KeyBuilder.buildPopRetryTopicV1.
std::string PopRetryTopicOf(std::string_view topic, std::string_view group);
/// The first field of a queue in the lists of an answer, and the fifth of a receipt: '0' a topic of its own, '1' a retry topic, '2' one of version 2 ("%RETRY%group+topic"),
/// which this broker reads no messages from. Source: ExtraInfoUtil.getRetry.
char PopTopicKind(std::string_view topic);
/// The topic that a batch of acks means by `topic` and kind. nullopt: there is no such kind. Source: ExtraInfoUtil.getRealTopic.
std::optional<std::string> PopRealTopic(std::string_view topic, std::string_view group, std::string_view kind);

/// Appends to startOffsetInfo, msgOffsetInfo and orderCountInfo of an answer.
void AppendStartOffset(std::string& info, char kind, int32_t queue_id, int64_t start);
void AppendMessageOffsets(std::string& info, char kind, int32_t queue_id, std::span<const int64_t> offsets);
void AppendOrderCount(std::string& info, char kind, int32_t queue_id, int32_t times);
void AppendOrderCountOf(std::string& info, char kind, int32_t queue_id, int64_t offset, int32_t times);

}  // namespace broker
