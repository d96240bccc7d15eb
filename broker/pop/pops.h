#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "broker/pop/copies.h"
#include "broker/pop/in_flight.h"
#include "broker/pull.h"
#include "broker/pull_reads.h"
#include "core/scope.h"
#include "core/task.h"
#include "store/message.h"
#include "store/meta_store.h"
#include "store/shard_store.h"

namespace broker {

class OffsetTable;

/// What one shard's pops have done since its start, in messages.
struct PopStats {
  uint64_t in_flight = 0;
  uint64_t in_flight_max = 0;
  uint64_t queues = 0;  // in memory: of groups that pop, or have something in flight
  uint64_t acknowledged = 0;
  uint64_t changed = 0;  // their time was changed
  uint64_t refused = 0;  // looks at a queue that took nothing, as too much is in flight
  PopCopiesStats copies;
};

/// A pop on its way to the owner of queues. Text is borrowed from the request, which waits.
struct PopJob {
  std::string_view group;
  std::string_view topic;        // of the queues: perhaps the retry topic
  std::vector<int32_t> queues;   // in the order in which they are asked
  std::string_view shown_topic;  // with a retry topic: what its messages are shown as
  std::string_view broker_name;
  core::WallMillis pop_time = 0;
  int64_t invisible = 0;   // ms
  bool from_last = false;  // where a group begins that is new to a queue
  bool order = false;
  std::string_view attempt_id;  // of who consumes in order
  PullLimits limits;            // for all queues together
  RequestFilter filter;
};

/// What was taken from one queue.
struct PoppedQueue {
  int32_t queue_id = 0;
  int64_t start = 0;
  std::vector<int64_t> offsets;
  core::Foreign<store::FetchResult> records;  // as they lie in the log; empty with `shown`
  std::string shown;                          // the records as they are shown
  std::vector<OrderedBatch::Message> ordered;
};

struct PopOutcome {
  absl::Status status;  // not OK: the messages are in flight all the same, and come back when their time is up
  std::vector<PoppedQueue> queues;
  int64_t rest = 0;  // messages behind what was taken
  int32_t messages = 0;
  size_t bytes = 0;
  bool full = false;  // too much is in flight
};

/// What a consumer does with messages that he has popped from one queue. Text is borrowed.
struct PopReply {
  std::string_view group;
  std::string_view topic;
  int32_t queue_id = 0;
  int64_t start = 0;  // of the receipt, and
  core::WallMillis pop_time = 0;
  int64_t invisible = 0;
  bool order = false;
  std::vector<int64_t> offsets;  // ascending
};

struct PopReplied {
  absl::Status status;                       // kOutOfRange: none of them is an offset of the queue; else the metadata log takes no more
  ReceiptState state = ReceiptState::kDone;  // the worst of all
  size_t done = 0;                           // messages that are done now, or were before
  core::WallMillis pop_time = 0;             // Change: of the new receipt, and
  int64_t invisible = 0;                     // its time
};

struct PopsOptions {
  size_t messages_max = 1'000'000;  // in flight; more are not popped
  PopCopiesOptions copies;
};

/// POP consumption of the queues that this shard owns: messages are taken for a time, acknowledged, or copied to the retry topic when it is up, once (docs/ARCHITECTURE.md).
/// What was answered survives whatever the messages themselves survive. One shard.
class Pops {
 public:
  /// All of them outlive it. Copies nothing before Start.
  Pops(PopsOptions options, store::MetaStore& meta, store::ShardStore& log, OffsetTable& offsets, PullReads& reads);
  /// Takes away what is in flight of messages that the log has lost. Call it before anything is stored.
  core::Task<absl::Status> CutAtEnds();
  void Start();
  core::Task<void> Stop();

  /// Messages of the job's queues until its limits are reached; the group goes on behind them.
  core::Task<PopOutcome> Take(const PopJob* job);
  core::Task<PopReplied> Acknowledge(const PopReply* reply);
  /// `reply` names one offset. It is seen again in `invisible` ms.
  core::Task<PopReplied> Change(const PopReply* reply, int64_t invisible);
  /// The same of messages that are consumed in order. kInvalidArgument: the batch has no such message.
  core::Task<PopReplied> AcknowledgeOrdered(const PopReply* reply);
  core::Task<PopReplied> ChangeOrdered(const PopReply* reply, int64_t invisible);
  /// Whether messages of the queue can't be taken in order now.
  bool Blocked(std::string_view group, const core::QueueKey& queue, std::string_view attempt_id) const;
  /// Waits until it is not so, for whom the attempt is another. False: stopped. Borrows.
  core::Task<bool> WaitUnblocked(const std::string* group, const core::QueueKey* queue, core::StopToken stop);

  /// Where the group goes on in a queue; `from_last` as in PopJob.
  core::LogicalOffset Position(std::string_view group, std::string_view topic, int32_t queue_id, bool from_last) const;
  /// Forgets what is in flight of a group in a topic; group or topic may be empty, for all. Durable when it is OK.
  core::Task<absl::Status> Forget(std::string group, std::string topic);
  /// The same for one queue whose offset `move` puts elsewhere, which does not suspend: no pop comes in between, and both are one commit.
  core::Task<absl::Status> Reset(std::string group, core::QueueKey queue, std::function<void()> move);

  PopStats stats() const;

 private:
  core::Task<void> TakeFrom(const PopJob& job, int32_t queue_id, PopOutcome& outcome, core::Scope& commits);
  core::Task<void> TakeFrom(const PopJob& job, PopQueue& queue, PopOutcome& outcome, core::Scope& commits);
  /// Reads on from `from`, which it and the group's offset move to where there are messages. None: there are no more.
  core::Task<PullOutcome> ReadOn(const PopJob& job, int32_t queue_id, const PullLimits& limits,
                                 core::LogicalOffset& from);
  core::Task<PopReplied> Finish(PopReplied replied, MetaChanges changes);
  /// Offsets that messages of one queue have.
  struct Bounds {
    int64_t min = 0;
    int64_t max = 0;  // one past the last
    bool Has(int64_t offset) const { return offset >= min && offset < max; }
  };
  Bounds BoundsOf(const PopReply& reply) const;
  /// OK, unless none of the reply's offsets is a message's (kOutOfRange).
  static absl::Status CheckOffsets(const PopReply& reply, const Bounds& bounds);
  /// The queue's batch that the receipt is of, whose message is not acknowledged yet; else what the answer is.
  std::optional<PopReplied> RefuseOrdered(const PopQueue* queue, const PopReply& reply, int64_t offset) const;

  const PopsOptions options_;
  store::MetaStore& meta_;
  store::ShardStore& log_;
  OffsetTable& offsets_;
  PullReads& reads_;
  PopInFlight in_flight_;
  PopStats stats_;
  PopCopies copies_;
};

}  // namespace broker
