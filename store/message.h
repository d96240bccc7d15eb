#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "core/buffer.h"
#include "core/io.h"
#include "core/types.h"

namespace store {

/// A message to append. Everything is borrowed and must live until Append returns. The store adds queue offset, physical offset, store
/// timestamp and body CRC. Layout of what is stored: RocketMQ 5.3.3 MessageDecoder, V1, or V2 for topics
/// over 127 bytes.
struct MessageDraft {
  std::string_view topic;
  int32_t queue_id = 0;
  int32_t flag = 0;
  int32_t sys_flag = 0;  // the IPv6 bits are set by the store from the hosts
  int64_t born_timestamp = 0;
  core::Endpoint born_host;
  core::Endpoint store_host;
  int32_t reconsume_times = 0;
  int64_t prepared_transaction_offset = 0;
  std::span<const std::byte> body;
  /// Stored one after the other; each must end with 0x02 or be empty. Together at most 32,767 bytes.
  std::string_view properties;
  std::string_view more_properties;
  /// What the queue index keeps for filtering: the Java hash of TAGS, 0 for none.
  int64_t tags_code = 0;
};

inline constexpr size_t kPropertiesBytesMax = 32767;
inline constexpr size_t kTopicBytesMax = 255;

/// Where a record lies in its log and what proves it.
struct RecordRef {
  uint64_t position = 0;
  uint32_t bytes = 0;
  uint32_t crc = 0;  // CRC32C
};

struct AppendResult {
  core::LogicalOffset first_queue_offset;
  absl::InlinedVector<core::PhysicalOffset, 1> positions;  // one a message
  core::WallMillis store_timestamp = 0;
  RecordRef last;  // where the last message lies
};

enum class Durability {
  kAsync,   // survives the death of the process; at most the last 50 ms are lost with the power
  kSynced,  // survives the loss of power
};

/// What a pull finds. Source: RocketMQ 5.3.3 GetMessageStatus; the names are sent as remarks.
enum class FetchStatus {
  kFound,
  kNoMatchedMessage,
  kMessageWasRemoving,
  kNoMatchedLogicQueue,
  kNoMessageInQueue,
  kOffsetOverflowOne,
  kOffsetFoundNull,
  kOffsetOverflowBadly,
  kOffsetTooSmall,
};

/// Hashes of the wanted tags; empty takes everything.
struct TagFilter {
  absl::InlinedVector<int64_t, 4> codes;
  bool Matches(int64_t tags_code) const {
    if (codes.empty()) return true;
    for (const int64_t code : codes) {
      if (code == tags_code) return true;
    }
    return false;
  }
};

/// Judges messages by their properties, where what the queue index keeps does not tell. Called on the shard of the queue.
class PropertyFilter {
 public:
  virtual ~PropertyFilter() = default;
  /// `properties` as they are stored (store/properties.h).
  virtual bool Matches(std::string_view properties) const = 0;
  /// The work, in bytes looked at, that a message with so many bytes of properties may be: a fetch ends when it has done its share.
  virtual size_t Work(size_t properties_bytes) const = 0;
};

struct FetchRequest {
  core::QueueKey queue;
  core::LogicalOffset from;
  int32_t messages_max = 32;
  size_t bytes_max = size_t{4} << 20;
  TagFilter filter;
  const PropertyFilter* property_filter = nullptr;  // borrowed; null lets everything pass
};

/// Records of one queue in order, as they lie in the log: parts may be merged where records adjoin. Slices of the owning shard:
/// another shard holds it in core::Foreign.
struct FetchResult {
  FetchStatus status = FetchStatus::kNoMatchedLogicQueue;
  core::LogicalOffset next;  // where the next fetch begins
  core::LogicalOffset min;
  core::LogicalOffset max;  // one past the last visible message
  absl::InlinedVector<core::Slice, 8> parts;
  int32_t messages = 0;
  size_t bytes = 0;
};

/// Messages by a key: UNIQ_KEY, or an item of KEYS.
struct KeyQuery {
  std::string topic;
  std::string key;
  core::WallMillis begin = 0;  // store time, both included
  core::WallMillis end = 0;
  size_t messages_max = 32;
  size_t bytes_max = size_t{4} << 20;  // of records, after the first one
};

/// The newest of them, the newest first. Slices of the owning shard.
struct KeyQueryResult {
  struct Message {
    core::WallMillis store_time = 0;
    core::PhysicalOffset position;
    core::Slice record;
  };
  std::vector<Message> messages;
  bool cut = false;  // there are more, for which bytes_max had no room
  /// Of the last message whose keys are known: where it ends, and its store time.
  core::PhysicalOffset known_below;
  core::WallMillis known_until = 0;
};

}  // namespace store
