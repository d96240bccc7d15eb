#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/properties.h"

namespace broker {

using store::ForEachProperty;
using store::kNameValueSeparator;
using store::kPropertySeparator;

// The names that the broker itself looks at. Source: RocketMQ 5.3.3 MessageConst.
using store::kPropertyTags;
using store::kPropertyUniqKey;
inline constexpr std::string_view kPropertyWait = "WAIT";
inline constexpr std::string_view kPropertyDelay = "DELAY";
inline constexpr std::string_view kPropertyTransaction = "TRAN_MSG";
inline constexpr std::string_view kPropertyMsgRegion = "MSG_REGION";
inline constexpr std::string_view kPropertyTraceOn = "TRACE_ON";
inline constexpr std::string_view kPropertyCluster = "CLUSTER";
// Light queues that get a copy, and where it is there: broker/multi_dispatch.h.
inline constexpr std::string_view kPropertyMultiDispatch = "INNER_MULTI_DISPATCH";
inline constexpr std::string_view kPropertyMultiQueueOffset = "INNER_MULTI_QUEUE_OFFSET";
inline constexpr std::string_view kPropertyPopCk = "POP_CK";
inline constexpr std::string_view kPropertyFirstPopTime = "1ST_POP_TIME";
inline constexpr std::string_view kPropertyReplyToClient = "REPLY_TO_CLIENT";
inline constexpr std::string_view kPropertyPushReplyTime = "PUSH_REPLY_TIME";
inline constexpr std::string_view kPropertyRealTopic = "REAL_TOPIC";
inline constexpr std::string_view kPropertyRealQueue = "REAL_QID";
inline constexpr std::string_view kPropertyRetryTopic = "RETRY_TOPIC";
inline constexpr std::string_view kPropertyOriginMessageId = "ORIGIN_MESSAGE_ID";
inline constexpr std::string_view kPropertyTimerEnqueueMs = "TIMER_ENQUEUE_MS";
inline constexpr std::string_view kPropertyTimerDequeueMs = "TIMER_DEQUEUE_MS";
inline constexpr std::string_view kPropertyTimerDelaySec = "TIMER_DELAY_SEC";
inline constexpr std::string_view kPropertyTimerDelayMs = "TIMER_DELAY_MS";
inline constexpr std::string_view kPropertyTimerDeliverMs = "TIMER_DELIVER_MS";

/// What a send needs to know of a message's properties, found in one pass. The text points into what was scanned.
struct ScannedProperties {
  std::string_view tags;
  std::string_view uniq_key;
  std::string_view delay;  // DELAY as it stands
  std::string_view timer;  // the name of the TIMER_ property that asks for delivery at a time: of several the one that counts, and its value
  std::string_view timer_value;
  std::string_view dispatch;  // INNER_MULTI_DISPATCH
  bool timer_done = false;  // TIMER_OUT_MS: it has waited already
  bool wait = true;        // WAIT=false: the producer does not wait for the flush
  bool transaction = false;
  /// The text can't be stored as it stands: it has a property that the broker sets or takes away, or it is not well-formed.
  bool rewrite = false;
};
ScannedProperties ScanProperties(std::string_view text);

/// DELAY asks for a delay (a level above 0, or a text that is no number and so can't be told).
bool AsksForDelay(const ScannedProperties& properties);
/// That, or a timer which has not run yet.
inline bool AsksToWait(const ScannedProperties& properties) {
  return AsksForDelay(properties) || (!properties.timer.empty() && !properties.timer_done);
}

/// Appends one property.
void AppendProperty(std::string& out, std::string_view name, std::string_view value);

/// Appends what of a client's properties is stored: without those that the broker adds itself (MSG_REGION, TRACE_ON, CLUSTER), without POP_CK, and
/// without those for which `also_without(name)` holds.
template <typename Without>
void AppendStorable(std::string& out, std::string_view text, Without&& also_without) {
  ForEachProperty(text, [&](std::string_view name, std::string_view value) {
    if (name == kPropertyMsgRegion || name == kPropertyTraceOn || name == kPropertyCluster || name == kPropertyPopCk) return;
    if (!also_without(name)) AppendProperty(out, name, value);
  });
}

/// Appends those properties for which `without(name)` does not hold.
template <typename Without>
void AppendWithout(std::string& out, std::string_view text, Without&& without) {
  ForEachProperty(text, [&](std::string_view name, std::string_view value) {
    if (!without(name)) AppendProperty(out, name, value);
  });
}

}  // namespace broker
