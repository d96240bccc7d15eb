#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "core/io.h"
#include "core/time.h"
#include "core/types.h"

namespace broker {

/// Text of a message id: 32 hexadecimal digits with IPv4, 56 with IPv6. No allocation.
class MessageId {
 public:
  /// By which a client finds a record again (offsetMsgId): host, port in 4 bytes, physical offset; upper-case hexadecimal. Source: RocketMQ
  /// 5.3.3 MessageDecoder.createMessageId.
  static MessageId OfRecord(const core::Endpoint& store_host, core::PhysicalOffset position);

  /// The physical offset in the text of such an id, in either case; nullopt: it is none. It may be anything that its sender made up.
  static std::optional<core::PhysicalOffset> PositionIn(std::string_view text);

  std::string_view text() const { return {text_, size_}; }

 private:
  friend class UniqueKeys;
  void AppendByte(uint8_t byte);
  void AppendNumber(uint64_t value, int bytes);

  char text_[56];
  size_t size_ = 0;
};

/// Makes UNIQ_KEYs for messages that arrive without one, in the form that clients make them: address, process, time, counter. Tools read
/// the time out of it, so it must be there. One shard.
class UniqueKeys {
 public:
  /// `salt`: random bits, which tell shards and starts of a broker apart.
  explicit UniqueKeys(uint64_t salt) : salt_(salt) {}
  /// `host`: this broker's address.
  MessageId Next(const core::Endpoint& host, core::WallMillis now);

 private:
  uint64_t salt_;
  core::WallMillis month_begin_ = 0;
  core::WallMillis month_end_ = 0;
  uint16_t counter_ = 0;
};

}  // namespace broker
