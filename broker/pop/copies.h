#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "broker/pop/in_flight.h"
#include "broker/pull_reads.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/message.h"
#include "store/meta_store.h"
#include "store/shard_store.h"

namespace broker {

struct PopCopiesOptions {
  std::function<bool(std::string_view topic)> topic_exists;
  /// Whether there is a retry topic with the queue that `retry_queue` names; who sees to it that there is.
  std::function<bool(std::string_view topic)> retry_topic_is_ready;
  std::function<core::Task<absl::Status>(std::string topic)> make_retry_topic;
  /// Its queue on this shard.
  std::function<int32_t(std::string_view topic)> retry_queue;
  /// Told of each message that got into a retry topic, as it was stored there.
  std::function<void(const store::MessageDraft&)> on_stored;
};

/// What it has done since the start, in messages.
struct PopCopiesStats {
  uint64_t copied = 0;
  uint64_t late = 0;  // of those: more than 100 ms after their time
  int64_t late_ms_max = 0;
  uint64_t gone = 0;  // they had expired, or their topic was deleted, before their time was up
};

/// Copies what is in flight when its time is up to the queue of its retry topic that this shard owns, once, whatever happens in between: first a row says from where on
/// copies may lie (PopBatch::copies_from), then come the copies, each with a link to the original, and the batch goes when they are on stable storage. Who finds
/// such a row after a crash looks for the links. One shard.
class PopCopies {
 public:
  static constexpr int64_t kLateMs = 100;

  /// All of them outlive it.
  PopCopies(PopCopiesOptions options, store::MetaStore& meta, store::ShardStore& log, PullReads& reads,
            PopInFlight& in_flight)
      : options_(std::move(options)), meta_(meta), log_(log), reads_(reads), in_flight_(in_flight) {}

  void Start() { scope_.Spawn(Loop()); }
  core::Task<void> Stop();
  /// Something may be due earlier than before.
  void Wake() { earlier_.NotifyAll(); }
  const PopCopiesStats& stats() const { return stats_; }

 private:
  /// A batch that is being copied.
  struct Copying {
    std::shared_ptr<PopQueue> queue;
    PopQueue::Name name;
    PopBatch* batch = nullptr;     // while the queue's turn is held
    core::QueueKey retry;          // empty: it can't be copied now, or its topic is being made
    std::vector<uint64_t> copied;  // log positions of originals, sorted
    bool being_made = false;       // its retry topic is, for the first time
    bool orphaned = false;         // its topic is gone
    bool done = false;
  };

  core::Task<void> Loop();
  /// One round: what is due now, up to a limit.
  core::Task<absl::Status> CopyDue();
  void FindRetryQueue(Copying& copying);
  core::Task<void> MakeRetryTopic(std::string topic);
  core::Task<absl::Status> CopyAll(std::span<Copying> batches);
  core::Task<absl::Status> Prepare(std::span<Copying> batches);
  core::Task<absl::Status> FindCopies(Copying& copying);
  core::Task<absl::Status> Copy(Copying& copying, std::vector<store::BegunAppend>& begun);
  core::Task<absl::StatusOr<store::BegunAppend>> CopyOne(const Copying& copying, const store::RecordView& record);

  const PopCopiesOptions options_;
  store::MetaStore& meta_;
  store::ShardStore& log_;
  PullReads& reads_;
  PopInFlight& in_flight_;
  PopCopiesStats stats_;
  absl::flat_hash_set<std::string> making_;   // retry topics
  absl::flat_hash_set<std::string> failing_;  // which could not be made the last time
  core::Notifier earlier_;
  core::Scope scope_;
};

}  // namespace broker
