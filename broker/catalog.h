#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/data_version.h"
#include "broker/group_config.h"
#include "broker/lmq.h"
#include "broker/snapshot_map.h"
#include "broker/topic_config.h"

namespace broker {

class AccessTables;  // broker/access/access_tables.h

/// How much is in a catalog.
struct CatalogCounts {
  int64_t topics = 0;           // without the internal ones
  int64_t internal_topics = 0;  // %RETRY% and %DLQ%
  int64_t queues = 0;           // of all topics
  int64_t groups = 0;
};

/// The topics and subscription groups of the broker at one moment, and its users. Immutable once published; the same object on every shard.
class Catalog {
 public:
  /// Null when there is none. Valid as long as the catalog. Light queues (broker/lmq.h), and groups that are named like them, are there if they are
  /// enabled, all with the same configuration, whose name is %LMQ% alone.
  const TopicConfig* FindTopic(std::string_view name) const {
    if (lmq_ != nullptr && IsLmq(name)) [[unlikely]]
      return net::WrongTopicToUse(name).has_value() ? nullptr : &lmq_->topic;
    return topics_.Find(name);
  }
  const GroupConfig* FindGroup(std::string_view name) const {
    if (lmq_ != nullptr && IsLmq(name)) [[unlikely]]
      return net::WrongGroupToUse(name).has_value() ? nullptr : &lmq_->group;
    return groups_.Find(name);
  }
  /// Whether the group is there because light queues are enabled: of such there may be any number, so nothing is made for one.
  bool IsLmqGroup(std::string_view name) const { return lmq_ != nullptr && IsLmq(name); }
  /// Of those that were made.
  const TopicConfig* FindMadeTopic(std::string_view name) const { return topics_.Find(name); }
  const GroupConfig* FindMadeGroup(std::string_view name) const { return groups_.Find(name); }
  /// For who keeps a topic beyond the catalog; null when there is none.
  const std::shared_ptr<const TopicConfig>* FindTopicShared(std::string_view name) const { return topics_.FindShared(name); }
  /// All, by name.
  std::vector<std::shared_ptr<const TopicConfig>> Topics() const { return topics_.Sorted(); }
  std::vector<std::shared_ptr<const GroupConfig>> Groups() const { return groups_.Sorted(); }
  const DataVersion& topics_version() const { return topics_version_; }
  const DataVersion& groups_version() const { return groups_version_; }
  const CatalogCounts& counts() const { return counts_; }
  /// Null where there are no users.
  const AccessTables* access() const { return access_.get(); }

  /// How CatalogWriter makes the next one from this one.
  void EnableLmqs();
  void PutTopic(TopicConfig config) {
    const std::string name = config.name;
    Count(FindMadeTopic(name), -1);
    Count(&config, 1);
    topics_.Put(name, std::move(config));
  }
  void EraseTopic(std::string_view name) {
    Count(FindMadeTopic(name), -1);
    topics_.Erase(name);
  }
  void PutGroup(GroupConfig config) {
    const std::string name = config.name;
    groups_.Put(name, std::move(config));
    counts_.groups = static_cast<int64_t>(groups_.size());
  }
  void EraseGroup(std::string_view name) {
    groups_.Erase(name);
    counts_.groups = static_cast<int64_t>(groups_.size());
  }
  void set_topics_version(DataVersion version) { topics_version_ = version; }
  void set_groups_version(DataVersion version) { groups_version_ = version; }
  void set_access(std::shared_ptr<const AccessTables> access) { access_ = std::move(access); }

 private:
  void Count(const TopicConfig* topic, int64_t direction) {
    if (topic == nullptr) return;
    (IsInternalTopic(topic->name) ? counts_.internal_topics : counts_.topics) += direction;
    counts_.queues += direction * topic->queues();
  }

  struct LmqConfigs {
    TopicConfig topic;
    GroupConfig group;
  };

  CatalogCounts counts_;
  std::shared_ptr<const LmqConfigs> lmq_;
  SnapshotMap<TopicConfig> topics_;
  SnapshotMap<GroupConfig> groups_;
  DataVersion topics_version_;
  DataVersion groups_version_;
  std::shared_ptr<const AccessTables> access_;
};

inline void Catalog::EnableLmqs() {
  auto configs = std::make_shared<LmqConfigs>();
  configs->topic.name = net::kLmqPrefix;
  configs->topic.read_queues = 1;
  configs->topic.write_queues = 1;
  configs->group.name = net::kLmqPrefix;
  lmq_ = std::move(configs);
}

/// One shard's view of the catalog. The writer replaces it; whatever was found in it is valid until the next co_await: look it up
/// again after one, or hold Share().
class CatalogView {
 public:
  CatalogView() : current_(std::make_shared<const Catalog>()) {}
  const Catalog& operator*() const { return *current_; }
  const Catalog* operator->() const { return current_.get(); }
  /// Keeps this moment's catalog; touches a count that all shards share, so not once a message.
  std::shared_ptr<const Catalog> Share() const { return current_; }
  /// For the writer, on this shard.
  void Install(std::shared_ptr<const Catalog> catalog) {
    current_ = std::move(catalog);
    ++version_;
  }
  /// Another number after each change of what is found here.
  uint64_t version() const { return version_; }

 private:
  uint64_t version_ = 1;
  std::shared_ptr<const Catalog> current_;
};

}  // namespace broker
