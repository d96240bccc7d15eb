#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace store {

/// CRC32C (Castagnoli), as iSCSI and ext4 use it: guards everything of our own. Hardware speed.
uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t before = 0);
/// CRC32 (zlib, java.util.zip.CRC32): the body checksum inside RocketMQ's records.
uint32_t Crc32(std::span<const std::byte> bytes);

}  // namespace store
