#pragma once

#include <cstdint>
#include <string_view>

#include "store/batch.h"
#include "store/hash.h"
#include "store/properties.h"

namespace store {

/// By what messages are found: UNIQ_KEY, and each item of KEYS. Source: RocketMQ 5.3.3 IndexService.buildIndex.
inline constexpr char kKeySeparator = ' ';

/// Calls `fn(key)` for each key of a message with these properties; one may come more than once.
template <typename Fn>
void ForEachKey(std::string_view properties, Fn&& fn) {
  constexpr std::string_view kKeysEntry = "KEYS\x01";
  constexpr std::string_view kUniqKeyEntry = "UNIQ_KEY\x01";
  static_assert(kKeysEntry.starts_with(kPropertyKeys) && kUniqKeyEntry.starts_with(kPropertyUniqKey));
  // As ForEachProperty would find them, the last one of each, but with half of the searching: every message goes through here.
  std::string_view keys;
  std::string_view uniq_key;
  while (!properties.empty()) {
    const size_t end = properties.find(kPropertySeparator);
    const std::string_view entry = properties.substr(0, end);
    if (entry.size() > kKeysEntry.size() && entry.starts_with(kKeysEntry)) keys = entry.substr(kKeysEntry.size());
    if (entry.size() > kUniqKeyEntry.size() && entry.starts_with(kUniqKeyEntry))
      uniq_key = entry.substr(kUniqKeyEntry.size());
    if (end == std::string_view::npos) break;
    properties.remove_prefix(end + 1);
  }
  if (!uniq_key.empty()) fn(uniq_key);
  while (!keys.empty()) {
    const size_t end = keys.find(kKeySeparator);
    if (end != 0) fn(keys.substr(0, end));
    if (end == std::string_view::npos) break;
    keys.remove_prefix(end + 1);
  }
}

/// The hash of a topic's key that is in the index (on disk: never change it) is HashText(KeySeed(store, topic), key). It depends on the store, so that
/// nobody outside can make keys that meet.
inline uint64_t KeySeed(const StoreId& store, std::string_view topic) {
  return HashText(MixHash(store.high ^ MixHash(store.low)), topic);
}

}  // namespace store
