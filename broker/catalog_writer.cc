#include "broker/catalog_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "broker/access/change_access.h"
#include "broker/catalog_draft.h"
#include "broker/system_topics.h"
#include "broker/topic_attributes.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace broker {
namespace {

constexpr core::ShardId kWriterShard{0};

core::Task<void> InstallOn(core::ShardId shard, CatalogView* view, std::shared_ptr<const Catalog> catalog) {
  co_await core::InvokeOn(
      shard, [](CatalogView* there, std::shared_ptr<const Catalog> fresh) { there->Install(std::move(fresh)); }, view,
      std::move(catalog));
}

constexpr int32_t kQueuesMax = 65536;  // a mistyped number must not cost the memory of a million queues

absl::Status NoTopic(std::string_view topic, std::string_view why) {
  return absl::NotFoundError(core::StrCat("topic[", topic, "] not exist, apply first please! ", why));
}

}  // namespace

struct CatalogWriter::Change {
  Apply apply;
  absl::Status status;
  uint64_t announcement = 0;  // done when announced_ has reached it
  bool done = false;
};

CatalogWriter::CatalogWriter(CatalogOptions options, const core::Sharded<CatalogView>& views)
    : options_(std::move(options)),
      automatic_topics_(options_.limits.automatic_topics_per_minute),
      views_(views),
      current_(std::make_shared<const Catalog>()) {}

CatalogWriter::~CatalogWriter() = default;

core::Task<absl::Status> CatalogWriter::Start(store::MetaStore& meta) {
  meta_ = &meta;
  Catalog stored;
  for (const auto& [name, json] : meta.All(store::MetaTable::kTopics)) {
    absl::StatusOr<TopicConfig> topic = TopicConfig::FromJson(json);
    if (!topic.ok()) co_return absl::DataLossError(core::StrCat("stored topic ", name, ": ", topic.status().message()));
    stored.PutTopic(*std::move(topic));
  }
  for (const auto& [name, json] : meta.All(store::MetaTable::kGroups)) {
    absl::StatusOr<GroupConfig> group = GroupConfig::FromJson(json);
    if (!group.ok()) co_return absl::DataLossError(core::StrCat("stored group ", name, ": ", group.status().message()));
    stored.PutGroup(*std::move(group));
  }
  if (const std::string* json = meta.Find(store::MetaTable::kDataVersions, "topics"); json != nullptr) {
    CO_ASSIGN_OR_RETURN(const DataVersion version, DataVersion::FromJson(*json));
    stored.set_topics_version(version);
  }
  if (const std::string* json = meta.Find(store::MetaTable::kDataVersions, "groups"); json != nullptr) {
    CO_ASSIGN_OR_RETURN(const DataVersion version, DataVersion::FromJson(*json));
    stored.set_groups_version(version);
  }

  CO_RETURN_IF_ERROR(LoadAccess(meta, stored));

  if (options_.lmq) stored.EnableLmqs();
  current_ = std::make_shared<const Catalog>(std::move(stored));
  CatalogDraft draft(*current_, core::Reactor::Current().wall_now());
  for (TopicConfig& topic : SystemTopics(options_)) {
    const TopicConfig* const present = current_->FindTopic(topic.name);
    // A folder from before messages could wait for their time or their commit has one queue of them, whatever its number of logs.
    const bool grows = present != nullptr && HasQueueInEachLog(topic.name) && present->queues() < topic.queues();
    if (present == nullptr || grows) draft.PutTopic(std::move(topic));
  }
  for (GroupConfig& group : SystemGroups()) {
    if (current_->FindGroup(group.name) == nullptr) draft.PutGroup(std::move(group));
  }
  // A folder that was used with automatic creation keeps its template; it must not be one any more.
  const TopicConfig* blueprint = current_->FindTopic(kAutoCreateTopic);
  if (blueprint != nullptr && blueprint->inherits() != options_.auto_create_topic) {
    TopicConfig changed = *blueprint;
    changed.perm = options_.auto_create_topic ? changed.perm | kPermInherit : changed.perm & ~kPermInherit;
    draft.PutTopic(std::move(changed));
  }
  CO_RETURN_IF_ERROR(co_await Publish(draft));
  scope_.Spawn(WriteLoop());
  scope_.Spawn(AnnounceLoop());
  co_return absl::OkStatus();
}

