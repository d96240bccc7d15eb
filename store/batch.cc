#include "store/batch.h"

#include <cstring>

#include "core/assert.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/queue.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace store {
namespace {

constexpr size_t kCrcOffset = 8;

uint32_t HeaderCrc(const std::byte* header) {
  std::byte copy[kBatchHeaderBytes];
  std::memcpy(copy, header, kBatchHeaderBytes);
  StoreLittle<uint32_t>(copy + kCrcOffset, 0);
  return Crc32c(copy);
}

void StoreHeader(const LogIdentity& log, BatchHeader& header, std::byte* at) {
  std::memset(at, 0, kBatchHeaderBytes);
  StoreLittle<uint32_t>(at, kBatchMagic);
  StoreLittle<uint16_t>(at + 4, kBatchVersion);
  StoreLittle<uint8_t>(at + 6, static_cast<uint8_t>(header.kind));
  StoreLittle<uint32_t>(at + 12, header.previous_crc);
  StoreLittle<uint64_t>(at + 16, log.store_id.low);
  StoreLittle<uint32_t>(at + 24, log.log_number);
  StoreLittle<uint32_t>(at + 28, header.epoch);
  StoreLittle<uint64_t>(at + 32, header.position);
  StoreLittle<uint32_t>(at + 40, header.bytes);
  StoreLittle<uint32_t>(at + 44, header.payload_bytes);
  StoreLittle<uint32_t>(at + 48, header.record_count);
  StoreLittle<uint32_t>(at + 52, header.table_crc);
  StoreLittle<uint64_t>(at + 56, header.mark);
  StoreLittle<int64_t>(at + 64, header.first_store_time);
  StoreLittle<int64_t>(at + 72, header.last_store_time);
  StoreLittle<uint64_t>(at + 80, header.records_before);
  header.crc = HeaderCrc(at);
  StoreLittle<uint32_t>(at + kCrcOffset, header.crc);
}

/// All that does not depend on where the header was found.
absl::StatusOr<BatchHeader> LoadHeader(std::span<const std::byte> bytes, const LogIdentity& log) {
  if (bytes.size() < kBatchHeaderBytes) return absl::DataLossError("no room for a batch header");
  const std::byte* at = bytes.data();
  if (LoadLittle<uint32_t>(at) != kBatchMagic) return absl::DataLossError("no batch header here");
  BatchHeader header;
  header.crc = LoadLittle<uint32_t>(at + kCrcOffset);
  if (header.crc != HeaderCrc(at)) return absl::DataLossError("the batch header's checksum is wrong");
  const uint16_t version = LoadLittle<uint16_t>(at + 4);
  if (version != kBatchVersion) return absl::DataLossError(absl::StrCat("batch version ", version));
  if (LoadLittle<uint64_t>(at + 16) != log.store_id.low || LoadLittle<uint32_t>(at + 24) != log.log_number) {
    return absl::DataLossError("the batch is of another log");
  }
  header.kind = static_cast<BatchKind>(LoadLittle<uint8_t>(at + 6));
  header.previous_crc = LoadLittle<uint32_t>(at + 12);
  header.epoch = LoadLittle<uint32_t>(at + 28);
  header.position = LoadLittle<uint64_t>(at + 32);
  header.bytes = LoadLittle<uint32_t>(at + 40);
  header.payload_bytes = LoadLittle<uint32_t>(at + 44);
  header.record_count = LoadLittle<uint32_t>(at + 48);
  header.table_crc = LoadLittle<uint32_t>(at + 52);
  header.mark = LoadLittle<uint64_t>(at + 56);
  header.first_store_time = LoadLittle<int64_t>(at + 64);
  header.last_store_time = LoadLittle<int64_t>(at + 72);
  header.records_before = LoadLittle<uint64_t>(at + 80);
  if (header.kind != BatchKind::kRecords && header.kind != BatchKind::kEndMarker) return absl::DataLossError("unknown kind of batch");
  if (BatchBytes(header.payload_bytes, header.record_count) != header.bytes) return absl::DataLossError("the batch's lengths do not agree");
  return header;
}

}  // namespace

