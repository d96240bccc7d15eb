#include "net/json_text.h"

#include <cstdint>

namespace net {

namespace {

bool ReadHex4(const char* at, const char* limit, uint32_t& value) {
  if (limit - at < 4) return false;
  value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = static_cast<uint32_t>((c | 0x20) - 'a') + 10;
    } else {
      return false;
    }
    value = value << 4 | digit;
  }
  return true;
}

char* AppendUtf8(char* out, uint32_t code) {
  const auto put = [&out](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return out;
}

// `at` is behind "\u"; reads a pair of surrogates as one character.
bool ReadUnicode(char*& at, const char* limit, uint32_t& code) {
  if (!ReadHex4(at, limit, code)) return false;
  at += 4;
  if (code < 0xD800 || code > 0xDFFF) return true;
  uint32_t low = 0;
  if (code < 0xDC00 && limit - at >= 6 && at[0] == '\\' && at[1] == 'u' && ReadHex4(at + 2, limit, low) &&
      low >= 0xDC00 && low <= 0xDFFF) {
    at += 6;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else {
    code = '?';
  }
  return true;
}

// Moves the plain characters at `at` to `out` <= `at`, up to the next quote, backslash or `limit`.
void MovePlain(char*& out, char*& at, const char* limit, char quote) {
  // Eight at a time: what a store overwrites beyond its own bytes has been loaded before.
  while (limit - at >= 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    if ((internal::BytesEqual(word, quote) | internal::BytesEqual(word, '\\')) != 0) break;
    std::memcpy(out, &word, sizeof(word));
    out += 8;
    at += 8;
  }
  while (at < limit && *at != quote && *at != '\\') *out++ = *at++;
}

}  // namespace

bool internal::UnescapeFrom(char*& at, const char* limit, char quote, char** end) {
  char* out = at;
  while (at < limit) {
    if (*at == quote) {
      ++at;
      *end = out;
      return true;
    }
    if (*at != '\\') {
      MovePlain(out, at, limit, quote);
      continue;
    }
    // What separates properties: 0x01 and 0x02, of which a header has many.
    if (limit - at >= 6 && std::memcmp(at, "\\u000", 5) == 0 && at[5] >= '0' && at[5] <= '9') {
      *out++ = static_cast<char>(at[5] - '0');
      at += 6;
      continue;
    }
    ++at;
    if (at == limit) return false;
    const char escape = *at++;
    switch (escape) {
      case 'n':
        *out++ = '\n';
        break;
      case 'r':
        *out++ = '\r';
        break;
      case 't':
        *out++ = '\t';
        break;
      case 'b':
        *out++ = '\b';
        break;
      case 'f':
        *out++ = '\f';
        break;
      case '"':
      case '\'':
      case '\\':
      case '/':
        *out++ = escape;
        break;
      case 'u': {
        uint32_t code = 0;
        if (!ReadUnicode(at, limit, code)) return false;
        out = AppendUtf8(out, code);
        break;
      }
      default:
        return false;
    }
  }
  return false;
}

}  // namespace net
