#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/sim/clockwork.h"
#include "core/sim/process.h"
#include "core/sim/sim_network.h"

namespace sim {

/// A machine of the world and the process that runs on it, if one does.
class Node {
 public:
  Node(Clockwork& clock, SimNetwork& network, uint64_t& next_process, uint32_t index, std::string name, size_t shards,
       core::Endpoint address, Random random);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const std::string& name() const { return machine_.name; }
  const core::Endpoint& address() const { return machine_.address; }  // port 0
  core::Endpoint At(uint16_t port) const;
  SimDisk& disk() { return machine_.disk; }
  Machine& machine() { return machine_; }

  /// Starts a process on it (switching the machine on). One at a time.
  void Start(Main main);
  /// Kills what runs, then Start.
  void Restart(Main main);
  /// As kill -9: completed writes stay, peers see their connections end, nothing else remains. No-op when nothing runs.
  void Kill();
  /// The machine goes dark: as Kill, but no peer is told, and the disk loses by chance what was not synced. Start switches it on.
  void CutPower();
  void Signal(int signal);
  void Pause();
  void Resume();
  /// The wall clock jumps; the monotonic one does not.
  void JumpWallClock(absl::Duration by) { machine_.wall_offset += absl::ToInt64Nanoseconds(by); }
  /// The disk answers nothing for so long.
  void StopDisk(absl::Duration lasting);

  bool running() const { return process_ != nullptr; }
  /// What main of the last process returned; empty while it runs and after a kill.
  const std::optional<absl::Status>& result() const { return result_; }
  core::Reactor& reactor(size_t shard) { return process_->reactor(shard); }

 private:
  friend class World;
  /// Ends the process if its main has returned.
  void Reap();

  Clockwork& clock_;
  SimNetwork& network_;
  uint64_t& next_process_;
  const size_t shards_;
  Machine machine_;
  std::unique_ptr<Process> process_;
  std::optional<absl::Status> result_;
};

/// Several machines in one thread, from one seed: the same seed and the same calls give the same history, to the byte, in any process. Log
/// lines become part of the history. One world at a time.
class World {
 public:
  explicit World(uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  uint64_t seed() const { return seed_; }
  /// `ip`: IPv4; chosen (10.0.0.1, 10.0.0.2, ...) when empty. The node lives as long as the world.
  Node& AddNode(std::string name, size_t shards, std::string ip = "");

  void RunFor(absl::Duration duration);
  /// Until `done()` is true, looked at after every event; false when `limit` has passed without it.
  bool RunUntil(const std::function<bool()>& done, absl::Duration limit);
  /// Until the node's main has returned; its result, or kDeadlineExceeded.
  absl::Status RunToEnd(Node& node, absl::Duration limit = absl::Hours(1));

  void CutPower(Node& node) { node.CutPower(); }
  /// Nothing gets through between the two, in both directions, until Heal.
  void Partition(Node& a, Node& b);
  void PartitionOneWay(Node& from, Node& to);
  void Heal(Node& a, Node& b);
  /// Nothing that is sent from `from` to `to` arrives for so long; then it goes on by itself.
  void Clog(Node& from, Node& to, absl::Duration lasting);
  /// Partitions, clogs and delays of all links end.
  void HealAll();
  /// One-way delay of what `from` sends to `to`.
  void SetDelay(Node& from, Node& to, absl::Duration least, absl::Duration most);
  /// Resets all connections between two nodes.
  size_t DropConnections(Node& a, Node& b) { return network_.ResetConnections(a.machine(), b.machine()); }
  /// Connections between two nodes go silent for good and neither side is told: what a forgetful router in between does.
  size_t ForgetConnections(Node& a, Node& b) { return network_.ForgetConnections(a.machine(), b.machine()); }
  SimNetwork& network() { return network_; }

  /// Virtual time since the world began.
  absl::Duration now() const { return absl::Nanoseconds(clock_.now); }
  /// For the decisions of a test; independent of what the world itself draws.
  Random& random() { return random_; }
  /// Of everything that has happened.
  uint64_t hash() const { return clock_.trace.hash(); }
  uint64_t event_count() const { return clock_.trace.count(); }
  /// Adds a test's own event to the history.
  void Note(const char* what, uint64_t subject, std::string_view text = {}) {
    clock_.Note(what, "test", Trace::kNoShard, subject, 0, text);
  }
  /// Gets every event as a line from now on: to find where two histories part.
  void ListenToEvents(std::function<void(std::string)> listener) { clock_.trace.set_listener(std::move(listener)); }
  /// Seed, time and the last 200 events.
  std::string Describe() const;
  /// The living world, for whoever reports a failure; null when there is none.
  static World* Current();

 private:
  bool Step(int64_t until);
  const uint64_t seed_;
  Clockwork clock_;
  Random random_;
  Random chance_;
  SimNetwork network_;
  uint64_t next_process_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;
};

/// Runs `main` on a fresh node of `world` to its end: for tests that need a shard and nothing else.
absl::Status RunInWorld(uint64_t seed, size_t shards, Main main, absl::Duration limit = absl::Hours(1));

}  // namespace sim
