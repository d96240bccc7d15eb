#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {

/// The index of `word`, in any case, among `words`; kInvalidArgument names `what` it should be one of.
inline absl::StatusOr<size_t> FindWord(std::span<const std::string_view> words, std::string_view word, std::string_view what) {
  std::string all;
  for (size_t i = 0; i < words.size(); ++i) {
    if (absl::EqualsIgnoreCase(core::ToAbsl(words[i]), core::ToAbsl(word))) return i;
    all += core::StrCat(i == 0 ? "" : ", ", words[i]);
  }
  return absl::InvalidArgumentError(core::StrCat(what, " '", net::Quoted(word), "' is none of ", all));
}

}  // namespace broker
