#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace broker {

/// Source: RocketMQ 5.3.3 ResourceType.
enum class ResourceType : uint8_t { kAny, kCluster, kNamespace, kTopic, kGroup };
/// Source: RocketMQ 5.3.3 ResourcePattern.
enum class ResourcePattern : uint8_t { kAny, kPrefixed, kLiteral };  // in ascending order of how much it says

/// What an entry of an access control list is about: "Topic:Orders", "Topic:Orders*", "Group:*", "Cluster:DefaultCluster", "*". Source: RocketMQ 5.3.3 Resource.
struct Resource {
  ResourceType type = ResourceType::kAny;
  ResourcePattern pattern = ResourcePattern::kAny;
  std::string name;  // of kLiteral; what comes before the asterisk of kPrefixed

  /// kInvalidArgument: neither "*" nor TYPE:NAME.
  static absl::StatusOr<Resource> Parse(std::string_view key);
  std::string Key() const;
  /// Whether `of` named `wanted` is meant.
  bool Matches(ResourceType of, std::string_view wanted) const;
  friend bool operator==(const Resource&, const Resource&) = default;
};

std::string_view ResourceTypeName(ResourceType type);

}  // namespace broker