core::Task<void> CatalogWriter::Stop() {
  stopping_ = true;
  work_.NotifyAll();
  co_await scope_.Join();
}

core::Task<absl::Status> CatalogWriter::Publish(CatalogDraft& draft) {
  if (draft.changed()) {
    std::vector<store::MetaChange> changes = draft.Finish();
    CO_RETURN_IF_ERROR(co_await meta_->Commit(std::move(changes)));
  }
  std::vector<std::shared_ptr<const TopicConfig>> topics = draft.ChangedTopics();
  current_ = draft.Take();
  co_await InstallEverywhere(current_);
  if (!topics.empty() && announcer_ != nullptr) {
    unannounced_.insert(unannounced_.end(), topics.begin(), topics.end());
    ++to_announce_;
    news_.NotifyAll();
  }
  co_return absl::OkStatus();
}

core::Task<void> CatalogWriter::InstallEverywhere(std::shared_ptr<const Catalog> catalog) {
  core::Scope installs;
  for (uint32_t shard = 0; shard < views_.size(); ++shard) {
    installs.Spawn(InstallOn(core::ShardId(shard), views_.at(core::ShardId(shard)), catalog));
  }
  co_await installs.Join();
}

core::Task<void> CatalogWriter::WriteLoop() {
  while (true) {
    while (pending_.empty() && !stopping_) co_await work_.Wait();
    if (pending_.empty()) break;
    co_await core::EndOfTick();  // a storm of new topics becomes one batch
    co_await ApplyBatch(std::exchange(pending_, {}));
  }
  writing_ended_ = true;
  news_.NotifyAll();
}

core::Task<void> CatalogWriter::ApplyBatch(std::vector<std::shared_ptr<Change>> batch) {
  CatalogDraft draft(*current_, core::Reactor::Current().wall_now());
  for (const std::shared_ptr<Change>& change : batch) change->status = change->apply(draft);
  if (draft.changed()) {
    const absl::Status published = co_await Publish(draft);
    if (!published.ok()) {
      for (const std::shared_ptr<Change>& change : batch) {
        if (!change->status.ok()) continue;
        change->status =
            absl::UnavailableError(core::StrCat("the metadata can't be stored: ", core::ToStd(published.message())));
      }
    }
  }
  for (const std::shared_ptr<Change>& change : batch) {
    // Also for a change that found everything as it wanted: another's creation may still be on its way to the nameservers.
    change->announcement = to_announce_;
    change->done = true;
  }
  progress_.NotifyAll();
}

core::Task<void> CatalogWriter::AnnounceLoop() {
  while (true) {
    while (unannounced_.empty() && !writing_ended_) co_await news_.Wait();
    if (unannounced_.empty()) co_return;
    const uint64_t upto = to_announce_;
    std::vector<std::shared_ptr<const TopicConfig>> topics = std::exchange(unannounced_, {});
    const DataVersion version = current_->topics_version();
    co_await announcer_(std::move(topics), version);
    announced_ = upto;
    progress_.NotifyAll();
  }
}

core::Task<absl::Status> CatalogWriter::SubmitHere(Apply apply) {
  if (stopping_ || meta_ == nullptr) co_return absl::UnavailableError("the broker is stopping");
  const auto change = std::make_shared<Change>();
  change->apply = std::move(apply);
  pending_.push_back(change);
  work_.NotifyAll();
  while (!change->done) co_await progress_.Wait();
  if (!change->status.ok()) co_return change->status;
  while (announced_ < change->announcement) co_await progress_.Wait();
  co_return absl::OkStatus();
}

