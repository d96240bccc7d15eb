// Goal: the metadata log keeps what it acknowledged, whole commits only, through kills, power cuts, snapshots and full disks.
#include "store/meta_store.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"

namespace store {
namespace {

core::Task<absl::Status> Set(MetaStore& meta, std::string key, std::string value) {
  std::vector<MetaChange> changes;
  changes.push_back({MetaTable::kTopics, std::move(key), std::move(value)});
  co_return co_await meta.Commit(std::move(changes));
}

core::Task<absl::Status> BasicsMain() {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  CO_RETURN_IF_ERROR(co_await Set(*meta, "a", "1"));
  CO_RETURN_IF_ERROR(co_await Set(*meta, "b", std::string("\0\x01 any bytes", 12)));
  CO_RETURN_IF_ERROR(co_await Set(*meta, "a", "2"));
  std::vector<MetaChange> changes;
  changes.push_back({MetaTable::kTopics, "b", std::nullopt});
  changes.push_back({MetaTable::kGroups, "a", "group"});
  CO_RETURN_IF_ERROR(co_await meta->Commit(std::move(changes)));
  CO_RETURN_IF_ERROR(co_await meta->Close());
  EXPECT_EQ((co_await meta->Commit({})).code(), absl::StatusCode::kUnavailable);
  CO_ASSIGN_OR_RETURN(meta, co_await MetaStore::Open("meta"));
  EXPECT_EQ(meta->All(MetaTable::kTopics).size(), 1U);
  const std::string* a = meta->Find(MetaTable::kTopics, "a");
  EXPECT_TRUE(a != nullptr && *a == "2");
  EXPECT_EQ(meta->Find(MetaTable::kTopics, "b"), nullptr);
  EXPECT_NE(meta->Find(MetaTable::kGroups, "a"), nullptr);
  EXPECT_EQ(meta->All(MetaTable::kKvConfig).size(), 0U);
  co_return co_await meta->Close();
}

TEST(MetaStoreTest, ReadsBackWhatWasCommitted) {
  const absl::Status status = sim::RunInWorld(1, 1, BasicsMain);
  EXPECT_TRUE(status.ok()) << status;
}

struct Known {
  std::map<std::string, int> acknowledged;  // pairs of keys are committed together with one value
  std::map<std::string, int> invoked;
};

core::Task<void> CommitPairs(MetaStore& meta, Known* known, int writer) {
  for (;;) {
    const std::string name = absl::StrCat(writer, "-", core::Reactor::Current().RandomBits() % 50);
    const int value = (known->invoked[name] += 1);
    const std::string text = absl::StrCat(value) + std::string(3000, 'v');
    std::vector<MetaChange> changes;
    changes.push_back({MetaTable::kTopics, name, text});
    changes.push_back({MetaTable::kConsumerOffsets, name, text});
    if (!(co_await meta.Commit(std::move(changes))).ok()) co_return;
    known->acknowledged[name] = value;
  }
}

core::Task<absl::Status> CommitMain(Known* known) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  core::Scope writers;
  for (int w = 0; w < 4; ++w) writers.Spawn(CommitPairs(*meta, known, w));
  co_await writers.Join();
  co_return absl::InternalError("the writers stopped by themselves");
}

core::Task<absl::Status> CheckPairsMain(Known* known) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  for (const auto& [name, value] : known->acknowledged) {
    const std::string* topic = meta->Find(MetaTable::kTopics, name);
    const std::string* offset = meta->Find(MetaTable::kConsumerOffsets, name);
    const bool whole = topic != nullptr && offset != nullptr && *topic == *offset;
    const int found = topic != nullptr ? std::atoi(topic->c_str()) : 0;
    if (!whole || found < value || found > known->invoked[name]) {
      (void)co_await meta->Close();
      co_return absl::InternalError(core::StrCat(name, " was acknowledged with ", value, " and is ", found, whole ? "" : ", half of it"));
    }
  }
  for (auto& [name, value] : known->invoked) {
    const std::string* topic = meta->Find(MetaTable::kTopics, name);
    value = topic != nullptr ? std::atoi(topic->c_str()) : 0;  // what was under way is decided now
    known->acknowledged[name] = value;
    if (value == 0) known->acknowledged.erase(name);
  }
  co_return co_await meta->Close();
}

