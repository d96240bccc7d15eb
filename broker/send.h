#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker_shard.h"
#include "broker/broker_stats.h"
#include "broker/message_maker.h"
#include "broker/send_check.h"
#include "broker/send_topics.h"
#include "core/task.h"
#include "net/answer_template.h"
#include "net/reply.h"
#include "net/requests/send.h"
#include "net/router.h"
#include "store/message.h"

namespace broker {

/// Sends: SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE, SEND_REPLY_MESSAGE, SEND_REPLY_MESSAGE_V2. The frame is decoded where it arrived; the
/// queue's owner gets a pointer to a draft that borrows from it and copies the body once, into its log. Order of checks and
/// codes: RocketMQ 5.3.3 SendMessageProcessor, ReplyMessageProcessor.
class SendHandlers {
 public:
  /// A message ready for its queue.
  struct PlainSend {
    PreparedMessage message;
    core::ShardId owner{0};
    std::optional<store::Durability> durability;
    BrokerStats::Flow* puts = nullptr;  // of its topic, see BrokerStats::OnPut
    uint64_t topics_forgotten = 0;
    core::MonoTime began;  // when the request was taken up
  };

  explicit SendHandlers(BrokerShard& shard);

  core::Task<net::Reply> Message(net::RequestContext context, net::SendMessageRequest request);
  core::Task<net::Reply> MessageV2(net::RequestContext context, net::SendMessageV2Request request);
  core::Task<net::Reply> Batch(net::RequestContext context, net::SendBatchMessageRequest request);
  core::Task<net::Reply> ReplyMessage(net::RequestContext context, net::SendReplyMessageRequest request);
  core::Task<net::Reply> ReplyMessageV2(net::RequestContext context, net::SendReplyMessageV2Request request);

  // --- For SendLane, which stores the plain ones on a shorter way.

  /// Fills `plain` from the request, if it is one that is stored as it is, with no detour and at once. False: it is for the handlers;
  /// `plain.message` is to be cleared. `frame` must live as long as `plain.message`.
  bool PreparePlain(const net::Connection& connection, const net::Frame& frame, net::SendMessageHeader& header, PlainSend& plain);
  /// The answer to one message that is stored, but for its id, queue, queue offset and unique key.
  net::AnswerTemplate StoredAnswer(bool trace_on) const;
  net::Reply Failed(const absl::Status& status, int32_t queue_id, std::string_view uniq_key);
  /// Of a request that was taken up at `began`.
  void CountStored(std::span<const store::MessageDraft> drafts, core::MonoTime began);
  void CountStored(const PlainSend& plain);

 private:
  /// One message; `header.batch` tells a batch.
  core::Task<net::Reply> Send(net::RequestContext context, net::SendMessageHeader header);
  core::Task<net::Reply> SendOne(net::RequestContext context, net::SendMessageHeader header);
  core::Task<net::Reply> SendBatch(net::RequestContext context, net::SendMessageHeader header);
  core::Task<net::Reply> SendReply(net::RequestContext context, net::SendMessageHeader header);

  /// WAIT=false: the producer settles for what survives the death of the process, whatever flushDiskType says.
  static std::optional<store::Durability> DurabilityOf(bool wait) {
    return wait ? std::nullopt : std::optional<store::Durability>(store::Durability::kAsync);
  }
  /// Replaces a negative queue id by a random one.
  static void ChooseQueue(net::SendMessageHeader& header, int32_t write_queues);
  /// Checks topic and queue, replaces a negative queue id by a random one. False: the topic is not known and must be made.
  bool ResolveKnown(net::SendMessageHeader& header, std::optional<SendRefusal>& refusal) const;
  /// The same after making the topic.
  core::Task<std::optional<SendRefusal>> ResolveUnknown(net::SendMessageHeader& header);
  /// Hands the drafts to the queue's owner, which stores them as one unit.
  core::Task<absl::StatusOr<store::AppendResult>> Append(std::span<const store::MessageDraft> drafts, bool wait);
  /// Stores what MakeHalf has made, on the shard that owns its queue.
  core::Task<absl::StatusOr<store::AppendResult>> Prepare(const store::MessageDraft& draft, bool wait);
  /// Whether the topic is a light queue.
  bool AsLmq(std::string_view topic) const;
  bool AsksForDispatch(std::string_view topic, const ScannedProperties& scanned) const;
  /// What comes before a message may be stored: room for its own queue, if that is a light one, and copies in the light queues `names`. Few messages
  /// need either.
  core::Task<absl::Status> BeforeItsQueue(PreparedMessage& message, std::string_view names, bool wait);
  /// The same of the messages of a batch, side by side.
  core::Task<absl::Status> BeforeTheirQueue(std::deque<PreparedMessage>& messages, const std::vector<std::string_view>& names, bool wait);
  core::Task<void> Ready(PreparedMessage& message, std::string_view names, bool wait, absl::Status& status);
  /// SYSTEM_BUSY while memory is short.
  std::optional<SendRefusal> CheckMemory();
  std::optional<SendRefusal> CheckSizes(const store::MessageDraft& draft) const;

  /// What the answer tells of one message that is stored: StoredAnswer.
  void AddStored(net::HeaderFields& fields, const PreparedMessage& message, int32_t queue_id, core::LogicalOffset queue_offset,
                 core::PhysicalOffset position) const;
  /// Every answer to a send has MSG_REGION and TRACE_ON: Java clients read them without looking.
  void AddCommon(net::HeaderFields& fields) const;
  net::Reply Answer(net::ResponseCode code, std::string remark = {}) const;
  net::Reply Refuse(SendRefusal refusal);
  MessageHosts HostsOf(const net::Connection& connection) const;

  BrokerShard& shard_;
  MessageMaker maker_;
  SendTopics topics_;
};

/// Stores a message that waits (MakeWaiting) with the owner of its queue. `draft` stays where it is until this returns.
core::Task<absl::StatusOr<store::AppendResult>> AppendWaiting(BrokerShard& shard, const store::MessageDraft& draft, core::WallMillis due,
                                                              std::optional<store::Durability> durability);

void RegisterSendHandlers(BrokerShard& shard);

}  // namespace broker
