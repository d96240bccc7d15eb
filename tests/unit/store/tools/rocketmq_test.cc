// Goal: messages survive the way to RocketMQ's files and back with their offsets, times and bytes; holes and damage are named, not hidden.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/sim/world.h"
#include "store/tools/rocketmq_export.h"
#include "store/tools/rocketmq_import.h"
#include "store/tools/rocketmq_log_reader.h"
#include "store/tools/verify.h"
#include "tests/unit/store/tools/tools_fixture.h"

namespace store::tools {
namespace {

constexpr uint64_t kFileBytes = 64 * 1024;

void ExpectOk(sim::World& world, sim::Node& node, sim::Main main) {
  node.Start(std::move(main));
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

core::Task<absl::Status> ExportMain(bool fill_holes, ExportResult* out) {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories("out/commitlog"));
  ExportOptions options{
      .directory = "data", .commit_log = "out/commitlog", .file_bytes = kFileBytes, .fill_holes = fill_holes};
  CO_ASSIGN_OR_RETURN(*out, co_await ExportCommitLog(std::move(options)));
  co_return absl::OkStatus();
}

struct Read {
  std::map<core::QueueKey, std::vector<std::string>> bodies;
  std::map<core::QueueKey, int64_t> first;
  core::WallMillis last_time = 0;
};

/// Reads what was exported, each record checked for what RocketMQ demands.
core::Task<absl::Status> ReadMain(Read* out) {
  RocketMqLogReader reader("out/commitlog");
  CO_RETURN_IF_ERROR(co_await reader.Open());
  uint64_t due = kFileBytes;
  absl::Status status;
  while (status.ok()) {
    const absl::StatusOr<std::optional<RocketMqRecord>> next = co_await reader.Next();
    status = next.status();
    if (!next.ok() || !next->has_value()) break;
    const RocketMqRecord& one = **next;
    // Back to back, or at the beginning of the next file.
    EXPECT_TRUE(one.position == due || one.position == RoundUp(due, kFileBytes)) << one.position << " after " << due;
    EXPECT_EQ(static_cast<uint64_t>(one.record.position.value()), one.position);
    EXPECT_TRUE(one.record.BodyIntact());
    EXPECT_GE(one.record.store_timestamp, out->last_time);
    out->last_time = one.record.store_timestamp;
    due = one.position + one.bytes.size();
    const core::QueueKey key{std::string(one.record.topic), one.record.queue_id};
    std::vector<std::string>& bodies = out->bodies[key];
    if (bodies.empty()) out->first[key] = one.record.queue_offset.value();
    EXPECT_EQ(one.record.queue_offset.value(), out->first[key] + static_cast<int64_t>(bodies.size())) << "not dense";
    bodies.emplace_back(reinterpret_cast<const char*>(one.record.body.data()), one.record.body.size());
  }
  co_await reader.Close();
  co_return status;
}

core::Task<absl::Status> ImportMain(ImportResult* out) {
  ImportOptions options{.from = "out",
                        .directory = "back",
                        .manifest = {.store_id = {1, 2}, .logs = 3, .segment_bytes = kSegmentBytesMin},
                        .owner = [](const core::QueueKey& key) { return static_cast<uint32_t>(key.queue_id) % 3; },
                        .tags_code = [](const RecordView&) { return int64_t{77}; },
                        .wanted = [](std::string_view topic) { return topic == "T"; }};
  const ManifestContent manifest = options.manifest;
  CO_ASSIGN_OR_RETURN(*out, co_await ImportCommitLog(std::move(options)));
  for (uint32_t log = 0; log < 3; ++log) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<MetaStore> meta, co_await MetaStore::Open(absl::StrCat("back/meta-", log)));
    CO_RETURN_IF_ERROR(co_await meta->Close());
  }
  co_return co_await WriteManifest("back", manifest);
}

core::Task<absl::Status> VerifyMain(std::string directory, VerifyReport* out) {
  CO_ASSIGN_OR_RETURN(*out, co_await VerifyFolder(directory));
  co_return absl::OkStatus();
}

/// Opens the imported folder as a broker does and reads every queue.
core::Task<absl::Status> FetchMain(std::map<core::QueueKey, std::vector<std::string>>* out) {
  CO_ASSIGN_OR_RETURN(Manifest manifest, co_await Manifest::Open({.directory = "back"}));
  for (uint32_t log = 0; log < 3; ++log) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<DataFolder> part,
                        co_await DataFolder::Open("back", manifest.content(), log, {}));
    for (int queue = 0; queue < 4; ++queue) {
      if (queue % 3 != static_cast<int>(log)) continue;
      const core::QueueKey key{"T", queue};
      int64_t next = part->store().MinOffset(key).value();
      while (next < part->store().MaxOffset(key).value()) {
        const FetchResult result = co_await FetchFrom(part->store(), "T", queue, next);
        if (result.next.value() <= next) co_return absl::InternalError("no progress");
        next = result.next.value();
        for (std::string& body : BodiesOf(result)) (*out)[key].push_back(std::move(body));
      }
    }
    EXPECT_EQ(part->store().Stats().damaged_records, 0U);
    CO_RETURN_IF_ERROR(co_await part->Close());
  }
  co_return co_await manifest.Close();
}

