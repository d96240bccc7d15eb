#include "broker/catalog_draft.h"

#include <memory>
#include <optional>
#include <utility>

namespace broker {
namespace {

/// A copy of `tables` with one change made; who reads the old ones keeps them.
template <typename Change>
std::shared_ptr<AccessTables> Changed(const AccessTables& tables, Change change) {
  auto after = std::make_shared<AccessTables>(tables);
  change(*after);
  return after;
}

}  // namespace

void CatalogDraft::PutTopic(TopicConfig config) {
  const TopicConfig* present = catalog_.FindMadeTopic(config.name);
  if (present != nullptr && *present == config) return;
  topics_.insert_or_assign(config.name, true);
  catalog_.PutTopic(std::move(config));
}

void CatalogDraft::EraseTopic(std::string_view name) {
  if (catalog_.FindMadeTopic(name) == nullptr) return;
  topics_.insert_or_assign(std::string(name), false);
  catalog_.EraseTopic(name);
}

void CatalogDraft::PutGroup(GroupConfig config) {
  const GroupConfig* present = catalog_.FindMadeGroup(config.name);
  if (present != nullptr && *present == config) return;
  groups_.insert_or_assign(config.name, true);
  catalog_.PutGroup(std::move(config));
}

void CatalogDraft::EraseGroup(std::string_view name) {
  if (catalog_.FindMadeGroup(name) == nullptr) return;
  groups_.insert_or_assign(std::string(name), false);
  catalog_.EraseGroup(name);
}

const AccessTables& CatalogDraft::access() const {
  static const AccessTables kNobody;
  return catalog_.access() == nullptr ? kNobody : *catalog_.access();
}

void CatalogDraft::PutUser(User user) {
  if (const User* present = access().FindUser(user.name); present != nullptr && *present == user) return;
  users_.insert_or_assign(user.name, true);
  catalog_.set_access(Changed(access(), [&](AccessTables& after) { after.PutUser(std::move(user)); }));
}

void CatalogDraft::EraseUser(std::string_view name) {
  if (access().FindUser(name) == nullptr) return;
  users_.insert_or_assign(std::string(name), false);
  if (access().FindAcl(name) != nullptr) acls_.insert_or_assign(std::string(name), false);
  catalog_.set_access(Changed(access(), [&](AccessTables& after) { after.EraseUser(name); }));
}

void CatalogDraft::PutAcl(Acl acl) {
  acls_.insert_or_assign(acl.user, true);
  catalog_.set_access(Changed(access(), [&](AccessTables& after) { after.PutAcl(std::move(acl)); }));
}

void CatalogDraft::EraseAcl(std::string_view user) {
  if (access().FindAcl(user) == nullptr) return;
  acls_.insert_or_assign(std::string(user), false);
  catalog_.set_access(Changed(access(), [&](AccessTables& after) { after.EraseAcl(user); }));
}

std::vector<store::MetaChange> CatalogDraft::Finish() {
  std::vector<store::MetaChange> changes;
  for (const auto& [name, there] : topics_) {
    std::optional<std::string> json;
    if (there) json = catalog_.FindMadeTopic(name)->ToJson();
    changes.push_back({store::MetaTable::kTopics, name, std::move(json)});
    // With the configuration, so that no crash in between leaves messages for a later topic of this name.
    if (!there) changes.push_back({store::MetaTable::kDeletedTopics, name, std::string()});
  }
  for (const auto& [name, there] : groups_) {
    std::optional<std::string> json;
    if (there) json = catalog_.FindMadeGroup(name)->ToJson();
    changes.push_back({store::MetaTable::kGroups, name, std::move(json)});
  }
  for (const auto& [name, there] : users_) {
    std::optional<std::string> json;
    if (there) json = access().FindUser(name)->ToJson();
    changes.push_back({store::MetaTable::kUsers, name, std::move(json)});
  }
  for (const auto& [user, there] : acls_) {
    std::optional<std::string> json;
    if (there) json = access().FindAcl(user)->ToJson();
    changes.push_back({store::MetaTable::kAcls, user, std::move(json)});
  }
  if (!topics_.empty()) {
    DataVersion version = catalog_.topics_version();
    version.Next(now_);
    catalog_.set_topics_version(version);
    changes.push_back({store::MetaTable::kDataVersions, "topics", version.ToJson()});
  }
  if (!groups_.empty()) {
    DataVersion version = catalog_.groups_version();
    version.Next(now_);
    catalog_.set_groups_version(version);
    changes.push_back({store::MetaTable::kDataVersions, "groups", version.ToJson()});
  }
  return changes;
}

std::vector<std::shared_ptr<const TopicConfig>> CatalogDraft::ChangedTopics() const {
  std::vector<std::shared_ptr<const TopicConfig>> changed;
  for (const auto& [name, there] : topics_) {
    if (there) changed.push_back(*catalog_.FindTopicShared(name));
  }
  return changed;
}

}  // namespace broker
