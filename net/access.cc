#include "net/access.h"

#include <algorithm>
#include <utility>

#include "core/settings.h"
#include "core/strings.h"
#include "net/limits.h"
#include "net/name_rules.h"

namespace net {
namespace {

using Where = RequestResource::Where;

constexpr size_t kAuditedBodyBytes = 200;
constexpr size_t kAuditedKeyBytes = 64;
constexpr size_t kAuditedValueBytes = 24;

std::optional<std::string> WrongOf(const NameField& field, std::string_view name) {
  switch (field.kind) {
    case NameKind::kTopic:
      return WrongTopicToUse(name);
    case NameKind::kRoute:
      return WrongRouteName(name);
    case NameKind::kConsumerGroup:
    case NameKind::kGroup:
      return WrongGroupToUse(name);
    case NameKind::kLabel:
      return WrongLabel(field.field, name);
    case NameKind::kUser:
      return WrongUserName(name.substr(name.starts_with(kSubjectPrefix) ? kSubjectPrefix.size() : 0));
  }
  return "a name of no kind";
}

/// A word that is no password: a number, true or false, or a choice in capitals.
bool IsPlainValue(std::string_view value) {
  if (value == "true" || value == "false") return true;
  return value.size() <= kAuditedValueBytes &&
         std::all_of(value.begin(), value.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-'; });
}

bool IsPlainKey(std::string_view key) {
  return !key.empty() && key.size() <= kAuditedKeyBytes && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '.';
  });
}

bool MayNamePassword(std::string_view key) {
  static constexpr std::string_view kWords[] = {"pass", "secret", "credential", "key", "token", "user"};
  std::string lower(key);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// "key=value key=value", without what may be a password: somebody may have sent one along, which no server would take from here.
std::string SettingsText(std::string_view body) {
  std::string text;
  while (!body.empty() && text.size() < kAuditedBodyBytes) {
    const size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(body.size(), end + 1));
    if (line.empty()) continue;
    const size_t equals = std::min(line.find('='), line.size());
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(std::min(line.size(), equals + 1));
    text += text.empty() ? "" : " ";
    if (IsPlainKey(key)) text += core::StrCat(key, "=");
    text += IsPlainKey(key) && IsPlainValue(value) && !MayNamePassword(key) ? value : core::kNotShown;
  }
  return text;
}

ResponseCode CodeOf(NameKind kind) {
  switch (kind) {
    case NameKind::kRoute:
      return ResponseCode::kTopicNotExist;
    case NameKind::kConsumerGroup:
      return ResponseCode::kSubscriptionGroupNotExist;
    default:
      return ResponseCode::kInvalidParameter;
  }
}

}  // namespace

AccessPolicy::AccessPolicy(std::string_view server, PeerList cluster_peers, std::string_view peers_key, UserGuard* guard)
    : server_(server), cluster_peers_(std::move(cluster_peers)), peers_key_(peers_key), guard_(guard) {}

std::optional<Reply> AccessPolicy::RefusePlane(const RequestInfo& info, const core::Endpoint& peer, const Caller& caller) const {
  switch (info.plane) {
    case RequestPlane::kData:
      return std::nullopt;
    case RequestPlane::kAdmin:
      if (caller.super) return std::nullopt;
      if (!caller.user.empty()) {
        if (guard_->has_rights()) return std::nullopt;  // they are looked at next
        return Reply(ResponseCode::kNoPermission,
                     core::StrCat(info.name, " is administration, for super users only while authorizationEnabled is false, and ",
                                  Quoted(caller.user), " is none"));
      }
      if (peer.IsLoopback()) return std::nullopt;
      return Reply(ResponseCode::kNoPermission,
                   core::StrCat(info.name, " is administration, which this ", server_,
                                " answers only from its own machine; you are ", peer.Text(), ": run the tool there"));
    case RequestPlane::kCluster:
      if (caller.super || cluster_peers_.Contains(peer)) return std::nullopt;
      return Reply(ResponseCode::kNoPermission,
                   core::StrCat(info.name, " is for the brokers of the cluster, and ", peer.HostText(), " is none of ",
                                peers_key_, " of this ", server_, ": add it there and start it anew"));
  }
  return Reply(ResponseCode::kNoPermission, "a request of no plane");
}

