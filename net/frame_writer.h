#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/assert.h"
#include "net/big_endian.h"
#include "net/frame.h"
#include "net/json_text.h"
#include "net/small_copy.h"

namespace net {

/// The length and the mark, which come before a header.
inline constexpr size_t kFramePrefixBytes = 8;
inline constexpr size_t kJsonEscapeFactor = 6;  // a control character becomes \u00xx

/// Writes the pieces of a header one behind the other; there must be room.
class FrameWriter {
 public:
  explicit FrameWriter(char* out) : out_(out) {}
  char* at() const { return out_; }
  void Raw(std::string_view text) {
    SmallCopy(out_, text.data(), text.size());
    out_ += text.size();
  }
  void Raw(char c) { *out_++ = c; }
  void Number(int32_t value) { out_ = std::to_chars(out_, out_ + 12, value).ptr; }
  void Quoted(std::string_view text) {
    *out_++ = '"';
    Escaped(text);
    *out_++ = '"';
  }
  /// What stands between the quotes of a JSON string.
  void Escaped(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    const char* at = text.data();
    const char* const end = at + text.size();
    while (true) {
      const char* const special = FindToEscape(at, end);
      Raw({at, static_cast<size_t>(special - at)});
      if (special == end) break;
      const auto byte = static_cast<unsigned char>(*special);
      if (byte < 0x20) {
        Raw("\\u00");
        *out_++ = kHex[byte >> 4];
        *out_++ = kHex[byte & 15];
      } else {
        *out_++ = '\\';
        *out_++ = *special;
      }
      at = special + 1;
    }
  }
  void U8(uint32_t value) { out_ = WriteU8(out_, value); }
  void U16(uint32_t value) { out_ = WriteU16(out_, value); }
  void U32(uint32_t value) { out_ = WriteU32(out_, value); }
  void I32(int32_t value) { out_ = WriteU32(out_, static_cast<uint32_t>(value)); }
  void U32Size(size_t value) { out_ = WriteU32(out_, static_cast<uint32_t>(value)); }

 private:
  char* out_;
};

/// Length and mark at `out`, of a frame whose header ends at `end` and whose body of `body_bytes` follows.
inline void WriteFramePrefix(char* out, const char* end, SerializeType type, size_t body_bytes) {
  const auto header_bytes = static_cast<size_t>(end - out) - kFramePrefixBytes;
  CORE_ASSERT(header_bytes < (size_t{1} << 24));
  WriteU32(out, static_cast<uint32_t>(4 + header_bytes + body_bytes));
  WriteU32(out + 4, static_cast<uint32_t>(type) << 24 | static_cast<uint32_t>(header_bytes));
}

}  // namespace net
