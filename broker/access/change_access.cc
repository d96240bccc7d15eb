#include "broker/access/change_access.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/access/access_settings.h"
#include "core/log.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

absl::Status Refused(std::string_view why) { return absl::PermissionDeniedError(core::ToAbsl(why)); }

absl::Status CheckPassword(std::string_view password) {
  if (password.empty()) return Refused("password can not be blank");
  if (password.size() > kPasswordBytesMax) return Refused(core::StrCat("a password has at most ", kPasswordBytesMax, " bytes"));
  return absl::OkStatus();
}

absl::Status CheckName(std::string_view name) {
  if (const std::optional<std::string> wrong = net::WrongUserName(name); wrong.has_value()) return Refused(*wrong);
  return absl::OkStatus();
}

/// Whether somebody could still administer without `user`.
bool HasOtherSuper(const AccessTables& access, std::string_view user) {
  const std::vector<std::shared_ptr<const User>> users = access.Users();
  return std::any_of(users.begin(), users.end(), [&](const auto& one) { return one->active_super() && one->name != user; });
}

absl::Status CheckSuperStays(const AccessTables& access, const User& before) {
  if (!before.active_super() || HasOtherSuper(access, before.name)) return absl::OkStatus();
  return Refused(core::StrCat("User:", before.name, " is the only super user: without it nobody could administer this broker; make another first"));
}

absl::Status CheckAsker(const User& before, bool by_super) {
  return before.type == UserType::kSuper && !by_super ? Refused("The super user can only be update by super user") : absl::OkStatus();
}

}  // namespace

AccessChange CreateUser(UserChange change) {
  return [change = std::move(change)](CatalogDraft& draft) -> absl::Status {
    RETURN_IF_ERROR(CheckName(change.name));
    RETURN_IF_ERROR(CheckPassword(change.password.value_or("")));
    if (draft.access().FindUser(change.name) != nullptr) return Refused("The user is existed");
    if (draft.access().user_count() >= kUsersMax) return Refused(core::StrCat("there are ", kUsersMax, " users, as many as there may be"));
    draft.PutUser({.name = change.name,
                   .password = *change.password,
                   .type = change.type.value_or(UserType::kNormal),
                   .status = change.status.value_or(UserStatus::kEnable)});
    return absl::OkStatus();
  };
}

AccessChange UpdateUser(UserChange change, bool by_super, bool super_needed) {
  return [change = std::move(change), by_super, super_needed](CatalogDraft& draft) -> absl::Status {
    const User* const before = draft.access().FindUser(change.name);
    if (before == nullptr) return Refused("The user is not exist");
    RETURN_IF_ERROR(CheckAsker(*before, by_super));
    User after = *before;
    if (change.password.has_value()) {
      RETURN_IF_ERROR(CheckPassword(*change.password));
      after.password = *change.password;
    }
    after.type = change.type.value_or(before->type);
    after.status = change.status.value_or(before->status);
    if (super_needed && !after.active_super()) RETURN_IF_ERROR(CheckSuperStays(draft.access(), *before));
    draft.PutUser(std::move(after));
    return absl::OkStatus();
  };
}

AccessChange DeleteUser(std::string name, bool by_super, bool super_needed) {
  return [name = std::move(name), by_super, super_needed](CatalogDraft& draft) -> absl::Status {
    const User* const before = draft.access().FindUser(name);
    if (before == nullptr) return absl::OkStatus();
    RETURN_IF_ERROR(CheckAsker(*before, by_super));
    if (super_needed) RETURN_IF_ERROR(CheckSuperStays(draft.access(), *before));
    draft.EraseUser(name);
    return absl::OkStatus();
  };
}

AccessChange PutAcl(Acl acl) {
  return [acl = std::move(acl)](CatalogDraft& draft) -> absl::Status {
    if (draft.access().FindUser(acl.user) == nullptr) return Refused(core::StrCat("The subject of ", SubjectOf(acl.user), " is not exist."));
    const Acl* const before = draft.access().FindAcl(acl.user);
    Acl after = before != nullptr ? *before : Acl{.user = acl.user, .policies = {}};
    after.Update(acl);
    if (after.entries() > kAclEntriesMax) {
      return Refused(core::StrCat(SubjectOf(acl.user), " would have ", after.entries(), " entries; at most ", kAclEntriesMax, " are looked through"));
    }
    if (const size_t bytes = after.ToJson().size(); bytes > kAclBytesMax) {
      return Refused(core::StrCat(SubjectOf(acl.user), " would have a list of ", bytes, " bytes; at most ", kAclBytesMax, " are kept"));
    }
    draft.PutAcl(std::move(after));
    return absl::OkStatus();
  };
}

AccessChange DeleteAcl(std::string user, PolicyType type, std::optional<Resource> resource) {
  return [user = std::move(user), type, resource = std::move(resource)](CatalogDraft& draft) -> absl::Status {
    if (draft.access().FindUser(user) == nullptr) return Refused("The subject is not exist.");
    const Acl* const before = draft.access().FindAcl(user);
    if (before == nullptr) return Refused("The acl is not exist.");
    Acl after = *before;
    if (resource.has_value()) after.Erase(type, *resource);
    if (!resource.has_value() || after.policies.empty()) {
      draft.EraseAcl(user);
    } else {
      draft.PutAcl(std::move(after));
    }
    return absl::OkStatus();
  };
}

absl::Status LoadAccess(const store::MetaStore& meta, Catalog& catalog) {
  auto access = std::make_shared<AccessTables>();
  for (const auto& [name, json] : meta.All(store::MetaTable::kUsers)) {
    absl::StatusOr<User> user = User::FromJson(json);
    if (!user.ok()) return absl::DataLossError(core::StrCat("stored user ", name, ": ", user.status().message()));
    access->PutUser(*std::move(user));
  }
  for (const auto& [name, json] : meta.All(store::MetaTable::kAcls)) {
    absl::StatusOr<Acl> acl = Acl::FromJson(json);
    if (!acl.ok()) return absl::DataLossError(core::StrCat("stored access control list of ", name, ": ", acl.status().message()));
    access->PutAcl(*std::move(acl));
  }
  if (access->user_count() > 0) catalog.set_access(std::move(access));
  return absl::OkStatus();
}

AccessChange MakeConfiguredUsers(const BrokerConfig& config) {
  std::vector<User> users;
  for (const absl::StatusOr<std::optional<User>>& user : {InitialUser(config), InnerClientUser(config)}) {
    if (user.ok() && user->has_value()) users.push_back(**user);
  }
  const bool needed = config.authentication_enabled;
  return [users = std::move(users), needed](CatalogDraft& draft) -> absl::Status {
    for (const User& user : users) {
      const User* const present = draft.access().FindUser(user.name);
      if (present == nullptr) {
        draft.PutUser(user);
      } else if (present->password != user.password) {
        core::LogWarning("User:", user.name, " has another password by now than the configuration says: the one that was set later counts");
      }
    }
    if (!needed || HasOtherSuper(draft.access(), {})) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "authenticationEnabled=true, but there is no super user, so nobody could administer this broker: "
        "set initAuthenticationUser={\"username\":\"...\",\"password\":\"...\"}");
  };
}

}  // namespace broker
