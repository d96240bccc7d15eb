#include "broker/query_message.h"

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/config.h"
#include "broker/wire_status.h"
#include "core/sharded.h"
#include "core/strings.h"
#include "store/shard_store.h"

namespace broker {
namespace {

using net::ResponseCode;

struct FoundMessage {
  core::WallMillis store_time = 0;
  core::PhysicalOffset position;
  core::Foreign<core::Slice> record;
};

/// The newest messages, the newest first, of the shards that were asked so far.
struct Found {
  std::vector<FoundMessage> messages;
  bool cut = false;  // there are more, for which there was no room
  net::QueryMessageResponse header;
};

core::Task<absl::StatusOr<Found>> FindHere(BrokerShard& here, store::KeyQuery query) {
  absl::StatusOr<store::KeyQueryResult> result = co_await here.store().FindByKey(std::move(query));
  if (!result.ok()) co_return result.status();
  Found found;
  found.cut = result->cut;
  found.header = {result->known_until, result->known_below.value()};
  for (store::KeyQueryResult::Message& message : result->messages)
    found.messages.push_back(
        {message.store_time, message.position, core::Foreign<core::Slice>(std::move(message.record))});
  co_return found;
}

/// Adds what another shard has found, and lets go of what is too much of it all.
void Merge(Found more, const store::KeyQuery& query, Found& all) {
  all.cut = all.cut || more.cut;
  if (more.header.index_last_update_timestamp > all.header.index_last_update_timestamp) all.header = more.header;
  std::move(more.messages.begin(), more.messages.end(), std::back_inserter(all.messages));
  std::sort(all.messages.begin(), all.messages.end(), [](const FoundMessage& a, const FoundMessage& b) {
    return std::tuple(a.store_time, a.position) > std::tuple(b.store_time, b.position);
  });
  size_t bytes = 0;
  size_t fit = 0;
  for (; fit < all.messages.size() && fit < query.messages_max; ++fit) {
    bytes += all.messages[fit].record->size();
    if (fit == 0 || bytes <= query.bytes_max) continue;
    all.cut = true;
    break;
  }
  all.messages.erase(all.messages.begin() + static_cast<ptrdiff_t>(fit), all.messages.end());
}

net::Reply NotFound(std::string remark) {
  net::Reply reply(ResponseCode::kQueryNotFound, std::move(remark));
  reply.AddHeader(net::QueryMessageResponse{});
  return reply;
}

}  // namespace

core::Task<net::Reply> QueryMessageHandlers::Query(net::RequestContext context, net::QueryMessageRequest request) {
  const BrokerConfig& config = shard_.config();
  if (request.max_num < 0)
    co_return net::Reply(ResponseCode::kSystemError, core::StrCat("maxNum is ", request.max_num, ": ask for 1 to ",
                                                                  config.max_msgs_num_batch, " messages"));
  if (!config.message_index_enable)
    co_return NotFound(
        "can not find message: this broker keeps no index of keys, messageIndexEnable is false in its configuration");
  const int32_t wanted = request.unique_key_query ? config.default_query_max_num : request.max_num;
  const store::KeyQuery query{.topic = std::string(request.topic),
                              .key = std::string(request.key),
                              .begin = request.begin_timestamp,
                              .end = request.end_timestamp,
                              .messages_max = static_cast<size_t>(std::min(wanted, config.max_msgs_num_batch)),
                              .bytes_max = static_cast<size_t>(config.max_message_size)};
  net::AnswerRoom room = co_await context.connection.TakeAnswerRoom(query.bytes_max);
  if (!room) co_return net::Reply::None();
  Found all;
  for (uint32_t shard = 0; shard < shard_.peers().size() && query.messages_max > 0; ++shard) {
    absl::StatusOr<Found> found = co_await shard_.peers().On(
        core::ShardId(shard), [](BrokerShard& there, store::KeyQuery of) { return FindHere(there, std::move(of)); },
        query);
    if (!found.ok()) co_return ReplyFromStatus(found.status());
    Merge(*std::move(found), query, all);
  }
  if (all.messages.empty()) co_return NotFound("can not find message, maybe time range not correct");

  net::Reply reply;
  if (all.cut)
    reply.set_remark("there are older ones, for which the answer had no room: ask again with an earlier endTimestamp");
  reply.AddHeader(all.header);
  net::Reply::ForeignParts parts;
  size_t bytes = 0;
  // In the order of the log, as RocketMQ answers.
  std::reverse(all.messages.begin(), all.messages.end());
  for (const FoundMessage& message : all.messages) {
    parts.emplace_back(*message.record);
    bytes += message.record->size();
  }
  room.ShrinkTo(bytes);
  reply.SetForeignBody(std::move(all.messages), std::move(parts)).KeepUntilSent(std::move(room));
  co_return reply;
}

void RegisterQueryMessageHandlers(BrokerShard& shard) {
  QueryMessageHandlers& handlers = shard.Adopt(std::make_unique<QueryMessageHandlers>(shard));
  shard.On(handlers, &QueryMessageHandlers::Query);
}

}  // namespace broker
