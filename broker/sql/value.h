#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace broker::sql {

/// What an operand is: a literal, or a property, which is a text or null. `kInt` is a whole number that fits into 32 bits: RocketMQ compares texts with it in that
/// width.
struct Value {
  enum class Type : uint8_t { kNull, kBoolean, kInt, kLong, kDouble, kString };
  Type type = Type::kNull;
  bool boolean = false;
  int64_t integer = 0;  // kInt, kLong
  double real = 0;
  std::string_view text;

  static Value Boolean(bool value) {
    Value made(Type::kBoolean);
    made.boolean = value;
    return made;
  }
  static Value Integer(int64_t value) {
    Value made(value >= INT32_MIN && value <= INT32_MAX ? Type::kInt : Type::kLong);
    made.integer = value;
    return made;
  }
  static Value Real(double value) {
    Value made(Type::kDouble);
    made.real = value;
    return made;
  }
  static Value Text(std::string_view value) {
    Value made(Type::kString);
    made.text = value;
    return made;
  }
  Value() = default;
  explicit Value(Type what) : type(what) {}

  bool is_null() const { return type == Type::kNull; }
  bool is_string() const { return type == Type::kString; }
  bool is_number() const { return type == Type::kInt || type == Type::kLong || type == Type::kDouble; }
};

/// Negative, 0 or positive as `left` is less, equal or greater; also negative for types that can't be compared. A text beside another type is read as that;
/// nullopt: it is none, or `left` is a boolean and `right` a text, which RocketMQ can't do either. Neither is null. Source: RocketMQ 5.3.3
/// ComparisonExpression.__compare.
std::optional<int> Compare(const Value& left, const Value& right);

/// As Compare, but two texts are read as doubles: for <, <=, >, >=.
std::optional<int> CompareOrder(const Value& left, const Value& right);

/// As Java's Long.valueOf and Double.valueOf read a text, but for digits of other scripts and hexadecimal doubles: nullopt.
std::optional<int64_t> ReadInteger(std::string_view text);
std::optional<double> ReadReal(std::string_view text);

}  // namespace broker::sql
