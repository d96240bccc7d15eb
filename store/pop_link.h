#pragma once

#include <cstdint>

namespace store {

/// How a record in a retry topic of pops names the message that it is a copy of (docs/ARCHITECTURE.md): preparedTransactionOffset has bit 61 set, and below it the log position
/// of the original, in the same log. Not the sign bit, so that it is no link of due_record.h; RocketMQ has positions there, which are far smaller. On disk: never change it.
inline constexpr int64_t kPopLink = int64_t{1} << 61;
inline constexpr int64_t kPopLinkPositionMask = (int64_t{1} << 48) - 1;
constexpr int64_t MakePopLink(uint64_t original) {
  return kPopLink | (static_cast<int64_t>(original) & kPopLinkPositionMask);
}
constexpr bool IsPopLink(int64_t prepared_transaction_offset) {
  return prepared_transaction_offset >= 0 && (prepared_transaction_offset & ~kPopLinkPositionMask) == kPopLink;
}
constexpr uint64_t PositionInPopLink(int64_t link) { return static_cast<uint64_t>(link & kPopLinkPositionMask); }

}  // namespace store
