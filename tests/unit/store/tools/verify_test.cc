// Goal: verify finds every flipped bit where it is and says what it costs, cries wolf neither at a torn tail nor at a running broker, and
// writes nothing.
#include "store/tools/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/data_folder.h"
#include "tests/unit/store/tools/tools_fixture.h"

namespace store::tools {
namespace {

struct Verified {
  absl::Status status;
  VerifyReport report;
};

core::Task<absl::Status> VerifyMain(Verified* out) {
  absl::StatusOr<VerifyReport> report = co_await VerifyFolder("data");
  out->status = report.status();
  if (report.ok()) out->report = *std::move(report);
  co_return absl::OkStatus();
}

Verified VerifyOn(sim::World& world, sim::Node& node) {
  Verified verified;
  node.Start([&verified] { return VerifyMain(&verified); });
  EXPECT_TRUE(world.RunToEnd(node).ok());
  EXPECT_TRUE(verified.status.ok()) << verified.status;
  return verified;
}

TEST(VerifyTest, AFolderClosedInOrderIsIntactAndVerifyWritesNothing) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillFolderMain(600, 900); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  const uint64_t before = node.disk().Hash();
  const Verified verified = VerifyOn(world, node);
  EXPECT_EQ(verified.report.findings.size(), 0U) << Describe(verified.report.findings);
  EXPECT_EQ(verified.report.records, 600U);
  EXPECT_EQ(verified.report.manifest.logs, 2U);
  EXPECT_GT(verified.report.indexes, 1U);
  EXPECT_GE(verified.report.segments, verified.report.indexes + 2);
  EXPECT_EQ(node.disk().Hash(), before);
}

/// Whether damage is reported that covers the byte; damage of a whole file has no range.
bool Names(const VerifyReport& report, const std::string& file, uint64_t at) {
  return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& f) {
    // The last record of a meta.log is the one that a crash may tear: nobody can tell.
    const bool named =
        f.severity == Severity::kDamage || (f.severity == Severity::kTornTail && file.ends_with("meta.log"));
    return named && "/data/" + f.file == file && (f.end == f.begin || (at >= f.begin && at < f.end));
  });
}

TEST(VerifyTest, EachFlippedBitIsNamedAndCostsOneMessageAtMost) {
  sim::World world(2);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillFolderMain(400, 900); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  size_t flips = 0;
  for (const std::string& file : node.disk().Files()) {
    if (file == "/data/lock") continue;
    const std::string content = node.disk().Content(file);
    // Behind the last batch nothing is stored.
    const size_t used = RoundUp(content.find_last_not_of('\0') + 1,
                                file.ends_with(".log") && file.find("meta") == std::string::npos ? kBlock : 1);
    const size_t step = std::max<size_t>(used / 10, 7);
    for (size_t at = 0; at < used; at += 1 + world.random().Below(step), ++flips) {
      SCOPED_TRACE(absl::StrCat(file, " byte ", at));
      node.disk().FlipBit(file, at, static_cast<int>(at % 8));
      const Verified verified = VerifyOn(world, node);
      EXPECT_TRUE(Names(verified.report, file, at)) << Describe(verified.report.findings);
      const uint64_t most = file.ends_with(".idx") ? 0 : 1;  // an index is made anew from the log
      EXPECT_LE(verified.report.LostRecords(), most) << Describe(verified.report.findings);
      node.disk().FlipBit(file, at, static_cast<int>(at % 8));
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(flips, 80U);
}

TEST(VerifyTest, ADamagedMessageIsNamedByQueueAndOffset) {
  sim::World world(3);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillFolderMain(100, 400); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  const std::string file = "data/log-1/00000000000000000000.log";
  const size_t at = node.disk().Content(file).find("message 51 ");
  ASSERT_NE(at, std::string::npos);
  node.disk().FlipBit(file, at, 0);
  const Verified verified = VerifyOn(world, node);
  ASSERT_EQ(verified.report.findings.size(), 1U) << Describe(verified.report.findings);
  const Finding& finding = verified.report.findings[0];
  EXPECT_EQ(finding.records, 1U);
  ASSERT_EQ(finding.lost.size(), 1U);
  // Message i goes to log i % 2, queue i % 4 of T: 51 is the 13th of queue 3.
  EXPECT_EQ(finding.lost[0].topic, "T");
  EXPECT_EQ(finding.lost[0].queue_id, 3);
  EXPECT_EQ(finding.lost[0].first, 12);
  EXPECT_EQ(finding.lost[0].end, 13);
}

TEST(VerifyTest, WhatAPowerCutLeavesIsNoDamage) {
  uint64_t torn = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillFolderMain(100'000, 900); });
    world.RunFor(absl::Milliseconds(200 + seed * 7));
    node.CutPower();
    const Verified verified = VerifyOn(world, node);
    EXPECT_FALSE(verified.report.Damaged()) << Describe(verified.report.findings) << world.Describe();
    torn += verified.report.Count(Severity::kTornTail);
    if (HasFailure()) return;
  }
  EXPECT_GT(torn, 3U);
}

core::Task<absl::Status> FillAndHangMain(int* acknowledged) {
  CO_ASSIGN_OR_RETURN(Manifest manifest,
                      co_await Manifest::Open({.directory = "data", .default_logs = 1, .segment_bytes = kSegmentBytesMin}));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<DataFolder> part, co_await DataFolder::Open("data", manifest.content(), 0, StoreOptions()));
  (void)co_await core::Sleep(absl::Milliseconds(20));
  for (int i = 0; i < 300; ++i) {
    const std::string body = absl::StrCat("message ", i, std::string(1500, '.'));
    const MessageDraft draft = DraftOf("T", 0, body);
    CO_RETURN_IF_ERROR((co_await part->store().Append({&draft, 1})).status());
    ++*acknowledged;
  }
  (void)co_await core::Sleep(absl::Hours(1));
  co_return absl::OkStatus();
}

// Killed before anything of it was written to the log: what the next start will take over counts.
TEST(VerifyTest, WhatOnlyTheAppendBufferHasIsThere) {
  sim::World world(5);
  sim::Node& node = world.AddNode("node", 1);
  int acknowledged = 0;
  node.Start([&acknowledged] { return FillAndHangMain(&acknowledged); });
  ASSERT_TRUE(world.RunUntil([&acknowledged] { return acknowledged == 300; }, absl::Minutes(1)));
  node.Kill();
  const Verified verified = VerifyOn(world, node);
  EXPECT_FALSE(verified.report.Damaged()) << Describe(verified.report.findings);
  EXPECT_EQ(verified.report.records, 300U);
}

core::Task<void> KeepWriting(DataFolder& part, const bool* stop) {
  for (int i = 0; !*stop; ++i) {
    const std::string body = absl::StrCat("message ", i, std::string(1500, '.'));
    EXPECT_TRUE((co_await AppendOne(part.store(), "T", i % 3, body)).ok());
    EXPECT_TRUE(
        (co_await part.meta().Commit({{MetaTable::kConsumerOffsets, absl::StrCat("g", i % 7), absl::StrCat(i)}})).ok());
  }
}

core::Task<absl::Status> RunningMain(uint64_t* moving) {
  CO_ASSIGN_OR_RETURN(
      Manifest manifest,
      co_await Manifest::Open({.directory = "data", .default_logs = 1, .segment_bytes = kSegmentBytesMin}));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<DataFolder> part, co_await DataFolder::Open("data", manifest.content(), 0, {}));
  core::Scope writers;
  bool stop = false;
  for (int i = 0; i < 4; ++i) writers.Spawn(KeepWriting(*part, &stop));
  for (int i = 0; i < 8; ++i) {
    core::Sleep pause(absl::Milliseconds(10 + i * 3));
    (void)co_await pause;
    CO_ASSIGN_OR_RETURN(const VerifyReport report, co_await VerifyFolder("data"));
    EXPECT_FALSE(report.Damaged()) << Describe(report.findings);
    EXPECT_EQ(report.Count(Severity::kTornTail), 0U) << Describe(report.findings);
    *moving += report.moving_logs;
  }
  stop = true;
  co_await writers.Join();
  CO_RETURN_IF_ERROR(co_await part->Close());
  co_return co_await manifest.Close();
}

