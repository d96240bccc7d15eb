#pragma once

#include <cstdint>

namespace net {

/// Every request code of RocketMQ 4.9 and 5.3, as RequestCode::kSendMessage; what each is, is said in request_codes.inc (see also
/// request_table.h).
enum class RequestCode : int32_t {
#define REQUEST(name, code, ...) k##name = code,
#include "net/request_codes.inc"
#undef REQUEST
};

}  // namespace net
