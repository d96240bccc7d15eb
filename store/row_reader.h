#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace store {

/// Reads a row of the metadata that consists of decimal numbers and what is between them. Total: any text is read or refused.
class RowReader {
 public:
  explicit RowReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  /// Whether a number was there; it is passed by then.
  bool Number(uint64_t& number) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }
  /// The same for `wanted`.
  bool Char(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

 private:
  std::string_view rest_;
};

}  // namespace store
