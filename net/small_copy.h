#pragma once

#include <cstddef>
#include <cstring>

namespace net {

/// Copies `size` bytes that do not overlap. Header texts are short: for up to 32 bytes a few fixed moves, where the library's copy costs a call and
/// a choice.
inline void SmallCopy(char* out, const char* from, size_t size) {
  if (size >= 16) {
    if (size > 32) {
      std::memcpy(out, from, size);
      return;
    }
    std::memcpy(out, from, 16);
    std::memcpy(out + size - 16, from + size - 16, 16);
    return;
  }
  if (size >= 8) {
    std::memcpy(out, from, 8);
    std::memcpy(out + size - 8, from + size - 8, 8);
    return;
  }
  if (size >= 4) {
    std::memcpy(out, from, 4);
    std::memcpy(out + size - 4, from + size - 4, 4);
    return;
  }
  for (size_t i = 0; i < size; ++i) out[i] = from[i];
}

}  // namespace net
