#include "broker/offset_table.h"

#include <map>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace broker {
namespace {

using store::MetaChange;
using store::MetaTable;

/// The tables of a metadata log without the log.
class MemoryMeta final : public store::MetaStore {
 public:
  core::Task<absl::Status> Close() override { co_return absl::OkStatus(); }
  core::Task<absl::Status> Commit(std::vector<MetaChange> changes) override {
    ++commits;
    if (!failure.ok()) co_return failure;
    for (MetaChange& change : changes) {
      auto& table = tables_[change.table];
      if (change.value.has_value()) {
        table[change.key] = *change.value;
      } else {
        table.erase(change.key);
      }
    }
    co_return absl::OkStatus();
  }
  const std::string* Find(MetaTable table, std::string_view key) const override {
    const auto& rows = All(table);
    const auto it = rows.find(key);
    return it == rows.end() ? nullptr : &it->second;
  }
  const std::map<std::string, std::string, std::less<>>& All(MetaTable table) const override { return tables_[table]; }

  int commits = 0;
  absl::Status failure;

 private:
  mutable std::map<MetaTable, std::map<std::string, std::string, std::less<>>> tables_;
};

/// Runs a task that never really waits.
template <typename T>
T Finish(core::Task<T> task) {
  const auto handle = task.Release();
  handle.promise().continuation = std::noop_coroutine();
  handle.resume();
  EXPECT_TRUE(handle.done());
  T result = handle.promise().TakeResult();
  handle.destroy();
  return result;
}

core::LogicalOffset At(int64_t value) { return core::LogicalOffset(value); }

TEST(OffsetTableTest, WhatWasCommittedIsThereAfterARestart) {
  MemoryMeta meta;
  {
    OffsetTable table(meta);
    table.Commit("g", "t", 3, At(7));
    table.Commit("g", "t", 3, At(9));
    table.Commit("g", "%RETRY%g", 0, At(1));
    EXPECT_EQ(table.Find("g", "t", 3), At(9));
    ASSERT_TRUE(Finish(table.Flush()).ok());
  }
  OffsetTable again(meta);
  EXPECT_EQ(again.Find("g", "t", 3), At(9));
  EXPECT_EQ(again.Find("g", "%RETRY%g", 0), At(1));
  EXPECT_EQ(again.Find("g", "t", 4), std::nullopt);
  EXPECT_EQ(again.Find("h", "t", 3), std::nullopt);
}

// Clients repeat their offsets every 5 s; an idle broker must not write for it.
TEST(OffsetTableTest, TheSameOffsetAgainIsNoChange) {
  MemoryMeta meta;
  OffsetTable table(meta);
  table.Commit("g", "t", 0, At(5));
  ASSERT_TRUE(Finish(table.Flush()).ok());
  table.Commit("g", "t", 0, At(5));
  ASSERT_TRUE(Finish(table.Flush()).ok());
  EXPECT_EQ(meta.commits, 1);
}

TEST(OffsetTableTest, ALowerOffsetCounts) {
  MemoryMeta meta;
  OffsetTable table(meta);
  table.Commit("g", "t", 0, At(5));
  table.Commit("g", "t", 0, At(2));
  EXPECT_EQ(table.Find("g", "t", 0), At(2));
}

TEST(OffsetTableTest, ADeletedTopicsOffsetsAreGoneForGoodAndOthersStay) {
  MemoryMeta meta;
  {
    OffsetTable table(meta);
    table.Commit("g", "t", 0, At(1));
    table.Commit("h", "t", 1, At(2));
    table.Commit("g", "u", 0, At(3));
    ASSERT_TRUE(Finish(table.Flush()).ok());
    table.RemoveTopic("t");
    EXPECT_EQ(table.Find("g", "t", 0), std::nullopt);
    ASSERT_TRUE(Finish(table.Flush()).ok());
  }
  OffsetTable again(meta);
  EXPECT_EQ(again.All().size(), 1u);
  EXPECT_EQ(again.Find("g", "u", 0), At(3));
}

// Removed and committed again between two flushes: the deletion must not win.
TEST(OffsetTableTest, ACommitAfterTheRemovalSurvivesTheFlush) {
  MemoryMeta meta;
  {
    OffsetTable table(meta);
    table.Commit("g", "t", 0, At(1));
    ASSERT_TRUE(Finish(table.Flush()).ok());
    table.RemoveGroup("g");
    table.Commit("g", "t", 0, At(4));
    ASSERT_TRUE(Finish(table.Flush()).ok());
  }
  OffsetTable again(meta);
  EXPECT_EQ(again.Find("g", "t", 0), At(4));
}

TEST(OffsetTableTest, ListsAreSorted) {
  MemoryMeta meta;
  OffsetTable table(meta);
  for (const int32_t queue : {7, 1, 4}) table.Commit("g", "b", queue, At(queue));
  table.Commit("g", "a", 2, At(2));
  table.Commit("f", "b", 0, At(9));
  const std::vector<OffsetTable::Entry> of_group = table.OfGroup("g");
  ASSERT_EQ(of_group.size(), 4u);
  EXPECT_EQ(of_group[0].queue.topic, "a");
  EXPECT_EQ(of_group[1].queue.queue_id, 1);
  EXPECT_EQ(of_group[3].queue.queue_id, 7);
  EXPECT_EQ(table.OfGroup("g", "a").size(), 1u);
  EXPECT_EQ(table.GroupsOf("b"), (std::vector<std::string>{"f", "g"}));
}

// Catches a stop that calls itself clean after offsets could not be stored, because an earlier try has forgotten them.
TEST(OffsetTableTest, WhatCouldNotBeStoredIsTriedAgain) {
  MemoryMeta meta;
  OffsetTable table(meta);
  table.Commit("gone", "t", 0, At(1));
  ASSERT_TRUE(Finish(table.Flush()).ok());
  table.RemoveGroup("gone");
  table.Commit("g", "t", 0, At(7));
  table.Commit("g", "t", 1, At(8));
  meta.failure = absl::UnavailableError("takes no more changes");
  EXPECT_EQ(Finish(table.Flush()), meta.failure);
  EXPECT_EQ(Finish(table.Flush()), meta.failure);
  table.Commit("g", "t", 0, At(9));
  meta.failure = absl::OkStatus();
  ASSERT_TRUE(Finish(table.Flush()).ok());
  const OffsetTable again(meta);
  EXPECT_EQ(again.Find("g", "t", 0), At(9));
  EXPECT_EQ(again.Find("g", "t", 1), At(8));
  EXPECT_FALSE(again.Find("gone", "t", 0).has_value());
}

TEST(OffsetTableTest, AResetHoldsUntilOnePullHasBeenTold) {
  MemoryMeta meta;
  OffsetTable table(meta);
  EXPECT_EQ(table.TakeReset("g", "t", 0, At(5)), std::nullopt);
  table.Reset("g", "t", 0, At(2), OffsetTable::Consumers::kOnline);
  EXPECT_FALSE(table.Commit("g", "t", 0, At(9)));
  EXPECT_TRUE(table.Commit("g", "t", 1, At(9)));
  EXPECT_TRUE(table.Commit("h", "t", 0, At(9)));
  EXPECT_EQ(table.Find("g", "t", 0), At(2));
  EXPECT_EQ(table.TakeReset("g", "t", 1, At(5)), std::nullopt);
  EXPECT_EQ(table.TakeReset("g", "t", 0, At(2)), At(2));
  EXPECT_EQ(table.TakeReset("g", "t", 0, At(5)), std::nullopt);
  EXPECT_TRUE(table.Commit("g", "t", 0, At(9)));

  table.Reset("g", "t", 0, At(3), OffsetTable::Consumers::kNone);
  table.Reset("g", "t", 0, At(4), OffsetTable::Consumers::kNone);
  EXPECT_EQ(table.TakeReset("g", "t", 0, At(4)), std::nullopt) << "who begins there need not be told";
  EXPECT_TRUE(table.Commit("g", "t", 0, At(9)));
  table.Reset("g", "t", 0, At(3), OffsetTable::Consumers::kNone);
  EXPECT_EQ(table.TakeReset("g", "t", 0, At(4)), At(3));
}

TEST(OffsetTableTest, WhatIsRemovedTakesItsResetsAlong) {
  MemoryMeta meta;
  OffsetTable table(meta);
  table.Reset("g", "t", 0, At(2), OffsetTable::Consumers::kOnline);
  table.Reset("h", "u", 0, At(2), OffsetTable::Consumers::kOnline);
  table.RemoveTopic("t");
  table.RemoveGroup("h");
  EXPECT_TRUE(table.Commit("g", "t", 0, At(0)));
  EXPECT_TRUE(table.Commit("h", "u", 0, At(0)));
}

TEST(OffsetTableTest, ACloneIsWhatItsSourceIs) {
  MemoryMeta meta;
  {
    OffsetTable table(meta);
    table.Commit("from", "t", 0, At(1));
    table.Commit("from", "t", 1, At(2));
    table.Commit("from", "u", 0, At(3));
    table.Commit("to", "t", 1, At(9));
    table.Commit("to", "t", 2, At(9));
    table.Commit("to", "v", 0, At(9));
    table.Reset("to", "t", 1, At(8), OffsetTable::Consumers::kOnline);
    ASSERT_TRUE(Finish(table.Flush()).ok());
    table.Clone("from", "to", "t");
    table.Clone("to", "to", "v");
    ASSERT_TRUE(Finish(table.Flush()).ok());
    EXPECT_EQ(table.TakeReset("to", "t", 1, At(0)), std::nullopt) << "an older order than the clone";
  }
  const OffsetTable again(meta);
  EXPECT_EQ(again.Find("to", "t", 0), At(1));
  EXPECT_EQ(again.Find("to", "t", 1), At(2));
  EXPECT_EQ(again.Find("to", "t", 2), std::nullopt);
  EXPECT_EQ(again.Find("to", "u", 0), std::nullopt) << "of another topic";
  EXPECT_EQ(again.Find("to", "v", 0), At(9));
  EXPECT_EQ(again.Find("from", "t", 1), At(2));
  EXPECT_EQ(again.OfTopic("t").size(), 4u);
  EXPECT_EQ(again.OfTopic("t")[1].group, "from");
}

// Catches offsets that outlive a power cut which their messages did not outlive.
TEST(OffsetTableTest, OffsetsEndWhereTheirQueuesDo) {
  MemoryMeta meta;
  {
    OffsetTable table(meta);
    table.Commit("G", "T", 0, At(50));
    table.Commit("G", "T", 1, At(45));
    table.Commit("H", "T", 0, At(7));
    table.Commit("G", "gone", 0, At(3));
    ASSERT_TRUE(Finish(table.Flush()).ok());
  }
  OffsetTable table(meta);
  const auto end_of = [](const core::QueueKey& queue) { return At(queue.topic == "T" ? 45 : 0); };
  EXPECT_EQ(table.CutAtEnds(end_of), 2U);
  ASSERT_TRUE(Finish(table.Flush()).ok());
  const OffsetTable again(meta);
  EXPECT_EQ(again.Find("G", "T", 0), At(45));
  EXPECT_EQ(again.Find("G", "T", 1), At(45));
  EXPECT_EQ(again.Find("H", "T", 0), At(7));
  EXPECT_EQ(again.Find("G", "gone", 0), At(0));
  EXPECT_EQ(table.CutAtEnds(end_of), 0U);
}

}  // namespace
}  // namespace broker
