// Goal: a data folder says what it is, is used by one process at a time, and each refusal names its cause.
#include "store/manifest.h"

#include <gtest/gtest.h>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/status.h"
#include "store/data_folder.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

TEST(ManifestTest, TextIsReadBackAndEachFlippedBitFound) {
  const ManifestContent content{{0x0123456789abcdef, 42}, 7, kSegmentBytesMin};
  const std::string text = EncodeManifest(content);
  const absl::StatusOr<ManifestContent> back = ParseManifest(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->store_id, content.store_id);
  EXPECT_EQ(back->logs, 7U);
  EXPECT_EQ(back->segment_bytes, kSegmentBytesMin);
  for (size_t at = 0; at < text.size(); ++at) {
    std::string flipped = text;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_FALSE(ParseManifest(flipped).ok()) << at;
    EXPECT_FALSE(ParseManifest(text.substr(0, at)).ok()) << at;
  }
}

core::Task<absl::Status> FolderMain() {
  Manifest::Options options{.directory = "a/data", .default_logs = 2, .segment_bytes = kSegmentBytesMin, .process = 4711};
  CO_ASSIGN_OR_RETURN(Manifest manifest, co_await Manifest::Open(options));
  EXPECT_EQ(manifest.content().logs, 2U);
  const absl::Status in_use = (co_await Manifest::Open(options)).status();
  EXPECT_EQ(in_use.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(in_use.message().find("pid 4711"), absl::string_view::npos) << in_use;
  for (uint32_t log = 0; log < 2; ++log) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<DataFolder> part, co_await DataFolder::Open("a/data", manifest.content(), log, {}));
    CO_ASSIGN_OR_RETURN(const AppendResult appended, co_await AppendOne(part->store(), "T", 0, "x"));
    EXPECT_EQ(LogNumberOf(appended.positions[0]), log);
    CO_RETURN_IF_ERROR(co_await part->Close());
  }
  const StoreId id = manifest.content().store_id;
  CO_RETURN_IF_ERROR(co_await manifest.Close());

  options.logs = 3;
  const absl::Status other = (co_await Manifest::Open(options)).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition) << other;
  EXPECT_NE(other.message().find("made for 2 shards"), absl::string_view::npos) << other;
  options.logs = 0;
  options.default_logs = 5;
  options.segment_bytes = kSegmentBytesMax;
  CO_ASSIGN_OR_RETURN(manifest, co_await Manifest::Open(options));
  EXPECT_EQ(manifest.content().logs, 2U);
  EXPECT_EQ(manifest.content().segment_bytes, kSegmentBytesMin);
  EXPECT_EQ(manifest.content().store_id, id);

  // A log of another store in its place is refused, not read.
  ManifestContent stranger = manifest.content();
  stranger.store_id.low ^= 1;
  EXPECT_FALSE((co_await DataFolder::Open("a/data", stranger, 0, {})).ok());
  CO_RETURN_IF_ERROR(co_await manifest.Close());
  CO_RETURN_IF_ERROR(co_await core::fs::Remove("a/data/manifest"));
  EXPECT_EQ((co_await Manifest::Open(options)).status().code(), absl::StatusCode::kDataLoss);  // never silently a new one
  co_return absl::OkStatus();
}

TEST(ManifestTest, FolderIsUsedByOneProcessAndKeepsItsShape) {
  const absl::Status status = sim::RunInWorld(1, 1, FolderMain);
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<absl::Status> UnwritableMain(sim::Node* node) {
  node->disk().Inject({.op = sim::DiskOp::kOpen, .path_contains = "lock", .error = EACCES});
  const absl::Status status = (co_await Manifest::Open({.directory = "data"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(status.message().find("data folder data is not writable"), absl::string_view::npos) << status;
  co_return absl::OkStatus();
}

TEST(ManifestTest, UnwritableFolderIsNamed) {
  sim::World world(2);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&node] { return UnwritableMain(&node); });
  EXPECT_TRUE(world.RunToEnd(node).ok());
}

}  // namespace
}  // namespace store
