#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

namespace broker {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return absl::Hash<std::string_view>{}(text); }
};
struct StringEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
/// A hash map by text that is searched without making a string. (Abseil's own bridge takes only its own string_view here.)
template <typename T>
using StringMap = absl::flat_hash_map<std::string, T, StringHash, StringEqual>;

}  // namespace broker
