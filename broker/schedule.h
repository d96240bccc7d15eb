#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/dispatch_state.h"
#include "broker/index_upkeep.h"
#include "broker/read_patience.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/time.h"
#include "store/due_index.h"
#include "store/message.h"
#include "store/shard_store.h"

namespace broker {

/// What one shard's schedule has done since its start.
struct ScheduleStats {
  uint64_t waiting = 0;
  uint64_t delivered = 0;
  uint64_t late = 0;        // of those: more than 50 ms after their time
  uint64_t taken_back = 0;  // recalled
  uint64_t discarded = 0;   // their topic was deleted meanwhile
  uint64_t damaged = 0;     // could not be read, and never will
  uint64_t copied_on = 0;   // out of segments that had expired
  uint64_t runs = 0;        // files of the index
  uint64_t made_anew = 0;   // times that the index was read from the log, as it was damaged
  int64_t late_ms_max = 0;
};

struct ScheduleOptions {
  store::DueIndexOptions index;
  /// Whether there is such a topic. A message whose topic is gone is discarded.
  std::function<bool(std::string_view topic)> topic_exists;
  /// Puts a message, whose INNER_MULTI_DISPATCH is `names`, into its light queues before it goes to its own (broker/multi_dispatch.h). Where that fails it goes on waiting.
  std::function<core::Task<absl::Status>(std::string_view names, store::MessageDraft* draft, DispatchState* state, std::string* more)> dispatch;
  /// Told of each message that was delivered, as it was stored in its queue.
  std::function<void(const store::MessageDraft&)> on_delivered;
};

/// Messages for later of the queues that this shard owns: stored now, in their queues at their time, once, whatever happens in between (docs/ARCHITECTURE.md).
/// One shard.
class Schedule final : public store::SegmentKeeper {
 public:
  static constexpr absl::Duration kLate = absl::Milliseconds(50);

  /// Finds what waits. `log` and `meta` outlive it. Delivers nothing before Start.
  static core::Task<absl::StatusOr<std::unique_ptr<Schedule>>> Open(ScheduleOptions options, store::MetaStore& meta,
                                                                    store::ShardStore& log);
  /// Begins to deliver.
  void Start();
  /// Ends delivery and notes how far it is. Call it before the log closes.
  core::Task<absl::Status> Stop();

  /// Stores a message that MakeWaiting has made, whose real queue this shard owns. Topic and queue of `draft` do not count. As ShardStore::Append, and
  /// kResourceExhausted when no more can wait.
  core::Task<absl::StatusOr<store::AppendResult>> Append(store::MessageDraft draft, core::WallMillis due,
                                                         std::optional<store::Durability> durability);
  /// The same as far as it goes without waiting for the promise. Whoever awaits it goes on at once with the append. `link`: what the waiting message replaces
  /// (store/due_record.h, store/half_record.h).
  core::Task<absl::StatusOr<store::BegunAppend>> BeginAppend(store::MessageDraft draft, core::WallMillis due, int64_t link,
                                                             std::optional<store::Durability> durability,
                                                             store::Admission admission = store::Admission::kOrdinary);
  /// Takes back a message for `topic` with that key that is due at `due`. False: none such waits here.
  core::Task<absl::StatusOr<bool>> TakeBack(std::string topic, std::string uniq_key, core::WallMillis due);

  core::Task<bool> LetGo(uint64_t end) override;
  ScheduleStats stats() const;

 private:
  struct Waiting;
  struct Delivery;
  Schedule(ScheduleOptions options, store::ShardStore& log) : options_(std::move(options)), log_(log) {}

  core::Task<void> DeliverLoop();
  core::Task<absl::Status> DeliverSome();
  /// Delivers what was read of `entry`, or gives it up. With the turn held.
  /// So that Deliver need not wait: one after the other they would wait for each other.
  core::Task<void> DispatchAhead(const store::DueEntry& entry, const core::Slice& bytes);
  core::Task<absl::Status> Deliver(const store::DueEntry& entry, const absl::StatusOr<core::Slice>& bytes,
                                   std::vector<store::BegunAppend>& pending);
  core::Task<absl::Status> AppendTakeBack(const store::DueEntry& entry, const store::RecordView& record,
                                          const Waiting& waiting, std::vector<store::BegunAppend>& pending);
  core::Task<absl::Status> CopyOn(const store::DueEntry& entry);
  core::Task<void> EndAll(std::vector<store::BegunAppend> pending);

  const ScheduleOptions options_;
  store::ShardStore& log_;
  std::unique_ptr<store::DueIndex> index_;
  ScheduleStats stats_;
  std::optional<IndexUpkeep> upkeep_;
  bool stopping_ = false;
  uint64_t looked_through_ = 0;  // nothing waits below this log position
  ReadPatience patience_{absl::Seconds(3)};  // with records that are due
  std::map<uint64_t, DispatchState> dispatching_;  // by log position: due, and perhaps in some of their light queues
  core::Notifier earlier_;       // something is due earlier than all else, or the schedule stops
  core::Scope scope_;
};

}  // namespace broker
