#include "broker/access/access_control.h"

#include <utility>
#include <vector>

#include "broker/access/access_settings.h"
#include "broker/access/body_names.h"
#include "broker/system_topics.h"
#include "core/assert.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::Quoted;
using net::Reply;
using net::RequestAction;
using net::ResponseCode;
using Where = net::RequestResource::Where;

/// Signers at hand; beyond, all are made anew.
constexpr size_t kKnownMax = 1'000;

Reply NoPermission(std::string remark) { return Reply(ResponseCode::kNoPermission, std::move(remark)); }

absl::flat_hash_set<int32_t> CodesOf(std::string_view key, std::string_view list) {
  absl::StatusOr<absl::flat_hash_set<int32_t>> codes = ParseCodes(key, list);
  CORE_ASSERT(codes.ok());
  return *std::move(codes);
}

std::string ActionsText(RequestAction actions) {
  static constexpr std::pair<RequestAction, std::string_view> kNames[] = {
      {RequestAction::kPub, "Pub"},       {RequestAction::kSub, "Sub"},       {RequestAction::kCreate, "Create"}, {RequestAction::kUpdate, "Update"},
      {RequestAction::kDelete, "Delete"}, {RequestAction::kGet, "Get"},       {RequestAction::kList, "List"}};
  std::string text;
  for (const auto& [action, name] : kNames) {
    if (net::Overlap(action, actions)) text += core::StrCat(text.empty() ? "" : " or ", name);
  }
  return text;
}

/// Calls `look(group)` for each group of which the retry topic without its prefix, `rest`, can be: the group's own, or that of its pops of some topic ("group_topic"). Names may have
/// the same mark in them, so there may be several. Source: RocketMQ 5.3.3 KeyBuilder.
template <typename Look>
void ForEachGroupOfRetry(std::string_view rest, const Catalog& catalog, Look look) {
  if (catalog.FindMadeGroup(rest) != nullptr) look(rest);
  for (size_t at = rest.find('_'); at != std::string_view::npos; at = rest.find('_', at + 1)) {
    if (catalog.FindMadeGroup(rest.substr(0, at)) != nullptr && catalog.FindMadeTopic(rest.substr(at + 1)) != nullptr) look(rest.substr(0, at));
  }
}

}  // namespace

std::unique_ptr<AccessControl> AccessControl::Make(const BrokerConfig& config, const CatalogView& catalog) {
  if (!config.authentication_enabled) return nullptr;
  return std::unique_ptr<AccessControl>(new AccessControl(config, catalog));
}

AccessControl::AccessControl(const BrokerConfig& config, const CatalogView& catalog)
    : catalog_(catalog),
      cluster_(config.broker_cluster_name),
      reply_topic_(ReplyTopicOf(cluster_)),
      authorizes_(config.authorization_enabled),
      unsigned_codes_(CodesOf("authenticationWhitelist", config.authentication_whitelist)),
      unjudged_codes_(CodesOf("authorizationWhitelist", config.authorization_whitelist)) {}

const net::Signer& AccessControl::SignerOf(const std::shared_ptr<const User>& user) {
  const auto found = known_.find(user->name);
  if (found != known_.end() && found->second.user == user) return found->second.signer;
  if (known_.size() >= kKnownMax) known_.clear();
  return known_.insert_or_assign(user->name, Known{user, net::Signer(user->password)}).first->second.signer;
}

std::optional<Reply> AccessControl::Identify(const net::RequestInfo& info, const net::Frame& frame, bool whole, net::Caller* caller) {
  std::string_view name;
  if (!frame.Find(net::kAccessKeyField, &name) || name.empty()) {
    if (unsigned_codes_.contains(static_cast<int32_t>(info.code))) return std::nullopt;
    ++counters_.unidentified;
    return NoPermission(core::StrCat(info.name, " without AccessKey: this broker takes signed requests only (authenticationEnabled); give the client a user's name and "
                                                "password, in Java by new AclClientRPCHook(new SessionCredentials(name, password))"));
  }
  caller->user = name;
  // Until its signature can be judged a request goes on whoever is named: what was refused earlier would tell strangers who there is, and may do what.
  caller->super = !whole;
  if (!whole) return std::nullopt;
  const AccessTables* const access = catalog_->access();
  const std::shared_ptr<const User>* const user = access == nullptr ? nullptr : access->FindUserShared(name);
  // Whether there is such a user must not show in how long it takes either.
  const bool fits = (user == nullptr ? nobodys_ : SignerOf(*user)).Fits(frame);
  if (user == nullptr || !fits) {
    ++counters_.unidentified;
    return NoPermission(core::StrCat("check signature failed: there is no User:", Quoted(name), ", or its password is another"));
  }
  if ((*user)->status == UserStatus::kDisable) {
    ++counters_.unidentified;
    return NoPermission(core::StrCat("User:", Quoted(name), " is disabled"));
  }
  caller->super = (*user)->type == UserType::kSuper;
  return std::nullopt;
}

std::optional<Reply> AccessControl::RefuseNamed(const Asking& asking, ResourceType type, std::string_view name, RequestAction actions) {
  const AccessTables* const access = catalog_->access();
  const Acl* const acl = access == nullptr || asking.user.empty() ? nullptr : access->FindAcl(asking.user);
  const std::optional<Decision> decision = acl == nullptr ? std::nullopt : acl->Decide(type, name, actions, asking.peer);
  if (decision == Decision::kAllow) return std::nullopt;
  ++counters_.denied;
  const std::string who = asking.user.empty() ? std::string("nobody, without a signature,") : core::StrCat("User:", Quoted(asking.user));
  return NoPermission(core::StrCat(who, " has no permission to access ", ResourceTypeName(type), ":", Quoted(name), " from ", asking.peer.HostText(), ": ",
                                   decision == Decision::kDeny ? "the decision is deny" : "no matched policies", "; ", asking.info.name, " needs ",
                                   ActionsText(actions)));
}

