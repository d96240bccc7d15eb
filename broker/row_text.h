#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>

namespace broker {

/// Cuts `text` at the first `separator`, which goes; the rest is empty when there is none.
inline std::string_view CutAt(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

/// False: it is not a number as a whole.
template <typename Number>
bool ParseWhole(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace broker
