#include "broker/access/acl.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/access/words.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::RequestAction;

constexpr std::string_view kActionNames[] = {"All", "Pub", "Sub", "Create", "Update", "Delete", "Get", "List"};
constexpr RequestAction kActions[] = {RequestAction::kAll,    RequestAction::kPub,    RequestAction::kSub, RequestAction::kCreate,
                                      RequestAction::kUpdate, RequestAction::kDelete, RequestAction::kGet, RequestAction::kList};
constexpr std::string_view kPolicyTypes[] = {"Custom", "Default"};
constexpr std::string_view kDecisions[] = {"Allow", "Deny"};

absl::StatusOr<PolicyEntry> ReadEntry(const net::JsonValue& json) {
  PolicyEntry entry;
  ASSIGN_OR_RETURN(entry.resource, Resource::Parse(json["resource"].text()));
  for (const net::JsonValue& name : json["actions"].items()) {
    ASSIGN_OR_RETURN(const size_t index, FindWord(kActionNames, name.text(), "the action"));
    if (std::find(entry.action_names.begin(), entry.action_names.end(), kActionNames[index]) == entry.action_names.end()) {
      entry.action_names.emplace_back(kActionNames[index]);
    }
    entry.actions = entry.actions | kActions[index];
  }
  if (entry.action_names.empty()) return absl::InvalidArgumentError("an entry of an access control list without actions");
  if (json["sourceIps"].items().size() > kSourcesMax) {
    return absl::InvalidArgumentError(core::StrCat("an entry of an access control list with ", json["sourceIps"].items().size(), " source ips; at most ", kSourcesMax, " are looked at: write networks"));
  }
  for (const net::JsonValue& source : json["sourceIps"].items()) {
    const absl::StatusOr<net::IpNetwork> network = net::IpNetwork::Parse(source.text());
    if (!network.ok()) {
      return absl::InvalidArgumentError(
          core::StrCat("the source ip '", net::Quoted(source.text()), "' is no address and no network (10.0.0.0/8)"));
    }
    entry.source_ips.emplace_back(source.text());
    entry.networks.push_back(*network);
  }
  ASSIGN_OR_RETURN(const size_t decision, FindWord(kDecisions, json["decision"].text(), "the decision"));
  entry.decision = static_cast<Decision>(decision);
  return entry;
}

void WriteEntry(const PolicyEntry& entry, net::JsonWriter& json) {
  json.BeginObject().StringsMember("actions", entry.action_names);
  json.Member("decision", std::string(kDecisions[static_cast<size_t>(entry.decision)]));
  json.Member("resource", entry.resource.Key());
  if (!entry.source_ips.empty()) json.StringsMember("sourceIps", entry.source_ips);
  json.EndObject();
}

/// Puts `entry` into the place of the one of the same resource, or behind all.
void PutEntry(std::vector<PolicyEntry>& entries, PolicyEntry entry) {
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const PolicyEntry& one) { return one.resource == entry.resource; });
  if (at == entries.end()) {
    entries.push_back(std::move(entry));
  } else {
    *at = std::move(entry);
  }
}

Policy& PolicyOfType(std::vector<Policy>& policies, PolicyType type) {
  for (Policy& policy : policies) {
    if (policy.type == type) return policy;
  }
  return policies.emplace_back(Policy{.type = type, .entries = {}});
}

bool Mentions(const PolicyEntry& entry, std::string_view text) { return entry.resource.Key().find(text) != std::string::npos; }
bool MentionsAny(const Policy& policy, std::string_view text) {
  return std::any_of(policy.entries.begin(), policy.entries.end(), [&](const PolicyEntry& entry) { return Mentions(entry, text); });
}

/// How much an entry says: the greatest of all that match counts.
auto Weight(const PolicyEntry& entry) {
  const size_t prefix = entry.resource.pattern == ResourcePattern::kPrefixed ? entry.resource.name.size() : 0;
  return std::tuple(entry.resource.type != ResourceType::kAny, entry.resource.pattern, prefix, entry.decision);
}

}  // namespace

bool PolicyEntry::MatchesSource(const core::Endpoint& peer) const {
  return networks.empty() || std::any_of(networks.begin(), networks.end(), [&](const net::IpNetwork& network) { return network.Contains(peer); });
}

