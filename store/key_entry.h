#pragma once

#include <cstdint>
#include <tuple>

#include "store/message.h"
#include "store/run_page.h"

namespace store {

/// A key of a message, in a KeyIndex: the hash of topic and key (message_keys.h), and where the message's record lies.
struct KeyEntry {
  uint64_t hash = 0;
  RecordRef record;

  RunRow Row() const { return {hash, record.position, record.bytes, record.crc}; }
  static KeyEntry FromRow(const RunRow& row) { return {row.first, {row.second, row.bytes, row.crc}}; }
  /// By hash, then in the order of the log.
  friend bool operator<(const KeyEntry& a, const KeyEntry& b) {
    return std::tuple(a.hash, a.record.position) < std::tuple(b.hash, b.record.position);
  }
};
static_assert(sizeof(KeyEntry) == 24);

}  // namespace store
