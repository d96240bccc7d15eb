#include "store/index_repair.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "store/log_reader.h"
#include "store/record.h"

namespace store {

core::Task<std::vector<IndexEntry>> EntriesFromLog(Segment& segment, LogIdentity log, std::string topic,
                                                   int32_t queue_id, int64_t first, int64_t count) {
  std::vector<IndexEntry> entries(static_cast<size_t>(count));
  const uint64_t hash = QueueName(topic, queue_id).hash;
  LogReader reader;
  uint64_t position = segment.data_begin();
  while (position + kBlock <= segment.end) {
    const std::span<const std::byte> begin = co_await reader.Read(segment, position, kBatchHeaderBytes);
    const absl::StatusOr<BatchHeader> header = ParseBatchHeader(begin, log, position);
    if (!header.ok() || header->bytes > segment.end - position) {
      position += kBlock;  // damage here too: what follows is found again at a block
      continue;
    }
    const std::span<const std::byte> bytes = co_await reader.Read(segment, position, header->bytes);
    const BatchView batch(*header, bytes);
    batch.ForEach(
        [&](const TableEntry& row, std::span<const std::byte> bytes_of_record, size_t offset) {
          if (row.queue_hash != hash || row.queue_offset < first || row.queue_offset - first >= count) return;
          const absl::StatusOr<RecordView> record = ParseRecord(bytes_of_record);
          if (!record.ok() || record->topic != topic || record->queue_id != queue_id) return;
          entries[static_cast<size_t>(row.queue_offset - first)] = {position + offset, row.bytes, row.crc,
                                                                    row.tags_code};
        },
        [](const TableEntry&) {});
    position += header->bytes;
  }
  const bool whole =
      std::none_of(entries.begin(), entries.end(), [](const IndexEntry& entry) { return entry.bytes == 0; });
  if (!whole) entries.clear();
  co_return entries;
}

}  // namespace store
