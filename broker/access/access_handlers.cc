#include "broker/access/access_handlers.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/access/access_tables.h"
#include "broker/access/change_access.h"
#include "broker/catalog_writer.h"
#include "broker/json_reply.h"
#include "broker/wire_status.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/signature.h"

namespace broker {
namespace {

using net::Reply;
using net::ResponseCode;

Reply BlankName() { return Reply(ResponseCode::kInvalidParameter, "The username is blank"); }

/// Far more than a person reads; what would not fit into a frame is asked for by names.
constexpr size_t kListBytesMax = size_t{8} << 20;

Reply TooMany(std::string_view what) {
  return Reply(ResponseCode::kSystemError, core::StrCat("the list has more than ", kListBytesMax, " bytes: ask for less, by ", what));
}

/// What is wrong with a user or a list is NO_PERMISSION, in RocketMQ an exception of those who judge it.
Reply ReplyOfChange(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? Reply(ResponseCode::kNoPermission, std::string(status.message())) : ReplyFromStatus(status);
}

Reply NoSubject() { return Reply(ResponseCode::kNoPermission, "The subject is not exist."); }

/// Of a UserInfo. No error repeats the text: a password is in it.
absl::StatusOr<UserChange> ReadUser(std::string_view name, const net::RequestContext& context) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok() || !document->root().is_object()) return absl::InternalError("the body is no JSON object with password, userType and userStatus");
  const net::JsonValue json = document->root();
  UserChange user;
  user.name = name;
  if (const std::string_view password = json["password"].text(); !password.empty()) user.password = password;
  if (const std::string_view type = json["userType"].text(); !type.empty()) {
    ASSIGN_OR_RETURN(user.type, ParseUserType(type));
  }
  if (const std::string_view status = json["userStatus"].text(); !status.empty()) {
    ASSIGN_OR_RETURN(user.status, ParseUserStatus(status));
  }
  return user;
}

std::optional<Reply> RefuseMakingSuper(const UserChange& user, bool may, std::string_view what) {
  if (user.type != UserType::kSuper || may) return std::nullopt;
  return Reply(ResponseCode::kSystemError, core::StrCat("The super user can only be ", what, " by super user"));
}

}  // namespace

bool AccessHandlers::BySuperUser(const net::RequestContext& context) const {
  std::string_view name;
  const AccessTables* const access = shard_.catalog().access();
  if (!shard_.config().authentication_enabled || access == nullptr || !context.frame.Find(net::kAccessKeyField, &name)) return false;
  const User* const user = access->FindUser(name);
  return user != nullptr && user->active_super();
}

bool AccessHandlers::MayTouchSuperUsers(const net::RequestContext& context) const {
  return !shard_.config().authentication_enabled || BySuperUser(context);
}

core::Task<Reply> AccessHandlers::CreateUser(net::RequestContext context, net::AuthCreateUserRequest request) {
  if (request.username.empty()) co_return BlankName();
  absl::StatusOr<UserChange> user = ReadUser(request.username, context);
  if (!user.ok()) co_return ReplyOfChange(user.status());
  if (std::optional<Reply> refusal = RefuseMakingSuper(*user, MayTouchSuperUsers(context), "create")) co_return *std::move(refusal);
  co_return ReplyOfChange(co_await shard_.catalog_writer().ChangeAccess(broker::CreateUser(*std::move(user))));
}

core::Task<Reply> AccessHandlers::UpdateUser(net::RequestContext context, net::AuthUpdateUserRequest request) {
  if (request.username.empty()) co_return BlankName();
  absl::StatusOr<UserChange> user = ReadUser(request.username, context);
  if (!user.ok()) co_return ReplyOfChange(user.status());
  const bool by_super = MayTouchSuperUsers(context);
  if (std::optional<Reply> refusal = RefuseMakingSuper(*user, by_super, "update")) co_return *std::move(refusal);
  const bool super_needed = shard_.config().authentication_enabled;
  co_return ReplyOfChange(co_await shard_.catalog_writer().ChangeAccess(broker::UpdateUser(*std::move(user), by_super, super_needed)));
}

core::Task<Reply> AccessHandlers::DeleteUser(net::RequestContext context, net::AuthDeleteUserRequest request) {
  if (request.username.empty()) co_return Reply(ResponseCode::kNoPermission, "username can not be blank");
  const bool super_needed = shard_.config().authentication_enabled;
  co_return ReplyOfChange(co_await shard_.catalog_writer().ChangeAccess(
      broker::DeleteUser(std::string(request.username), MayTouchSuperUsers(context), super_needed)));
}

core::Task<Reply> AccessHandlers::GetUser(net::RequestContext context, net::AuthGetUserRequest request) {
  if (request.username.empty()) co_return BlankName();
  const AccessTables* const access = shard_.catalog().access();
  const User* const user = access == nullptr ? nullptr : access->FindUser(request.username);
  if (user == nullptr) co_return Reply();
  net::JsonWriter json;
  user->WriteJson(json, BySuperUser(context));
  co_return JsonReply(json);
}

