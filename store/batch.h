#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/time.h"
#include "store/bytes.h"

namespace store {

inline constexpr size_t kBlock = core::kDirectBlock;

/// Made with the data folder; in every header, so that blocks of another store never count.
struct StoreId {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const StoreId&, const StoreId&) = default;
};

/// Which log this is.
struct LogIdentity {
  StoreId store_id;
  uint32_t log_number = 0;
};

enum class BatchKind : uint8_t {
  kRecords = 1,
  kEndMarker = 2,  // no records: recovery wrote it where it cut the tail or where a new run begins
};

inline constexpr uint32_t kBatchMagic = 0x42474E52;  // "RNGB"
inline constexpr uint16_t kBatchVersion = 1;
inline constexpr size_t kBatchHeaderBytes = 128;

/// The header of a batch; all little-endian:
///
///     0 magic 4 | 4 version 2 | 6 kind 1 | 7 zero 1 | 8 header CRC32C 4 (of all 128 bytes, itself taken as zero) | 12 previous batch's header CRC 4
///     16 store id, low half 8 | 24 log number 4 | 28 epoch 4 | 32 log position 8 | 40 batch bytes 4 | 44 payload bytes 4
///     48 record count 4 | 52 CRC32C of the record table 4 | 56 mark 8 | 64 first store time 8 | 72 last store time 8
///     80 number of records in the log before this batch 8 | 88 zero to 128
///
/// A batch is: header; records back to back; zero to a multiple of 8; record table; zero; a copy of the header in its last 128 bytes. It begins
/// and ends on a block. The copy lets a batch survive damage to its first bytes and be found from its end.
struct BatchHeader {
  BatchKind kind = BatchKind::kRecords;
  uint32_t crc = 0;
  uint32_t previous_crc = 0;  // chains the batch to its past: lost, stale and recycled writes show
  uint32_t epoch = 0;         // counts the openings of the log: what a cut left behind is of an older one
  uint64_t position = 0;      // binds the batch to its place: misdirected writes show
  uint32_t bytes = 0;
  uint32_t payload_bytes = 0;
  uint32_t record_count = 0;
  uint32_t table_crc = 0;
  uint64_t mark = 0;  // all below it was on stable storage when this was written
  core::WallMillis first_store_time = 0;
  core::WallMillis last_store_time = 0;
  uint64_t records_before = 0;  // says how many records a damaged range held
};

/// One row of the record table: enough to check a record by itself, and to know what is missing when it is damaged.
///
///     0 length 4 | 4 CRC32C of the record 4 | 8 queue hash 8 | 16 queue offset 8 | 24 tags code 8
struct TableEntry {
  uint32_t bytes = 0;
  uint32_t crc = 0;
  uint64_t queue_hash = 0;
  int64_t queue_offset = 0;
  int64_t tags_code = 0;
};
inline constexpr size_t kTableEntryBytes = 32;

/// Where the table begins, from the beginning of the batch.
constexpr uint64_t TableOffset(uint64_t payload_bytes) { return RoundUp(kBatchHeaderBytes + payload_bytes, 8); }
/// Size of a batch on disk.
constexpr uint64_t BatchBytes(uint64_t payload_bytes, uint64_t records) {
  return RoundUp(TableOffset(payload_bytes) + records * kTableEntryBytes + kBatchHeaderBytes, kBlock);
}

/// Completes the batch around the records, which lie at `batch` + kBatchHeaderBytes already: table, padding, both headers. Sets
/// `header`'s bytes, record_count, table_crc and crc. `batch` has exactly BatchBytes bytes.
void EncodeBatch(const LogIdentity& log, BatchHeader& header, std::span<const TableEntry> table, std::span<std::byte> batch);

/// Reads a header that should belong to `log` at `position`. kDataLoss: none such is there. The lengths in it fit each other.
absl::StatusOr<BatchHeader> ParseBatchHeader(std::span<const std::byte> bytes, const LogIdentity& log, uint64_t position);
/// Reads the header's copy in the last kBatchHeaderBytes of the block that ends at `end_position`.
absl::StatusOr<BatchHeader> ParseBatchTrailer(std::span<const std::byte> bytes, const LogIdentity& log, uint64_t end_position);

TableEntry LoadTableEntry(const std::byte* at);
void StoreTableEntry(std::byte* at, const TableEntry& entry);

/// A whole batch in memory, checked piece by piece.
class BatchView {
 public:
  /// `bytes` are header.bytes long.
  BatchView(const BatchHeader& header, std::span<const std::byte> bytes) : header_(header), bytes_(bytes) {}
  const BatchHeader& header() const { return header_; }
  bool TableIntact() const;
  TableEntry Entry(uint32_t index) const {
    return LoadTableEntry(bytes_.data() + TableOffset(header_.payload_bytes) + index * kTableEntryBytes);
  }
  /// Table and every record.
  bool Intact() const;

  /// Calls `fn(TableEntry, record bytes, offset of the record in the batch)` for each record that is intact and `damaged(TableEntry)` for each
  /// whose row is intact but its bytes are not. Works with a damaged table too: a record whose own length and CRC agree with its row is good, and
  /// what else the row should say is taken from the record.
  template <typename Fn, typename Damaged>
  void ForEach(Fn&& fn, Damaged&& damaged) const;

 private:
  /// `row` with all but length and CRC as `record` says, which they have proven.
  static TableEntry Renewed(const TableEntry& row, std::span<const std::byte> record);
  static bool RecordMatches(const TableEntry& entry, std::span<const std::byte> record);
  /// Length that a record at `at` claims, 0 when nothing like a record is there.
  uint32_t ClaimedBytes(size_t at) const;
  std::span<const std::byte> payload() const { return bytes_.subspan(kBatchHeaderBytes, header_.payload_bytes); }

  const BatchHeader& header_;
  std::span<const std::byte> bytes_;
};

template <typename Fn, typename Damaged>
void BatchView::ForEach(Fn&& fn, Damaged&& damaged) const {
  const bool table_intact = TableIntact();
  size_t at = kBatchHeaderBytes;
  const size_t end = kBatchHeaderBytes + header_.payload_bytes;
  for (uint32_t i = 0; i < header_.record_count; ++i) {
    const TableEntry entry = Entry(i);
    if (at <= end && entry.bytes <= end - at && RecordMatches(entry, bytes_.subspan(at, entry.bytes))) {
      const std::span<const std::byte> record = bytes_.subspan(at, entry.bytes);
      fn(table_intact ? entry : Renewed(entry, record), record, at);
      at += entry.bytes;
      continue;
    }
    if (table_intact) {
      damaged(entry);
      at += entry.bytes;
      continue;
    }
    // Neither row nor record can be trusted: the record's own length is the best guess of where the next one begins.
    const uint32_t claimed = at < end ? ClaimedBytes(at) : 0;
    if (claimed == 0) return;
    at += claimed;
  }
}

}  // namespace store
