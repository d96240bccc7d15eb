#pragma once

#include <string_view>

namespace store {

/// A message's properties travel and are stored as text: name 0x01 value 0x02, again and again. Of a name given twice the last counts.
/// Source: RocketMQ 5.3.3 MessageDecoder.
inline constexpr char kNameValueSeparator = '\x01';
inline constexpr char kPropertySeparator = '\x02';

/// What consumers filter by.
inline constexpr std::string_view kPropertyTags = "TAGS";
/// What messages are found by (store/message_keys.h).
inline constexpr std::string_view kPropertyKeys = "KEYS";
inline constexpr std::string_view kPropertyUniqKey = "UNIQ_KEY";

/// Calls `fn(name, value)` for each property that RocketMQ would see; entries without a name or a value are passed over. Returns whether every byte
/// belonged to such an entry, each with its 0x02 at the end.
template <typename Fn>
bool ForEachProperty(std::string_view text, Fn&& fn) {
  bool clean = true;
  while (!text.empty()) {
    const size_t end = text.find(kPropertySeparator);
    const std::string_view entry = text.substr(0, end);
    const size_t split = entry.find(kNameValueSeparator);
    if (split != std::string_view::npos && split > 0 && split + 1 < entry.size()) {
      fn(entry.substr(0, split), entry.substr(split + 1));
    } else {
      clean = false;
    }
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  return clean;
}

}  // namespace store
