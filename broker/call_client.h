#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/broker_shard.h"
#include "broker/group_members.h"
#include "core/reactor.h"
#include "core/task.h"
#include "net/reply.h"

namespace broker {

/// What a client answered, carried from its connection's shard.
struct ClientAnswer {
  bool connected = false;
  absl::Status status;  // why there is no answer
  int32_t code = 0;
  std::string remark;
  std::string body;
};

/// How long a client has for its answer when a tool waits for it. Source: RocketMQ 5.3.3 Broker2Client.callClient.
inline constexpr absl::Duration kClientTimeout = absl::Seconds(10);

namespace internal {

template <typename Request>
core::Task<ClientAnswer> CallHere(BrokerShard& here, net::Connection::Id id, const Request* request, const std::string* body,
                                  absl::Duration timeout) {
  ClientAnswer answer;
  net::Connection* const connection = here.FindConnection(id);
  if (connection == nullptr) co_return answer;
  answer.connected = true;
  core::Slice copy = core::Reactor::Current().buffers().Copy(*body);
  absl::StatusOr<net::Frame> frame = co_await connection->Call(*request, std::move(copy), timeout);
  answer.status = frame.status();
  if (!frame.ok()) co_return answer;
  answer.code = frame->code;
  answer.remark = std::string(frame->remark);
  answer.body = std::string(frame->body.text());
  co_return answer;
}

}  // namespace internal

/// Asks the client on connection `id`, of any shard. What `request` and `body` point to is borrowed until it returns. Id 0: nobody.
template <typename Request>
core::Task<ClientAnswer> CallClient(const BrokerShard& shard, net::Connection::Id id, const Request* request,
                                    const std::string* body, absl::Duration timeout) {
  if (id == 0) co_return ClientAnswer();
  co_return co_await shard.peers().On(
      BrokerShard::ShardOf(id),
      [](BrokerShard& there, net::Connection::Id connection, const Request* asked, const std::string* with, absl::Duration patience) {
        return internal::CallHere(there, connection, asked, with, patience);
      },
      id, request, body, timeout);
}

/// The connection of a group's member, or 0 when it is not online.
net::Connection::Id MemberOf(const std::optional<GroupView>& group, std::string_view client_id);

/// What a tool is told of it: the client's own answer as it lies (some clients' is no JSON), or why there is none.
net::Reply RelayedReply(ClientAnswer answer, const std::string& group, const std::string& client_id);

}  // namespace broker
