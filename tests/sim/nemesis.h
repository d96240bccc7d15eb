#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/sim/world.h"
#include "tests/sim/cluster.h"

namespace sim {

/// What can befall a cluster.
enum class Trouble : uint32_t {
  kKill,
  kPowerCut,
  kStop,
  kKillAgain,
  kPause,
  kKillNameServer,
  kPartition,
  kOneWay,
  kClog,
  kSlowLink,
  kReset,
  kForgotten,
  kSlowDisk,
  kStoppedDisk,
  kDiskError,
  kNoSpace,
  kClock,
  kCount,
};

/// A set of troubles, drawn for one seed: some seeds have many, some few, some are calm. What never meets hides in everything at once.
class Troubles {
 public:
  Troubles() = default;
  static Troubles Draw(Random& random);
  void Add(Trouble one) { bits_ |= Bit(one); }
  bool Has(Trouble one) const { return (bits_ & Bit(one)) != 0; }
  bool none() const { return bits_ == 0; }
  Trouble Pick(Random& random) const;
  /// Their names.
  std::string Text() const;

 private:
  static uint32_t Bit(Trouble one) { return uint32_t{1} << static_cast<uint32_t>(one); }
  uint32_t bits_ = 0;
};

/// What a cluster that meets these troubles can be held to.
void Adapt(ClusterOptions& options, const Troubles& troubles);

/// Brings troubles over a cluster, several at once, each for a while, and lets brokers that are down start again.
class Nemesis {
 public:
  Nemesis(World& world, Cluster& cluster, const Troubles& troubles);
  ~Nemesis();
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  /// Lets so much time pass, with troubles in it.
  void Run(absl::Duration lasting);
  /// Ends all of them; everything runs when it returns, or the problem is noted.
  void Heal();

 private:
  struct Later {
    absl::Duration at;
    std::function<void()> run;
  };
  struct BrokerState {
    bool start_planned = false;
    bool stopping = false;       // was sent SIGTERM
    bool disk_troubled = false;  // since its start: it may end with an error
    bool disk_failed = false;    // and something did fail
  };

  void Step();
  void Note(int broker, std::string_view what);
  void StartBroker(int broker);
  void DiskFailed(int broker, DiskOp op);
  void After(absl::Duration delay, std::function<void()> run);
  void RunDue();
  void LookAt(int broker);
  void Begin(Trouble trouble);
  void EndBroker(int broker, bool power);
  void StopBroker(int broker);
  void DisturbLink(Trouble trouble);
  void DisturbDisk(Trouble trouble, int broker);
  void Pause();
  absl::Duration Between(int64_t least_ms, int64_t most_ms);

  World& world_;
  Cluster& cluster_;
  const Troubles troubles_;
  Random& random_;
  std::vector<Later> later_;
  std::vector<BrokerState> brokers_;
};

}  // namespace sim
