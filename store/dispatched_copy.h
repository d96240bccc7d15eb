#pragma once

#include <cstdint>

namespace store {

/// What a light queue's copy of a message (broker/multi_dispatch.h) has in preparedTransactionOffset, so that no message that somebody has sent there passes for one. No link of
/// due_record.h or pop_link.h. On disk: never change it.
inline constexpr int64_t kDispatchedCopy = int64_t{1} << 60;

}  // namespace store