core::Task<absl::Status> CatalogWriter::Submit(Apply apply) {
  co_return co_await core::InvokeOn(
      kWriterShard, [](CatalogWriter* writer, Apply change) { return writer->SubmitHere(std::move(change)); }, this,
      std::move(apply));
}

core::Task<absl::StatusOr<TopicConfig>> CatalogWriter::EnsureTopicForSend(AutoCreate request) {
  if (const std::optional<std::string> wrong = net::WrongTopicName(request.topic); wrong) {
    co_return absl::InvalidArgumentError(*wrong);
  }
  const auto made = std::make_shared<TopicConfig>();
  const bool automatic = options_.auto_create_topic;
  Apply apply = [this, made, automatic, request = std::move(request)](CatalogDraft& draft) -> absl::Status {
    const Catalog& catalog = draft.catalog();
    if (const TopicConfig* present = catalog.FindTopic(request.topic); present != nullptr) {
      *made = *present;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckNotReserved(request.topic));
    TopicConfig topic;
    topic.name = request.topic;
    bool of_known_group = false;
    if (IsRetryTopic(request.topic)) {
      const GroupConfig* group = catalog.FindGroup(std::string_view(request.topic).substr(kRetryTopicPrefix.size()));
      const int32_t queues = group != nullptr ? std::max(1, group->retry_queues) : 1;
      topic.read_queues = queues;
      topic.write_queues = queues;
      topic.sys_flag = request.unit_mode ? kTopicSysFlagUnitSub : 0;
      of_known_group = group != nullptr && !IsLmq(group->name);
    } else {
      const TopicConfig* blueprint = catalog.FindTopic(request.default_topic);
      if (blueprint == nullptr || !blueprint->inherits()) {
        if (request.default_topic == kAutoCreateTopic && !automatic) {
          return NoTopic(request.topic, "(autoCreateTopicEnable is false on this broker)");
        }
        return NoTopic(request.topic, core::StrCat("(the template topic ", request.default_topic,
                                                   blueprint == nullptr ? " does not exist)" : " can't be inherited)"));
      }
      const int32_t queues = std::max(0, std::min(request.queues, blueprint->write_queues));
      topic.read_queues = queues;
      topic.write_queues = queues;
      topic.perm = blueprint->perm & ~kPermInherit;
      topic.filter_type = blueprint->filter_type;
      topic.sys_flag = request.unit_mode ? kTopicSysFlagUnit : 0;
    }
    RETURN_IF_ERROR(CheckRoomForTopic(catalog, topic, options_.limits));
    if (!of_known_group && !automatic_topics_.Take(core::Reactor::Current().now())) {
      return absl::ResourceExhaustedError(core::StrCat(
          "sends have made as many topics in the last minute as autoCreateTopicsPerMinute of this broker allows, ",
          options_.limits.automatic_topics_per_minute, ": try again later, or make topic[", request.topic,
          "] with mqadmin updateTopic"));
    }
    *made = topic;
    draft.PutTopic(std::move(topic));
    return absl::OkStatus();
  };
  CO_RETURN_IF_ERROR(co_await Submit(std::move(apply)));
  co_return *made;
}

core::Task<absl::StatusOr<TopicConfig>> CatalogWriter::EnsureTopic(TopicConfig config) {
  if (const std::optional<std::string> wrong = net::WrongTopicName(config.name); wrong) {
    co_return absl::InvalidArgumentError(*wrong);
  }
  const auto made = std::make_shared<TopicConfig>(std::move(config));
  Apply apply = [this, made](CatalogDraft& draft) -> absl::Status {
    if (const TopicConfig* present = draft.catalog().FindTopic(made->name); present != nullptr) {
      *made = *present;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckNotReserved(made->name));
    RETURN_IF_ERROR(CheckRoomForTopic(draft.catalog(), *made, options_.limits));
    draft.PutTopic(*made);
    return absl::OkStatus();
  };
  CO_RETURN_IF_ERROR(co_await Submit(std::move(apply)));
  co_return *made;
}

