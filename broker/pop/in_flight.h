#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "broker/pop/offset_bits.h"
#include "broker/pop/ordered.h"
#include "core/strings.h"
#include "core/sync.h"
#include "core/time.h"
#include "core/types.h"
#include "store/meta_store.h"

namespace broker {

using MetaChanges = std::vector<store::MetaChange>;

/// Messages of one queue that one pop has taken: those that nobody has acknowledged yet. Or one message, whose time was changed.
struct PopBatch {
  int64_t start = 0;  // queue offset; with pop_time the name of the batch in receipts
  core::WallMillis pop_time = 0;
  int64_t invisible = 0;  // ms
  OffsetBits pending;     // from `start` on
  /// Its time is up: before the first message was copied, the end of the retry topic's queue. What lies from there on tells, also after a crash, which were.
  std::optional<int64_t> copies_from;
  bool copying = false;         // its time is up: acknowledged no more
  int unreadable = 0;           // how often messages of it could not be read to be copied
  core::WallMillis listed = 0;  // under this time among those that are due

  /// When they are to be seen again.
  core::WallMillis due() const;
};

/// The queue of a group, as far as it pops.
struct PopQueue {
  using Name = std::pair<int64_t, core::WallMillis>;  // start, pop time
  std::string group;
  core::QueueKey queue;
  uint64_t number = 0;  // of this process: the order of those due at the same time
  std::map<Name, PopBatch> batches;
  std::optional<OrderedBatch> ordered;  // of who consumes it in order
  core::Notifier unblocked;             // `ordered` may no longer block
  /// Held by whoever moves the group's offset or takes batches away as a whole: pops, resets, copies.
  core::Semaphore turn{1};
};

/// What stands between a receipt and its message.
enum class ReceiptState {
  kPending,   // the message waits for it
  kDone,      // it was acknowledged before
  kReplaced,  // there is a newer receipt of the same message
  kExpired,   // its time is up: the message is seen again
};

/// The messages of this shard's queues that are in flight: popped, not acknowledged, their time not up. Each offset of a queue is in flight once for a group at most. Durable are
/// the rows of MetaTable::kPopBatches and kPopOrders: every change is in memory at once and hands over the rows to commit, in the order of the changes. One shard.
class PopInFlight {
 public:
  /// Takes over what `meta` holds. More than `messages_max` are not popped.
  PopInFlight(const store::MetaStore& meta, size_t messages_max);

  /// What is known of it, or a new one.
  std::shared_ptr<PopQueue> Of(std::string_view group, std::string_view topic, int32_t queue_id);
  /// Null: nothing was popped.
  std::shared_ptr<PopQueue> Find(std::string_view group, std::string_view topic, int32_t queue_id) const;
  /// Queues of a group and topic; either may be empty, for all. In the order of their first use.
  std::vector<std::shared_ptr<PopQueue>> FindAll(std::string_view group, std::string_view topic) const;
  /// Forgets a queue without batches that nobody else holds.
  void Drop(std::shared_ptr<PopQueue> queue);

  void Add(PopQueue& queue, PopBatch batch, MetaChanges& changes);
  /// `start` and `pop_time` of the receipt.
  ReceiptState Judge(const PopQueue& queue, int64_t start, core::WallMillis pop_time, int64_t invisible, int64_t offset,
                     core::WallMillis now) const;
  /// Messages of one batch that are kPending are done: one row, however many.
  void Acknowledge(PopQueue& queue, PopQueue::Name batch, std::span<const int64_t> offsets, MetaChanges& changes);
  /// The same, but it is seen again after `invisible` from `now` on. Returns the new pop time.
  core::WallMillis Change(PopQueue& queue, PopQueue::Name batch, int64_t offset, core::WallMillis now,
                          int64_t invisible, MetaChanges& changes);
  /// Its messages from offset `end` on are lost.
  void CutAt(PopQueue& queue, int64_t end, MetaChanges& changes);
  void Remove(PopQueue& queue, PopQueue::Name batch, MetaChanges& changes);
  /// Also what is consumed in order.
  void RemoveAll(PopQueue& queue, MetaChanges& changes);
  void SetOrdered(PopQueue& queue, std::optional<OrderedBatch> batch, MetaChanges& changes);
  /// A batch was changed in place.
  void Note(const PopQueue& queue, const PopBatch& batch, MetaChanges& changes) const;

  /// When the next batch that is not being copied is due.
  core::WallMillis NextDue() const;
  /// Those due at `now`, the earliest first, of about `messages` in all: they are `copying` from now on.
  std::vector<std::pair<std::shared_ptr<PopQueue>, PopQueue::Name>> TakeDue(core::WallMillis now, size_t messages);
  /// It could not be copied: it is due again at `when`.
  void PutBack(PopQueue& queue, PopBatch& batch, core::WallMillis when);

  size_t messages() const { return messages_; }
  /// In memory: of groups that pop, or have something in flight.
  size_t queues() const { return queues_.size(); }
  size_t messages_max() const { return messages_max_; }
  bool full() const { return messages_ >= messages_max_; }

 private:
  struct View {
    std::string_view group;
    std::string_view topic;
    int32_t queue_id;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const View& view) const {
      return absl::HashOf(core::ToAbsl(view.group), core::ToAbsl(view.topic), view.queue_id);
    }
    size_t operator()(const std::shared_ptr<PopQueue>& queue) const { return operator()(ViewOf(*queue)); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const std::shared_ptr<PopQueue>& a, const std::shared_ptr<PopQueue>& b) const { return a == b; }
    bool operator()(const std::shared_ptr<PopQueue>& a, const View& b) const {
      return a->queue.queue_id == b.queue_id && a->queue.topic == b.topic && a->group == b.group;
    }
    bool operator()(const View& a, const std::shared_ptr<PopQueue>& b) const { return operator()(b, a); }
  };
  /// PopBatch::listed, number of the queue, batch.
  using Due = std::tuple<core::WallMillis, uint64_t, PopQueue::Name>;

  static View ViewOf(const PopQueue& queue) { return {queue.group, queue.queue.topic, queue.queue.queue_id}; }
  static Due DueOf(const PopQueue& queue, const PopBatch& batch) {
    return {batch.listed, queue.number, {batch.start, batch.pop_time}};
  }
  void Enter(PopQueue& queue, PopBatch batch);
  void Erase(PopQueue& queue, std::map<PopQueue::Name, PopBatch>::iterator it, MetaChanges& changes);

  absl::flat_hash_set<std::shared_ptr<PopQueue>, Hash, Equal> queues_;
  std::map<uint64_t, std::shared_ptr<PopQueue>> by_number_;
  std::map<Due, PopQueue*> due_;  // not those that are being copied
  uint64_t next_number_ = 0;
  size_t messages_ = 0;
  const size_t messages_max_;
};

}  // namespace broker
