#include "broker/access/resource.h"

#include <algorithm>

#include "broker/access/words.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

constexpr std::string_view kTypeNames[] = {"Any", "Cluster", "Namespace", "Topic", "Group"};
constexpr size_t kNameBytesMax = 255;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string_view ResourceTypeName(ResourceType type) { return kTypeNames[static_cast<size_t>(type)]; }

absl::StatusOr<Resource> Resource::Parse(std::string_view key) {
  if (key == "*") return Resource{};
  const size_t colon = key.find(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(
        core::StrCat("the resource '", net::Quoted(key), "' is neither * nor TYPE:NAME, such as Topic:Orders, Topic:Orders* or Group:*"));
  }
  ASSIGN_OR_RETURN(const size_t type, FindWord(kTypeNames, key.substr(0, colon), "the type of a resource"));
  const std::string_view name = key.substr(colon + 1);
  Resource resource;
  resource.type = static_cast<ResourceType>(type);
  if (resource.type == ResourceType::kAny) return Resource{};
  if (name == "*") return resource;
  // RocketMQ cuts at the first asterisk and forgets what follows.
  const size_t asterisk = name.find('*');
  if (name.empty() || name.size() > kNameBytesMax || std::any_of(name.begin(), name.end(), IsControl) ||
      (asterisk != std::string_view::npos && asterisk + 1 != name.size())) {
    return absl::InvalidArgumentError(
        core::StrCat("the resource '", net::Quoted(key), "': its name has 1 to ", kNameBytesMax, " bytes, and an asterisk only at its end"));
  }
  resource.pattern = asterisk == std::string_view::npos ? ResourcePattern::kLiteral : ResourcePattern::kPrefixed;
  resource.name = name.substr(0, asterisk);
  return resource;
}

std::string Resource::Key() const {
  if (type == ResourceType::kAny) return "*";
  return core::StrCat(ResourceTypeName(type), ":", name, pattern == ResourcePattern::kLiteral ? "" : "*");
}

bool Resource::Matches(ResourceType of, std::string_view wanted) const {
  if (type == ResourceType::kAny) return true;
  if (type != of) return false;
  switch (pattern) {
    case ResourcePattern::kAny:
      return true;
    case ResourcePattern::kPrefixed:
      return wanted.starts_with(name);
    case ResourcePattern::kLiteral:
      return wanted == name;
  }
  return false;
}

}  // namespace broker
