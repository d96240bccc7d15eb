#pragma once

#include <cstdint>
#include <deque>
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
#include "broker/send_refusal.h"
#include "core/io.h"
#include "core/scope.h"
#include "core/sync.h"
#include "core/task.h"
#include "core/time.h"
#include "store/due_index.h"
#include "store/message.h"
#include "store/shard_store.h"

namespace broker {

struct BrokerConfig;
class Schedule;

/// What one shard's transactions have done since its start.
struct TransactionStats {
  uint64_t pending = 0;
  uint64_t committed = 0;
  uint64_t rolled_back = 0;
  uint64_t checks = 0;      // producers asked what has become of a transaction
  uint64_t unasked = 0;     // checks for which no producer of the group was connected
  uint64_t put_aside = 0;   // asked for as often as transactionCheckMax allows, or their segment had expired
  uint64_t discarded = 0;   // committed, but their topic was deleted meanwhile
  uint64_t damaged = 0;     // could not be read as long as their segment was there
};

/// How a producer says that its transaction has ended. Source: RocketMQ 5.3.3 EndTransactionRequestHeader.
struct EndOfTransaction {
  uint64_t position = 0;  // of the half message, in this shard's log
  int64_t queue_offset = 0;
  std::string group;
  bool commit = false;
  bool from_check = false;  // it was asked
  std::string user;         // who says so, where requests are signed
  core::Endpoint peer;
};

/// A question to any producer of `group`: has the transaction of this half message been committed?
struct TransactionCheck {
  std::string group;
  std::string topic;  // the message's own
  int64_t queue_offset = 0;
  int64_t physical_offset = 0;
  std::string uniq_key;
  std::string offset_message_id;
  std::string record;  // the half message as one of its own topic and queue
};

enum class AskResult {
  kAsked,
  kNobody,  // of the group is connected
  kFull,    // those that are take nothing now
};

struct TransactionsOptions {
  store::DueIndexOptions index;  // MakeHalfIndex has filled in what is particular to half messages
  int32_t end_queue = 0;         // of store::kHalfEndTopic and
  int32_t aside_queue = 0;       // of kPutAsideTopic: those that this shard owns
  /// Whether there is such a topic. A committed message whose topic is gone is discarded.
  std::function<bool(std::string_view topic)> topic_exists;
  /// As ScheduleOptions::dispatch: where it fails the transaction goes on pending.
  std::function<core::Task<absl::Status>(std::string_view names, store::MessageDraft* draft, DispatchState* state, std::string* more)> dispatch;
  /// Told of each message that got into its queue, as it was stored there.
  std::function<void(const store::MessageDraft&)> on_stored;
  std::function<core::Task<AskResult>(const TransactionCheck*)> ask;  // borrowed until it returns
  /// The refusal of who ends it without a right to its topic.
  std::function<std::optional<SendRefusal>(const EndOfTransaction&, std::string_view topic)> refuse;
};

/// Transaction messages of the queues that this shard owns. A half message is stored and nobody's until it is ended: committed it enters its queue (or waits
/// for its time), once; rolled back it never does. Who does not end it is asked again and again; in the end it is put aside (docs/ARCHITECTURE.md). One shard.
class Transactions final : public store::SegmentKeeper {
 public:
  /// `index` for half messages; directory, log and queue are the caller's.
  static void MakeHalfIndex(store::DueIndexOptions& index);
  /// Finds what is pending. `config` may change while this lives. All of them outlive it. Asks nobody before Start.
  static core::Task<absl::StatusOr<std::unique_ptr<Transactions>>> Open(TransactionsOptions options, const BrokerConfig& config,
                                                                        store::MetaStore& meta, store::ShardStore& log,
                                                                        Schedule& schedule);
  /// Begins to ask for what is pending, every transactionCheckInterval.
  void Start();
  /// Call it before the schedule stops.
  core::Task<absl::Status> Stop();

  /// Stores a half message that MakeHalf has made, whose real queue this shard owns. As ShardStore::Append, and kResourceExhausted when no more can be pending.
  core::Task<absl::StatusOr<store::AppendResult>> Prepare(store::MessageDraft draft, std::optional<store::Durability> durability);
  /// Ends a transaction, once: whoever comes later is refused, whatever he says. Nothing: it is done, and as safe as a send. Source of the checks: RocketMQ
  /// 5.3.3 EndTransactionProcessor.
  core::Task<std::optional<SendRefusal>> End(EndOfTransaction end);

  /// One round of check-backs, as Start has them every transactionCheckInterval.
  core::Task<absl::Status> CheckRound();
  core::Task<bool> LetGo(uint64_t end) override;
  TransactionStats stats() const;

 private:
  struct Half;
  Transactions(TransactionsOptions options, const BrokerConfig& config, store::ShardStore& log, Schedule& schedule)
      : options_(std::move(options)), config_(config), log_(log), schedule_(schedule) {}

  core::Task<void> CheckLoop();
  /// The half message at `position` if it is pending; its turn is held.
  core::Task<absl::StatusOr<std::optional<store::DueEntry>>> FindPending(uint64_t position);
  core::Task<absl::StatusOr<Half>> ReadHalf(store::DueEntry entry);
  /// The same for who ends it, with the turn held. One that is damaged stays pending, as the disk may read it another time, but for the `last_time`: then it is given up.
  core::Task<absl::StatusOr<Half>> TakeHalf(store::DueEntry entry, bool last_time);
  core::Task<absl::StatusOr<store::BegunAppend>> BeginCommit(const store::DueEntry& entry, const Half& half);
  core::Task<absl::StatusOr<store::BegunAppend>> BeginRollback(const store::DueEntry& entry, const Half& half);
  /// What one round of check-backs looked at.
  struct Looked {
    core::WallMillis now = 0;
    uint64_t below = 0;  // log position
  };
  /// And what went wrong with single ones.
  struct Round : Looked {
    absl::Status unreadable;
    bool complete = true;  // all that were to be asked for were
  };
  core::Task<absl::Status> CheckOne(const store::DueEntry& entry, Round& round);
  /// In how many rounds a half message at that place, which is asked for after `asked_after` ms, was asked for.
  int64_t TimesAsked(uint64_t position, core::WallMillis stored, int64_t asked_after) const;
  core::Task<absl::Status> PutAside(uint64_t position, bool last_time);

  const TransactionsOptions options_;
  const BrokerConfig& config_;
  store::ShardStore& log_;
  Schedule& schedule_;
  std::unique_ptr<store::DueIndex> index_;
  std::optional<IndexUpkeep> upkeep_;
  TransactionStats stats_;
  std::deque<Looked> rounds_;  // the last ones that were complete, as many as count
  ReadPatience patience_{absl::Minutes(1)};  // with half messages that keep a segment
  std::map<uint64_t, DispatchState> dispatching_;  // by log position: commits that have failed, with copies in some of their light queues
  bool stopping_ = false;
  core::Scope scope_;
};

}  // namespace broker
