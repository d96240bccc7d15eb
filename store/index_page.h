#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "store/bytes.h"
#include "store/queue.h"

namespace store {

/// The entries of a sealed segment lie in pages of one block, proven one by one. Little-endian:
///
///     170 entries of 24 bytes: position 8, bytes 4, CRC32C of the record 4, tags code 8 | 4080 log position of the segment 8
///     | 4088 number of the page 4 | 4092 CRC32C of bytes 0..4092 4
///
/// Page `n` begins at block 1 + n of the index file (block 0 is its header).
inline constexpr size_t kIndexPageBytes = 4096;
inline constexpr size_t kIndexEntryBytes = 24;
inline constexpr size_t kIndexPageEntries = 170;
static_assert(kIndexPageEntries * kIndexEntryBytes + 16 == kIndexPageBytes);

/// `page` has kIndexPageBytes; `entries` at most kIndexPageEntries.
void EncodeIndexPage(uint64_t segment_position, uint32_t number, std::span<const IndexEntry> entries, std::span<std::byte> page);
/// The page is whole and is this one.
bool IndexPageIntact(uint64_t segment_position, uint32_t number, std::span<const std::byte> page);
IndexEntry LoadIndexEntry(std::span<const std::byte> page, size_t slot);

}  // namespace store
