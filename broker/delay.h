#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/message_maker.h"
#include "broker/message_properties.h"
#include "broker/send_refusal.h"
#include "core/time.h"

namespace broker {

struct BrokerConfig;

/// messageDelayLevel: "1s 5s 1m 2h 1d", level 1 first. kInvalidArgument says what is wrong.
absl::StatusOr<std::vector<int64_t>> DelayLevelsMs(std::string_view text);

/// When a message is to be delivered.
struct Delay {
  core::WallMillis due = 0;  // 0: at once
  int32_t level = 0;         // above 0: it was asked for by a level, at most the highest one
  bool waits() const { return due != 0; }
};

/// What a message asks for: a delay level, else a timer (TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS). Refused: a value that can't be read or lies
/// beyond timerMaxDelaySec. A time that has passed is now. Source: RocketMQ 5.3.3 HookUtils.handleScheduleMessage.
std::optional<SendRefusal> ReadDelay(const BrokerConfig& config, const ScannedProperties& scanned, core::WallMillis now,
                                     Delay& delay);

/// Turns a message that is ready for its queue, and which waits, into one for Schedule: REAL_TOPIC and REAL_QID say where it belongs, TIMER_OUT_MS when.
void MakeWaiting(const Delay& delay, PreparedMessage& message);

/// "v1 topic broker time key" in the URL's base 64, by which a producer takes a timer message back. Source: RocketMQ 5.3.3 RecallMessageHandle.
struct RecallHandle {
  std::string topic;
  std::string broker_name;
  core::WallMillis due = 0;
  std::string uniq_key;
  std::string Encode() const;
  /// kInvalidArgument: it is none.
  static absl::StatusOr<RecallHandle> Decode(std::string_view text);
};

}  // namespace broker
