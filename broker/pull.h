#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "broker/broker_shard.h"
#include "broker/pull_reads.h"
#include "broker/request_filter.h"
#include "broker/sql/filter_cache.h"
#include "core/sharded.h"
#include "core/task.h"
#include "net/reply.h"
#include "net/requests/pull.h"
#include "net/router.h"
#include "store/message.h"

namespace broker {

/// What one pull is given at most; the first message in any case.
struct PullLimits {
  int32_t messages = 32;
  size_t bytes = 0;
  friend bool operator==(const PullLimits&, const PullLimits&) = default;
};

/// A pull on its way to the queue's owner. The text is borrowed from the request, which waits.
struct PullJob {
  std::string_view group;
  std::string_view topic;
  int32_t queue_id = 0;
  core::LogicalOffset from;
  PullLimits in_memory;
  PullLimits on_disk;
  RequestFilter filter;
  std::optional<core::LogicalOffset> commit;  // where the group has got to, by the way
  std::optional<core::MonoTime> held_until;   // waits for messages
};

/// What the owner answers.
struct PullOutcome {
  store::FetchStatus status = store::FetchStatus::kNoMatchedLogicQueue;
  core::LogicalOffset next;
  core::LogicalOffset min;
  core::LogicalOffset max;
  bool on_disk =
      false;  // it was read from the disk; or would have to be: then `bytes` is what to expect, and nothing else is said
  bool reset = false;    // nothing was read: the group's offset was reset to `next`
  bool full = false;     // as many pulls are held as may be
  bool stopped = false;  // the connection is gone; nobody waits for an answer
  int32_t messages = 0;
  size_t bytes = 0;
  uint64_t millis = 0;                        // that reading took
  core::Foreign<store::FetchResult> records;  // with messages only

  static PullOutcome Stopped() {
    PullOutcome outcome;
    outcome.stopped = true;
    return outcome;
  }
};

/// Pulls: PULL_MESSAGE, LITE_PULL_MESSAGE. Checks run where the request arrived, reading and waiting on the queue's owner; the records are sent
/// as they lie in the log's buffers. Order of the checks: RocketMQ 5.3.3 PullMessageProcessor.
///
/// A pull that finds nothing is held on the owner until a message arrives that its filter lets pass, its time is up (to the
/// millisecond, where RocketMQ looks every 5 s), its group's offset is reset or its connection closes.
///
/// Who waits for what: a pull takes room among the answers of its connection and shard for what its queue's last pulls have found, reads what lies in memory,
/// and again in its turn if that was too little. What lies on the disk is read in turn, of the connection's pulls from that disk, with room of the queue's owner,
/// and then needs the same. So a slow disk holds up the pulls of its own queues, and others only when room for answers is short; a peer that does not read,
/// its own.
class PullHandlers {
 public:
  explicit PullHandlers(BrokerShard& shard);

  core::Task<net::Reply> Pull(net::RequestContext context, net::PullMessageRequest request);
  core::Task<net::Reply> LitePull(net::RequestContext context, net::LitePullMessageRequest request);

 private:
  /// What of group and topic goes into the answer.
  struct Checked {
    int32_t topic_sys_flag = 0;
    int32_t group_sys_flag = 0;
  };

  core::Task<net::Reply> Serve(net::RequestContext context, net::PullMessageRequest request);
  /// Steps 1 to 8; the group is known by now.
  std::optional<net::Reply> CheckTopicAndGroup(const net::PullMessageRequest& request, Checked& checked) const;
  /// Steps 9 and 10: what the pull is filtered by, the request's own subscription or what its connection has announced.
  core::Task<std::optional<net::Reply>> FindFilter(net::Connection& connection, const net::PullMessageRequest& request,
                                                   PullJob& job);
  /// How long the pull may be held; zero: not at all.
  absl::Duration HoldTime(const net::PullMessageRequest& request) const;
  /// Reads now, with room for the answer: at once where there is some, else in turn. `stopped` when the connection closes meanwhile.
  core::Task<PullOutcome> Read(net::Connection& connection, core::ShardId owner, PullJob& job, net::AnswerRoom& room);
  /// The turn of one pull among those of its connection that read from the owner's disk; as many at a time as may wait to be sent on a connection. Empty
  /// when the connection closes.
  core::Task<net::AnswerBytes::Hold> TakeDiskTurn(net::Connection& connection, core::ShardId owner, size_t bytes);
  /// What takes time on the owner: ends when the connection closes.
  core::Task<PullOutcome> Wait(net::Connection& connection, core::ShardId owner, const PullJob& job);
  net::Reply Answer(const PullJob& job, const Checked& checked, PullOutcome outcome, net::AnswerRoom room);

  BrokerShard& shard_;
  PullSizes sizes_;
  sql::FilterCache filters_;  // of pulls with a subscription of their own
  absl::node_hash_map<std::pair<net::Connection::Id, uint32_t>, net::AnswerBytes>
      disk_turns_;  // by connection and owner
};

/// The response code of an answer to a pull that began at `requested`.
net::ResponseCode PullResponseCode(const PullOutcome& outcome, core::LogicalOffset requested);
/// The response code that a fetch means to a client. `requested`: where it wanted to begin. Source: RocketMQ 5.3.3
/// PullMessageProcessor.composeResponseHeader.
net::ResponseCode PullResponseCode(store::FetchStatus status, core::LogicalOffset requested);
/// RocketMQ's name of the status, which is the answer's remark.
std::string_view FetchStatusName(store::FetchStatus status);

void RegisterPullHandlers(BrokerShard& shard);

}  // namespace broker
