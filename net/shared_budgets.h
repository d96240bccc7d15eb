#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "core/budget.h"
#include "core/intrusive_list.h"
#include "core/io.h"
#include "core/metric_registry.h"
#include "core/sync.h"
#include "core/timer.h"
#include "net/answer_room.h"
#include "net/header_shapes.h"
#include "net/limits.h"
#include "net/log_limiter.h"
#include "net/pinned_blocks.h"

namespace net {

class Connection;

/// What one address has on one shard.
struct AddressUse {
  size_t connections = 0;
  size_t partial_bytes = 0;
  bool limited = true;
};

/// What the connections of one shard hold together, whichever port they came by. Counting is plain additions; only when memory is short somebody is
/// looked for. One shard; outlives its connections.
class SharedBudgets {
 public:
  explicit SharedBudgets(const ServerLimits& limits);
  SharedBudgets(const SharedBudgets&) = delete;
  SharedBudgets& operator=(const SharedBudgets&) = delete;

  /// The place of a new connection from `peer`, given back with Leave; null when the shard or the address has too many.
  AddressUse* Enter(const core::Endpoint& peer);
  void Leave(const core::Endpoint& peer);
  /// Takes one of this second's places. False: come again when NextAccept says.
  bool TryAccept(core::MonoTime now);
  core::MonoTime NextAccept(core::MonoTime now) const;

  // --- Frames on their way in.
  core::Budget partial_bytes;
  /// `connection` has a frame that would grow beyond kSmallFrame: whether it may now. If not it waits (see WaitForFrameRoom in connection.cc).
  bool FrameMayGrow(Connection& connection);
  /// It waits, or has stopped to.
  void AddFrameWaiter(Connection& connection);
  void RemoveFrameWaiter(Connection& connection);
  /// Its frame is complete or gone.
  void FrameDone(Connection& connection);
  /// Partial frames hold less than before.
  void PartialBytesFreed();
  /// More is held than may be: closes the oldest frames' connections until a tenth is free.
  void CloseOldestFrames();
  /// By the half frames of all but the one whose turn it is to grow.
  bool PartialBytesFull() const;

  // --- Requests under way.
  core::Budget requests;
  core::Budget request_bytes;
  bool RequestsScarce() const { return requests.scarce() || request_bytes.scarce(); }

  // --- Answers, other than those for which room is taken before they are made.
  /// What waits to be sent, of all connections.
  core::Budget output_bytes;

  /// No connection is read.
  bool Full() const { return requests.full() || request_bytes.full() || output_bytes.full(); }
  /// A connection is not read because of requests or answers of all: peers who are in the way because they do not take their answers are looked for.
  void NoteWait();
  /// For connections that wait until it is not Full.
  core::Notifier room;
  /// Something became less: the next of them may go on.
  void WakeWaiting() {
    if (room.has_waiters() && !Full()) room.NotifyOne();
  }

  // --- Answers to pulls.
  AnswerBytes answers;
  /// Somebody waits for `answers` until EndAnswerWait: peers that do not take theirs are looked for meanwhile.
  void BeginAnswerWait();
  void EndAnswerWait() { --answer_waits_; }
  PinnedBlocks pinned;

  /// Every open connection is in here.
  void Add(Connection& connection);

  core::Budget connections;
  core::Budget accepts;  // `used`: of this second
  // Of each address or connection: `used`, of whoever has most, is looked for when metrics are asked.
  core::Budget address_connections;
  core::Budget connection_requests;
  core::Budget connection_request_bytes;
  core::Budget connection_output;
  uint64_t accepted = 0;
  uint64_t answer_hits = 0;
  // Connections closed for want of time.
  uint64_t frame_deadline_closes = 0;
  uint64_t output_stall_closes = 0;
  uint64_t idle_closes = 0;
  /// Large frames that were refused by their header, without taking their body.
  uint64_t bodies_refused = 0;
  LogLimiter log;
  /// Of what the connections' peers send.
  HeaderShapes header_shapes;

  /// Adds all of it to the metrics of its shard.
  void AddMetrics(core::MetricRegistry& registry);

 private:
  struct SweepTimer final : core::Timer {
    explicit SweepTimer(SharedBudgets& b) : budgets(b) {}
    void OnExpire() noexcept override { budgets.Sweep(); }
    SharedBudgets& budgets;
  };
  struct AddressKey {
    bool ipv6;
    uint64_t high;
    uint64_t low;
    friend bool operator==(const AddressKey&, const AddressKey&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const AddressKey& key) {
      return H::combine(std::move(h), key.ipv6, key.high, key.low);
    }
  };
  static AddressKey KeyOf(const core::Endpoint& peer);
  void Sweep();
  void ArmSweep();
  void GrantFrame();

  const ServerLimits limits_;
  absl::node_hash_map<AddressKey, AddressUse> addresses_;
  core::MonoTime accept_second_{INT64_MIN / 2};
  core::IntrusiveList<Connection> all_;
  std::vector<Connection*> frame_waiters_;  // in the order in which they came
  Connection* growing_ = nullptr;           // the one frame that may grow although there is little room
  size_t answer_waits_ = 0;
  SweepTimer sweep_;
};

}  // namespace net
