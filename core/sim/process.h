#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "core/mailbox.h"
#include "core/reactor.h"
#include "core/scope.h"
#include "core/sim/clockwork.h"
#include "core/sim/sim_io.h"
#include "core/task.h"

namespace sim {

/// What a process runs, as for core::RunShards: on shard 0, to its end. Captures live as long as the process.
using Main = std::function<core::Task<absl::Status>()>;

/// A running process of one machine: its shards, all on the world's thread, each running when the world says so.
class Process {
 public:
  Process(Clockwork& clock, Machine& machine, SimNetwork& network, uint64_t number, size_t shards, Main main);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Ends it at once if it still runs: suspended tasks are destroyed where they are. `silent`: no peer is told.
  ~Process();

  uint64_t number() const { return number_; }
  /// Set once main has returned.
  const std::optional<absl::Status>& result() const { return result_; }
  void Signal(int signal);
  /// As SIGSTOP and SIGCONT: the kernel goes on, the process does not.
  void Pause();
  void Resume();
  void set_silent_death() { silent_death_ = true; }
  core::Reactor& reactor(size_t shard) { return *shards_[shard]->reactor; }

 private:
  /// How a shard chooses among its ready coroutines; one way a process, by chance.
  class Policy final : public core::SchedulePolicy {
   public:
    explicit Policy(Random random) : random_(random), newest_first_(random_.OneIn(4)) {}
    size_t Pick(size_t ready_count) override {
      return newest_first_ && !random_.OneIn(8) ? ready_count - 1 : random_.Below(ready_count);
    }

   private:
    Random random_;
    bool newest_first_;
  };
  struct Shard {
    std::unique_ptr<SimIo> io;
    std::unique_ptr<core::Reactor> reactor;
    std::unique_ptr<Policy> policy;
    int64_t busy_until = 0;
    int64_t run_at = INT64_MAX;  // when its next tick is planned
  };

  static core::Task<void> RunMain(Process& process);
  void PlanRun(size_t shard, int64_t at);
  void RunTick(size_t shard);
  void PlanNext(size_t shard);
  int64_t TickCost();
  void EndWell();
  void Die();

  Clockwork& clock_;
  Machine& machine_;
  SimNetwork& network_;
  const uint64_t number_;
  Main main_;
  Random random_;
  core::Mailboxes mailboxes_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::optional<absl::Status> result_;
  bool paused_ = false;
  bool silent_death_ = false;
  std::optional<core::Scope> root_;
};

}  // namespace sim
