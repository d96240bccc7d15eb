#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/types.h"
#include "store/message.h"

namespace store {

/// RocketMQ's message record, byte for byte what a pull returns. Big-endian. Source: RocketMQ 5.3.3 MessageDecoder:
///
///     0 totalSize 4 | 4 magic 4 | 8 bodyCRC 4 | 12 queueId 4 | 16 flag 4 | 20 queueOffset 8 | 28 physicalOffset 8 | 36 sysFlag 4
///     40 bornTimestamp 8 | 48 bornHost 8 or 20 | storeTimestamp 8 | storeHost 8 or 20 | reconsumeTimes 4
///     preparedTransactionOffset 8 | bodyLength 4, body | topicLength 1 (V1) or 2 (V2), topic | propertiesLength 2, properties
inline constexpr uint32_t kRecordMagicV1 = 0xDAA320A7;
inline constexpr uint32_t kRecordMagicV2 = 0xDAA320AB;
inline constexpr size_t kRecordBytesMin = 91;  // V1, IPv4, nothing in it
inline constexpr size_t kTopicBytesMaxV1 = 127;
inline constexpr int32_t kSysFlagBornHostV6 = 0x10;
inline constexpr int32_t kSysFlagStoreHostV6 = 0x20;

/// kInvalidArgument when `draft` cannot become a record (topic or properties too long or not closed by 0x02).
absl::Status CheckDraft(const MessageDraft& draft);
/// Bytes that `draft` takes as a record.
size_t RecordBytes(const MessageDraft& draft);

/// What the store adds to a draft.
struct RecordPlace {
  core::LogicalOffset queue_offset;
  core::PhysicalOffset position;
  core::WallMillis store_timestamp = 0;
};
/// Writes the record to `out`, which has RecordBytes(draft) bytes. The draft passed CheckDraft.
void EncodeRecord(const MessageDraft& draft, const RecordPlace& place, std::byte* out);

/// A record taken apart; points into the bytes it was parsed from.
struct RecordView {
  uint32_t bytes = 0;
  uint32_t body_crc = 0;
  int32_t queue_id = 0;
  int32_t flag = 0;
  core::LogicalOffset queue_offset;
  core::PhysicalOffset position;
  int32_t sys_flag = 0;
  core::WallMillis born_timestamp = 0;
  core::WallMillis store_timestamp = 0;
  core::Endpoint born_host;
  core::Endpoint store_host;
  int32_t reconsume_times = 0;
  int64_t prepared_transaction_offset = 0;
  std::span<const std::byte> body;
  std::string_view topic;
  std::string_view properties;

  bool BodyIntact() const;
};

/// Takes the record at the beginning of `bytes` apart. Total: any input gives a view inside `bytes` or an error. kOutOfRange: the
/// record is longer than `bytes`; kDataLoss: no record. Does not check the body's CRC (BodyIntact).
absl::StatusOr<RecordView> ParseRecord(std::span<const std::byte> bytes);

/// The log's number in bits 48..62 of what clients see, the byte position below. The number of any position, also one that a client made up,
/// is at most kLogNumberMax.
inline constexpr uint32_t kLogNumberMax = (1u << 15) - 1;
inline core::PhysicalOffset MakePhysicalOffset(uint32_t log_number, uint64_t position) {
  return core::PhysicalOffset(static_cast<int64_t>((uint64_t{log_number} << 48) | position));
}
inline uint32_t LogNumberOf(core::PhysicalOffset at) {
  return static_cast<uint32_t>(static_cast<uint64_t>(at.value()) >> 48) & kLogNumberMax;
}
inline uint64_t LogPositionOf(core::PhysicalOffset at) {
  return static_cast<uint64_t>(at.value()) & ((uint64_t{1} << 48) - 1);
}

}  // namespace store
