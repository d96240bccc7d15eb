#include "net/string_index.h"

#include <bit>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace net {

namespace {

constexpr size_t kIndexBlock = 64;

// A bit for each of 64 bytes that is `c`.
uint64_t BitsOf(const char* block, char c) {
  uint64_t bits = 0;
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(c);
  for (size_t i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * i));
    bits |= uint64_t{static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)))} << (16 * i);
  }
#else
  for (size_t i = 0; i < kIndexBlock; ++i) bits |= uint64_t{block[i] == c} << i;
#endif
  return bits;
}

// Appends the positions of `bits`. Four are written for each begun four: the loop then ends mostly as it did the time before.
inline uint16_t* AddPositions(uint64_t bits, size_t base, uint16_t* out) {
  uint16_t* const end = out + std::popcount(bits);
  while (bits != 0) {
    for (int i = 0; i < 4; ++i) {
      out[i] = static_cast<uint16_t>(base + static_cast<size_t>(std::countr_zero(bits)));
      bits &= bits - 1;
    }
    out += 4;
  }
  return end;
}

}  // namespace

bool StringIndex::Build(const char* text, size_t size) {
  if (size > kTextMax) return false;
  uint16_t* quote = quotes;
  uint16_t* escape = escapes;
  uint64_t escaped_next = 0;  // bit 0: the byte before this block escapes its first one
  for (size_t base = 0; base < size; base += kIndexBlock) {
    char tail[kIndexBlock];
    const char* block = text + base;
    if (size - base < kIndexBlock) {
      std::memset(tail, ' ', sizeof(tail));
      std::memcpy(tail, block, size - base);
      block = tail;
    }
    uint64_t escaped = escaped_next;
    escaped_next = 0;
    uint64_t backslashes = BitsOf(block, '\\') & ~escaped;
    uint64_t starts = 0;
    while (backslashes != 0) {
      const uint64_t first = backslashes & (~backslashes + 1);
      starts |= first;
      escaped |= first << 1;
      escaped_next = first >> (kIndexBlock - 1);
      backslashes &= ~(first | first << 1);
    }
    quote = AddPositions(BitsOf(block, '"') & ~escaped, base, quote);
    escape = AddPositions(starts, base, escape);
    if (quote > quotes + kQuotesMax || escape > escapes + kEscapesMax) return false;
  }
  quote[0] = quote[1] = kNone;
  escape[0] = kNone;
  return true;
}

}  // namespace net
