#include "store/crc.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <climits>

namespace store {

uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t before) {
  uint32_t crc = ~before;
  while (!bytes.empty()) {
    const size_t part = std::min(bytes.size(), size_t{INT_MAX});
    // ISA-L's signature lacks the const; it only reads.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    crc = crc32_iscsi(data, static_cast<int>(part), crc);
    bytes = bytes.subspan(part);
  }
  return ~crc;
}

uint32_t Crc32(std::span<const std::byte> bytes) {
  return crc32_gzip_refl(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace store
