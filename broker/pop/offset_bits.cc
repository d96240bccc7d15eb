#include "broker/pop/offset_bits.h"

namespace broker {

std::string OffsetBits::Text() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t word : words_) {
    for (size_t digit = 0; digit < 16; ++digit) text += kDigits[word >> (4 * digit) & 15];
  }
  while (!text.empty() && text.back() == '0') text.pop_back();
  return text;
}

std::optional<OffsetBits> OffsetBits::Parse(std::string_view text) {
  if (text.empty() || text.size() > kMax / 4 || text.back() == '0') return std::nullopt;
  OffsetBits bits;
  for (size_t at = 0; at < text.size(); ++at) {
    const char digit = text[at];
    unsigned value = 0;
    if (digit >= '0' && digit <= '9') {
      value = static_cast<unsigned>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      value = static_cast<unsigned>(digit - 'a' + 10);
    } else {
      return std::nullopt;
    }
    for (size_t bit = 0; bit < 4; ++bit) {
      if ((value >> bit & 1) != 0) bits.Set(4 * at + bit);
    }
  }
  return bits;
}

}  // namespace broker
