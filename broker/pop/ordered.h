#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace broker {

/// Messages of one queue that a group consumes in order: the group's offset stays in front of them, and nobody gets later ones, until all are acknowledged or seen again. Source:
/// RocketMQ 5.3.3 ConsumerOrderInfoManager.OrderInfo.
struct OrderedBatch {
  struct Message {
    int64_t offset = 0;
    bool acknowledged = false;
    core::WallMillis visible = 0;  // from when on it is seen again
    int32_t times = 0;             // how often it was popped before
    friend bool operator==(const Message&, const Message&) = default;
  };

  std::string attempt_id;  // a client that asks again with the same one has not got the answer
  core::WallMillis pop_time = 0;
  std::vector<Message> messages;  // by offset

  /// What a pop of `offsets`, with the group's offset at `from`, makes of `before`, if anything was popped. What of `before` lies from there on and is not among them stays: what is
  /// acknowledged, so that it does not come again, and what is open, so that the group does not go on behind it; the latter blocks nobody.
  static OrderedBatch After(const std::optional<OrderedBatch>& before, std::string_view attempt_id, core::WallMillis pop_time,
                            int64_t invisible, int64_t from, const std::vector<int64_t>& offsets);

  /// When the last message is seen again that is not acknowledged; the smallest number when all are.
  core::WallMillis BlockedUntil() const;
  bool Blocks(std::string_view attempt, core::WallMillis now) const;
  /// Null: it is not among them.
  Message* Find(int64_t offset);
  /// Whether a message was acknowledged while others in front of it are open.
  bool IsAcknowledged(int64_t offset) const;
  /// Where the group goes on.
  int64_t NextOffset() const;
  bool done() const;

  /// A row of MetaTable::kPopOrders; and back. nullopt: it is none.
  std::string Text() const;
  static std::optional<OrderedBatch> Parse(std::string_view text);
  friend bool operator==(const OrderedBatch&, const OrderedBatch&) = default;
};

}  // namespace broker
