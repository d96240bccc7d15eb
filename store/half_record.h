#pragma once

#include <cstdint>
#include <string_view>

#include "store/due_record.h"

namespace store {

/// How records of the log speak about transactions (docs/ARCHITECTURE.md). On disk: never change it.
///
/// preparedTransactionOffset is a link as in due_record.h with kHalfLink set beside the sign bit. In kHalfTopic it refers to nothing: the record is a half message. Anywhere
/// else it refers to the half message that this record ends: the committed message in its queue or, delayed, in kDueTopic; a note of a rollback in
/// kHalfEndTopic; or the message put aside. What RocketMQ stored in these topics has no link and counts for nothing here.
inline constexpr std::string_view kHalfTopic = "RMQ_SYS_TRANS_HALF_TOPIC";
inline constexpr std::string_view kHalfEndTopic = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
constexpr int64_t MakeHalfLink(uint64_t ended) { return MakeDueLink(ended) | kHalfLink; }
constexpr bool IsHalfLink(int64_t prepared_transaction_offset) {
  return IsDueLink(prepared_transaction_offset) && (prepared_transaction_offset & kHalfLink) != 0;
}

/// For a DueIndex of half messages: a half message "is due" at its own log position, so that the order is that of the log, and whoever knows the position finds it.
DueEvent ReadHalfEvent(const ReplayedRecord& record);

}  // namespace store
