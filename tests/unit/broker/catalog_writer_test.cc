#include "broker/catalog_writer.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/reactor.h"
#include "core/status.h"
#include "core/sim/world.h"
#include "core/strings.h"
#include "gtest/gtest.h"
#include "tests/unit/broker/memory_meta.h"

// Goal: whoever has its answer finds the topic on every shard, in the metadata and at the nameservers.
// Method: a process of three simulated shards for each seed, so that the order of what is ready and the delays between shards differ.

namespace broker {
namespace {

constexpr size_t kShards = 3;

/// A writer with its views, and what it has announced.
struct Fixture {
  explicit Fixture(CatalogOptions options) : views(kShards), writer(std::move(options), views) {}

  core::Task<absl::Status> Start() {
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      co_await core::InvokeOn(
          core::ShardId(shard),
          [](core::Sharded<CatalogView>* all, core::ShardId id) { all->Set(id, std::make_unique<CatalogView>()); }, &views,
          core::ShardId(shard));
    }
    co_return co_await writer.Start(meta);
  }
  core::Task<void> Stop() {
    co_await writer.Stop();
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      co_await core::InvokeOn(
          core::ShardId(shard), [](core::Sharded<CatalogView>* all, core::ShardId id) { all->Set(id, nullptr); }, &views,
          core::ShardId(shard));
    }
  }
  /// Announces as a slow nameserver would let it.
  void AnnounceSlowly() {
    writer.SetAnnouncer([this](std::vector<std::shared_ptr<const TopicConfig>> topics, DataVersion version) {
      return Announce(this, std::move(topics), version);
    });
  }
  static core::Task<void> Announce(Fixture* self, std::vector<std::shared_ptr<const TopicConfig>> topics, DataVersion) {
    ++self->announcements;
    co_await core::Sleep(absl::Milliseconds(20));
    for (const auto& topic : topics) self->announced.insert(topic->name);
  }

  FakeMeta meta;
  core::Sharded<CatalogView> views;
  CatalogWriter writer;
  std::set<std::string> announced;
  int announcements = 0;
};

/// A send on `shard` meets an unknown topic; afterwards that shard must see it, and so must the nameservers.
core::Task<void> SendFrom(Fixture* fixture, core::ShardId shard, std::string topic) {
  const bool seen = co_await core::InvokeOn(
      shard,
      [](Fixture* self, std::string name) -> core::Task<bool> {
        const absl::StatusOr<TopicConfig> made =
            co_await self->writer.EnsureTopicForSend({.topic = name, .default_topic = "TBW102", .queues = 4, .unit_mode = false});
        if (!made.ok()) co_return false;
        const TopicConfig* here = (*self->views.local()).FindTopic(name);
        co_return here != nullptr && here->write_queues == 4 && here->perm == kPermReadWrite;
      },
      fixture, topic);
  EXPECT_TRUE(seen) << topic;
  EXPECT_TRUE(fixture->announced.contains(topic)) << topic;
  EXPECT_NE(fixture->meta.Find(store::MetaTable::kTopics, topic), nullptr) << topic;
}

core::Task<absl::Status> Storm() {
  Fixture fixture({});
  CO_RETURN_IF_ERROR(co_await fixture.Start());
  fixture.AnnounceSlowly();
  const int commits_before = fixture.meta.commits;
  core::Scope senders;
  constexpr int kTopics = 60;
  for (int i = 0; i < kTopics; ++i) {
    // Every topic twice, from different shards.
    senders.Spawn(SendFrom(&fixture, core::ShardId(static_cast<uint32_t>(i) % kShards), core::StrCat("topic-", i)));
    senders.Spawn(SendFrom(&fixture, core::ShardId(static_cast<uint32_t>(i + 1) % kShards), core::StrCat("topic-", i)));
  }
  co_await senders.Join();
  EXPECT_LT(fixture.meta.commits - commits_before, kTopics / 2) << "a storm shares its flushes";
  EXPECT_LT(fixture.announcements, kTopics / 2) << "and its registrations";
  co_await fixture.Stop();
  co_return absl::OkStatus();
}

void InWorlds(const std::function<core::Task<absl::Status>()>& main, uint64_t seeds = 10) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    const absl::Status status = sim::RunInWorld(seed, kShards, main);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(CatalogWriterTest, AStormOfNewTopicsLosesNoneAndIsAnsweredWhenAllKnow) {
  InWorlds([] { return Storm(); });
}

