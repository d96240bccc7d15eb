#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "core/time.h"
#include "core/types.h"

namespace core {

/// A piece of work for another shard. Intrusive: sending allocates nothing.
class ShardMessage {
 public:
  /// Runs on the target shard.
  virtual void Run() noexcept = 0;
  /// Instead of Run, when the process dies with the message under way: frees what only the message owns.
  virtual void Discard() noexcept {}

 protected:
  ~ShardMessage() = default;

 private:
  friend class Mailboxes;
  ShardMessage* next_overflow_ = nullptr;
  MonoTime sent_;  // of those whose way is measured; else 0
};

/// A bounded ring for one sending and one receiving shard. The only lock-free structure that two threads touch.
class SpscRing {
 public:
  static constexpr size_t kCapacity = 1024;
  bool TryPush(ShardMessage* message);
  ShardMessage* TryPop();
  bool empty() const {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  alignas(64) std::atomic<size_t> head_{0};  // next to pop; written by the receiver
  alignas(64) std::atomic<size_t> tail_{0};  // next to push; written by the sender
  alignas(64) size_t cached_head_ = 0;       // the sender's last look at head_
  alignas(64) ShardMessage* slots_[kCapacity] = {};
};

/// The rings between all pairs of shards of one process, with each shard's sleep flag. Messages beyond a full ring wait in a list
/// of the sender, in order.
class Mailboxes {
 public:
  explicit Mailboxes(size_t shard_count);
  size_t shard_count() const { return shard_count_; }

  /// Called by `from`. The receiver is told by FlushWakes. `sent`: the time, if its way is to be measured.
  void Send(ShardId from, ShardId to, ShardMessage& message, MonoTime sent = {});
  /// Called by `to`: runs what has arrived (at most one ring's worth a sender); returns how many ran. `measured` is told when those with a time were sent, before they run.
  size_t Receive(ShardId to, absl::FunctionRef<void(MonoTime)> measured = [](MonoTime) {});
  /// Called by `from` at the end of a tick: pushes waiting overflow and returns, one by one, the shards that sleep and must be
  /// woken. Calls `wake(ShardId)` for each.
  template <typename Wake>
  void FlushWakes(ShardId from, Wake&& wake) {
    Outbox& outbox = *outboxes_[from.value()];
    PushOverflow(from, outbox);
    for (size_t to = 0; to < shard_count_; ++to) {
      if (!outbox.dirty[to]) continue;
      outbox.dirty[to] = false;
      // Pairs with the fence in MarkSleeping: either we see the flag or the sleeper sees the message.
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (sleeping_[to].flag.exchange(false, std::memory_order_acq_rel)) wake(ShardId(static_cast<uint32_t>(to)));
    }
  }
  /// Called by `shard` before it blocks; false (and not marked) when messages wait for it.
  bool MarkSleeping(ShardId shard);
  void MarkAwake(ShardId shard) { sleeping_[shard.value()].flag.store(false, std::memory_order_release); }
  bool HasMessages(ShardId to) const;
  /// The sender still has messages that did not fit a ring.
  bool HasOverflow(ShardId from) const { return outboxes_[from.value()]->overflow_count > 0; }
  /// For a killed process of the simulation, on its one thread: every message under way is discarded.
  void DiscardAll();

 private:
  struct Outbox {
    struct Waiting {
      ShardMessage* head = nullptr;
      ShardMessage* tail = nullptr;
    };
    std::vector<Waiting> waiting;  // by receiver
    std::vector<bool> dirty;       // sent to since the last FlushWakes
    size_t overflow_count = 0;
  };
  struct alignas(64) SleepFlag {
    std::atomic<bool> flag{false};
  };
  void PushOverflow(ShardId from, Outbox& outbox);
  SpscRing& RingOf(ShardId from, ShardId to) const { return *rings_[from.value() * shard_count_ + to.value()]; }

  const size_t shard_count_;
  std::vector<std::unique_ptr<SpscRing>> rings_;
  std::vector<std::unique_ptr<Outbox>> outboxes_;
  std::vector<SleepFlag> sleeping_;
};

}  // namespace core
