#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/access/access_tables.h"
#include "broker/catalog.h"
#include "store/meta_store.h"

namespace broker {

/// The next catalog while changes are put into it: the base with the changes so far, and what must be made durable and told to others.
/// A change first checks everything, then changes, so that one that fails leaves no trace.
class CatalogDraft {
 public:
  CatalogDraft(const Catalog& base, core::WallMillis now) : catalog_(base), now_(now) {}

  const Catalog& catalog() const { return catalog_; }
  /// Does nothing when that is how it is.
  void PutTopic(TopicConfig config);
  void EraseTopic(std::string_view name);
  void PutGroup(GroupConfig config);
  void EraseGroup(std::string_view name);
  /// The users so far.
  const AccessTables& access() const;
  void PutUser(User user);
  /// And what it may do.
  void EraseUser(std::string_view name);
  void PutAcl(Acl acl);
  void EraseAcl(std::string_view user);

  bool changed() const { return !topics_.empty() || !groups_.empty() || !users_.empty() || !acls_.empty(); }
  /// Advances the versions of what has changed and returns all that must be stored.
  std::vector<store::MetaChange> Finish();
  /// After Finish: the new catalog.
  std::shared_ptr<const Catalog> Take() { return std::make_shared<const Catalog>(std::move(catalog_)); }
  /// Topics that are new or different, by name.
  std::vector<std::shared_ptr<const TopicConfig>> ChangedTopics() const;

 private:
  Catalog catalog_;
  const core::WallMillis now_;
  std::map<std::string, bool, std::less<>> topics_;  // name: is it still there
  std::map<std::string, bool, std::less<>> groups_;
  std::map<std::string, bool, std::less<>> users_;
  std::map<std::string, bool, std::less<>> acls_;
};

}  // namespace broker