core::Task<absl::Status> Refusals() {
  CatalogOptions options;
  options.auto_create_topic = false;
  options.auto_create_group = false;
  Fixture fixture(std::move(options));
  CO_RETURN_IF_ERROR(co_await fixture.Start());
  CatalogWriter& writer = fixture.writer;
  const auto send = [&](std::string topic, std::string blueprint) {
    return writer.EnsureTopicForSend({.topic = std::move(topic), .default_topic = std::move(blueprint), .queues = 4, .unit_mode = false});
  };
  absl::StatusOr<TopicConfig> made = co_await send("T", "TBW102");
  EXPECT_TRUE(absl::IsNotFound(made.status())) << made.status();
  made = co_await send("../T", "TBW102");
  EXPECT_TRUE(absl::IsInvalidArgument(made.status())) << made.status();
  made = co_await send("T", "SELF_TEST_TOPIC");  // there, but no template
  EXPECT_TRUE(absl::IsNotFound(made.status())) << made.status();
  made = co_await send("T", "DefaultCluster");  // a template still
  EXPECT_TRUE(made.ok()) << made.status();
  made = co_await send("%RETRY%G", "TBW102");
  EXPECT_TRUE(made.ok() && made->write_queues == 1) << made.status();

  absl::StatusOr<GroupConfig> group = co_await writer.EnsureGroup("G");
  EXPECT_TRUE(absl::IsNotFound(group.status()));
  group = co_await writer.EnsureGroup("CID_RMQ_SYS_X");
  EXPECT_TRUE(group.ok());
  group = co_await writer.EnsureGroup("TOOLS_CONSUMER");
  EXPECT_TRUE(group.ok());

  TopicConfig system;
  system.name = "DefaultCluster_REPLY_TOPIC";
  std::vector<TopicConfig> wrong{system};
  absl::Status put = co_await writer.PutTopics(wrong);
  EXPECT_TRUE(absl::IsInvalidArgument(put)) << put;
  put = co_await writer.DeleteTopic("broker-a");
  EXPECT_TRUE(absl::IsInvalidArgument(put)) << put;

  // The retry topic of such a group would have two thousand million queues.
  std::vector<GroupConfig> greedy(1);
  greedy[0].name = "Greedy";
  greedy[0].retry_queues = INT32_MAX;
  put = co_await writer.PutGroups(greedy);
  EXPECT_TRUE(absl::IsInvalidArgument(put)) << put;

  // All or none: the second can't be, so the first is not made either.
  std::vector<TopicConfig> two(2);
  two[0].name = "First";
  two[1].name = "Second";
  two[1].attributes["+color"] = "red";
  put = co_await writer.PutTopics(two);
  EXPECT_EQ(put.code(), absl::StatusCode::kFailedPrecondition) << put;
  EXPECT_EQ((*fixture.views.local()).FindTopic("First"), nullptr);
  co_await fixture.Stop();
  co_return absl::OkStatus();
}

TEST(CatalogWriterTest, RefusesWhatRocketMqRefuses) {
  InWorlds([] { return Refusals(); }, 3);
}

core::Task<absl::Status> Restart() {
  FakeMeta kept;
  DataVersion before;
  {
    Fixture fixture({});
    CO_RETURN_IF_ERROR(co_await fixture.Start());
    absl::StatusOr<TopicConfig> made =
        co_await fixture.writer.EnsureTopicForSend({.topic = "T", .default_topic = "TBW102", .queues = 2, .unit_mode = false});
    EXPECT_TRUE(made.ok());
    const absl::Status deleted = co_await fixture.writer.DeleteTopic("T");
    EXPECT_TRUE(deleted.ok());
    made = co_await fixture.writer.EnsureTopicForSend({.topic = "U", .default_topic = "TBW102", .queues = 100, .unit_mode = true});
    EXPECT_TRUE(made.ok());
    before = (*fixture.views.local()).topics_version();
    kept = fixture.meta;
    co_await fixture.Stop();
  }
  CatalogOptions options;
  options.auto_create_topic = false;  // changed between the starts
  Fixture again(std::move(options));
  again.meta = kept;
  CO_RETURN_IF_ERROR(co_await again.Start());
  const Catalog& catalog = *again.views.local();
  EXPECT_EQ(catalog.FindTopic("T"), nullptr);
  const TopicConfig* kept_topic = catalog.FindTopic("U");
  EXPECT_TRUE(kept_topic != nullptr && kept_topic->write_queues == 8 && kept_topic->sys_flag == kTopicSysFlagUnit);
  EXPECT_FALSE(catalog.FindTopic("TBW102")->inherits()) << "no template any more";
  EXPECT_GT(catalog.topics_version().counter, before.counter);
  EXPECT_EQ(catalog.Topics().front()->name, "BenchmarkTest") << "by name";
  co_await again.Stop();
  co_return absl::OkStatus();
}

