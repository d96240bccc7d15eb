#pragma once

#include <span>

#include "store/message.h"
#include "store/record.h"

namespace broker {

/// Calls `fn(const store::RecordView&)` for each record that a fetch has found, in their order. On the shard of the queue.
template <typename Fn>
void ForEachRecord(const store::FetchResult& result, Fn&& fn) {
  for (const core::Slice& part : result.parts) {
    std::span<const std::byte> bytes = part.bytes();
    while (!bytes.empty()) {
      const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes);
      if (!record.ok()) return;  // the store has proven it: this can't be
      fn(*record);
      bytes = bytes.subspan(record->bytes);
    }
  }
}

/// Those of the records for which `keep(const store::RecordView&)` holds.
template <typename Keep>
store::FetchResult KeepRecords(const store::FetchResult& result, Keep&& keep) {
  store::FetchResult kept = result;
  kept.parts.clear();
  kept.messages = 0;
  kept.bytes = 0;
  for (const core::Slice& part : result.parts) {
    for (size_t at = 0; at < part.size();) {
      const absl::StatusOr<store::RecordView> record = store::ParseRecord(part.bytes().subspan(at));
      if (!record.ok()) break;
      if (keep(*record)) {
        kept.parts.push_back(part.Sub(at, record->bytes));
        ++kept.messages;
        kept.bytes += record->bytes;
      }
      at += record->bytes;
    }
  }
  return kept;
}

}  // namespace broker
