#include "store/tags_code.h"

#include <algorithm>

#include "store/properties.h"

namespace store {
namespace {

/// Calls `fn` with each UTF-16 code unit of UTF-8 text; bytes that are not UTF-8 count as U+FFFD, as Java decodes them.
template <typename Fn>
void ForEachUtf16Unit(std::string_view text, Fn fn) {
  constexpr uint32_t kReplacement = 0xFFFD;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    size_t length = 1;
    uint32_t point = lead;
    if (lead >= 0x80) {
      length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
      point = length == 0 ? kReplacement : lead & (0xFFu >> (length + 1));
      for (size_t k = 1; k < length; ++k) {
        const uint32_t next = i + k < text.size() ? static_cast<uint8_t>(text[i + k]) : 0;
        if ((next & 0xC0) != 0x80) {
          length = k;
          point = kReplacement;
          break;
        }
        point = point << 6 | (next & 0x3F);
      }
    }
    i += std::max<size_t>(length, 1);
    if (point >= 0x10000) {
      fn(static_cast<uint16_t>(0xD800 + ((point - 0x10000) >> 10)));
      fn(static_cast<uint16_t>(0xDC00 + ((point - 0x10000) & 0x3FF)));
    } else {
      fn(static_cast<uint16_t>(point));
    }
  }
}

}  // namespace

int32_t JavaHash(std::string_view text) {
  uint32_t hash = 0;
  ForEachUtf16Unit(text, [&hash](uint16_t unit) { hash = hash * 31 + unit; });
  return static_cast<int32_t>(hash);
}

int64_t TagsCodeOf(std::string_view properties) {
  int64_t code = 0;
  ForEachProperty(properties, [&code](std::string_view name, std::string_view value) {
    if (name == kPropertyTags) code = JavaHash(value);
  });
  return code;
}

}  // namespace store
