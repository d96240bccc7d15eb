// Goal: verify knows the files of the index of waiting messages: it names each damage by file and page, says nothing of what is whole, and writes nothing; inspect
// says what they hold.
#include "store/tools/due_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/sim/world.h"
#include "store/due_index.h"
#include "store/due_record.h"
#include "store/tools/overview.h"
#include "store/tools/verify.h"
#include "tests/unit/store/tools/tools_fixture.h"
#include "tests/unit/store/tools/looking.h"

namespace store::tools {
namespace {

constexpr int kMessages = 2000;

/// A folder with one log in which messages wait, every tenth of them taken back: an index of several files, one with several pages, closed in order.
core::Task<absl::Status> FillMain() {
  CO_ASSIGN_OR_RETURN(
      Manifest manifest,
      co_await Manifest::Open({.directory = "data", .default_logs = 1, .segment_bytes = kSegmentBytesMin}));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<DataFolder> part,
                      co_await DataFolder::Open("data", manifest.content(), 0, StoreOptions()));
  DueIndexOptions options;
  options.directory = "data/log-0";
  options.log = {manifest.content().store_id, 0};
  options.memory_entries = 400;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<DueIndex> index, co_await DueIndex::Open(options, part->meta(), part->store()));
  for (int i = 0; i < kMessages; ++i) {
    const core::WallMillis due = 1000 + i * 7919 % 5000;
    const std::string body = absl::StrCat("m", i);
    const std::string properties = core::StrCat(kPropertyDueTime, "\x01", due, "\x02");
    MessageDraft draft = DraftOf(kDueTopic, 0, body);
    draft.properties = properties;
    draft.prepared_transaction_offset = MakeDueLink(0);
    CO_ASSIGN_OR_RETURN(const AppendResult stored, co_await part->store().Append({&draft, 1}));
    const DueEntry entry{due, stored.last.position, stored.last.bytes, stored.last.crc};
    index->Insert(entry);
    if (i % 10 == 0) {
      const std::string back = core::StrCat(properties, kPropertyTakesBack, "\x01k\x02");
      draft.properties = back;
      draft.prepared_transaction_offset = MakeDueLink(entry.position());
      CO_RETURN_IF_ERROR((co_await part->store().Append({&draft, 1})).status());
      index->TakeBack(entry);
    }
    if (index->WantsCheckpoint()) CO_RETURN_IF_ERROR(co_await index->Checkpoint());
  }
  CO_RETURN_IF_ERROR(co_await index->Checkpoint());
  CO_RETURN_IF_ERROR(co_await index->Close());
  CO_RETURN_IF_ERROR(co_await part->Close());
  co_return co_await manifest.Close();
}

std::vector<std::string> DueFiles(sim::Node& node) { return FilesWith(node, kDueRunSuffix); }

TEST(DueCheckTest, WhatIsWholeIsCountedAndNotCalledDamaged) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(FillMain);
  const absl::Status filled = world.RunToEnd(node);
  ASSERT_TRUE(filled.ok()) << filled;
  const Looked looked = LookAt(world, node);
  EXPECT_EQ(looked.report.findings.size(), 0U) << Describe(looked.report.findings);
  EXPECT_EQ(looked.report.due_runs, DueFiles(node).size());
  EXPECT_GT(looked.report.due_runs, 1U);
  EXPECT_EQ(looked.overview.damages, 0U);
  ASSERT_EQ(looked.overview.logs.size(), 1U);
  uint64_t entries = 0;
  for (const DueRunOverview& run : looked.overview.logs[0].due_runs) {
    EXPECT_TRUE(run.named);
    EXPECT_EQ(run.done, 0U);
    entries += run.entries;
  }
  EXPECT_GE(entries, static_cast<uint64_t>(kMessages) * 9 / 10);
  EXPECT_GT(looked.overview.due_bytes, entries * kRunEntryBytes);
}

