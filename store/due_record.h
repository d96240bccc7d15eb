#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "core/time.h"
#include "store/record.h"
#include "store/shard_store.h"

namespace store {

/// How records of the log speak about messages that wait for their time (docs/ARCHITECTURE.md). On disk: never change it.
///
/// A record that has to do with them has a link in preparedTransactionOffset: the sign bit, which no record of RocketMQ has set, and below it the log
/// position of the waiting record that it replaces; 0 for none, as no record lies there.
inline constexpr int64_t kDueLink = std::numeric_limits<int64_t>::min();
constexpr int64_t MakeDueLink(uint64_t replaced) { return kDueLink | static_cast<int64_t>(replaced); }
constexpr bool IsDueLink(int64_t prepared_transaction_offset) { return prepared_transaction_offset < 0; }
constexpr uint64_t PositionInDueLink(int64_t link) { return static_cast<uint64_t>(link) & ((uint64_t{1} << 48) - 1); }
/// Set as well where the link is one of transactions: store/half_record.h.
inline constexpr int64_t kHalfLink = int64_t{1} << 62;

/// Where waiting records lie, one queue a log. RocketMQ's name; what RocketMQ stored there has no link and counts for nothing here.
inline constexpr std::string_view kDueTopic = "rmq_sys_wheel_timer";
inline constexpr std::string_view kPropertyDueTime = "TIMER_OUT_MS";  // ms since 1970
inline constexpr std::string_view kPropertyTakesBack =
    "TIMER_DEL_UNIQKEY";  // a record that takes the linked message back

/// Takes the link out of a record that goes to another log, where the position in it means something else. Nothing else is changed; bytes that are no
/// record stay as they are.
void ClearDueLink(std::span<std::byte> record);

/// What one record says.
struct DueEvent {
  enum class Kind {
    kNone,
    kWaits,      // a message waits until `due`, in the place of `replaced` if that is not 0
    kTakenBack,  // `replaced`, due at `due`, waits no more
    kDelivered,  // `replaced` waits no more
  };
  Kind kind = Kind::kNone;
  core::WallMillis due = 0;
  uint64_t replaced = 0;
};
/// Total: what is damaged or not ours is kNone.
DueEvent ReadDueEvent(const ReplayedRecord& record);

}  // namespace store
