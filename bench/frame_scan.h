#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "store/bytes.h"

namespace bench {

/// The number that follows `key` in the text of a JSON header, or `missing`. Finds the key wherever it is: enough for frames of our own making.
inline int32_t NumberAfter(std::string_view header, std::string_view key, int32_t missing) {
  const void* found = memmem(header.data(), header.size(), key.data(), key.size());
  if (found == nullptr) return missing;
  const char* begin = static_cast<const char*>(found) + key.size();
  int32_t value = missing;
  std::from_chars(begin, header.data() + header.size(), value);
  return value;
}

/// Calls `fn(header text, body)` for each whole frame of `bytes`, but for those whose lengths do not fit each other. Returns how many bytes the whole frames were.
template <typename Fn>
size_t ForEachFrame(std::span<const std::byte> bytes, Fn&& fn) {
  size_t taken = 0;
  while (bytes.size() - taken >= 8) {
    const std::byte* frame = bytes.data() + taken;
    const size_t frame_bytes = 4 + size_t{store::LoadBig<uint32_t>(frame)};
    if (bytes.size() - taken < frame_bytes) break;
    const size_t header_bytes = store::LoadBig<uint32_t>(frame + 4) & 0xffffff;
    if (frame_bytes >= 8 + header_bytes) {
      fn(std::string_view(reinterpret_cast<const char*>(frame) + 8, header_bytes),
         std::span<const std::byte>(frame + 8 + header_bytes, frame_bytes - 8 - header_bytes));
    }
    taken += frame_bytes;
  }
  return taken;
}

}  // namespace bench
