#include "broker/transaction_check.h"

#include <string>
#include <utility>

#include "broker/producer_groups.h"
#include "core/reactor.h"
#include "net/requests/to_client.h"

namespace broker {
namespace {

/// On the shard that is asked whether it has one of the group. Lives in the asking shard's request, which waits.
AskResult AskHere(BrokerShard& there, const TransactionCheck& check, uint64_t turn) {
  AskResult result = AskResult::kNobody;
  const std::vector<ClientInfo> members = there.producer_groups().Members(check.group);
  for (size_t i = 0; i < members.size(); ++i) {
    net::Connection* const producer = there.FindConnection(members[(turn + i) % members.size()].connection);
    if (producer == nullptr) continue;
    // Anybody may call himself one of the group; the question has the message in it.
    const std::string& user = members[(turn + i) % members.size()].user;
    if (there.RefuseTopic(net::RequestCode::kEndTransaction, user, producer->peer(), check.topic).has_value()) continue;
    net::CheckTransactionStateRequest request;
    request.topic = check.topic;
    request.tran_state_table_offset = check.queue_offset;
    request.commit_log_offset = check.physical_offset;
    request.msg_id = check.uniq_key;
    request.transaction_id = check.uniq_key;
    request.offset_msg_id = check.offset_message_id;
    request.broker_name = there.config().broker_name;
    if (producer->SendOneway(request, core::Reactor::Current().buffers().Copy(std::as_bytes(std::span(check.record))))) return AskResult::kAsked;
    result = AskResult::kFull;
  }
  return result;
}

}  // namespace

core::Task<AskResult> AskProducer(BrokerShard& shard, const TransactionCheck* check) {
  const uint64_t turn = core::Reactor::Current().RandomBits();
  const uint32_t shards = shard.placement().shards();
  AskResult result = AskResult::kNobody;
  for (uint32_t i = 0; i < shards; ++i) {
    const AskResult here = co_await shard.peers().On(
        core::ShardId(static_cast<uint32_t>((turn + i) % shards)),
        [](BrokerShard& there, const TransactionCheck* question, uint64_t which) { return AskHere(there, *question, which); }, check,
        turn / shards);
    if (here == AskResult::kAsked) co_return here;
    if (here == AskResult::kFull) result = here;
  }
  co_return result;
}

}  // namespace broker
