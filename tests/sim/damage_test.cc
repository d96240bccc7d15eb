// Goal: damage costs what it must and no more: a flipped bit one record, a failed write the messages that it was to carry, of which none was
// acknowledged; nothing damaged is served, and no offset is given out twice.
// Method: as in cluster_test.cc, with a broker whose log files change behind its back while it is down or while it runs, or whose disk
// fails, and which loses its power after that. Many small seeds: RINGMQ_SIM_FIRST, RINGMQ_SIM_SEEDS (a tenth of them, thirty at least).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/sim/world.h"
#include "core/strings.h"
#include "tests/sim/cluster.h"
#include "tests/sim/seeds.h"

namespace sim {
namespace {

absl::Duration Millis(World& world, int64_t least, int64_t most) {
  return absl::Microseconds(world.random().Between(least * 1000, most * 1000));
}

/// Flips one bit of what the logs have written so far, each byte of it as likely as any other.
void FlipSomewhere(World& world, Cluster& cluster) {
  SimDisk& disk = cluster.broker().disk();
  std::vector<std::pair<std::string, uint64_t>> used;  // bytes of each file
  uint64_t all = 0;
  for (const std::string& file : disk.Files()) {
    if (file.find("/log-") == std::string::npos || !file.ends_with(".log")) continue;
    used.emplace_back(file, disk.Content(file).find_last_not_of('\0') + 1);
    all += used.back().second;
  }
  if (all == 0) return;
  uint64_t at = world.random().Below(all);
  for (const auto& [file, bytes] : used) {
    if (at < bytes) {
      cluster.recorder().Nemesis("flip");
      disk.FlipBit(file, at, static_cast<int>(world.random().Below(8)));
      return;
    }
    at -= bytes;
  }
}

/// The end of every course: quiet, everything read by the consumers and by a scan.
std::vector<std::string> Settle(World& world, Cluster& cluster) {
  cluster.StopProducing();
  world.RunFor(absl::Seconds(2));
  Recorder& recorder = cluster.recorder();
  if (!cluster.broker().running()) {
    recorder.Problem("the broker is down at the end: " + cluster.broker().result()->ToString());
    return recorder.Verdict();
  }
  std::map<int32_t, int64_t> ends;
  const absl::Status status = cluster.ScanAll(ends);
  if (!status.ok()) recorder.Problem("the scan: " + status.ToString());
  if (!world.RunUntil([&] { return cluster.CaughtUp(ends); }, absl::Seconds(10))) {
    recorder.Problem("the consumers have not read to the ends after 10 s");
  }
  return recorder.Verdict();
}

void Start(World& world, Cluster& cluster) {
  cluster.StartAll();
  cluster.StartClients(3);
  world.RunFor(Millis(world, 100, 500));
}

/// Runs `course` for each seed; a problem ends it.
template <typename Course>
void ForSeeds(Course course) {
  const uint64_t first = FirstSeed();
  const uint64_t count = std::max<uint64_t>(30, SeedCount(1000) / 10);
  for (uint64_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    const std::vector<std::string> problems = course(world);
    std::string all;
    for (size_t i = 0; i < problems.size() && i < 10; ++i) all += problems[i] + "\n";
    EXPECT_TRUE(problems.empty()) << problems.size() << " problems with seed " << seed << ":\n"
                                  << all << Again(seed) << world.Describe();
  }
}

TEST(DamageTest, AFlippedBitCostsOneRecordAtMost) {
  size_t missing = 0;
  ForSeeds([&missing](World& world) {
    Cluster cluster(world, {.flush = broker::FlushDiskType::kSyncFlush, .disks_fail = true});
    Start(world, cluster);
    if (world.random().OneIn(3)) FlipSomewhere(world, cluster);  // while it runs
    world.RunFor(Millis(world, 1, 300));
    // A clean stop: in the last batch before a kill, which no mark covers yet, damage cannot be told from a torn write.
    cluster.StopBroker();
    cluster.recorder().Nemesis("stop");
    for (uint64_t i = 0, flips = 1 + world.random().Below(2); i < flips; ++i) FlipSomewhere(world, cluster);
    cluster.StartBroker();
    world.RunFor(Millis(world, 100, 400));
    FlipSomewhere(world, cluster);  // most likely what nobody has read since the start
    std::vector<std::string> problems = Settle(world, cluster);
    missing += cluster.recorder().missing();
    return problems;
  });
  EXPECT_GT(missing, 0U) << "no bit hit a record";
}

TEST(DamageTest, NothingIsAcknowledgedThatAFailedWriteCarried) {
  ForSeeds([](World& world) {
    Cluster cluster(world, {.flush = broker::FlushDiskType::kSyncFlush, .disks_fail = true});
    Start(world, cluster);
    cluster.broker().disk().Inject(
        {.op = DiskOp::kWrite, .path_contains = "/log-", .skip = world.random().Below(20), .times = 3});
    cluster.recorder().Nemesis("eio");
    world.RunFor(Millis(world, 50, 300));
    cluster.broker().disk().ClearFaults();
    cluster.recorder().Nemesis("cut");
    world.CutPower(cluster.broker());
    cluster.StartBroker();
    world.RunFor(Millis(world, 100, 400));
    return Settle(world, cluster);
  });
}

}  // namespace
}  // namespace sim
