#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/task.h"
#include "store/key_entry.h"

namespace store {

/// Entries of a KeyIndex in memory, in 256 parts by the first bits of the hash: adding one costs a store, finding some a look through one part, and
/// sorting all of them no long piece of work. One shard.
class KeyTable {
 public:
  explicit KeyTable(size_t entries_max) : entries_max_(entries_max) {}

  void Add(uint64_t hash, const RecordRef& record) {
    parts_[PartOf(hash)].push_back({hash, record});
    ++size_;
  }
  size_t size() const { return size_; }
  /// What is in it is to be written. The keys of one more message are taken all the same.
  bool full() const { return size_ >= entries_max_; }
  /// Those with this hash, in the order of the log.
  std::vector<RecordRef> Find(uint64_t hash) const;
  /// Each part in order, and so the whole. In slices; nothing may be added meanwhile, Find may be called.
  core::Task<void> Sort();
  static constexpr size_t kParts = 256;
  const std::vector<KeyEntry>& part(size_t index) const { return parts_[index]; }
  void Clear();

 private:
  static size_t PartOf(uint64_t hash) { return hash >> 56; }

  const size_t entries_max_;
  size_t size_ = 0;
  std::array<std::vector<KeyEntry>, kParts> parts_;
};

}  // namespace store
