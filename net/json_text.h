#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace net {

namespace internal {

// The high bit of each byte of `word` that equals `c`; above the first such byte there may be wrong ones.
inline uint64_t BytesEqual(uint64_t word, char c) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t zero = word ^ (kOnes * static_cast<unsigned char>(c));
  return (zero - kOnes) & ~zero & (kOnes << 7);
}
// The same for bytes below 0x20.
inline uint64_t BytesControl(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  return (word - kOnes * 0x20) & ~word & (kOnes << 7);
}

}  // namespace internal

/// The first `quote` or backslash of [at, limit), or `limit`. Eight bytes at a time: header texts are long runs of plain characters.
inline char* FindQuoteOrBackslash(char* at, const char* limit, char quote) {
  while (limit - at >= 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    const uint64_t hit = internal::BytesEqual(word, quote) | internal::BytesEqual(word, '\\');
    if (hit != 0) return at + (std::countr_zero(hit) >> 3);
    at += 8;
  }
  while (at < limit && *at != quote && *at != '\\') ++at;
  return at;
}

/// The first byte of [at, limit) that a JSON string must escape (control character, double quote, backslash), or `limit`.
inline const char* FindToEscape(const char* at, const char* limit) {
  while (limit - at >= 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    const uint64_t hit =
        internal::BytesEqual(word, '"') | internal::BytesEqual(word, '\\') | internal::BytesControl(word);
    if (hit != 0) return at + (std::countr_zero(hit) >> 3);
    at += 8;
  }
  while (at < limit && static_cast<unsigned char>(*at) >= 0x20 && *at != '"' && *at != '\\') ++at;
  return at;
}

/// Unescapes a JSON string where it lies: it never gets longer. `at` points behind the opening `quote`. On success `at` is behind the closing
/// one and the text is [begin, *end); false for an end of input or an escape that is none. Raw control characters are text. Halves of
/// surrogate pairs that stand alone become '?', as Java writes them.
bool UnescapeString(char*& at, const char* limit, char quote, char** end);

}  // namespace net
