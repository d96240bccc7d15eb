#pragma once

#include <cstdint>
#include <string_view>

namespace net {

/// Every request code of RocketMQ 4.9 and 5.3 that a broker, a nameserver or a client answers.
/// Source: RocketMQ 5.3.3 RequestCode. (The enum and its table of names and planes: see request_table.h.)
enum class RequestCode : int32_t {
  kSendMessage = 10,
  kPullMessage = 11,
  kQueryConsumerOffset = 14,
  kUpdateConsumerOffset = 15,
  kHeartBeat = 34,
};

}  // namespace net