std::optional<Decision> Acl::Decide(ResourceType type, std::string_view name, RequestAction wanted, const core::Endpoint& peer) const {
  for (const PolicyType kind : {PolicyType::kCustom, PolicyType::kDefault}) {
    const PolicyEntry* best = nullptr;
    for (const Policy& policy : policies) {
      if (policy.type != kind) continue;
      for (const PolicyEntry& entry : policy.entries) {
        if (!net::Overlap(entry.actions, wanted) || !entry.resource.Matches(type, name) || !entry.MatchesSource(peer)) continue;
        if (best == nullptr || Weight(*best) < Weight(entry)) best = &entry;
      }
    }
    if (best != nullptr) return best->decision;
  }
  return std::nullopt;
}

void Acl::Update(const Acl& other) {
  for (const Policy& policy : other.policies) {
    std::vector<PolicyEntry>& entries = PolicyOfType(policies, policy.type).entries;
    for (const PolicyEntry& entry : policy.entries) PutEntry(entries, entry);
  }
}

void Acl::Erase(PolicyType type, const Resource& resource) {
  for (Policy& policy : policies) {
    if (policy.type == type) std::erase_if(policy.entries, [&](const PolicyEntry& entry) { return entry.resource == resource; });
  }
  std::erase_if(policies, [](const Policy& policy) { return policy.entries.empty(); });
}

size_t Acl::entries() const {
  size_t count = 0;
  for (const Policy& policy : policies) count += policy.entries.size();
  return count;
}

bool Acl::Mentions(std::string_view text) const {
  return std::any_of(policies.begin(), policies.end(), [&](const Policy& policy) { return MentionsAny(policy, text); });
}

void Acl::WriteJson(net::JsonWriter& json, std::string_view resource_filter) const {
  json.BeginObject().Key("policies").BeginArray();
  for (const Policy& policy : policies) {
    if (!MentionsAny(policy, resource_filter)) continue;
    json.BeginObject().Key("entries").BeginArray();
    for (const PolicyEntry& entry : policy.entries) {
      if (broker::Mentions(entry, resource_filter)) WriteEntry(entry, json);
    }
    json.EndArray().Member("policyType", std::string(kPolicyTypes[static_cast<size_t>(policy.type)])).EndObject();
  }
  json.EndArray().Member("subject", SubjectOf(user)).EndObject();
}

std::string Acl::ToJson() const {
  net::JsonWriter json;
  WriteJson(json);
  return json.Take();
}

absl::StatusOr<Acl> Acl::FromJson(const net::JsonValue& json) {
  Acl acl;
  if (const std::string_view subject = json["subject"].text(); !subject.empty()) {
    ASSIGN_OR_RETURN(const std::string_view user, UserOfSubject(subject));
    acl.user = user;
  }
  for (const net::JsonValue& item : json["policies"].items()) {
    ASSIGN_OR_RETURN(const PolicyType type, ParsePolicyType(item["policyType"].text()));
    std::vector<PolicyEntry>& entries = PolicyOfType(acl.policies, type).entries;
    for (const net::JsonValue& one : item["entries"].items()) {
      ASSIGN_OR_RETURN(PolicyEntry entry, ReadEntry(one));
      PutEntry(entries, std::move(entry));
    }
    if (entries.empty()) return absl::InvalidArgumentError("a policy without entries");
  }
  if (acl.policies.empty()) return absl::InvalidArgumentError("an access control list without policies");
  return acl;
}

absl::StatusOr<Acl> Acl::FromJson(std::string_view text) {
  ASSIGN_OR_RETURN(const net::JsonDocument document, net::JsonDocument::Parse(text));
  return FromJson(document.root());
}

std::string SubjectOf(std::string_view user) { return core::StrCat(net::kSubjectPrefix, user); }

absl::StatusOr<std::string_view> UserOfSubject(std::string_view subject) {
  const size_t prefix = std::min(subject.size(), net::kSubjectPrefix.size());
  const std::string_view user = subject.substr(prefix);
  if (!absl::EqualsIgnoreCase(core::ToAbsl(subject.substr(0, prefix)), core::ToAbsl(net::kSubjectPrefix)) || net::WrongUserName(user).has_value()) {
    return absl::InvalidArgumentError(core::StrCat("the subject '", net::Quoted(subject), "' is not User:NAME"));
  }
  return user;
}

absl::StatusOr<PolicyType> ParsePolicyType(std::string_view name) {
  if (name.empty()) return PolicyType::kCustom;
  ASSIGN_OR_RETURN(const size_t index, FindWord(kPolicyTypes, name, "policyType"));
  return static_cast<PolicyType>(index);
}

}  // namespace broker