std::optional<Reply> RefuseNames(const RequestInfo& info, const Frame& frame) {
  if (info.resource.where != Where::kHeader) return std::nullopt;
  bool any = false;
  for (const NameField& field : info.resource.names) {
    if (field.field.empty()) continue;
    std::string_view name;
    const bool there = frame.Find(field.field, &name);
    if (!there && field.required) {
      return Reply(ResponseCode::kSystemError, HeaderError{.field = field.field, .value = {}, .missing = true}.Text());
    }
    if (name.empty() && !field.required) continue;
    std::optional<std::string> wrong = LookAtNames(field, name, [&field](std::string_view one) { return WrongOf(field, one); });
    if (wrong.has_value()) return Reply(CodeOf(field.kind), *std::move(wrong));
    any = true;
  }
  if (info.resource.any_will_do && !any) {
    return Reply(ResponseCode::kNoPermission, core::StrCat(info.name, " names neither ", info.resource.names[0].field,
                                                           " nor ", info.resource.names[1].field));
  }
  return std::nullopt;
}

std::optional<Reply> AccessPolicy::Refuse(const RequestInfo* info, const core::Endpoint& peer, const Frame& frame,
                                          bool whole) const {
  if (info == nullptr || info->resource.where == Where::kNoRule) {
    return Reply(ResponseCode::kNoPermission,
                 core::StrCat("nobody has said who may ask this ", server_, " for ",
                              info == nullptr ? core::StrCat(frame.code) : std::string(info->name)));
  }
  Caller caller;
  if (guard_ != nullptr) {
    if (std::optional<Reply> refusal = guard_->Identify(*info, frame, whole, &caller)) return refusal;
  }
  if (std::optional<Reply> refusal = RefusePlane(*info, peer, caller)) return refusal;
  if (!info->resource.by_lookup) {
    if (std::optional<Reply> refusal = RefuseNames(*info, frame)) return refusal;
  }
  if (guard_ == nullptr || caller.super || !guard_->has_rights()) return std::nullopt;
  return guard_->RefuseResources(*info, peer, frame, caller);
}

std::optional<Reply> AccessPolicy::RefuseTopic(const RequestInfo& info, const core::Endpoint& peer, std::string_view user,
                                               std::string_view topic, std::string_view group) const {
  return guard_ == nullptr || !guard_->has_rights() ? std::nullopt : guard_->RefuseTopic(info, peer, user, topic, group);
}

std::optional<Reply> RefuseBody(const RequestInfo& info, size_t body_bytes, size_t message_bytes_max) {
  if (body_bytes <= kSmallFrame) return std::nullopt;
  switch (info.body) {
    case BodySize::kFrame:
      return std::nullopt;
    case BodySize::kMessage:
      if (body_bytes <= message_bytes_max) return std::nullopt;
      return Reply(ResponseCode::kMessageIllegal, core::StrCat("the message body has ", body_bytes,
                                                               " bytes, more than maxMessageSize ", message_bytes_max));
    case BodySize::kSmall:
    case BodySize::kLists:
      break;
  }
  const size_t most = info.body == BodySize::kLists ? kListsBytesMax : kSmallFrame;
  if (body_bytes <= most) return std::nullopt;
  return Reply(ResponseCode::kInvalidParameter,
               core::StrCat(info.name, " with a body of ", body_bytes, " bytes; it may have ", most));
}

std::string ResourceText(const RequestInfo& info, const Frame& frame) {
  if (info.resource.where == Where::kServer && !frame.body.empty()) return SettingsText(frame.body.text());
  if (info.resource.where == Where::kBody) return core::StrCat("body ", Quoted(frame.body.text(), kAuditedBodyBytes));
  std::string text;
  for (const NameField& field : info.resource.names) {
    std::string_view name;
    if (field.field.empty() || !frame.Find(field.field, &name)) continue;
    text += core::StrCat(text.empty() ? "" : " ", field.field, "=", Quoted(name));
  }
  return text.empty() ? "the server" : text;
}

}  // namespace net