TEST(RocketMqTest, ThereAndBackKeepsOffsetsOrderAndBytes) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  ExpectOk(world, node, [] { return FillFolderMain(700, 900); });
  ExportResult exported;
  ExpectOk(world, node, [&] { return ExportMain(false, &exported); });
  EXPECT_EQ(exported.records, 700U);
  EXPECT_EQ(exported.fillers + exported.damaged, 0U);
  for (const std::string& file : node.disk().Files()) {
    if (file.find("/out/commitlog/") == std::string::npos) continue;
    EXPECT_EQ(node.disk().Content(file).size(), kFileBytes) << file;
    EXPECT_NE(file, "/out/commitlog/00000000000000000000");
  }
  Read read;
  ExpectOk(world, node, [&] { return ReadMain(&read); });
  ASSERT_EQ(read.bodies.size(), 4U);
  for (const auto& [key, bodies] : read.bodies) {
    ASSERT_EQ(bodies.size(), 175U);
    for (size_t i = 0; i < bodies.size(); ++i) {
      EXPECT_TRUE(bodies[i].starts_with(absl::StrCat("message ", i * 4 + static_cast<size_t>(key.queue_id), " ")))
          << bodies[i].substr(0, 20);
    }
  }
  ImportResult imported;
  ExpectOk(world, node, [&] { return ImportMain(&imported); });
  EXPECT_EQ(imported.records, 700U);
  VerifyReport report;
  ExpectOk(world, node, [&] { return VerifyMain("back", &report); });
  EXPECT_TRUE(report.findings.empty()) << Describe(report.findings);
  EXPECT_EQ(report.records, 700U);
  EXPECT_GT(report.segments, 3U);
  std::map<core::QueueKey, std::vector<std::string>> fetched;
  ExpectOk(world, node, [&] { return FetchMain(&fetched); });
  EXPECT_EQ(fetched, read.bodies);
  // The first start has made the indexes; they agree with the log.
  ExpectOk(world, node, [&] { return VerifyMain("back", &report); });
  EXPECT_TRUE(report.findings.empty()) << Describe(report.findings);
}

TEST(RocketMqTest, AHoleIsRefusedOrFilledAndSaidSo) {
  sim::World world(2);
  sim::Node& node = world.AddNode("node", 1);
  ExpectOk(world, node, [] { return FillFolderMain(200, 400); });
  const std::string file = "data/log-1/00000000000000000000.log";
  node.disk().FlipBit(file, node.disk().Content(file).find("message 51 "), 0);
  ExportResult exported;
  node.Start([&] { return ExportMain(false, &exported); });
  const absl::Status refused = world.RunToEnd(node);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("T/3 lacks messages 12 to 12"), absl::string_view::npos) << refused;
  for (const std::string& made : node.disk().Files()) {
    if (made.starts_with("/out/")) ExpectOk(world, node, [made] { return core::fs::Remove(made); });
  }
  ExpectOk(world, node, [&] { return ExportMain(true, &exported); });
  EXPECT_EQ(exported.fillers, 1U);
  EXPECT_EQ(exported.damaged, 1U);
  Read read;
  ExpectOk(world, node, [&] { return ReadMain(&read); });
  const std::vector<std::string>& bodies = read.bodies[core::QueueKey{"T", 3}];
  ASSERT_EQ(bodies.size(), 50U);
  EXPECT_EQ(bodies[12], "");
  EXPECT_TRUE(bodies[13].starts_with("message 55 "));
}

TEST(RocketMqTest, ADamagedBodyIsLeftBehindAndABrokenChainIsAnError) {
  sim::World world(3);
  sim::Node& node = world.AddNode("node", 1);
  ExpectOk(world, node, [] { return FillFolderMain(300, 400); });
  ExportResult exported;
  ExpectOk(world, node, [&] { return ExportMain(false, &exported); });
  const std::string file = "/out/commitlog/00000000000000065536";
  const size_t body = node.disk().Content(file).find("message 20 ");
  ASSERT_NE(body, std::string::npos);
  node.disk().FlipBit(file, body, 0);
  ImportResult imported;
  ExpectOk(world, node, [&] { return ImportMain(&imported); });
  EXPECT_EQ(imported.records, 299U);
  EXPECT_EQ(imported.damaged, 1U);
  VerifyReport report;
  ExpectOk(world, node, [&] { return VerifyMain("back", &report); });
  EXPECT_FALSE(report.Damaged()) << Describe(report.findings);
  EXPECT_EQ(report.Count(Severity::kNote), 1U) << Describe(report.findings);  // T/0 has no message 5

  node.disk().FlipBit(file, 4, 0);  // the magic of the first record
  node.Start([&] { return ImportMain(&imported); });
  const absl::Status broken = world.RunToEnd(node);
  EXPECT_FALSE(broken.ok());
}

core::Task<absl::Status> ReaderErrorMain() {
  RocketMqLogReader reader("out/commitlog");
  CO_RETURN_IF_ERROR(co_await reader.Open());
  const absl::Status status = (co_await reader.Next()).status();
  co_await reader.Close();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("00000000000000065536 at byte 0"), absl::string_view::npos) << status;
  co_return absl::OkStatus();
}

TEST(RocketMqTest, TheErrorNamesFileAndByte) {
  sim::World world(4);
  sim::Node& node = world.AddNode("node", 1);
  ExpectOk(world, node, [] { return FillFolderMain(300, 400); });
  ExportResult exported;
  ExpectOk(world, node, [&] { return ExportMain(false, &exported); });
  node.disk().FlipBit("/out/commitlog/00000000000000065536", 4, 0);
  ExpectOk(world, node, ReaderErrorMain);
}

}  // namespace
}  // namespace store::tools
