// Goal: verify knows the files of the index of keys: it names each damage by file and page, says nothing of what is whole, and writes nothing; inspect says what
// they hold.
#include "store/tools/key_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/key_run.h"
#include "store/tools/overview.h"
#include "store/tools/verify.h"
#include "tests/unit/store/key_fixture.h"
#include "tests/unit/store/tools/tools_fixture.h"
#include "tests/unit/store/tools/looking.h"

namespace store::tools {
namespace {

constexpr int kMessages = 1500;

/// A folder with one log of several segments, whose messages have two keys each.
core::Task<absl::Status> FillMain() {
  CO_ASSIGN_OR_RETURN(
      Manifest manifest,
      co_await Manifest::Open({.directory = "data", .default_logs = 1, .segment_bytes = kSegmentBytesMin}));
  StoreOptions options;
  options.key_table_entries = 400;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<DataFolder> part,
                      co_await DataFolder::Open("data", manifest.content(), 0, options));
  for (int i = 0; i < kMessages; ++i) {
    CO_RETURN_IF_ERROR((co_await AppendKeyed(part->store(), "T", 0, std::string(500, 'b'),
                                             KeysText(absl::StrCat("u", i), absl::StrCat("k", i))))
                           .status());
  }
  (void)co_await core::Sleep(absl::Seconds(10));
  CO_RETURN_IF_ERROR(co_await part->Close());
  co_return co_await manifest.Close();
}

std::vector<std::string> KeyFiles(sim::Node& node) { return FilesWith(node, kKeyRunSuffix); }

TEST(KeyCheckTest, WhatIsWholeIsCountedAndNotCalledDamaged) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(FillMain);
  const absl::Status filled = world.RunToEnd(node);
  ASSERT_TRUE(filled.ok()) << filled;
  const Looked looked = LookAt(world, node);
  EXPECT_EQ(looked.report.findings.size(), 0U) << Describe(looked.report.findings);
  EXPECT_EQ(looked.report.key_runs, KeyFiles(node).size());
  EXPECT_GT(looked.report.key_runs, 2U);
  EXPECT_EQ(looked.overview.damages, 0U);
  ASSERT_EQ(looked.overview.logs.size(), 1U);
  uint64_t entries = 0;
  for (const KeyRunOverview& run : looked.overview.logs[0].key_runs) entries += run.entries;
  EXPECT_GT(entries, static_cast<uint64_t>(kMessages));
  EXPECT_LE(entries, uint64_t{2} * kMessages);
  EXPECT_GT(looked.overview.key_bytes, entries * kRunEntryBytes);
}

TEST(KeyCheckTest, EachFlippedBitIsNamedByFileAndPage) {
  sim::World world(2);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(FillMain);
  ASSERT_TRUE(world.RunToEnd(node).ok());
  int flips = 0;
  for (const std::string& file : KeyFiles(node)) {
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
      node.disk().FlipBit(file, at, static_cast<int>(at % 8));
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(flips, 30);
}

core::Task<absl::Status> CutMain(std::string path) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true}));
  CO_RETURN_IF_ERROR(co_await file.Truncate(kBlock));
  co_return co_await file.Close();
}
core::Task<absl::Status> CopyMain(std::string path) {
  CO_ASSIGN_OR_RETURN(const std::string content, co_await core::fs::ReadWhole(path, size_t{1} << 20));
  co_return co_await core::fs::ReplaceWhole(KeyRunPath("data/log-0", uint64_t{1} << 40), content);
}
core::Task<absl::Status> UnfinishedMain(std::string path) {
  path.replace(path.size() - kKeyRunSuffix.size(), kKeyRunSuffix.size(), kNewKeyRunSuffix);
  co_return co_await core::fs::ReplaceWhole(path, "x");
}

TEST(KeyCheckTest, ShortStrayAndUnfinishedFilesAreSaid) {
  struct Case {
    core::Task<absl::Status> (*harm)(std::string);
    bool damage;
    std::string said;
  };
  const Case cases[] = {
      {CutMain, true, "cut short"},
      {CopyMain, false, "its header is that of another file"},
      {UnfinishedMain, false, "it is not finished"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.said);
    sim::World world(3);
    sim::Node& node = world.AddNode("node", 1);
    node.Start(FillMain);
    ASSERT_TRUE(world.RunToEnd(node).ok());
    const std::string path = KeyFiles(node).back();
    node.Start([&] { return one.harm(path); });
    const absl::Status harmed = world.RunToEnd(node);
    ASSERT_TRUE(harmed.ok()) << harmed;
    const Looked looked = LookAt(world, node);
    EXPECT_EQ(looked.report.Damaged(), one.damage) << Describe(looked.report.findings);
    EXPECT_NE(Describe(looked.report.findings).find(one.said), std::string::npos) << Describe(looked.report.findings);
  }
}

}  // namespace
}  // namespace store::tools