TEST(VerifyTest, ARunningBrokersFolderIsNotCalledDamaged) {
  uint64_t moving = 0;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([&moving] { return RunningMain(&moving); });
    const absl::Status status = world.RunToEnd(node);
    EXPECT_TRUE(status.ok()) << status << world.Describe();
    if (HasFailure()) return;
  }
  EXPECT_GT(moving, 0U);  // of 16: how many is a matter of timing
}

core::Task<absl::Status> RemoveMain(std::string path) { co_return co_await core::fs::Remove(path); }
core::Task<absl::Status> TruncateMain(std::string path, uint64_t bytes) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true}));
  CO_RETURN_IF_ERROR(co_await file.Truncate(bytes));
  co_return co_await file.Close();
}
core::Task<absl::Status> WriteMain(std::string path) {
  co_return co_await core::fs::ReplaceWhole(path, "what is this?");
}

TEST(VerifyTest, MissingAndShortFilesAreDamageAndUnknownOnesAreNot) {
  struct Case {
    std::function<core::Task<absl::Status>()> harm;
    bool damage;
    std::string said;
  };
  const Case cases[] = {
      {[] { return RemoveMain("data/log-0/00000000000000262144.log"); }, true, "missing"},
      {[] { return RemoveMain("data/log-0/flushed"); }, false, "mark file is missing"},
      {[] { return RemoveMain("data/meta-1/meta.log"); }, true, "the file is missing"},
      {[] { return TruncateMain("data/log-1/00000000000000000000.log", 100 * 1024); }, true, "cut short"},
      {[] { return TruncateMain("data/log-1/00000000000000000000.idx", 8192); }, true, "cut short"},
      {[] { return TruncateMain("data/meta-0/meta.log", 70); }, true, "was durable"},
      {[] { return WriteMain("data/log-0/append-buffer"); }, false, "unknown file, ignored"},
      {[] { return WriteMain("data/notes.txt"); }, false, "unknown file, ignored"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.said);
    sim::World world(4);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillFolderMain(800, 900); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    node.Start([&one] { return one.harm(); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    const Verified verified = VerifyOn(world, node);
    EXPECT_EQ(verified.report.Damaged(), one.damage) << Describe(verified.report.findings);
    EXPECT_NE(Describe(verified.report.findings).find(one.said), std::string::npos)
        << Describe(verified.report.findings);
  }
}

}  // namespace
}  // namespace store::tools
