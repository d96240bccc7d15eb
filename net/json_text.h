#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/// The first `quote` or backslash of [at, limit), or `limit`. Many bytes at a time: header texts are runs of plain characters.
inline char* FindQuoteOrBackslash(char* at, const char* limit, char quote) {
#if defined(__SSE2__)
  const __m128i quotes = _mm_set1_epi8(quote);
  const __m128i backslashes = _mm_set1_epi8('\\');
  while (limit - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const int hits = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, backslashes)));
    if (hits != 0) return at + std::countr_zero(static_cast<unsigned>(hits));
    at += 16;
  }
#endif
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
#if defined(__SSE2__)
  const __m128i quotes = _mm_set1_epi8('"');
  const __m128i backslashes = _mm_set1_epi8('\\');
  const __m128i controls = _mm_set1_epi8(0x1f);
  while (limit - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, controls), bytes);
    const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, backslashes));
    const int hits = _mm_movemask_epi8(_mm_or_si128(control, special));
    if (hits != 0) return at + std::countr_zero(static_cast<unsigned>(hits));
    at += 16;
  }
#endif
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

namespace internal {
/// UnescapeString from the first backslash (or the end of the input) on.
bool UnescapeFrom(char*& at, const char* limit, char quote, char** end);
}  // namespace internal

/// Unescapes a JSON string where it lies: it never gets longer. `at` points behind the opening `quote`. On success `at` is behind the closing
/// one and the text is [begin, *end); false for an end of input or an escape that is none. Raw control characters are text. Halves of
/// surrogate pairs that stand alone become '?', as Java writes them.
inline bool UnescapeString(char*& at, const char* limit, char quote, char** end) {
  at = FindQuoteOrBackslash(at, limit, quote);
  if (at == limit || *at != quote) return internal::UnescapeFrom(at, limit, quote, end);
  *end = at++;
  return true;
}

}  // namespace net