core::Task<Reply> AccessHandlers::ListUsers(net::RequestContext context, net::AuthListUsersRequest request) {
  const AccessTables* const access = shard_.catalog().access();
  const bool with_passwords = BySuperUser(context);
  net::JsonWriter json;
  json.BeginArray();
  bool any = false;
  for (const std::shared_ptr<const User>& user : access == nullptr ? std::vector<std::shared_ptr<const User>>() : access->Users()) {
    if (user->name.find(request.filter) == std::string::npos) continue;
    user->WriteJson(json, with_passwords);
    if (json.text().size() > kListBytesMax) co_return TooMany("filter");
    any = true;
  }
  json.EndArray();
  co_return any ? JsonReply(json) : Reply();
}

core::Task<Reply> AccessHandlers::Put(net::RequestContext context, std::string_view subject) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(context.frame.body.text());
  if (!document.ok()) co_return Reply(ResponseCode::kSystemError, std::string(document.status().message()));
  absl::StatusOr<Acl> acl = Acl::FromJson(document->root());
  if (!acl.ok()) co_return ReplyOfChange(acl.status());
  // RocketMQ takes the body's and does not look whether the header's is another, which the trail of changes would tell of.
  if (!subject.empty()) {
    const absl::StatusOr<std::string_view> user = UserOfSubject(subject);
    if (!user.ok()) co_return ReplyOfChange(user.status());
    if (!acl->user.empty() && acl->user != *user) {
      co_return Reply(ResponseCode::kInvalidParameter, core::StrCat("the header is about ", subject, ", the body about ", SubjectOf(acl->user)));
    }
    acl->user = *user;
  }
  if (acl->user.empty()) co_return Reply(ResponseCode::kNoPermission, "The subject is null.");
  co_return ReplyOfChange(co_await shard_.catalog_writer().ChangeAccess(PutAcl(*std::move(acl))));
}

core::Task<Reply> AccessHandlers::CreateAcl(net::RequestContext context, net::AuthCreateAclRequest request) {
  co_return co_await Put(context, request.subject);
}

core::Task<Reply> AccessHandlers::UpdateAcl(net::RequestContext context, net::AuthUpdateAclRequest request) {
  co_return co_await Put(context, request.subject);
}

core::Task<Reply> AccessHandlers::DeleteAcl(net::RequestContext, net::AuthDeleteAclRequest request) {
  if (request.subject.empty()) co_return Reply(ResponseCode::kNoPermission, "The subject is null.");
  const absl::StatusOr<std::string_view> user = UserOfSubject(request.subject);
  if (!user.ok()) co_return ReplyOfChange(user.status());
  const absl::StatusOr<PolicyType> type = ParsePolicyType(request.policy_type);
  if (!type.ok()) co_return ReplyOfChange(type.status());
  std::optional<Resource> resource;
  if (!request.resource.empty()) {
    absl::StatusOr<Resource> parsed = Resource::Parse(request.resource);
    if (!parsed.ok()) co_return ReplyOfChange(parsed.status());
    resource = *std::move(parsed);
  }
  co_return ReplyOfChange(co_await shard_.catalog_writer().ChangeAccess(broker::DeleteAcl(std::string(*user), *type, std::move(resource))));
}

core::Task<Reply> AccessHandlers::GetAcl(net::RequestContext, net::AuthGetAclRequest request) {
  const absl::StatusOr<std::string_view> user = UserOfSubject(request.subject);
  if (!user.ok()) co_return ReplyOfChange(user.status());
  const AccessTables* const access = shard_.catalog().access();
  if (access == nullptr || access->FindUser(*user) == nullptr) co_return NoSubject();
  const Acl* const acl = access->FindAcl(*user);
  if (acl == nullptr) co_return Reply();
  net::JsonWriter json;
  acl->WriteJson(json);
  co_return JsonReply(json);
}

core::Task<Reply> AccessHandlers::ListAcl(net::RequestContext, net::AuthListAclRequest request) {
  const AccessTables* const access = shard_.catalog().access();
  net::JsonWriter json;
  json.BeginArray();
  bool any = false;
  for (const std::shared_ptr<const Acl>& acl : access == nullptr ? std::vector<std::shared_ptr<const Acl>>() : access->Acls()) {
    if (SubjectOf(acl->user).find(request.subject_filter) == std::string::npos || !acl->Mentions(request.resource_filter)) continue;
    acl->WriteJson(json, request.resource_filter);
    if (json.text().size() > kListBytesMax) co_return TooMany("subjectFilter or resourceFilter");
    any = true;
  }
  json.EndArray();
  co_return any ? JsonReply(json) : Reply();
}

void RegisterAccessHandlers(BrokerShard& shard) {
  auto& handlers = shard.Adopt(std::make_unique<AccessHandlers>(shard));
  shard.On(handlers, &AccessHandlers::CreateUser);
  shard.On(handlers, &AccessHandlers::UpdateUser);
  shard.On(handlers, &AccessHandlers::DeleteUser);
  shard.On(handlers, &AccessHandlers::GetUser);
  shard.On(handlers, &AccessHandlers::ListUsers);
  shard.On(handlers, &AccessHandlers::CreateAcl);
  shard.On(handlers, &AccessHandlers::UpdateAcl);
  shard.On(handlers, &AccessHandlers::DeleteAcl);
  shard.On(handlers, &AccessHandlers::GetAcl);
  shard.On(handlers, &AccessHandlers::ListAcl);
}

}  // namespace broker
