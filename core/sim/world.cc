#include "core/sim/world.h"

#include <csignal>
#include <cstdio>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/strings.h"

namespace sim {
namespace {

World* current_world = nullptr;

/// A broken invariant ends the process; which seed it was is worth more than its stack.
void DescribeOnDeath(int signal) {
  std::signal(signal, SIG_DFL);
  if (current_world != nullptr) std::fputs(current_world->Describe().c_str(), stderr);
  std::raise(signal);
}

core::Endpoint AddressOf(const std::string& ip) {
  const absl::StatusOr<core::Endpoint> address = core::Endpoint::Parse(ip, 0);
  CORE_ASSERT(address.ok() && !address->ipv6);
  return *address;
}

}  // namespace

// --- Node.

Node::Node(Clockwork& clock, SimNetwork& network, uint64_t& next_process, uint32_t index, std::string name, size_t shards,
           core::Endpoint address, Random random)
    : clock_(clock),
      network_(network),
      next_process_(next_process),
      shards_(shards),
      machine_(index, std::move(name), address, random) {
  network_.AddMachine(machine_);
}

core::Endpoint Node::At(uint16_t port) const {
  core::Endpoint at = machine_.address;
  at.port = port;
  return at;
}

void Node::Start(Main main) {
  CORE_ASSERT(!running());
  if (!machine_.powered) {
    machine_.Boot();
    network_.MachineBack(machine_);
  }
  result_.reset();
  clock_.Note("start", name(), Trace::kNoShard, next_process_ + 1, 0);
  process_ = std::make_unique<Process>(clock_, machine_, network_, ++next_process_, shards_, std::move(main));
}

void Node::Restart(Main main) {
  Kill();
  Start(std::move(main));
}

void Node::Kill() {
  if (process_ == nullptr) return;
  clock_.Note("kill", name(), Trace::kNoShard, process_->number(), 0);
  process_.reset();
}

void Node::CutPower() {
  clock_.Note("cut power", name(), Trace::kNoShard, 0, 0);
  if (process_ != nullptr) process_->set_silent_death();
  process_.reset();
  machine_.powered = false;
  machine_.disk.CutPower();
}

void Node::Signal(int signal) {
  CORE_ASSERT(running());
  process_->Signal(signal);
}

void Node::Pause() {
  CORE_ASSERT(running());
  process_->Pause();
}

void Node::Resume() {
  CORE_ASSERT(running());
  process_->Resume();
}

void Node::StopDisk(absl::Duration lasting) {
  clock_.Note("disk stops", name(), Trace::kNoShard, 0, absl::ToInt64Milliseconds(lasting));
  machine_.disk.set_stopped_until(clock_.now + absl::ToInt64Nanoseconds(lasting));
}

void Node::Reap() {
  if (process_ == nullptr || !process_->result().has_value()) return;
  result_ = process_->result();
  clock_.Note("end", name(), Trace::kNoShard, process_->number(), static_cast<int64_t>(result_->code()),
              core::ToStd(result_->message()));
  process_.reset();
}

// --- World.

World::World(uint64_t seed) : seed_(seed), random_(seed), chance_(random_.Fork()), network_(clock_, chance_.Fork()) {
  CORE_ASSERT(current_world == nullptr);
  current_world = this;
  std::signal(SIGABRT, DescribeOnDeath);
  core::SetLogSink([this](core::LogLevel level, std::string_view line) {
    clock_.Note("log", core::Reactor::HasCurrent() ? "shard" : "", core::Reactor::HasCurrent() ? core::Reactor::Current().shard().value() : 0,
                static_cast<uint64_t>(level), 0, line);
  });
}

World::~World() {
  for (const auto& node : nodes_) node->process_.reset();
  core::SetLogSink(nullptr);
  current_world = nullptr;
}

World* World::Current() { return current_world; }

Node& World::AddNode(std::string name, size_t shards, std::string ip) {
  const auto index = static_cast<uint32_t>(nodes_.size());
  if (ip.empty()) ip = core::StrCat("10.0.0.", index + 1);
  nodes_.push_back(std::make_unique<Node>(clock_, network_, next_process_, index, std::move(name), shards, AddressOf(ip),
                                          chance_.Fork()));
  return *nodes_.back();
}

bool World::Step(int64_t until) {
  if (clock_.events.empty() || clock_.events.next_at() > until) return false;
  const EventQueue::Event event = clock_.events.Pop();
  CORE_ASSERT(event.at >= clock_.now);
  clock_.now = event.at;
  if (event.process == 0 || clock_.processes.contains(event.process)) event.run();
  for (const auto& node : nodes_) node->Reap();
  return true;
}

void World::RunFor(absl::Duration duration) {
  const int64_t until = clock_.now + absl::ToInt64Nanoseconds(duration);
  while (Step(until)) {
  }
  clock_.now = until;
}

bool World::RunUntil(const std::function<bool()>& done, absl::Duration limit) {
  const int64_t until = clock_.now + absl::ToInt64Nanoseconds(limit);
  while (!done()) {
    if (Step(until)) continue;
    clock_.now = until;
    return done();
  }
  return true;
}

absl::Status World::RunToEnd(Node& node, absl::Duration limit) {
  if (!RunUntil([&] { return !node.running(); }, limit)) {
    return absl::DeadlineExceededError(core::StrCat(node.name(), " still runs after ", absl::FormatDuration(limit)));
  }
  return node.result().value_or(absl::AbortedError(core::StrCat(node.name(), " was killed")));
}

void World::Partition(Node& a, Node& b) {
  PartitionOneWay(a, b);
  PartitionOneWay(b, a);
}

void World::PartitionOneWay(Node& from, Node& to) {
  clock_.Note("partition", from.name(), Trace::kNoShard, 0, 0, to.name());
  network_.Cut(from.machine(), to.machine());
}

void World::Heal(Node& a, Node& b) {
  clock_.Note("heal", a.name(), Trace::kNoShard, 0, 0, b.name());
  network_.Heal(a.machine(), b.machine());
  network_.Heal(b.machine(), a.machine());
}

void World::Clog(Node& from, Node& to, absl::Duration lasting) {
  clock_.Note("clog", from.name(), Trace::kNoShard, 0, absl::ToInt64Milliseconds(lasting), to.name());
  network_.Cut(from.machine(), to.machine());
  clock_.After(absl::ToInt64Nanoseconds(lasting), 0, [this, &from, &to] { network_.Heal(from.machine(), to.machine()); });
}

void World::HealAll() {
  network_.ForgetDelays();
  for (const auto& a : nodes_) {
    for (const auto& b : nodes_) {
      if (a != b) network_.Heal(a->machine(), b->machine());
    }
  }
}

void World::SetDelay(Node& from, Node& to, absl::Duration least, absl::Duration most) {
  network_.SetDelay(from.machine(), to.machine(), absl::ToInt64Nanoseconds(least), absl::ToInt64Nanoseconds(most));
}

std::string World::Describe() const {
  return core::StrCat("simulation: seed ", seed_, ", ", clock_.trace.count(), " events in ", absl::FormatDuration(now()),
                      ", hash ", clock_.trace.hash(), "; the last of them:\n", clock_.trace.Last());
}

absl::Status RunInWorld(uint64_t seed, size_t shards, Main main, absl::Duration limit) {
  World world(seed);
  Node& node = world.AddNode("node", shards);
  node.Start(std::move(main));
  return world.RunToEnd(node, limit);
}

}  // namespace sim