// apache/rocketmq#3401: topics.json and consumerOffset.json were damaged or empty after a loss of power.
TEST(MetaStoreTest, PowerCutsKeepWholeCommits) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 1);
    Known known;
    for (int run = 0; run < 4; ++run) {
      node.Start([&known] { return CommitMain(&known); });
      world.RunFor(absl::Microseconds(world.random().Between(100, 200'000)));
      ASSERT_FALSE(node.result().has_value()) << *node.result() << world.Describe();
      if (world.random().OneIn(2)) {
        node.Kill();
      } else {
        node.CutPower();
      }
      node.Start([&known] { return CheckPairsMain(&known); });
      const absl::Status status = world.RunToEnd(node);
      ASSERT_TRUE(status.ok()) << status << world.Describe();
    }
  }
}

core::Task<absl::Status> ManyChangesMain() {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  for (int i = 0; i < 3000; ++i) CO_RETURN_IF_ERROR(co_await Set(*meta, absl::StrCat("key ", i % 20), absl::StrCat(i, std::string(2000, 'x'))));
  CO_RETURN_IF_ERROR(co_await meta->Close());
  CO_ASSIGN_OR_RETURN(const core::FileInfo info, co_await core::fs::Stat("meta/meta.log"));
  EXPECT_LT(info.bytes, 1200U * 1024);  // 6 MB were written
  CO_ASSIGN_OR_RETURN(meta, co_await MetaStore::Open("meta"));
  const std::string* last = meta->Find(MetaTable::kTopics, "key 19");
  EXPECT_TRUE(last != nullptr && last->starts_with("2999x"));
  co_return co_await meta->Close();
}

TEST(MetaStoreTest, SnapshotsBoundTheFile) {
  const absl::Status status = sim::RunInWorld(3, 1, ManyChangesMain);
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<absl::Status> OpenOnlyMain(size_t* entries) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  *entries = meta->All(MetaTable::kTopics).size();
  co_return co_await meta->Close();
}

core::Task<absl::Status> TenMain() {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  for (int i = 0; i < 10; ++i) CO_RETURN_IF_ERROR(co_await Set(*meta, absl::StrCat("key ", i), "value"));
  co_return co_await meta->Close();
}

core::Task<absl::Status> SwapMain() {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> other, co_await MetaStore::Open("other"));
  for (int i = 0; i < 20; ++i) CO_RETURN_IF_ERROR(co_await Set(*other, absl::StrCat("other ", i), "value"));
  CO_RETURN_IF_ERROR(co_await other->Close());
  co_return co_await core::fs::Rename("other/meta.log", "meta/meta.log");
}

TEST(MetaStoreTest, TheLogOfAnotherFolderIsReported) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(TenMain);
  ASSERT_TRUE(world.RunToEnd(node).ok());
  node.Start(SwapMain);
  ASSERT_TRUE(world.RunToEnd(node).ok());
  size_t entries = 0;
  node.Start([&entries] { return OpenOnlyMain(&entries); });
  EXPECT_TRUE(absl::IsDataLoss(world.RunToEnd(node)));
}

core::Task<absl::Status> CutMain(uint64_t size) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open("meta/meta.log", {.write = true}));
  CO_RETURN_IF_ERROR(co_await file.Truncate(size));
  CO_RETURN_IF_ERROR(co_await file.Sync());
  co_return co_await file.Close();
}

TEST(MetaStoreTest, ALogThatEndsBeforeItsMarkIsReported) {
  for (const uint64_t lost : {12U, 40U, 200U, 10'000U}) {  // bytes at the end: damaged, then cut off
    for (const bool cut : {false, true}) {
      SCOPED_TRACE(absl::StrCat(lost, cut ? " cut" : " damaged"));
      sim::World world(1);
      sim::Node& node = world.AddNode("node", 1);
      node.Start(TenMain);
      ASSERT_TRUE(world.RunToEnd(node).ok());
      const uint64_t size = node.disk().Content("meta/meta.log").size();
      if (cut && lost < size) {
        node.Start([size, lost]() { return CutMain(size - lost); });
        ASSERT_TRUE(world.RunToEnd(node).ok());
      } else if (cut) {
        node.Start([]() -> core::Task<absl::Status> { co_return co_await core::fs::Remove("meta/meta.log"); });
        ASSERT_TRUE(world.RunToEnd(node).ok());
      } else if (lost < size) {
        node.disk().FlipBit("meta/meta.log", size - lost - 8, 3);
      } else {
        continue;
      }
      size_t entries = 0;
      node.Start([&entries] { return OpenOnlyMain(&entries); });
      const absl::Status status = world.RunToEnd(node);
      EXPECT_TRUE(absl::IsDataLoss(status)) << status << ", " << entries << " entries";
    }
  }
}

TEST(MetaStoreTest, DamageBeforeTheEndIsReportedNotCut) {
  int refused = 0;
  for (uint64_t at = 0; at < 64 + 9 * 40; at += 7) {
    sim::World world(at + 1);
    sim::Node& node = world.AddNode("node", 1);
    node.Start(TenMain);
    ASSERT_TRUE(world.RunToEnd(node).ok());
    node.disk().FlipBit("meta/meta.log", at, 3);
    size_t entries = 0;
    node.Start([&entries] { return OpenOnlyMain(&entries); });
    const absl::Status status = world.RunToEnd(node);
    if (status.ok()) {
      EXPECT_EQ(entries, 10U) << "byte " << at;  // it hit the padding of a record
      continue;
    }
    ++refused;
    EXPECT_NE(status.message().find("meta/meta.log"), absl::string_view::npos) << status;
  }
  EXPECT_GT(refused, 50);
}

core::Task<absl::Status> FailingSyncMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("meta"));
  CO_RETURN_IF_ERROR(co_await Set(*meta, "a", "1"));
  node->disk().Inject({.op = sim::DiskOp::kSync, .path_contains = "meta.log"});
  EXPECT_EQ((co_await Set(*meta, "b", "1")).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ((co_await Set(*meta, "c", "1")).code(), absl::StatusCode::kUnavailable);  // the fault is over, the fence is not
  co_return co_await meta->Close();
}

TEST(MetaStoreTest, AFailedSyncIsFinal) {
  sim::World world(5);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&node] { return FailingSyncMain(&node); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace store
