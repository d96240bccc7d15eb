#include "tests/history/names.h"

#include <charconv>

namespace history {

uint32_t Names::IdOf(std::string_view text) {
  const uint32_t known = Find(text);
  if (known != kNoName) return known;
  const auto id = static_cast<uint32_t>(texts_.size());
  texts_.emplace_back(text);
  ids_.emplace(texts_.back(), id);
  return id;
}

uint32_t Names::Find(std::string_view text) const {
  const auto found = ids_.find(core::ToAbsl(text));
  return found == ids_.end() ? kNoName : found->second;
}

size_t ValueNames::NumberIn(std::string_view text, uint64_t& number) {
  const size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return dot;
  const std::string_view digits = text.substr(dot + 1);
  if (digits.empty() || digits.size() > 18 || (digits.size() > 1 && digits[0] == '0')) return std::string_view::npos;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? dot + 1 : std::string_view::npos;
}

uint32_t ValueNames::IdOf(std::string_view text, bool& fresh) {
  Key key{0, kWhole};
  key.prefix = prefixes_.IdOf(text.substr(0, NumberIn(text, key.number)));
  const auto [entry, inserted] = ids_.try_emplace(key, static_cast<uint32_t>(keys_.size()));
  if (inserted) keys_.push_back(key);
  fresh = inserted;
  return entry->second;
}

uint32_t ValueNames::Find(std::string_view text) const {
  Key key{0, kWhole};
  key.prefix = prefixes_.Find(text.substr(0, NumberIn(text, key.number)));
  const auto found = ids_.find(key);
  return found == ids_.end() ? kNoName : found->second;
}

std::string ValueNames::TextOf(uint32_t id) const {
  const Key& key = keys_[id];
  const std::string& prefix = prefixes_.TextOf(key.prefix);
  return key.number == kWhole ? prefix : core::StrCat(prefix, key.number);
}

}  // namespace history
