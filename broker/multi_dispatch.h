#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker_shard.h"
#include "broker/dispatch_state.h"
#include "broker/send_refusal.h"
#include "core/task.h"
#include "net/router.h"
#include "store/message.h"

namespace broker {

// Multi-dispatch (enableMultiDispatch, with enableLmq): a message whose property INNER_MULTI_DISPATCH names light queues, "%LMQ%a,%LMQ%b", is read from
// these too. RocketMQ has more than one index entry for one record; here a queue lives on one shard with all of its messages, so each light queue gets a
// copy in its shard's log. A pull shows it as RocketMQ does, with the topic and queue to which the message was sent.

/// Light queues that one message can go to, and bytes of all copies that one request makes: so that it can't fill the logs.
inline constexpr size_t kDispatchQueuesMax = 1024;
inline constexpr size_t kDispatchBytesMax = size_t{64} << 20;

/// Whether messages are dispatched here at all, and those of the topic.
bool DispatchesAny(const BrokerConfig& config);
bool Dispatches(const BrokerConfig& config, std::string_view topic);

/// What is wrong with INNER_MULTI_DISPATCH of the message, or nothing; MESSAGE_ILLEGAL. `bytes` counts those of all copies of a request so far, and these.
std::optional<SendRefusal> CheckDispatch(std::string_view names, const store::MessageDraft& draft, size_t& bytes);

/// The refusal of who may not send to one of them.
std::optional<net::Reply> RefuseDispatch(const net::RequestContext& context, std::string_view names);

/// For whom.
enum class DispatchFor {
  kSender,    // all or an error; nothing is stored if there are too many light queues (LmqQueues)
  kDelivery,  // by the broker itself: goes on when the disk is nearly full, as the message does; what can't be is left out
};

/// The message goes to its light queues; to be called before it goes to its own, which is `draft`'s. Then INNER_MULTI_QUEUE_OFFSET is added, the offset in
/// each of them (-1: left out): `more` holds it, and `draft` points there. Returns when `durability` holds for all copies, which are stored side by side; an error if
/// not: `state` knows those that are there, and a further call with it makes the others. `draft`, `state` and `more` stay where they are until this returns.
core::Task<absl::Status> DispatchToLmqs(BrokerShard& shard, std::string_view names, std::optional<store::Durability> durability, DispatchFor whom,
                                        store::MessageDraft* draft, DispatchState* state, std::string* more);

/// A light queue takes messages that are sent to it by its own name, too. Errors as LmqQueues::Admit; OK at once for other topics.
core::Task<absl::Status> AdmitIfLmq(BrokerShard& shard, std::string_view topic);

/// The topic to which the message of this record was sent: of a light queue's copy not the light queue.
std::string_view SentToTopic(const store::RecordView& record);

/// Makes of a light queue's copies what a consumer sees: the topic and queue to which each message was sent, INNER_MULTI_QUEUE_OFFSET. The offset in the queue is
/// that in the light queue. Messages that were sent there by its own name stay as they are.
store::FetchResult ShowDispatched(store::FetchResult result);

}  // namespace broker
