#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace core {

/// A number that does not mix with other numbers: swapping two of them does not compile.
template <typename Tag, typename Rep>
class StrongInt {
 public:
  using rep = Rep;
  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  constexpr StrongInt& operator+=(Rep by) {
    value_ = static_cast<Rep>(value_ + by);
    return *this;
  }
  friend constexpr StrongInt operator+(StrongInt a, Rep by) { return a += by; }
  friend constexpr Rep operator-(StrongInt a, StrongInt b) { return static_cast<Rep>(a.value_ - b.value_); }
  template <typename H>
  friend H AbslHashValue(H h, StrongInt v) {
    return H::combine(std::move(h), v.value_);
  }

 private:
  Rep value_{};
};

/// One thread with its ring and its slice of everything; 0 .. shard count - 1.
using ShardId = StrongInt<struct ShardIdTag, uint32_t>;
/// A message's place in its queue, counted in messages from 0. RocketMQ's queueOffset.
using LogicalOffset = StrongInt<struct LogicalOffsetTag, int64_t>;
/// A record's place on disk as clients see it: the log's number in bits 48..62, the byte position in that log below.
using PhysicalOffset = StrongInt<struct PhysicalOffsetTag, int64_t>;

/// A message queue: one of the numbered parts of a topic.
struct QueueKey {
  std::string topic;
  int32_t queue_id = 0;
  friend auto operator<=>(const QueueKey&, const QueueKey&) = default;
  friend bool operator==(const QueueKey&, const QueueKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const QueueKey& key) {
    return H::combine(std::move(h), key.topic, key.queue_id);
  }
};

}  // namespace core
