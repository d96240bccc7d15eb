#pragma once

#include <cstddef>
#include <cstdint>

namespace net {

/// Where the strings of a JSON text begin and end, and where escapes do, found in one sweep over the text, 64 bytes at a time.
struct StringIndex {
  /// More text or more of these than any client's header has: for the general reader.
  static constexpr size_t kTextMax = 16384;
  static constexpr size_t kQuotesMax = 256;
  static constexpr size_t kEscapesMax = 256;
  static constexpr uint16_t kNone = UINT16_MAX;

  uint16_t quotes[kQuotesMax + 66];    // that no backslash escapes; two kNone behind them
  uint16_t escapes[kEscapesMax + 66];  // backslashes that no backslash escapes; a kNone behind them

  /// False: too much of something. Reads no byte outside of [text, text + size).
  bool Build(const char* text, size_t size);
};

}  // namespace net
