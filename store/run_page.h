#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "core/assert.h"
#include "store/batch.h"
#include "store/bytes.h"
#include "store/crc.h"

namespace store {

/// What an entry of a sorted run is on disk: two numbers, and what proves the record that it leads to. An entry type has Row() and FromRow().
struct RunRow {
  uint64_t first = 0;
  uint64_t second = 0;
  uint32_t bytes = 0;  // of the record
  uint32_t crc = 0;    // CRC32C of it
};

/// The entries of a sorted run lie in pages of one block, each proven by itself. All but the last one of a run are full. Little-endian:
///
///     0 CRC32C of all that follows 4 | 4 entries in it 4 | 8 page, from 0 4 | 12 mark of the run 4 | 16 entries of 24: first 8, second 8, bytes 4, crc 4 | zero
///
/// The mark tells pages of one run from those of all others, whatever log or kind they are of: a page that the disk wrote to another place shows.
inline constexpr size_t kRunEntryBytes = 24;
inline constexpr size_t kRunPageHeaderBytes = 16;
inline constexpr size_t kRunPageEntries = (kBlock - kRunPageHeaderBytes) / kRunEntryBytes;
static_assert(kRunPageEntries == 170);

/// The mark of a run: a CRC of what tells it from others, past ones of the same name among them. On disk: never change it.
inline uint32_t RunPageMark(const LogIdentity& log, uint32_t kind, uint64_t first, uint64_t second) {
  std::array<std::byte, 40> bytes;
  StoreLittle(bytes.data(), log.store_id.high);
  StoreLittle(bytes.data() + 8, log.store_id.low);
  StoreLittle(bytes.data() + 16, log.log_number);
  StoreLittle(bytes.data() + 20, kind);
  StoreLittle(bytes.data() + 24, first);
  StoreLittle(bytes.data() + 32, second);
  return Crc32c(bytes);
}

template <typename Entry>
void EncodeRunPage(uint32_t mark, uint32_t page, std::span<const Entry> entries, std::span<std::byte> block) {
  CORE_ASSERT(entries.size() <= kRunPageEntries && block.size() == kBlock);
  std::memset(block.data(), 0, block.size());
  std::byte* at = block.data();
  StoreLittle(at + 4, static_cast<uint32_t>(entries.size()));
  StoreLittle(at + 8, page);
  StoreLittle(at + 12, mark);
  at += kRunPageHeaderBytes;
  for (const Entry& entry : entries) {
    const RunRow row = entry.Row();
    StoreLittle(at, row.first);
    StoreLittle(at + 8, row.second);
    StoreLittle(at + 16, row.bytes);
    StoreLittle(at + 20, row.crc);
    at += kRunEntryBytes;
  }
  StoreLittle(block.data(), Crc32c(block.subspan(4)));
}

/// Appends the page's entries to `entries`. Total; kDataLoss: it is not that page.
template <typename Entry>
absl::Status ParseRunPage(std::span<const std::byte> block, uint32_t mark, uint32_t page, std::vector<Entry>& entries) {
  if (block.size() != kBlock || LoadLittle<uint32_t>(block.data()) != Crc32c(block.subspan(4)) ||
      LoadLittle<uint32_t>(block.data() + 8) != page || LoadLittle<uint32_t>(block.data() + 12) != mark) {
    return absl::DataLossError("a page is damaged");
  }
  const uint32_t count = LoadLittle<uint32_t>(block.data() + 4);
  if (count > kRunPageEntries) return absl::DataLossError("a page claims more entries than fit");
  const std::byte* at = block.data() + kRunPageHeaderBytes;
  for (uint32_t i = 0; i < count; ++i, at += kRunEntryBytes) {
    entries.push_back(Entry::FromRow({.first = LoadLittle<uint64_t>(at),
                                      .second = LoadLittle<uint64_t>(at + 8),
                                      .bytes = LoadLittle<uint32_t>(at + 16),
                                      .crc = LoadLittle<uint32_t>(at + 20)}));
  }
  return absl::OkStatus();
}

}  // namespace store
