#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/catalog.h"
#include "broker/creation_limits.h"
#include "core/scope.h"
#include "core/sharded.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/meta_store.h"

namespace broker {

class CatalogDraft;

struct CatalogOptions {
  std::string cluster_name = "DefaultCluster";
  std::string broker_name = "broker-a";
  bool lmq = false;  // light queues are there (broker/lmq.h)
  bool auto_create_topic = true;
  bool auto_create_group = true;
  int32_t default_topic_queues = 8;
  int32_t logs = 1;  // of the data folder: the topic of waiting messages has a queue in each
  bool cluster_topic_enable = true;
  bool broker_topic_enable = true;
  bool trace_topic_enable = false;
  std::string trace_topic = "RMQ_SYS_TRACE_TOPIC";
  CreationLimits limits;
};

/// A send to a topic that this broker does not know. Source: RocketMQ 5.3.3 AbstractSendMessageProcessor.msgCheck.
struct AutoCreate {
  std::string topic;
  std::string default_topic;  // the template that the client names, usually TBW102
  int32_t queues = 4;         // what the client wants; at most the template's
  bool unit_mode = false;
};

/// The only writer of topics, groups and users, on shard 0. Every change is on stable storage, installed on every shard and told to the
/// nameservers before the call returns, so that the first send on another shard and the first route query see it. Changes that
/// arrive together share one flush, one snapshot and one registration.
///
/// EnsureX, PutX and DeleteX may be called on any shard; they travel to shard 0 by themselves.
///
/// Errors: kInvalidArgument (INVALID_PARAMETER), kNotFound (TOPIC_NOT_EXIST, SUBSCRIPTION_GROUP_NOT_EXIST), kUnavailable (the
/// metadata log takes no more, or the broker is stopping: SERVICE_NOT_AVAILABLE), kResourceExhausted (a limit of creation_limits.h; to a send
/// TOPIC_NOT_EXIST, so that it goes to another broker). The message is the remark.
class CatalogWriter {
 public:
  /// Topics whose configuration has changed or that are new; deleted ones are not named. Runs on shard 0, one call at a time, and returns when
  /// every nameserver that can be reached has been told.
  using Announcer =
      std::function<core::Task<void>(std::vector<std::shared_ptr<const TopicConfig>> changed, DataVersion version)>;

  /// On shard 0. `views`, one a shard, outlive the writer.
  CatalogWriter(CatalogOptions options, const core::Sharded<CatalogView>& views);
  ~CatalogWriter();

  /// Reads what is stored, adds the system topics and groups that are missing, installs the first catalog on every shard. On shard 0,
  /// whose metadata `meta` is; it must stay until Stop has returned. kDataLoss names a row that can't be read.
  core::Task<absl::Status> Start(store::MetaStore& meta);
  /// From now on changes are told. Until then nothing is registered, so nothing need be.
  void SetAnnouncer(Announcer announcer) { announcer_ = std::move(announcer); }
  /// Refuses new changes and finishes those under way. On shard 0.
  core::Task<void> Stop();

  /// The topic as it is, or made from its template (a %RETRY% topic: from its group). kNotFound: no template that may be inherited.
  core::Task<absl::StatusOr<TopicConfig>> EnsureTopicForSend(AutoCreate request);
  /// The topic as it is, or `config` made. For %RETRY% and %DLQ% topics.
  core::Task<absl::StatusOr<TopicConfig>> EnsureTopic(TopicConfig config);
  /// The group as it is, or made with the defaults where groups are made automatically (or its name begins with CID_RMQ_SYS_);
  /// else kNotFound, also for a name that no group may have.
  core::Task<absl::StatusOr<GroupConfig>> EnsureGroup(std::string group);

  /// Creates or replaces, by an administrator's request: all or none. `attributes` are changes ("+key" sets, "-key" removes): see
  /// topic_attributes.h; a wrong one is kFailedPrecondition (SYSTEM_ERROR, as RocketMQ).
  core::Task<absl::Status> PutTopics(std::vector<TopicConfig> topics);
  /// A topic that is not there is deleted already. When it is OK the name stays reserved until ReleaseTopic: whoever would make the topic is
  /// refused (kUnavailable), so that no message of a new one is taken for one of the old. Delete, drop what it held, release.
  core::Task<absl::Status> DeleteTopic(std::string topic);
  /// Reserves the name in the same way for who drops what no topic owns; kAlreadyExists when there is a topic.
  core::Task<absl::Status> ReserveTopic(std::string topic);
  /// Not `dropped`: something of the topic may be left, so its name stays reserved until another try has succeeded or the broker starts again.
  core::Task<void> ReleaseTopic(std::string topic, bool dropped = true);
  /// What is forbidden to a group that is there stays as it is.
  core::Task<absl::Status> PutGroups(std::vector<GroupConfig> groups);
  /// Forbids the group to pull the topic, or allows it again. kNotFound: no such group.
  core::Task<absl::Status> ForbidTopic(std::string group, std::string topic, bool forbidden);
  core::Task<absl::Status> DeleteGroup(std::string group);

  using Apply = std::function<absl::Status(CatalogDraft&)>;  // CatalogDraft: catalog_draft.h
  /// A change of users and what they may do (broker/access/change_access.h): `apply` runs on shard 0, checks everything and then changes.
  core::Task<absl::Status> ChangeAccess(Apply apply) { return Submit(std::move(apply)); }

  const CatalogOptions& options() const { return options_; }

 private:
  struct Change;
  core::Task<absl::Status> Submit(Apply apply);
  core::Task<absl::Status> SubmitHere(Apply apply);
  core::Task<void> WriteLoop();
  core::Task<void> AnnounceLoop();
  core::Task<void> ApplyBatch(std::vector<std::shared_ptr<Change>> batch);
  /// Makes the draft durable and installs it everywhere.
  core::Task<absl::Status> Publish(CatalogDraft& draft);
  core::Task<void> InstallEverywhere(std::shared_ptr<const Catalog> catalog);
  absl::Status CheckForAdministrator(const TopicConfig& topic) const;
  /// kUnavailable while the name is reserved. On shard 0.
  absl::Status CheckNotReserved(const std::string& topic) const;

  const CatalogOptions options_;
  CreationRate automatic_topics_;  // on shard 0
  const core::Sharded<CatalogView>& views_;
  store::MetaStore* meta_ = nullptr;
  Announcer announcer_;
  std::shared_ptr<const Catalog> current_;
  std::vector<std::shared_ptr<Change>> pending_;
  std::vector<std::shared_ptr<const TopicConfig>> unannounced_;
  struct Reserved {
    int at_work = 0;
    bool failed = false;  // the last time: what is left of the topic goes at the next start
  };
  std::map<std::string, Reserved> reserved_;  // topics whose messages are being dropped, or could not be
  uint64_t to_announce_ = 0;  // how often something was put into unannounced_
  uint64_t announced_ = 0;    // up to which of them the nameservers know
  bool stopping_ = false;
  bool writing_ended_ = false;
  core::Notifier work_;      // pending_ or stopping_
  core::Notifier news_;      // unannounced_ or writing_ended_
  core::Notifier progress_;  // a batch is done or announced
  core::Scope scope_;
};

}  // namespace broker