TableEntry LoadTableEntry(const std::byte* at) {
  return {.bytes = LoadLittle<uint32_t>(at),
          .crc = LoadLittle<uint32_t>(at + 4),
          .queue_hash = LoadLittle<uint64_t>(at + 8),
          .queue_offset = LoadLittle<int64_t>(at + 16),
          .tags_code = LoadLittle<int64_t>(at + 24)};
}

void StoreTableEntry(std::byte* at, const TableEntry& entry) {
  StoreLittle(at, entry.bytes);
  StoreLittle(at + 4, entry.crc);
  StoreLittle(at + 8, entry.queue_hash);
  StoreLittle(at + 16, entry.queue_offset);
  StoreLittle(at + 24, entry.tags_code);
}

void EncodeBatch(const LogIdentity& log, BatchHeader& header, std::span<const TableEntry> table, std::span<std::byte> batch) {
  const uint64_t bytes = BatchBytes(header.payload_bytes, table.size());
  CORE_ASSERT(bytes == batch.size() && bytes <= UINT32_MAX);
  const size_t payload_end = kBatchHeaderBytes + header.payload_bytes;
  const size_t table_begin = TableOffset(header.payload_bytes);
  const size_t table_end = table_begin + table.size() * kTableEntryBytes;
  std::memset(batch.data() + payload_end, 0, table_begin - payload_end);
  std::byte* at = batch.data() + table_begin;
  for (const TableEntry& entry : table) {
    StoreTableEntry(at, entry);
    at += kTableEntryBytes;
  }
  std::memset(at, 0, batch.size() - kBatchHeaderBytes - table_end);
  header.bytes = static_cast<uint32_t>(bytes);
  header.record_count = static_cast<uint32_t>(table.size());
  header.table_crc = Crc32c(batch.subspan(table_begin, table_end - table_begin));
  StoreHeader(log, header, batch.data());
  std::memcpy(batch.data() + batch.size() - kBatchHeaderBytes, batch.data(), kBatchHeaderBytes);
}

absl::StatusOr<BatchHeader> ParseBatchHeader(std::span<const std::byte> bytes, const LogIdentity& log, uint64_t position) {
  absl::StatusOr<BatchHeader> header = LoadHeader(bytes, log);
  if (header.ok() && header->position != position) return absl::DataLossError("the batch belongs to another place");
  return header;
}

absl::StatusOr<BatchHeader> ParseBatchTrailer(std::span<const std::byte> bytes, const LogIdentity& log, uint64_t end_position) {
  if (bytes.size() < kBatchHeaderBytes) return absl::DataLossError("no room for a batch header");
  absl::StatusOr<BatchHeader> header = LoadHeader(bytes.last(kBatchHeaderBytes), log);
  if (header.ok() && header->position + header->bytes != end_position) return absl::DataLossError("the batch belongs to another place");
  return header;
}

bool BatchView::TableIntact() const {
  return header_.table_crc ==
         Crc32c(bytes_.subspan(TableOffset(header_.payload_bytes), size_t{header_.record_count} * kTableEntryBytes));
}

bool BatchView::RecordMatches(const TableEntry& entry, std::span<const std::byte> record) {
  return entry.bytes >= kRecordBytesMin && LoadBig<uint32_t>(record.data()) == entry.bytes && Crc32c(record) == entry.crc;
}

TableEntry BatchView::Renewed(const TableEntry& row, std::span<const std::byte> record) {
  const absl::StatusOr<RecordView> view = ParseRecord(record);
  if (!view.ok()) return row;  // whoever takes it finds that out
  return {.bytes = row.bytes,
          .crc = row.crc,
          .queue_hash = HashQueue(view->topic, view->queue_id),
          .queue_offset = view->queue_offset.value(),
          .tags_code = TagsCodeOf(view->properties)};
}

uint32_t BatchView::ClaimedBytes(size_t at) const {
  const absl::StatusOr<RecordView> record = ParseRecord(bytes_.subspan(at, kBatchHeaderBytes + header_.payload_bytes - at));
  return record.ok() ? record->bytes : 0;
}

bool BatchView::Intact() const {
  if (!TableIntact()) return false;
  uint32_t good = 0;
  ForEach([&](const TableEntry&, std::span<const std::byte>, size_t) { ++good; }, [](const TableEntry&) {});
  return good == header_.record_count;
}

}  // namespace store
