#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace store {

/// What was reserved and never written.
inline bool AllZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace store
