#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

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

}  // namespace bench
