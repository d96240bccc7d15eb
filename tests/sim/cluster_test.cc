// Goal: whatever happens to a broker, what it acknowledged is there, once, at its place, and consumers miss nothing.
// Method: nameservers, brokers with two shards and clients in one simulated world a seed. Each seed has a random subset of the troubles that there are
// (nemesis.h). Then all is healed, the brokers must take messages again, everything is read and held against what the
// clients were told. A failing seed replays exactly:
//     RINGMQ_SIM_FIRST=SEED RINGMQ_SIM_SEEDS=1 sim_test --gtest_filter=ClusterTest.*
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/sim/world.h"
#include "core/strings.h"
#include "tests/sim/cluster.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/seeds.h"

namespace sim {
namespace {

struct Outcome {
  uint64_t hash = 0;
  uint64_t event_count = 0;
  size_t acknowledged = 0;
  absl::Duration lasted;
  std::vector<std::string> problems;
  std::string description;  // of the world and what befell it, when there are problems
};

/// What one seed is about: drawn before the world begins, as the cluster depends on it.
struct Plan {
  Troubles troubles;
  ClusterOptions cluster;
  std::string lies_about;  // files of which the first broker's disk says "stored" and stores nothing, once clients are at work
};

Plan PlanFor(uint64_t seed) {
  Random random(seed * 2 + 1);
  Plan plan;
  plan.troubles = Troubles::Draw(random);
  plan.cluster.flush = random.OneIn(2) ? broker::FlushDiskType::kSyncFlush : broker::FlushDiskType::kAsyncFlush;
  plan.cluster.brokers = random.OneIn(4) ? 2 : 1;
  plan.cluster.nameservers = random.OneIn(3) ? 2 : 1;
  Adapt(plan.cluster, plan.troubles);
  return plan;
}

/// One seed's course of events.
class Scenario {
 public:
  /// `events` (may be null) gets the whole history.
  Scenario(uint64_t seed, const Plan& plan, std::vector<std::string>* events)
      : plan_(plan), world_(seed), cluster_(world_, plan.cluster), nemesis_(world_, cluster_, plan.troubles) {
    if (events != nullptr) world_.ListenToEvents([events](std::string line) { events->push_back(std::move(line)); });
  }

  Cluster& cluster() { return cluster_; }

