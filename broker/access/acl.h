#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/access/resource.h"
#include "core/io.h"
#include "net/ip_network.h"
#include "net/json.h"
#include "net/request_table.h"

namespace broker {

enum class Decision : uint8_t { kAllow, kDeny };
/// The entries of kDefault count where none of kCustom matches. Source: RocketMQ 5.3.3 PolicyType.
enum class PolicyType : uint8_t { kCustom, kDefault };

inline constexpr size_t kSourcesMax = 64;  // of one entry

/// Source: RocketMQ 5.3.3 PolicyEntry.
struct PolicyEntry {
  Resource resource;
  std::vector<std::string> action_names;  // "Pub", "All", ...: as they were given, each once
  net::RequestAction actions = net::RequestAction::kNone;
  std::vector<std::string> source_ips;  // addresses or networks; empty: from anywhere
  std::vector<net::IpNetwork> networks;  // the same
  Decision decision = Decision::kAllow;

  bool MatchesSource(const core::Endpoint& peer) const;
};

/// The entries of one resource are one: a new one replaces it.
struct Policy {
  PolicyType type = PolicyType::kCustom;
  std::vector<PolicyEntry> entries;
};

/// What one user may do. Immutable once it is in a Catalog. Source: RocketMQ 5.3.3 Acl.
struct Acl {
  std::string user;
  std::vector<Policy> policies;  // one a type

  /// What the entries say of doing one of `actions` from `peer`; nothing when none matches. Of several the one counts that says most: a type of resource before
  /// any, a whole name before a prefix, a longer prefix before a shorter, then Deny before Allow. (RocketMQ 5.3.3 means that; its comparison gives the shorter
  /// prefix and Allow first.) Source: RocketMQ 5.3.3 AclAuthorizationHandler.
  std::optional<Decision> Decide(ResourceType type, std::string_view name, net::RequestAction actions, const core::Endpoint& peer) const;

  /// Puts the entries of `other` beside these, or in their places.
  void Update(const Acl& other);
  /// Takes away the entry of exactly that resource, and a policy that is empty then.
  void Erase(PolicyType type, const Resource& resource);
  size_t entries() const;
  /// Whether an entry has `text` in its resource.
  bool Mentions(std::string_view text) const;

  /// JSON with the fields of RocketMQ 5.3.3 AclInfo. Entries without any of `resource_filter` in their resource are left out.
  void WriteJson(net::JsonWriter& json, std::string_view resource_filter = {}) const;
  std::string ToJson() const;
  /// kInvalidArgument says what is wrong; the subject may be missing.
  static absl::StatusOr<Acl> FromJson(const net::JsonValue& json);
  static absl::StatusOr<Acl> FromJson(std::string_view json);
};

/// "User:" and the name: how lists are asked for.
std::string SubjectOf(std::string_view user);
/// The user of a subject, in RocketMQ the only kind there is; kInvalidArgument.
absl::StatusOr<std::string_view> UserOfSubject(std::string_view subject);
/// "Custom" or "Default", in any case; empty: Custom. kInvalidArgument.
absl::StatusOr<PolicyType> ParsePolicyType(std::string_view name);

}  // namespace broker
