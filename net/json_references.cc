#include "net/json_references.h"

#include <charconv>
#include <vector>

namespace net {

namespace {

constexpr size_t kExpandedValuesMax = size_t{1} << 20;

std::string_view ReferenceOf(const JsonValue& value) {
  if (!value.is_object() || value.members().size() != 1 || value.members()[0].name() != "$ref") return {};
  return value.members()[0].value.text();
}

// Follows "$.a[0].b" from the root. A null value when it leads nowhere. Looking for a name costs as many of `budget` as there are.
JsonValue Follow(JsonValue at, std::string_view path, size_t& budget) {
  if (path.size() < 2 || path[0] != '$') return {};
  path.remove_prefix(1);
  while (!path.empty()) {
    if (path[0] == '.') {
      path.remove_prefix(1);
      const std::string_view name = path.substr(0, path.find_first_of(".["));
      path.remove_prefix(name.size());
      if (at.members().size() > budget) return {};
      budget -= at.members().size();
      at = at[name];
    } else if (path[0] == '[') {
      size_t index = 0;
      const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
      if (error != std::errc() || end == path.data() + path.size() || *end != ']') return {};
      path.remove_prefix(static_cast<size_t>(end - path.data()) + 1);
      if (index >= at.items().size()) return {};
      at = at.items()[index];
    } else {
      return {};
    }
    if (at.is_null()) return {};
  }
  return at;
}

// Whether `value` has no reference in it and is no more than `budget` values; what was looked at is taken from the budget.
bool TakePlain(const JsonValue& value, size_t& budget) {
  std::vector<JsonValue> left = {value};
  while (!left.empty()) {
    const JsonValue at = left.back();
    left.pop_back();
    if (!ReferenceOf(at).empty()) return false;
    const size_t children = at.items().size() + 2 * at.members().size();
    if (children >= budget) {
      budget = 0;
      return false;
    }
    budget -= 1 + children;
    for (const JsonValue& item : at.items()) left.push_back(item);
    for (const JsonMember& member : at.members()) {
      left.push_back(member.key);
      left.push_back(member.value);
    }
  }
  return true;
}

}  // namespace

void ResolveReferences(JsonValue root) {
  size_t budget = kExpandedValuesMax;
  std::vector<JsonValue> left = {root};
  const auto visit = [&](JsonValue& value) {
    const std::string_view path = ReferenceOf(value);
    if (path.empty()) {
      left.push_back(value);
      return;
    }
    const JsonValue target = Follow(root, path, budget);
    if (!target.is_null() && budget > 0 && TakePlain(target, budget)) value = target;
  };
  while (!left.empty()) {
    const JsonValue at = left.back();
    left.pop_back();
    // The document owns these arrays and is being built: it may be written to.
    for (const JsonValue& item : at.items()) visit(const_cast<JsonValue&>(item));
    for (const JsonMember& member : at.members()) visit(const_cast<JsonValue&>(member.value));
  }
}

}  // namespace net
