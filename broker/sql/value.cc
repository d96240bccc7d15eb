#include "broker/sql/value.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "broker/sql/token.h"

namespace broker::sql {
namespace {

using Type = Value::Type;

template <typename T>
int Order(T left, T right) {
  return left < right ? -1 : left > right ? 1 : 0;
}

/// Java's Double.compareTo: -0.0 is less than 0.0, NaN equals itself and is the greatest.
int OrderReals(double left, double right) {
  if (left < right) return -1;
  if (left > right) return 1;
  if (std::isnan(left) || std::isnan(right)) return Order(std::isnan(left), std::isnan(right));
  return Order(std::signbit(right), std::signbit(left));
}

bool IsTrue(std::string_view text) {
  constexpr std::string_view kTrue = "true";
  return std::equal(text.begin(), text.end(), kTrue.begin(), kTrue.end(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

double ToReal(const Value& number) {
  return number.type == Type::kDouble ? number.real : static_cast<double>(number.integer);
}

/// `text` as a value of `type`, a number or boolean.
std::optional<Value> ReadAs(Type type, std::string_view text) {
  switch (type) {
    case Type::kBoolean:
      return Value::Boolean(IsTrue(text));
    case Type::kInt:
    case Type::kLong: {
      const std::optional<int64_t> number = ReadInteger(text);
      if (!number.has_value()) return std::nullopt;
      const Value value = Value::Integer(*number);
      if (type == Type::kInt && value.type != Type::kInt) return std::nullopt;
      return value;
    }
    case Type::kDouble: {
      const std::optional<double> number = ReadReal(text);
      if (!number.has_value()) return std::nullopt;
      return Value::Real(*number);
    }
    case Type::kNull:
    case Type::kString:
      break;
  }
  return std::nullopt;
}

int CompareNumbers(const Value& left, const Value& right) {
  if (left.type == Type::kDouble || right.type == Type::kDouble) return OrderReals(ToReal(left), ToReal(right));
  return Order(left.integer, right.integer);
}

}  // namespace

std::optional<int> Compare(const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) return left.text.compare(right.text);
  if (left.is_string()) {
    const std::optional<Value> read = ReadAs(right.type, left.text);
    if (!read.has_value()) return std::nullopt;
    return Compare(*read, right);
  }
  if (right.is_string()) {
    if (left.type == Type::kBoolean) return std::nullopt;
    const std::optional<Value> read = ReadAs(left.type, right.text);
    if (!read.has_value()) return std::nullopt;
    return Compare(left, *read);
  }
  if (left.is_number() && right.is_number()) return CompareNumbers(left, right);
  if (left.type == Type::kBoolean && right.type == Type::kBoolean) return Order(left.boolean, right.boolean);
  return -1;
}

std::optional<int> CompareOrder(const Value& left, const Value& right) {
  if (!left.is_string() || !right.is_string()) return Compare(left, right);
  const std::optional<double> first = ReadReal(left.text);
  if (!first.has_value()) return std::nullopt;
  const std::optional<double> second = ReadReal(right.text);
  if (!second.has_value()) return std::nullopt;
  return OrderReals(*first, *second);
}

std::optional<int64_t> ReadInteger(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

std::optional<double> ReadReal(std::string_view text) {
  while (!text.empty() && static_cast<uint8_t>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<uint8_t>(text.back()) <= ' ') text.remove_suffix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto signed_by = [negative](double value) { return negative ? -value : value; };
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return signed_by(std::numeric_limits<double>::infinity());

  // Digits, a point, digits, an exponent, a letter for the width; at least one digit.
  const size_t whole_end = SkipDigits(text, 0);
  size_t end = whole_end;
  if (end < text.size() && text[end] == '.') end = SkipDigits(text, end + 1);
  if (whole_end == 0 && end < 2) return std::nullopt;
  const std::string_view digits_and_point = text.substr(0, end);
  int exponent = 0;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    size_t digits = end + 1;
    const bool below = digits < text.size() && text[digits] == '-';
    if (digits < text.size() && (text[digits] == '-' || text[digits] == '+')) ++digits;
    end = SkipDigits(text, digits);
    if (end == digits) return std::nullopt;
    for (size_t i = digits; i < end; ++i) exponent = std::min(exponent * 10 + (text[i] - '0'), 1'000'000);
    if (below) exponent = -exponent;
  }
  if (end + 1 < text.size()) return std::nullopt;
  if (end < text.size() && std::string_view("fFdD").find(text[end]) == std::string_view::npos) return std::nullopt;

  double value = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + end, value);
  if (error == std::errc::result_out_of_range) {
    // Too large or too small: the power of ten of its first digit tells. Texts are at most 32 KiB, exponents beyond count as a million.
    const size_t first = digits_and_point.find_first_of("123456789");
    const auto place = static_cast<int64_t>(whole_end) - static_cast<int64_t>(first);
    const bool large = first != std::string_view::npos && place + exponent > 0;
    value = large ? std::numeric_limits<double>::infinity() : 0;
  } else if (error != std::errc() || stopped != text.data() + end) {
    return std::nullopt;
  }
  return signed_by(value);
}

}  // namespace broker::sql