core::Task<absl::StatusOr<GroupConfig>> CatalogWriter::EnsureGroup(std::string group) {
  if (const std::optional<std::string> wrong = net::WrongGroupName(group); wrong) co_return absl::NotFoundError(*wrong);
  const bool automatic = options_.auto_create_group || group.starts_with(kSystemGroupPrefix);
  const auto made = std::make_shared<GroupConfig>();
  made->name = std::move(group);
  Apply apply = [this, made, automatic](CatalogDraft& draft) -> absl::Status {
    if (const GroupConfig* present = draft.catalog().FindGroup(made->name); present != nullptr) {
      *made = *present;
      return absl::OkStatus();
    }
    if (!automatic) {
      return absl::NotFoundError(
          core::StrCat("subscription group [", made->name, "] does not exist (autoCreateSubscriptionGroup is false)"));
    }
    RETURN_IF_ERROR(CheckRoomForGroup(draft.catalog(), *made, options_.limits));
    draft.PutGroup(*made);
    return absl::OkStatus();
  };
  CO_RETURN_IF_ERROR(co_await Submit(std::move(apply)));
  co_return *made;
}

absl::Status CatalogWriter::CheckForAdministrator(const TopicConfig& topic) const {
  if (const std::optional<std::string> wrong = net::WrongTopicName(topic.name); wrong)
    return absl::InvalidArgumentError(*wrong);
  if (IsSystemTopicOf(options_, topic.name)) {
    return absl::InvalidArgumentError(core::StrCat("The topic[", topic.name, "] is conflict with system topic."));
  }
  for (const int32_t queues : {topic.read_queues, topic.write_queues}) {
    if (queues < 0 || queues > kQueuesMax) {
      return absl::InvalidArgumentError(
          core::StrCat("The topic[", topic.name, "] can't have ", queues, " queues: 0 to ", kQueuesMax));
    }
  }
  if (topic.perm < 0 || topic.perm > (kPermPriority | kPermReadWrite | kPermInherit)) {
    return absl::InvalidArgumentError(core::StrCat("The topic[", topic.name, "] can't have the permission ", topic.perm));
  }
  return absl::OkStatus();
}

core::Task<absl::Status> CatalogWriter::PutTopics(std::vector<TopicConfig> topics) {
  // As RocketMQ does; they are what they are.
  if (options_.lmq) std::erase_if(topics, [](const TopicConfig& topic) { return IsLmq(topic.name); });
  for (const TopicConfig& topic : topics) CO_RETURN_IF_ERROR(CheckForAdministrator(topic));
  Apply apply = [this, topics = std::move(topics)](CatalogDraft& draft) -> absl::Status {
    std::vector<TopicConfig> altered = topics;
    for (TopicConfig& topic : altered) {
      RETURN_IF_ERROR(CheckNotReserved(topic.name));
      const TopicConfig* present = draft.catalog().FindTopic(topic.name);
      absl::StatusOr<TopicAttributes> attributes =
          AlterAttributes(present != nullptr ? present->attributes : TopicAttributes{}, topic.attributes, present == nullptr);
      if (!attributes.ok()) return absl::FailedPreconditionError(attributes.status().message());
      topic.attributes = *std::move(attributes);
    }
    Catalog after = draft.catalog();  // all or none: the limits are checked on a copy first
    for (const TopicConfig& topic : altered) {
      RETURN_IF_ERROR(CheckRoomForTopic(after, topic, options_.limits));
      after.PutTopic(topic);
    }
    for (TopicConfig& topic : altered) draft.PutTopic(std::move(topic));
    return absl::OkStatus();
  };
  co_return co_await Submit(std::move(apply));
}

core::Task<absl::Status> CatalogWriter::DeleteTopic(std::string topic) {
  if (IsSystemTopicOf(options_, topic)) {
    co_return absl::InvalidArgumentError(core::StrCat("The topic[", topic, "] is conflict with system topic."));
  }
  Apply apply = [this, topic](CatalogDraft& draft) {
    draft.EraseTopic(topic);
    ++reserved_[topic].at_work;
    return absl::OkStatus();
  };
  const absl::Status deleted = co_await Submit(std::move(apply));
  if (!deleted.ok()) co_await ReleaseTopic(std::move(topic));
  co_return deleted;
}