TEST(CatalogWriterTest, ARestartFindsTheCatalogAsItWas) {
  InWorlds([] { return Restart(); }, 3);
}

// Catches a topic that is made anew while shards still drop what the old one held.
core::Task<absl::Status> Reserved() {
  Fixture fixture({});
  CO_RETURN_IF_ERROR(co_await fixture.Start());
  CatalogWriter& writer = fixture.writer;
  const AutoCreate send{.topic = "T", .default_topic = "TBW102", .queues = 4, .unit_mode = false};
  TopicConfig config;
  config.name = "T";
  CO_RETURN_IF_ERROR((co_await writer.EnsureTopicForSend(send)).status());
  EXPECT_TRUE(absl::IsAlreadyExists(co_await writer.ReserveTopic("T")));
  CO_RETURN_IF_ERROR(co_await writer.DeleteTopic("T"));
  CO_RETURN_IF_ERROR(co_await writer.ReserveTopic("T"));  // two may be at work on it
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(absl::IsUnavailable((co_await writer.EnsureTopicForSend(send)).status()));
    EXPECT_TRUE(absl::IsUnavailable((co_await writer.EnsureTopic(config)).status()));
    EXPECT_TRUE(absl::IsUnavailable(co_await writer.PutTopics({config})));
    co_await writer.ReleaseTopic("T");
  }
  EXPECT_TRUE((co_await writer.EnsureTopicForSend(send)).ok());
  // One that could not be dropped everywhere is finished by the next start, which would take along what is sent to a new one.
  CO_RETURN_IF_ERROR(co_await writer.DeleteTopic("T"));
  co_await writer.ReleaseTopic("T", /*dropped=*/false);
  const absl::Status refused = (co_await writer.EnsureTopicForSend(send)).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_NE(refused.message().find("delete it again"), absl::string_view::npos) << refused;
  CO_RETURN_IF_ERROR(co_await writer.DeleteTopic("T"));
  co_await writer.ReleaseTopic("T");
  EXPECT_TRUE((co_await writer.EnsureTopicForSend(send)).ok()) << "another try has succeeded";
  // A deletion that fails leaves nothing reserved.
  fixture.meta.failure = absl::UnavailableError("disk gone");
  EXPECT_FALSE((co_await writer.DeleteTopic("T")).ok());
  fixture.meta.failure = absl::OkStatus();
  CO_RETURN_IF_ERROR(co_await writer.DeleteTopic("T"));
  co_await writer.ReleaseTopic("T");
  EXPECT_TRUE((co_await writer.EnsureTopicForSend(send)).ok());
  co_await fixture.Stop();
  co_return absl::OkStatus();
}

TEST(CatalogWriterTest, ADeletedNameIsReservedUntilItIsReleased) {
  InWorlds([] { return Reserved(); }, 3);
}

core::Task<absl::Status> DiskGone() {
  Fixture fixture({});
  CO_RETURN_IF_ERROR(co_await fixture.Start());
  fixture.meta.failure = absl::UnavailableError("disk gone");
  const absl::StatusOr<TopicConfig> made =
      co_await fixture.writer.EnsureTopicForSend({.topic = "T", .default_topic = "TBW102", .queues = 4, .unit_mode = false});
  EXPECT_TRUE(absl::IsUnavailable(made.status())) << made.status();
  EXPECT_EQ((*fixture.views.local()).FindTopic("T"), nullptr) << "what is not durable is not there";
  co_await fixture.Stop();
  co_return absl::OkStatus();
}

TEST(CatalogWriterTest, WhatCantBeStoredIsRefused) {
  InWorlds([] { return DiskGone(); }, 3);
}

}  // namespace
}  // namespace broker
