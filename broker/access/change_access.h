#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "broker/access/acl.h"
#include "broker/access/user.h"
#include "broker/catalog.h"
#include "broker/catalog_draft.h"
#include "broker/config.h"
#include "store/meta_store.h"

namespace broker {

// Changes of users and access control lists, each for CatalogWriter::ChangeAccess: all or nothing. Errors are kPermissionDenied (NO_PERMISSION, RocketMQ's code
// for all of these), with the remark. Source: RocketMQ 5.3.3 AuthenticationMetadataManagerImpl, AuthorizationMetadataManagerImpl.

using AccessChange = std::function<absl::Status(CatalogDraft&)>;

inline constexpr size_t kUsersMax = 10'000;
inline constexpr size_t kAclEntriesMax = 1'000;               // of one user
inline constexpr size_t kAclBytesMax = size_t{256} << 10;     // the same, as JSON

/// What is to become of a user; what is not there stays.
struct UserChange {
  std::string name;
  std::optional<std::string> password;
  std::optional<UserType> type;
  std::optional<UserStatus> status;
};

/// The last super user who is not disabled must stay one where `needed`: nobody could make another.
AccessChange CreateUser(UserChange user);
AccessChange UpdateUser(UserChange user, bool by_super, bool super_needed);
/// A user that is not there is deleted already.
AccessChange DeleteUser(std::string name, bool by_super, bool super_needed);
/// Puts the entries beside those that are there, or in the places of those of the same resources: creating and updating are the same.
AccessChange PutAcl(Acl acl);
/// Without `resource` all of the user's.
AccessChange DeleteAcl(std::string user, PolicyType type, std::optional<Resource> resource);

/// Puts what is stored into `catalog`. kDataLoss names a row that can't be read.
absl::Status LoadAccess(const store::MetaStore& meta, Catalog& catalog);

/// The users whom `config` names (initAuthenticationUser, innerClientAuthenticationCredentials): super users, made at the start unless they are there. It has passed
/// CheckBrokerConfig.
AccessChange MakeConfiguredUsers(const BrokerConfig& config);

}  // namespace broker