TEST(DueCheckTest, EachFlippedBitIsNamedByFileAndPage) {
  sim::World world(2);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(FillMain);
  ASSERT_TRUE(world.RunToEnd(node).ok());
  int flips = 0;
  for (const std::string& file : DueFiles(node)) {
    const size_t bytes = node.disk().Content(file).size();
    for (size_t at = world.random().Below(700); at < bytes; at += 1 + world.random().Below(1400), ++flips) {
      SCOPED_TRACE(absl::StrCat(file, " byte ", at));
      node.disk().FlipBit(file, at, static_cast<int>(at % 8));
      const Looked looked = LookAt(world, node);
      ASSERT_EQ(looked.report.findings.size(), 1U) << Describe(looked.report.findings);
      const Finding& finding = looked.report.findings[0];
      EXPECT_EQ(finding.severity, Severity::kDamage);
      EXPECT_EQ("/data/" + finding.file, file);
      EXPECT_LE(finding.begin, at);
      EXPECT_GT(finding.end, at);
      EXPECT_EQ(finding.records, 0U) << "the log has them";
      if (at >= kBlock) EXPECT_TRUE(finding.what.starts_with(absl::StrCat("page ", at / kBlock - 1, ":"))) << finding.what;
      EXPECT_EQ(looked.overview.damages, 1U);
      node.disk().FlipBit(file, at, static_cast<int>(at % 8));
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(flips, 30);
}

core::Task<absl::Status> RemoveMain(std::string path) { co_return co_await core::fs::Remove(path); }
core::Task<absl::Status> CutMain(std::string path) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true}));
  CO_RETURN_IF_ERROR(co_await file.Truncate(kBlock));
  co_return co_await file.Close();
}
core::Task<absl::Status> CopyMain(std::string path) {
  CO_ASSIGN_OR_RETURN(const std::string content, co_await core::fs::ReadWhole(path, size_t{1} << 20));
  co_return co_await core::fs::ReplaceWhole(DueRunPath("data/log-0", 77), content);
}
core::Task<absl::Status> NoteMain(std::string row) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<MetaStore> meta, co_await MetaStore::Open("data/meta-0"));
  std::vector<MetaChange> changes;
  changes.push_back({MetaTable::kDue, std::string(DueCheckpointKey(DueKind::kLater)), row});
  CO_RETURN_IF_ERROR(co_await meta->Commit(std::move(changes)));
  co_return co_await meta->Close();
}

TEST(DueCheckTest, MissingShortAndStrayFilesAreSaid) {
  struct Case {
    core::Task<absl::Status> (*harm)(std::string);
    bool damage;
    std::string said;
  };
  const Case cases[] = {
      {RemoveMain, true, "the file is missing"},
      {CutMain, true, "cut short"},
      {CopyMain, false, "its header is that of another file"},
      {[](std::string) { return NoteMain("1 2 x"); }, true, "its checkpoint can't be read"},
      {[](std::string) { return NoteMain("1 0 0 99"); }, false, ""},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.said);
    sim::World world(3);
    sim::Node& node = world.AddNode("node", 1);
    node.Start(FillMain);
    ASSERT_TRUE(world.RunToEnd(node).ok());
    const std::string path = DueFiles(node).back();
    node.Start([&] { return one.harm(path); });
    const absl::Status harmed = world.RunToEnd(node);
    ASSERT_TRUE(harmed.ok()) << harmed;
    const Looked looked = LookAt(world, node);
    EXPECT_EQ(looked.report.Damaged(), one.damage) << Describe(looked.report.findings);
    EXPECT_NE(Describe(looked.report.findings).find(one.said), std::string::npos) << Describe(looked.report.findings);
  }
}

TEST(DueRowTest, ComesBackAsItWasWrittenOrIsRefused) {
  const DueCheckpoint checkpoint{
      .replay_from = 4096, .entered_below = 5000, .next_number = 9, .runs = {{7, 0, 0}, {8, 171, 2}}};
  const std::string text = EncodeDueCheckpoint(checkpoint);
  EXPECT_EQ(text, "1 4096 5000 9 7 0 0 8 171 2");
  const absl::StatusOr<DueCheckpoint> parsed = ParseDueCheckpoint(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(EncodeDueCheckpoint(*parsed), text);
  for (const std::string_view wrong :
       {"", "1", "2 4096 5000 9", "1 4096 5000", "1 4096 5000 9 7", "1 4096 5000 9 7 0", "1 -1 0 0", "1 4096 5000 9x",
        "1  4096 5000 9", "1 4096 5000 99999999999999999999"}) {
    EXPECT_FALSE(ParseDueCheckpoint(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace store::tools
