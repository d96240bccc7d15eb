#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace core {

/// A number's decimal digits, without an allocation.
class Decimal {
 public:
  explicit Decimal(int64_t value) : size_(static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof(digits_), value).ptr - digits_)) {}
  std::string_view text() const { return {digits_, size_}; }

 private:
  char digits_[20];  // "-9223372036854775808"
  size_t size_;
};

}  // namespace core
