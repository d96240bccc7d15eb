#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace net {

// Numbers as the protocol writes them: big-endian, at any address.
inline uint16_t ReadU16(const char* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof(value));
  return static_cast<uint16_t>(value << 8 | value >> 8);
}
inline uint32_t ReadU32(const char* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap32(value);
}
inline uint64_t ReadU64(const char* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap64(value);
}
inline int32_t ReadI32(const char* at) { return static_cast<int32_t>(ReadU32(at)); }

inline char* WriteU8(char* at, uint32_t value) {
  *at = static_cast<char>(value);
  return at + 1;
}
inline char* WriteU16(char* at, uint32_t value) {
  at[0] = static_cast<char>(value >> 8);
  at[1] = static_cast<char>(value);
  return at + 2;
}
inline char* WriteU32(char* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}

static_assert(std::endian::native == std::endian::little);

}  // namespace net
