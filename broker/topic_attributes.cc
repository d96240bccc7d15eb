#include "broker/topic_attributes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

struct Attribute {
  std::string_view key;
  bool changeable;
  std::array<std::string_view, 6> values;  // the legal ones; none: a whole number >= 0
};

// Source: RocketMQ 5.3.3 TopicAttributes.
constexpr std::array<Attribute, 4> kAttributes = {{
    {"queue.type", false, {"BatchCQ", "SimpleCQ"}},
    {"cleanup.policy", false, {"COMPACTION", "DELETE"}},
    {"message.type", true, {"UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"}},
    {"reserve.time", true, {}},
}};

const Attribute* FindAttribute(std::string_view key) {
  const auto at = std::find_if(kAttributes.begin(), kAttributes.end(), [key](const Attribute& a) { return a.key == key; });
  return at == kAttributes.end() ? nullptr : &*at;
}

absl::Status CheckValue(const Attribute& attribute, const std::string& value) {
  if (attribute.values.front().empty()) {
    int64_t number = 0;
    if (absl::SimpleAtoi(value, &number) && number >= 0) return absl::OkStatus();
    return absl::InvalidArgumentError(core::StrCat("value is not in range(0, ", INT64_MAX, ")"));
  }
  std::string legal;
  for (const std::string_view one : attribute.values) {
    if (one.empty()) break;
    if (one == value) return absl::OkStatus();
    legal += core::StrCat(legal.empty() ? "" : ", ", one);
  }
  return absl::InvalidArgumentError(core::StrCat("value is not in set: [", legal, "]"));
}

}  // namespace

absl::StatusOr<TopicAttributes> AlterAttributes(const TopicAttributes& current, const TopicAttributes& changes, bool creating) {
  TopicAttributes result = current;
  std::map<std::string_view, bool> seen;
  for (const auto& [change, value] : changes) {
    if (change.size() < 2 || (change[0] != '+' && change[0] != '-')) {
      return absl::InvalidArgumentError(core::StrCat("wrong format key: ", change));
    }
    const bool add = change[0] == '+';
    const std::string key = change.substr(1);
    if (!add && creating) {
      return absl::InvalidArgumentError(core::StrCat("only add attribute is supported while creating topic. key: ", key));
    }
    const Attribute* attribute = FindAttribute(key);
    if (attribute == nullptr) return absl::InvalidArgumentError(core::StrCat("unsupported key: ", key));
    if (!seen.emplace(attribute->key, true).second) {
      return absl::InvalidArgumentError(core::StrCat("alter duplication key. key: ", key));
    }
    if (add) {
      RETURN_IF_ERROR(CheckValue(*attribute, value));
      const auto present = result.find(key);
      const bool same = present != result.end() && present->second == value;
      if (!creating && !attribute->changeable && !same) {
        return absl::InvalidArgumentError(core::StrCat("attempt to update an unchangeable attribute. key: ", key));
      }
      result.insert_or_assign(key, value);
    } else {
      if (!attribute->changeable) {
        return absl::InvalidArgumentError(core::StrCat("attempt to update an unchangeable attribute. key: ", key));
      }
      if (result.erase(key) == 0) return absl::InvalidArgumentError(core::StrCat("attempt to delete a nonexistent key: ", key));
    }
  }
  return result;
}

absl::StatusOr<TopicAttributes> ParseAttributeChanges(const std::string& text) {
  TopicAttributes changes;
  if (text.empty()) return changes;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<std::string, std::string> item = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const bool has_value = part.find('=') != absl::string_view::npos;
    if (item.first.size() < 2 || (item.first[0] != '+' && item.first[0] != '-') || (item.first[0] == '+') != has_value ||
        (has_value && item.second.empty())) {
      return absl::InvalidArgumentError(core::StrCat("kv string format wrong: ", std::string(part)));
    }
    if (!changes.emplace(item.first, item.second).second) {
      return absl::InvalidArgumentError(core::StrCat("key duplication: ", item.first));
    }
  }
  return changes;
}

}  // namespace broker
