#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/batch.h"
#include "store/key_run.h"
#include "store/key_table.h"

namespace store {

/// Gathers the keys of a stretch of the log, record by record. One shard.
class KeyCollector {
 public:
  KeyCollector(const LogIdentity& log, size_t entries_max) : log_(log), table_(entries_max) {}

  /// Lets go of what it has. The stretch begins at `begin`, within the batch at `resume` or before it.
  void Begin(uint64_t begin, uint64_t resume);
  const KeyStretch& stretch() const { return stretch_; }
  KeyTable& table() { return table_; }
  const KeyTable& table() const { return table_; }
  bool full() const { return table_.full(); }

  /// A record lies there, in the order of the log; one before the stretch or within it is passed over. False: it is full, and the stretch ends before it.
  bool Enter(const RecordRef& ref, std::span<const std::byte> record);
  /// The same, of a record whose fields are known to be right.
  bool Enter(const RecordRef& ref, std::string_view topic, std::string_view properties, core::WallMillis store_time);
  /// The log has been looked through up to `end`, where a batch begins.
  void LookedAt(uint64_t end) { stretch_.end = stretch_.resume = end; }
  /// The stretch ends there, within the batch at `resume`.
  void EndWithin(uint64_t resume, uint64_t end) {
    stretch_.resume = resume;
    stretch_.end = end;
  }
  /// The disk has refused a part of it.
  void NoteUnreadable() { stretch_.unreadable = true; }

 private:
  void AddKeys(const RecordRef& ref, std::string_view topic, std::string_view properties, core::WallMillis store_time);

  const LogIdentity log_;
  KeyTable table_;
  KeyStretch stretch_;
  core::WallMillis last_time_ = 0;
  // Of the last record: most come from few topics.
  std::string topic_;
  uint64_t topic_seed_ = 0;
  std::vector<uint64_t> hashes_;
};

}  // namespace store
