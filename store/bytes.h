#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace store {

/// Integers at unaligned addresses. Records are RocketMQ's, big-endian; everything of our own is little-endian.
template <std::integral T>
T SwapBytes(T value) {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
}
template <std::integral T>
T LoadBig(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return std::endian::native == std::endian::little ? SwapBytes(value) : value;
}
template <std::integral T>
T LoadLittle(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return std::endian::native == std::endian::little ? value : SwapBytes(value);
}
template <std::integral T>
void StoreBig(std::byte* at, T value) {
  if constexpr (std::endian::native == std::endian::little) value = SwapBytes(value);
  std::memcpy(at, &value, sizeof(value));
}
template <std::integral T>
void StoreLittle(std::byte* at, T value) {
  if constexpr (std::endian::native == std::endian::big) value = SwapBytes(value);
  std::memcpy(at, &value, sizeof(value));
}

constexpr uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }
constexpr uint64_t RoundDown(uint64_t value, uint64_t unit) { return value / unit * unit; }

}  // namespace store
