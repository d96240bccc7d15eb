#include "tests/sim/nemesis.h"

#include <cerrno>
#include <csignal>
#include <utility>

#include "core/strings.h"

namespace sim {
namespace {

constexpr const char* kNames[] = {
    "kill",      "power-cut",    "stop",       "kill-again", "pause", "kill-nameserver",
    "partition", "one-way",      "clog",       "slow-link",  "reset", "forgotten",
    "slow-disk", "stopped-disk", "disk-error", "no-space",   "clock",
};
static_assert(std::size(kNames) == static_cast<size_t>(Trouble::kCount));

constexpr absl::Duration kStandstillMax = absl::Milliseconds(1500);
constexpr uint64_t kDiskBytes = uint64_t{64} << 30;

/// Operations whose failure the sweep of tests/sim/sweep_test.cc does not leave to chance; reads are left out, as consumers pass over what can't be read.
constexpr DiskOp kFailing[] = {DiskOp::kOpen,     DiskOp::kWrite,    DiskOp::kWrite,  DiskOp::kSync,
                               DiskOp::kAllocate, DiskOp::kRename,   DiskOp::kRemove, DiskOp::kSyncDirectory,
                               DiskOp::kMap,      DiskOp::kPopulate, DiskOp::kSpace,  DiskOp::kClose};

}  // namespace

// --- Which ones.

Troubles Troubles::Draw(Random& random) {
  Troubles drawn;
  if (random.OneIn(8)) return drawn;
  const uint64_t one_in = 1 + random.Below(5);
  for (uint32_t i = 0; i < static_cast<uint32_t>(Trouble::kCount); ++i) {
    if (random.OneIn(one_in)) drawn.Add(static_cast<Trouble>(i));
  }
  return drawn;
}

Trouble Troubles::Pick(Random& random) const {
  for (;;) {
    const auto one = static_cast<Trouble>(random.Below(static_cast<uint64_t>(Trouble::kCount)));
    if (Has(one)) return one;
  }
}

std::string Troubles::Text() const {
  std::string text;
  for (uint32_t i = 0; i < static_cast<uint32_t>(Trouble::kCount); ++i) {
    if (Has(static_cast<Trouble>(i))) text += core::StrCat(text.empty() ? "" : " ", kNames[i]);
  }
  return text.empty() ? "none" : text;
}

void Adapt(ClusterOptions& options, const Troubles& troubles) {
  if (troubles.Has(Trouble::kPause) || troubles.Has(Trouble::kStoppedDisk)) {
    // Who stands still flushes nothing, and may do so twice in a row.
    options.async_window += 2 * kStandstillMax;
    options.persist_interval += 2 * kStandstillMax;
  }
  if (troubles.Has(Trouble::kDiskError) || troubles.Has(Trouble::kNoSpace)) {
    options.disks_fail = true;
    options.persist_interval =
        absl::Hours(1);  // metadata that could not be written stay in memory until the next start
  }
}

// --- When.

Nemesis::Nemesis(World& world, Cluster& cluster, const Troubles& troubles)
    : world_(world),
      cluster_(cluster),
      troubles_(troubles),
      random_(world.random()),
      brokers_(static_cast<size_t>(cluster.brokers())) {
  for (int i = 0; i < cluster.brokers(); ++i) {
    cluster.broker(i).disk().set_on_failure([this, i](DiskOp op) { DiskFailed(i, op); });
  }
}

Nemesis::~Nemesis() {
  for (int i = 0; i < cluster_.brokers(); ++i) cluster_.broker(i).disk().set_on_failure(nullptr);
}

void Nemesis::Note(int broker, std::string_view what) {
  cluster_.recorder().Nemesis(what, history::Role::kMaster, cluster_.broker(broker).name());
}

void Nemesis::StartBroker(int broker) {
  brokers_[static_cast<size_t>(broker)].disk_failed = false;
  cluster_.StartBroker(broker);
}

/// From its first failure on until it is started again a process may have flushed nothing, which matters for what a power cut may take.
void Nemesis::DiskFailed(int broker, DiskOp op) {
  if (op == DiskOp::kRead || op == DiskOp::kStat || op == DiskOp::kList || op == DiskOp::kSpace) return;
  BrokerState& state = brokers_[static_cast<size_t>(broker)];
  if (state.disk_failed) return;
  state.disk_failed = true;
  Note(broker, "disk-error");
}

absl::Duration Nemesis::Between(int64_t least_ms, int64_t most_ms) {
  return absl::Microseconds(random_.Between(least_ms * 1000, most_ms * 1000));
}

void Nemesis::After(absl::Duration delay, std::function<void()> run) {
  later_.push_back({world_.now() + delay, std::move(run)});
}

void Nemesis::RunDue() {
  for (size_t i = 0; i < later_.size();) {
    if (later_[i].at > world_.now()) {
      ++i;
      continue;
    }
    const std::function<void()> run = std::move(later_[i].run);
    later_.erase(later_.begin() + static_cast<std::ptrdiff_t>(i));
    run();
    i = 0;
  }
}

void Nemesis::Step() {
  absl::Duration step = Between(5, 120);
  for (const Later& later : later_) step = std::min(step, std::max(later.at - world_.now(), absl::ZeroDuration()));
  world_.RunFor(step);
  RunDue();
  for (int i = 0; i < cluster_.brokers(); ++i) LookAt(i);
}

void Nemesis::Run(absl::Duration lasting) {
  const absl::Duration end = world_.now() + lasting;
  while (world_.now() < end) {
    Step();
    if (!troubles_.none() && random_.OneIn(3)) Begin(troubles_.Pick(random_));
  }
}

/// A broker that has ended by itself: after a signal, or because its disk failed. It is started again.
void Nemesis::LookAt(int broker) {
  BrokerState& state = brokers_[static_cast<size_t>(broker)];
  Node& node = cluster_.broker(broker);
  if (node.running() || state.start_planned) return;
  const absl::Status result = node.result().value_or(absl::OkStatus());
  Note(broker, state.stopping && result.ok() ? "stop" : "kill");
  if (!result.ok() && !state.disk_troubled)
    cluster_.recorder().Problem(core::StrCat("the broker ended: ", result.ToString()));
  state.start_planned = true;
  After(Between(1, 150), [this, broker] {
    BrokerState& starting = brokers_[static_cast<size_t>(broker)];
    starting.start_planned = starting.stopping = false;
    if (!cluster_.broker(broker).running()) StartBroker(broker);
  });
}

void Nemesis::EndBroker(int broker, bool power) {
  Node& node = cluster_.broker(broker);
  if (!node.running()) return;
  Note(broker, power ? "cut" : "kill");
  if (power)
    node.CutPower();
  else
    node.Kill();
  BrokerState& state = brokers_[static_cast<size_t>(broker)];
  state.start_planned = true;
  After(Between(1, 150), [this, broker, again = troubles_.Has(Trouble::kKillAgain) && random_.OneIn(2), power] {
    BrokerState& starting = brokers_[static_cast<size_t>(broker)];
    starting.start_planned = starting.stopping = false;
    if (cluster_.broker(broker).running()) return;
    StartBroker(broker);
    if (again) After(absl::Microseconds(random_.Between(0, 8000)), [this, broker, power] { EndBroker(broker, power); });
  });
}

/// SIGTERM; a broker that is stuck with its disk is killed in the end, as an operator would.
void Nemesis::StopBroker(int broker) {
  BrokerState& state = brokers_[static_cast<size_t>(broker)];
  Node& node = cluster_.broker(broker);
  if (!node.running() || state.stopping) return;
  state.stopping = true;
  node.Signal(SIGTERM);
  After(absl::Seconds(3), [this, broker] {
    if (brokers_[static_cast<size_t>(broker)].stopping) EndBroker(broker, /*power=*/false);
  });
}

void Nemesis::Begin(Trouble trouble) {
  const auto broker = static_cast<int>(random_.Below(static_cast<uint64_t>(cluster_.brokers())));
  switch (trouble) {
    case Trouble::kKill:
    case Trouble::kKillAgain:
      return EndBroker(broker, /*power=*/false);
    case Trouble::kPowerCut:
      return EndBroker(broker, /*power=*/true);
    case Trouble::kStop:
      return StopBroker(broker);
    case Trouble::kPause:
      return Pause();
    case Trouble::kKillNameServer: {
      const auto index = static_cast<int>(random_.Below(static_cast<uint64_t>(cluster_.nameservers())));
      if (!cluster_.nameserver(index).running()) return;
      cluster_.recorder().Nemesis("kill", history::Role::kOther);
      cluster_.nameserver(index).Kill();
      return After(Between(1, 200), [this, index] { cluster_.StartNameServer(index); });
    }
    case Trouble::kPartition:
    case Trouble::kOneWay:
    case Trouble::kClog:
    case Trouble::kSlowLink:
    case Trouble::kReset:
    case Trouble::kForgotten:
      return DisturbLink(trouble);
    case Trouble::kSlowDisk:
    case Trouble::kStoppedDisk:
    case Trouble::kDiskError:
    case Trouble::kNoSpace:
      return DisturbDisk(trouble, broker);
    case Trouble::kClock:
      cluster_.recorder().Nemesis("clock", history::Role::kOther);
      return cluster_.broker(broker).JumpWallClock(absl::Seconds(random_.Between(-7200, 7200)));
    case Trouble::kCount:
      break;
  }
}

void Nemesis::Pause() {
  std::vector<Node*> nodes = {&cluster_.clients()};
  for (int i = 0; i < cluster_.brokers(); ++i) nodes.insert(nodes.end(), 2, &cluster_.broker(i));
  for (int i = 0; i < cluster_.nameservers(); ++i) nodes.push_back(&cluster_.nameserver(i));
  Node& node = *nodes[random_.Below(nodes.size())];
  if (!node.running()) return;
  cluster_.recorder().Nemesis("pause", history::Role::kOther);
  node.Pause();
  After(std::min(Between(5, 1500), kStandstillMax), [&node] {
    if (node.running()) node.Resume();
  });
}

void Nemesis::DisturbLink(Trouble trouble) {
  Node& broker = cluster_.broker(static_cast<int>(random_.Below(static_cast<uint64_t>(cluster_.brokers()))));
  Node& nameserver =
      cluster_.nameserver(static_cast<int>(random_.Below(static_cast<uint64_t>(cluster_.nameservers()))));
  Node* ends[2] = {&cluster_.clients(), &broker};
  const uint64_t which = random_.Below(4);
  if (which == 0) ends[0] = &nameserver;
  if (which == 1) ends[1] = &nameserver;
  if (random_.OneIn(2)) std::swap(ends[0], ends[1]);
  Node& from = *ends[0];
  Node& to = *ends[1];
  cluster_.recorder().Nemesis(kNames[static_cast<uint32_t>(trouble)], history::Role::kOther);
  switch (trouble) {
    case Trouble::kPartition:
      world_.Partition(from, to);
      return After(Between(5, 800), [this, &from, &to] { world_.Heal(from, to); });
    case Trouble::kOneWay:
      world_.PartitionOneWay(from, to);
      return After(Between(5, 800), [this, &from, &to] { world_.Heal(from, to); });
    case Trouble::kClog:
      return world_.Clog(from, to, Between(5, 400));
    case Trouble::kSlowLink:
      world_.SetDelay(from, to, Between(1, 20), Between(20, 80));
      return After(Between(50, 800),
                   [this, &from, &to] { world_.SetDelay(from, to, absl::Microseconds(50), absl::Microseconds(400)); });
    case Trouble::kForgotten:
      world_.ForgetConnections(from, to);
      return;
    default:
      world_.DropConnections(from, to);
  }
}

void Nemesis::DisturbDisk(Trouble trouble, int broker) {
  Node& node = cluster_.broker(broker);
  SimDisk& disk = node.disk();
  BrokerState& state = brokers_[static_cast<size_t>(broker)];
  cluster_.recorder().Nemesis(kNames[static_cast<uint32_t>(trouble)], history::Role::kOther);
  switch (trouble) {
    case Trouble::kSlowDisk:
      disk.set_slowdown(static_cast<double>(random_.Between(2, 40)));
      return After(Between(10, 300), [&disk] { disk.set_slowdown(1); });
    case Trouble::kStoppedDisk:
      return node.StopDisk(std::min(Between(5, 1500), kStandstillMax));
    case Trouble::kNoSpace:
      state.disk_troubled = true;
      disk.set_capacity(disk.used_bytes() + random_.Below(400'000));
      return After(Between(20, 600), [&disk] { disk.set_capacity(kDiskBytes); });
    default:
      break;
  }
  // What failed may have ended a log for good: its broker is started again.
  state.disk_troubled = true;
  disk.Inject({.op = kFailing[random_.Below(std::size(kFailing))],
               .skip = random_.Below(6),
               .times = random_.OneIn(2) ? 1U : 4U,
               .error = random_.OneIn(4) ? ENOSPC : EIO});
  After(Between(30, 400), [this, &disk, broker, power = troubles_.Has(Trouble::kPowerCut) && random_.OneIn(2)] {
    disk.ClearFaults();
    EndBroker(broker, power);
  });
}

void Nemesis::Heal() {
  later_.clear();
  world_.HealAll();
  for (int i = 0; i < cluster_.nameservers(); ++i) {
    if (cluster_.nameserver(i).running())
      cluster_.nameserver(i).Resume();
    else
      cluster_.StartNameServer(i);
  }
  cluster_.clients().Resume();
  for (int i = 0; i < cluster_.brokers(); ++i) {
    Node& node = cluster_.broker(i);
    BrokerState& state = brokers_[static_cast<size_t>(i)];
    node.disk().ClearFaults();
    node.disk().set_capacity(kDiskBytes);
    node.disk().set_slowdown(1);
    node.disk().set_stopped_until(0);
    if (node.running()) node.Resume();
    if (node.running() && (state.disk_troubled || state.stopping)) {
      Note(i, "kill");
      node.Kill();
    }
    state = {};
    if (!node.running()) StartBroker(i);
  }
  // The clients go on at full rate meanwhile, which is most of what a seed costs. Who has not begun to serve by then has 8 s more in which to take
  // messages, and whether all still run is asked at the end once more.
  world_.RunFor(absl::Milliseconds(300));
  for (int i = 0; i < cluster_.brokers(); ++i) {
    if (cluster_.broker(i).running()) continue;
    cluster_.recorder().Problem(
        core::StrCat("the broker does not start on a healthy disk: ", cluster_.broker(i).result()->ToString()));
  }
  cluster_.recorder().Nemesis("heal");
}

}  // namespace sim
