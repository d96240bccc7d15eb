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

}  // namespace broker