std::optional<Reply> AccessControl::RefuseCluster(const Asking& asking) {
  return RefuseNamed(asking, ResourceType::kCluster, cluster_, asking.info.actions);
}

std::optional<Reply> AccessControl::RefuseRetryTopic(const Asking& asking, std::string_view rest, std::string_view group) {
  // Who consumes a group's messages also sends them back to it.
  const RequestAction actions = asking.info.actions == RequestAction::kPub ? RequestAction::kSub : asking.info.actions;
  std::optional<Reply> refusal;
  // Its own, whosever else it is: names that make the same retry topic share it.
  if (rest == group) return refusal;
  bool any = false;
  ForEachGroupOfRetry(rest, *catalog_, [&](std::string_view owner) {
    any = true;
    if (owner != group && !refusal.has_value()) refusal = RefuseNamed(asking, ResourceType::kGroup, owner, actions);
  });
  // Of a group that is not there yet, which its first member makes, or not any more.
  if (!any) refusal = RefuseNamed(asking, ResourceType::kGroup, rest, actions);
  return refusal;
}

std::optional<Reply> AccessControl::RefuseTopicOf(const Asking& asking, std::string_view topic, std::string_view group) {
  if (!IsRetryTopic(topic)) return RefuseNamed(asking, ResourceType::kTopic, topic, asking.info.actions);
  return RefuseRetryTopic(asking, topic.substr(kRetryTopicPrefix.size()), group);
}

std::optional<Reply> AccessControl::RefuseHeader(const Asking& asking, const net::Frame& frame) {
  bool any = false;
  std::string_view group;
  for (const net::NameField& field : asking.info.resource.names) {
    std::string_view name;
    if (field.field.empty() || !frame.Find(field.field, &name) || name.empty()) continue;
    if (field.kind != net::NameKind::kConsumerGroup && field.kind != net::NameKind::kGroup) continue;
    any = true;
    if (group.empty()) group = name;
    std::optional<Reply> refusal =
        net::LookAtNames(field, name, [&](std::string_view one) { return RefuseNamed(asking, ResourceType::kGroup, one, asking.info.actions); });
    if (refusal.has_value()) return refusal;
  }
  for (const net::NameField& field : asking.info.resource.names) {
    std::string_view name;
    if (field.field.empty() || !frame.Find(field.field, &name) || name.empty()) continue;
    if (field.kind != net::NameKind::kTopic && field.kind != net::NameKind::kRoute) continue;
    if (asking.info.resource.for_replies && name == reply_topic_) return std::nullopt;
    any = true;
    std::optional<Reply> refusal = net::LookAtNames(field, name, [&](std::string_view one) { return RefuseTopicOf(asking, one, group); });
    if (refusal.has_value()) return refusal;
  }
  // A producer that says goodbye names a group that is nobody's.
  if (any || asking.info.resource.by_message || asking.info.resource.any_will_do) return std::nullopt;
  return RefuseCluster(asking);
}

std::optional<Reply> AccessControl::RefuseResources(const net::RequestInfo& info, const core::Endpoint& peer, const net::Frame& frame,
                                                    const net::Caller& caller) {
  if (unjudged_codes_.contains(static_cast<int32_t>(info.code))) return std::nullopt;
  const Asking asking{info, peer, caller.user};
  switch (info.resource.where) {
    case Where::kNoRule:
      return NoPermission(core::StrCat("nobody has said who may ask for ", info.name));
    case Where::kServer:
      return RefuseCluster(asking);
    case Where::kHeader:
      return RefuseHeader(asking, frame);
    case Where::kBody:
      break;
  }
  const absl::StatusOr<std::vector<NamedResource>> names = BodyNames(info, frame);
  if (!names.ok()) return Reply(ResponseCode::kSystemError, std::string(names.status().message()));
  for (const NamedResource& named : *names) {
    std::optional<Reply> refusal = named.type == ResourceType::kTopic ? RefuseTopicOf(asking, named.name, named.group)
                                                                      : RefuseNamed(asking, named.type, named.name, info.actions);
    if (refusal.has_value()) return refusal;
  }
  return std::nullopt;
}

std::optional<Reply> AccessControl::RefuseTopic(const net::RequestInfo& info, const core::Endpoint& peer, std::string_view user, std::string_view topic,
                                                std::string_view group) {
  if (unjudged_codes_.contains(static_cast<int32_t>(info.code))) return std::nullopt;
  const AccessTables* const access = catalog_->access();
  const User* const known = access == nullptr ? nullptr : access->FindUser(user);
  if (known != nullptr && known->active_super()) return std::nullopt;
  const bool may = known != nullptr && known->status == UserStatus::kEnable && !RefuseTopicOf({info, peer, user}, topic, group).has_value();
  if (may) return std::nullopt;
  // Who tries offsets must not learn from the answers what topics there are.
  return NoPermission(core::StrCat("no permission for the topic of that message: ", info.name, " needs ", ActionsText(info.actions)));
}

}  // namespace broker
