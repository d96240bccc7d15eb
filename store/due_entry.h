#pragma once

#include <compare>
#include <cstdint>
#include <tuple>

#include "core/time.h"
#include "store/run_page.h"
#include "store/shard_store.h"

namespace store {

/// A message that waits for its time, in a DueIndex: when it is due and where its record lies. Or, with taken_back(), that the one at this place
/// waits no more.
struct DueEntry {
  core::WallMillis due = 0;
  uint64_t place = 0;  // the position in the log, and kTakenBack
  uint32_t bytes = 0;  // of the record
  uint32_t crc = 0;

  static constexpr uint64_t kTakenBack = uint64_t{1} << 63;
  uint64_t position() const { return place & ~kTakenBack; }
  bool taken_back() const { return (place & kTakenBack) != 0; }
  RecordRef record() const { return {position(), bytes, crc}; }
  RunRow Row() const { return {static_cast<uint64_t>(due), place, bytes, crc}; }
  static DueEntry FromRow(const RunRow& row) { return {static_cast<core::WallMillis>(row.first), row.second, row.bytes, row.crc}; }

  bool SameMessage(const DueEntry& other) const { return due == other.due && position() == other.position(); }
  /// By due time, then in the order of the log; what takes a message back is next to it.
  friend bool operator<(const DueEntry& a, const DueEntry& b) {
    return std::tuple(a.due, a.position(), a.taken_back()) < std::tuple(b.due, b.position(), b.taken_back());
  }
};
static_assert(sizeof(DueEntry) == 24);

}  // namespace store
