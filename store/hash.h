#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "store/bytes.h"

namespace store {

/// Hashes that are on disk: never change them.
constexpr uint64_t MixHash(uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33);
}

inline uint64_t HashText(uint64_t seed, std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  uint64_t hash = seed ^ (text.size() * 0xff51afd7ed558ccdULL);
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) hash = MixHash(hash ^ LoadLittle<uint64_t>(data + at));
  uint64_t rest = 0;
  for (size_t i = 0; at + i < text.size(); ++i) rest |= static_cast<uint64_t>(data[at + i]) << (8 * i);
  return MixHash(hash ^ rest);
}

}  // namespace store
