#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace core {

/// Debian's absl::string_view is a type of its own; these two lines are the only bridge.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

namespace internal {
inline absl::string_view StrCatArgument(std::string_view text) { return ToAbsl(text); }
inline absl::string_view StrCatArgument(const std::string& text) { return text; }
inline absl::string_view StrCatArgument(const char* text) { return text; }
template <typename T>
decltype(auto) StrCatArgument(T&& value) {
  return std::forward<T>(value);
}
}  // namespace internal

/// absl::StrCat that also takes std::string_view.
template <typename... Args>
std::string StrCat(Args&&... args) {
  return absl::StrCat(internal::StrCatArgument(std::forward<Args>(args))...);
}

}  // namespace core