core::Task<absl::Status> CatalogWriter::ReserveTopic(std::string topic) {
  Apply apply = [this, topic = std::move(topic)](CatalogDraft& draft) -> absl::Status {
    if (draft.catalog().FindTopic(topic) != nullptr)
      return absl::AlreadyExistsError(core::StrCat("topic[", topic, "] exists"));
    ++reserved_[topic].at_work;
    return absl::OkStatus();
  };
  co_return co_await Submit(std::move(apply));
}

core::Task<void> CatalogWriter::ReleaseTopic(std::string topic, bool dropped) {
  co_await core::InvokeOn(
      kWriterShard,
      [](CatalogWriter* writer, std::string name, bool done) {
        const auto found = writer->reserved_.find(name);
        if (found == writer->reserved_.end()) return;
        found->second.failed = !done;
        if (--found->second.at_work <= 0 && done) writer->reserved_.erase(found);
      },
      this, std::move(topic), dropped);
}

absl::Status CatalogWriter::CheckNotReserved(const std::string& topic) const {
  if (!reserved_.contains(topic)) return absl::OkStatus();
  return absl::UnavailableError(core::StrCat(
      "topic[", topic, reserved_.find(topic)->second.failed ? "] could not be deleted everywhere: delete it again, or start the broker again" : "] is being deleted; try again"));
}

core::Task<absl::Status> CatalogWriter::PutGroups(std::vector<GroupConfig> groups) {
  if (options_.lmq) std::erase_if(groups, [](const GroupConfig& group) { return IsLmq(group.name); });
  for (const GroupConfig& group : groups) {
    if (const std::optional<std::string> wrong = net::WrongGroupName(group.name); wrong) {
      co_return absl::InvalidArgumentError(*wrong);
    }
    if (group.retry_queues < 0 || group.retry_queues > kQueuesMax) {
      co_return absl::InvalidArgumentError(
          core::StrCat("The group[", group.name, "] can't have ", group.retry_queues, " retry queues: 0 to ", kQueuesMax));
    }
  }
  Apply apply = [this, groups = std::move(groups)](CatalogDraft& draft) -> absl::Status {
    Catalog after = draft.catalog();
    for (const GroupConfig& group : groups) {
      RETURN_IF_ERROR(CheckRoomForGroup(after, group, options_.limits));
      after.PutGroup(group);
    }
    for (GroupConfig group : groups) {
      // What is forbidden to it is not part of what the tools know as its configuration.
      const GroupConfig* const before = draft.catalog().FindGroup(group.name);
      group.forbidden_topics = before == nullptr ? decltype(group.forbidden_topics)() : before->forbidden_topics;
      draft.PutGroup(std::move(group));
    }
    return absl::OkStatus();
  };
  co_return co_await Submit(std::move(apply));
}

core::Task<absl::Status> CatalogWriter::ForbidTopic(std::string group, std::string topic, bool forbidden) {
  Apply apply = [group = std::move(group), topic = std::move(topic), forbidden](CatalogDraft& draft) -> absl::Status {
    const GroupConfig* const before = draft.catalog().FindMadeGroup(group);
    if (before == nullptr) return absl::NotFoundError(core::StrCat("Group ", group, " does not exist"));
    GroupConfig after = *before;
    if (forbidden) {
      after.forbidden_topics.insert(topic);
    } else {
      after.forbidden_topics.erase(topic);
    }
    draft.PutGroup(std::move(after));
    return absl::OkStatus();
  };
  co_return co_await Submit(std::move(apply));
}

core::Task<absl::Status> CatalogWriter::DeleteGroup(std::string group) {
  Apply apply = [group = std::move(group)](CatalogDraft& draft) {
    draft.EraseGroup(group);
    return absl::OkStatus();
  };
  co_return co_await Submit(std::move(apply));
}

}  // namespace broker
