#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/access/acl.h"
#include "broker/access/user.h"
#include "broker/snapshot_map.h"

namespace broker {

/// The users of a broker and what they may do, at one moment. Immutable once it is in a Catalog.
class AccessTables {
 public:
  const User* FindUser(std::string_view name) const { return users_.Find(name); }
  /// For who keeps one beyond the catalog; null when there is none.
  const std::shared_ptr<const User>* FindUserShared(std::string_view name) const { return users_.FindShared(name); }
  /// What the user of that name may do; null: nothing.
  const Acl* FindAcl(std::string_view user) const { return acls_.Find(user); }
  /// All, by name.
  std::vector<std::shared_ptr<const User>> Users() const { return users_.Sorted(); }
  std::vector<std::shared_ptr<const Acl>> Acls() const { return acls_.Sorted(); }
  size_t user_count() const { return users_.size(); }
  /// Another number after each change.
  uint64_t version() const { return version_; }

  void PutUser(User user) {
    ++version_;
    const std::string name = user.name;
    users_.Put(name, std::move(user));
  }
  /// And what it may do.
  void EraseUser(std::string_view name) {
    ++version_;
    users_.Erase(name);
    acls_.Erase(name);
  }
  void PutAcl(Acl acl) {
    ++version_;
    const std::string user = acl.user;
    acls_.Put(user, std::move(acl));
  }
  void EraseAcl(std::string_view user) {
    ++version_;
    acls_.Erase(user);
  }

 private:
  uint64_t version_ = 0;
  SnapshotMap<User> users_;
  SnapshotMap<Acl> acls_;
};

}  // namespace broker
