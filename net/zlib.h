#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace net {

/// Unpacks a zlib stream (Java's Deflater and Inflater) of at most `bytes_max` bytes unpacked: kResourceExhausted beyond,
/// kInvalidArgument for what is no whole stream. Memory grows with what comes out, never with what is claimed.
absl::StatusOr<std::string> Inflate(std::string_view packed, size_t bytes_max);
/// Packs `text` as a zlib stream.
std::string Deflate(std::string_view text);
/// The CRC32 of Java's java.util.zip.CRC32, masked to 31 bit as in bodyCrc32. Source: RocketMQ 5.3.3 UtilAll.crc32.
int32_t Crc32Masked(std::string_view bytes);

}  // namespace net
