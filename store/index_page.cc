#include "store/index_page.h"

#include <cstring>

#include "core/assert.h"
#include "store/crc.h"

namespace store {
namespace {

constexpr size_t kPagePositionOffset = 4080;
constexpr size_t kNumberOffset = 4088;
constexpr size_t kPageCrcOffset = 4092;

}  // namespace

void EncodeIndexPage(uint64_t segment_position, uint32_t number, std::span<const IndexEntry> entries, std::span<std::byte> page) {
  CORE_ASSERT(page.size() == kIndexPageBytes && entries.size() <= kIndexPageEntries);
  std::memset(page.data(), 0, page.size());
  std::byte* at = page.data();
  for (const IndexEntry& entry : entries) {
    StoreLittle(at, entry.position);
    StoreLittle(at + 8, entry.bytes);
    StoreLittle(at + 12, entry.crc);
    StoreLittle(at + 16, entry.tags_code);
    at += kIndexEntryBytes;
  }
  StoreLittle(page.data() + kPagePositionOffset, segment_position);
  StoreLittle(page.data() + kNumberOffset, number);
  StoreLittle(page.data() + kPageCrcOffset, Crc32c(page.first(kPageCrcOffset)));
}

bool IndexPageIntact(uint64_t segment_position, uint32_t number, std::span<const std::byte> page) {
  return page.size() == kIndexPageBytes && LoadLittle<uint32_t>(page.data() + kPageCrcOffset) == Crc32c(page.first(kPageCrcOffset)) &&
         LoadLittle<uint64_t>(page.data() + kPagePositionOffset) == segment_position &&
         LoadLittle<uint32_t>(page.data() + kNumberOffset) == number;
}

IndexEntry LoadIndexEntry(std::span<const std::byte> page, size_t slot) {
  const std::byte* at = page.data() + slot * kIndexEntryBytes;
  return {.position = LoadLittle<uint64_t>(at),
          .bytes = LoadLittle<uint32_t>(at + 8),
          .crc = LoadLittle<uint32_t>(at + 12),
          .tags_code = LoadLittle<int64_t>(at + 16)};
}

}  // namespace store
