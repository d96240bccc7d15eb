#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace broker::sql {

enum class TokenKind : uint8_t {
  kEnd,
  kWrong,  // no token begins here, or it does not end
  kName,
  kString,   // with its quotes, as written
  kInteger,  // digits, and perhaps an L
  kReal,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kOpen,
  kClose,
  kComma,
  kPlus,
  kMinus,
  // Words, in any case.
  kAnd,
  kBetween,
  kContains,
  kEndsWith,
  kFalse,
  kIn,
  kIs,
  kNot,
  kNull,
  kOr,
  kStartsWith,
  kTrue,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written; empty at the end
  size_t at = 0;          // of its first byte in the expression
};

/// The token at or behind `at`; blanks and comments are passed over. Always ends behind `at`, but for kEnd. Source: RocketMQ 5.3.3 SelectorParser.jj.
Token NextToken(std::string_view expression, size_t at);

/// Where the digits end that begin at `at`; `at` where none do.
size_t SkipDigits(std::string_view text, size_t at);

}  // namespace broker::sql
