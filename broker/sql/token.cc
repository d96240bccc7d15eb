#include "broker/sql/token.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace broker::sql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

constexpr std::pair<std::string_view, TokenKind> kWords[] = {
    {"AND", TokenKind::kAnd},
    {"BETWEEN", TokenKind::kBetween},
    {"CONTAINS", TokenKind::kContains},
    {"ENDSWITH", TokenKind::kEndsWith},
    {"FALSE", TokenKind::kFalse},
    {"IN", TokenKind::kIn},
    {"IS", TokenKind::kIs},
    {"NOT", TokenKind::kNot},
    {"NULL", TokenKind::kNull},
    {"OR", TokenKind::kOr},
    {"STARTSWITH", TokenKind::kStartsWith},
    {"TRUE", TokenKind::kTrue},
};

TokenKind KindOfWord(std::string_view word) {
  const auto same = [](char a, char upper) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == upper; };
  for (const auto& [text, kind] : kWords) {
    if (std::equal(word.begin(), word.end(), text.begin(), text.end(), same)) return kind;
  }
  return TokenKind::kName;
}

/// Where the exponent that begins at `at` ends; `at` where none does.
size_t SkipExponent(std::string_view text, size_t at) {
  if (at == text.size() || (text[at] != 'e' && text[at] != 'E')) return at;
  size_t digits = at + 1;
  if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
  const size_t end = SkipDigits(text, digits);
  return end == digits ? at : end;
}

/// Behind blanks and comments. A comment that does not end is none: its first character is a token, or wrong.
size_t SkipBlanks(std::string_view text, size_t at) {
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    size_t skipped = 0;
    if (std::string_view(" \t\n\r\f").find(rest[0]) != std::string_view::npos) {
      skipped = 1;
    } else if (rest.starts_with("--")) {
      skipped = rest.find_first_of("\n\r") + 1;  // 0 where there is no end of line
    } else if (rest.starts_with("/*")) {
      const size_t end = rest.find("*/", 2);
      skipped = end == std::string_view::npos ? 0 : end + 2;
    }
    if (skipped == 0) break;
    at += skipped;
  }
  return at;
}

/// The number at `at`, where a digit is, or a point before a digit.
std::pair<TokenKind, size_t> Number(std::string_view text, size_t at) {
  size_t end = SkipDigits(text, at);
  if (end < text.size() && text[end] == '.') {
    end = SkipDigits(text, end + 1);
    return {TokenKind::kReal, SkipExponent(text, end)};
  }
  const size_t exponent_end = SkipExponent(text, end);
  if (exponent_end != end) return {TokenKind::kReal, exponent_end};
  if (end < text.size() && (text[end] == 'l' || text[end] == 'L')) ++end;
  return {TokenKind::kInteger, end};
}

/// Behind the closing quote, a doubled one is part of the text; the text's size + 1 where there is none.
size_t StringEnd(std::string_view text, size_t at) {
  for (++at;;) {
    at = text.find('\'', at);
    if (at == std::string_view::npos) return text.size() + 1;
    if (at + 1 == text.size() || text[at + 1] != '\'') return at + 1;
    at += 2;
  }
}

}  // namespace

size_t SkipDigits(std::string_view text, size_t at) {
  while (at < text.size() && IsDigit(text[at])) ++at;
  return at;
}

Token NextToken(std::string_view expression, size_t at) {
  at = SkipBlanks(expression, at);
  Token token;
  token.at = at;
  if (at == expression.size()) return token;
  const char first = expression[at];
  const char second = at + 1 < expression.size() ? expression[at + 1] : '\0';
  size_t end = at + 1;
  const auto with = [&](TokenKind alone, char next, TokenKind together) {
    if (second != next) return alone;
    end = at + 2;
    return together;
  };
  switch (first) {
    case '=':
      token.kind = TokenKind::kEqual;
      break;
    case '<':
      token.kind = second == '>' ? with(TokenKind::kLess, '>', TokenKind::kNotEqual)
                                 : with(TokenKind::kLess, '=', TokenKind::kLessEqual);
      break;
    case '>':
      token.kind = with(TokenKind::kGreater, '=', TokenKind::kGreaterEqual);
      break;
    case '(':
      token.kind = TokenKind::kOpen;
      break;
    case ')':
      token.kind = TokenKind::kClose;
      break;
    case ',':
      token.kind = TokenKind::kComma;
      break;
    case '+':
      token.kind = TokenKind::kPlus;
      break;
    case '-':
      token.kind = TokenKind::kMinus;
      break;
    case '\'':
      end = StringEnd(expression, at);
      token.kind = end > expression.size() ? TokenKind::kWrong : TokenKind::kString;
      end = std::min(end, expression.size());
      break;
    default:
      if (IsDigit(first) || (first == '.' && IsDigit(second))) {
        std::tie(token.kind, end) = Number(expression, at);
      } else if (IsNameStart(first)) {
        while (end < expression.size() && IsNamePart(expression[end])) ++end;
        token.kind = KindOfWord(expression.substr(at, end - at));
      } else {
        token.kind = TokenKind::kWrong;
        while (end < expression.size() && (static_cast<uint8_t>(expression[end]) & 0xC0) == 0x80) ++end;  // UTF-8
      }
      break;
  }
  token.text = expression.substr(at, end - at);
  return token;
}

}  // namespace broker::sql
