#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/request_code.h"

namespace net {

/// Who answers a request; a set of bits.
enum RequestServer : uint8_t {
  kBroker = 1,
  kNameserver = 2,
  kClient = 4,
  kController = 8,
  kContainer = 16,
};

/// Messages and what clients need for them, or the administration of it.
enum class RequestPlane : uint8_t { kData, kAdmin };

/// What is known of a request code beside its header struct.
struct RequestInfo {
  RequestCode code;
  std::string_view name;  // RocketMQ's: "SEND_MESSAGE"
  uint8_t servers;        // RequestServer bits
  RequestPlane plane;
  char tier;  // 'A' .. 'D'
};

/// All of request_codes.inc, in its order.
std::span<const RequestInfo> RequestTable();
/// Null for a code that nobody answers.
const RequestInfo* FindRequest(int32_t code);
/// "SEND_MESSAGE", or "" for an unknown code.
std::string_view RequestName(int32_t code);

}  // namespace net
