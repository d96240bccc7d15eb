#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/strings.h"

namespace history {

inline constexpr uint32_t kNoName = UINT32_MAX;

/// Texts as small numbers, in the order in which they came.
class Names {
 public:
  uint32_t IdOf(std::string_view text);
  /// kNoName when it never came.
  uint32_t Find(std::string_view text) const;
  const std::string& TextOf(uint32_t id) const { return texts_[id]; }
  size_t size() const { return texts_.size(); }

 private:
  absl::flat_hash_map<std::string, uint32_t> ids_;
  std::vector<std::string> texts_;
};

/// Value ids as numbers: "run.worker.17" is the text before the last dot, of which there are few, and 17.
class ValueNames {
 public:
  struct Key {
    uint32_t prefix = 0;
    uint64_t number = 0;  // kWhole: the whole id is the prefix
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H state, const Key& key) {
      return H::combine(std::move(state), key.prefix, key.number);
    }
  };
  /// The number of this id, a new one when `fresh` says so.
  uint32_t IdOf(std::string_view text, bool& fresh);
  uint32_t Find(std::string_view text) const;
  std::string TextOf(uint32_t id) const;

 private:
  static constexpr uint64_t kWhole = UINT64_MAX;
  /// Where the number begins; npos: there is none that would come out the same again.
  static size_t NumberIn(std::string_view text, uint64_t& number);

  Names prefixes_;
  absl::flat_hash_map<Key, uint32_t> ids_;
  std::vector<Key> keys_;
};

}  // namespace history