  Outcome Run() {
    cluster_.StartAll();
    cluster_.StartClients(3);
    world_.RunFor(absl::Microseconds(world_.random().Between(50'000, 300'000)));
    if (!plan_.lies_about.empty()) cluster_.broker().disk().set_lies(plan_.lies_about);
    nemesis_.Run(absl::Microseconds(world_.random().Between(300'000, 1'800'000)));
    nemesis_.Heal();
    GoOn();
    Settle();
    return Result();
  }

 private:
  /// Every broker takes messages again once all is well.
  void GoOn() {
    std::vector<size_t> before;
    for (int i = 0; i < cluster_.brokers(); ++i) before.push_back(cluster_.acknowledged_by(i));
    const bool all = world_.RunUntil(
        [&] {
          for (int i = 0; i < cluster_.brokers(); ++i) {
            if (cluster_.acknowledged_by(i) < before[static_cast<size_t>(i)] + 5) return false;
          }
          return true;
        },
        absl::Seconds(8));
    if (!all) cluster_.recorder().Problem("a broker takes no messages 8 s after everything was healed");
  }

  void Settle() {
    cluster_.StopProducing();
    // Every call has ended or timed out; also that of a broker to a nameserver, after 3 s, for which the first send to a new topic waits.
    world_.RunFor(absl::Seconds(4));
    Recorder& recorder = cluster_.recorder();
    for (int i = 0; i < cluster_.brokers(); ++i) {
      if (cluster_.broker(i).running()) continue;
      recorder.Problem("a broker is down at the end: " + cluster_.broker(i).result()->ToString());
      return;
    }
    const std::map<int32_t, int64_t> ends = Scan();
    if (!world_.RunUntil([&] { return cluster_.CaughtUp(ends); }, absl::Seconds(10))) {
      recorder.Problem("the consumers have not read to the ends after 10 s");
    }
    cluster_.StopConsuming();
    if (!cluster_.clients().running() ||
        !world_.RunUntil([&] { return !cluster_.clients().running(); }, absl::Seconds(10))) {
      recorder.Problem("the clients do not end");
    }
    bool stopped = true;
    for (int i = 0; i < cluster_.brokers(); ++i) stopped = cluster_.StopBroker(i) && stopped;
    if (!stopped || !world_.random().OneIn(4)) return;
    recorder.Nemesis("stop");
    for (int i = 0; i < cluster_.brokers(); ++i) cluster_.StartBroker(i);  // a clean stop keeps everything, too
    world_.RunFor(absl::Seconds(1));
    for (const auto& [queue, end] : Scan()) {
      const auto before = ends.find(queue);
      if (before != ends.end() && before->second == end) continue;
      recorder.Problem(core::StrCat("a clean stop changed the end of queue ", queue, " from ", before == ends.end() ? -1 : before->second, " to ", end));
    }
  }

  std::map<int32_t, int64_t> Scan() {
    std::map<int32_t, int64_t> ends;
    const absl::Status status = cluster_.ScanAll(ends);
    if (!status.ok()) cluster_.recorder().Problem("the scan: " + status.ToString());
    return ends;
  }

  Outcome Result() {
    Outcome outcome{world_.hash(), world_.event_count(),          cluster_.recorder().acknowledged(),
                    world_.now(),  cluster_.recorder().Verdict(), ""};
    if (outcome.problems.empty()) return outcome;
    outcome.description = core::StrCat(
        plan_.cluster.flush == broker::FlushDiskType::kSyncFlush ? "SYNC" : "ASYNC",
        "_FLUSH, ", plan_.cluster.brokers, " brokers, ", plan_.cluster.nameservers,
        " nameservers; troubles: ", plan_.troubles.Text(), "\n", Again(world_.seed()), world_.Describe());
    return outcome;
  }

  const Plan plan_;
  World world_;
  Cluster cluster_;
  Nemesis nemesis_;
};

Outcome RunSeed(uint64_t seed, std::vector<std::string>* events = nullptr) {
  Scenario scenario(seed, PlanFor(seed), events);
  return scenario.Run();
}

/// The first event in which two histories differ, with what came before it.
std::string WhereTheyPart(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  std::string text;
  for (size_t i = at > 30 ? at - 30 : 0; i < at; ++i) text += "      " + a[i];
  for (size_t i = at; i < at + 5; ++i) {
    if (i < a.size()) text += "once  " + a[i];
    if (i < b.size()) text += "again " + b[i];
  }
  return text;
}

/// What a number of seeds have come to.
struct Sums {
  uint64_t seeds = 0;
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t failed = 0;
};

/// Runs `first`, `first` + `step`, ... below `end`, reports each problem, and ends with the first one unless RINGMQ_SIM_GO_ON is set.
Sums RunSeeds(uint64_t first, uint64_t end, uint64_t step) {
  Sums sums;
  for (uint64_t seed = first; seed < end; seed += step) {
    std::vector<std::string> events;  // RINGMQ_SIM_EVENTS=FILE: the whole history of the last seed
    const char* events_file = std::getenv("RINGMQ_SIM_EVENTS");
    const Outcome outcome = RunSeed(seed, events_file == nullptr ? nullptr : &events);
    if (events_file != nullptr) {
      std::ofstream file(events_file);
      for (const std::string& event : events) file << event;
    }
    ++sums.seeds;
    sums.events += outcome.event_count;
    sums.acknowledged += outcome.acknowledged;
    if (outcome.problems.empty()) continue;
    ++sums.failed;
    std::string all;
    for (size_t i = 0; i < outcome.problems.size() && i < 10; ++i) all += outcome.problems[i] + "\n";
    ADD_FAILURE() << outcome.problems.size() << " problems with seed " << seed << ":\n" << all << outcome.description;
    if (FromEnvironment("RINGMQ_SIM_GO_ON", 0) == 0) break;
  }
  return sums;
}

/// The same in a process of its own, which leaves its sums in a pipe. Its failures are printed as it goes.
struct Part {
  pid_t process;
  int sums;
};
Part StartPart(uint64_t first, uint64_t end, uint64_t step) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t process = fork();
  if (process != 0) {
    close(ends[1]);
    return {process, ends[0]};
  }
  const Sums sums = RunSeeds(first, end, step);
  std::fflush(stdout);
  const bool written = write(ends[1], &sums, sizeof(sums)) == static_cast<ssize_t>(sizeof(sums));
  _exit(written ? 0 : 1);
}

// One world at a time in a process, so the seeds are dealt out to as many processes as there are cores, or RINGMQ_SIM_PROCESSES.
TEST(ClusterTest, WhatWasAcknowledgedIsThereOnceAndInItsPlace) {
  const uint64_t first = FirstSeed();
  const uint64_t count = SeedCount(2000);
  const uint64_t cores = std::max<uint64_t>(1, std::thread::hardware_concurrency());
  const uint64_t processes = std::min(count, FromEnvironment("RINGMQ_SIM_PROCESSES", cores));
  const auto begun = std::chrono::steady_clock::now();
  Sums all;
  std::vector<Part> parts;
  for (uint64_t i = 0; i < processes; ++i) parts.push_back(StartPart(first + i, first + count, processes));
  for (const Part& part : parts) {
    Sums sums;
    const bool ended = read(part.sums, &sums, sizeof(sums)) == static_cast<ssize_t>(sizeof(sums));
    int status = 0;
    waitpid(part.process, &status, 0);
    close(part.sums);
    if (!ended || status != 0) {
      ADD_FAILURE() << "a process died; what it wrote is above";
      continue;
    }
    all.seeds += sums.seeds;
    all.events += sums.events;
    all.acknowledged += sums.acknowledged;
    all.failed += sums.failed;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("%llu seeds, %llu events, %llu acknowledged messages; %.1f seeds/s in %llu processes\n",
              static_cast<unsigned long long>(all.seeds), static_cast<unsigned long long>(all.events),
              static_cast<unsigned long long>(all.acknowledged), static_cast<double>(all.seeds) / seconds,
              static_cast<unsigned long long>(processes));
  EXPECT_EQ(all.failed, 0U) << "seeds failed; what was wrong with them is above";
  if (all.failed == 0) EXPECT_GT(all.acknowledged, count * 20) << "the clients did next to nothing";
}

// Catches everything in broker, store, net and nameserver that depends on an address, on real time or on what ran before in the process.
TEST(ClusterTest, TheSameSeedIsTheSameHistory) {
  const uint64_t first = FirstSeed();
  const uint64_t count = std::min<uint64_t>(100, SeedCount(100));
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const uint64_t once = RunSeed(seed).hash;
    const uint64_t again = RunSeed(seed).hash;
    if (once == again) continue;
    std::vector<std::string> events_once, events_again;  // kept only now: whole histories are large
    RunSeed(seed, &events_once);
    RunSeed(seed, &events_again);
    ADD_FAILURE() << absl::StrFormat("seed %d: %016x, then %016x\n", seed, once, again)
                  << WhereTheyPart(events_once, events_again);
  }
  std::printf("%llu seeds twice\n", static_cast<unsigned long long>(count));
}

std::string Hashes() {
  std::string text;
  for (uint64_t seed = 1; seed <= 4; ++seed)
    text += absl::StrFormat("history of seed %d: %016x\n", seed, RunSeed(seed).hash);
  return text;
}

// What the next test's child process does; nothing by itself.
TEST(ClusterTest, PrintsHistories) { std::fputs(Hashes().c_str(), stdout); }

// Catches what is the same within a process but not in another one: hash salts, the layout of the address space.
TEST(ClusterTest, TheSameSeedIsTheSameHistoryInAnotherProcess) {
  const std::string command = core::StrCat("/proc/", getpid(), "/exe --gtest_filter=ClusterTest.PrintsHistories");
  FILE* child = popen(command.c_str(), "r");
  ASSERT_NE(child, nullptr);
  std::string output;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, child) != nullptr) output += buffer;
  pclose(child);
  const std::string expected = Hashes();
  EXPECT_NE(output.find(expected), std::string::npos) << expected << "is not in:\n" << output;
}

// Catches a test that cannot fail: on a disk that says of the logs "stored" and stores nothing, acknowledged messages must be found missing.
TEST(ClusterTest, ADiskThatLiesIsFoundOut) {
  size_t losses = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Plan plan;
    plan.troubles.Add(Trouble::kPowerCut);
    plan.lies_about = "data/log-";
    Scenario scenario(seed, plan, nullptr);
    for (const std::string& problem : scenario.Run().problems) losses += problem.starts_with("LOST") ? 1 : 0;
  }
  EXPECT_GT(losses, 0U);
}

}  // namespace
}  // namespace sim
