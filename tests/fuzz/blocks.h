#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "store/batch.h"
#include "store/bytes.h"
#include "store/crc.h"
#include "store/index_page.h"
#include "store/meta_file.h"

namespace fuzz {

using Bytes = std::vector<std::byte>;

// Each puts the checksum of a block right, where `block` is long enough to have one: what no accident does, but what an input must have to come to
// the code behind the check. Layouts: batch.h, segment.h, sealed_index.h, index_page.h, mark_file.h, meta_file.h, due_run.h,
// run_page.h, key_run.h.

namespace internal {

inline void Mend(std::span<std::byte> covered, size_t crc_offset) {
  store::StoreLittle<uint32_t>(covered.data() + crc_offset, 0);
  store::StoreLittle<uint32_t>(covered.data() + crc_offset, store::Crc32c(covered));
}

}  // namespace internal

/// The header of a batch, and the checksum of its record table where the whole batch is there.
inline void MendBatch(std::span<std::byte> block) {
  if (block.size() < store::kBatchHeaderBytes) return;
  const uint64_t table = store::TableOffset(store::LoadLittle<uint32_t>(block.data() + 44));
  const uint64_t table_bytes = uint64_t{store::LoadLittle<uint32_t>(block.data() + 48)} * store::kTableEntryBytes;
  if (table <= block.size() && table_bytes <= block.size() - table) {
    store::StoreLittle<uint32_t>(block.data() + 52, store::Crc32c(block.subspan(table, table_bytes)));
  }
  internal::Mend(block.first(store::kBatchHeaderBytes), 8);
}

inline void MendSegmentHeader(std::span<std::byte> block) {
  if (block.size() >= 52) store::StoreLittle<uint32_t>(block.data() + 48, store::Crc32c(block.first(48)));
}

inline void MendMark(std::span<std::byte> block) { MendSegmentHeader(block); }

inline void MendIndexHeader(std::span<std::byte> block) {
  if (block.size() >= store::kBlock) internal::Mend(block.first(store::kBlock), 84);
}

inline void MendIndexPage(std::span<std::byte> block) {
  if (block.size() < store::kIndexPageBytes) return;
  store::StoreLittle<uint32_t>(block.data() + 4092, store::Crc32c(block.first(4092)));
}

inline void MendDueHeader(std::span<std::byte> block) {
  if (block.size() >= 72) store::StoreLittle<uint32_t>(block.data() + 68, store::Crc32c(block.first(68)));
}

inline void MendKeyHeader(std::span<std::byte> block) {
  if (block.size() >= 88) store::StoreLittle<uint32_t>(block.data() + 84, store::Crc32c(block.first(84)));
}

inline void MendRunPage(std::span<std::byte> block) {
  if (block.size() < store::kBlock) return;
  store::StoreLittle<uint32_t>(block.data(), store::Crc32c(block.first(store::kBlock).subspan(4)));
}

/// A record of the metadata, its header, or its mark: whichever the size and the magic say.
inline void MendMeta(std::span<std::byte> bytes) {
  if (bytes.size() == store::kMetaMarkBytes) {
    store::StoreLittle<uint32_t>(bytes.data() + 16, store::Crc32c(bytes.first(16)));
    return;
  }
  if (bytes.size() < store::kMetaRecordHeaderBytes) return;
  const size_t changes = store::LoadLittle<uint32_t>(bytes.data() + 16);
  if (changes <= bytes.size() - store::kMetaRecordHeaderBytes) {
    store::StoreLittle<uint32_t>(bytes.data() + 4,
                                 store::Crc32c(bytes.subspan(8, store::kMetaRecordHeaderBytes - 8 + changes)));
  }
}

}  // namespace fuzz
