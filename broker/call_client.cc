#include "broker/call_client.h"

#include <utility>

#include "core/strings.h"

namespace broker {

using net::ResponseCode;

net::Connection::Id MemberOf(const std::optional<GroupView>& group, std::string_view client_id) {
  if (!group.has_value()) return 0;
  for (const ClientInfo& member : group->members) {
    if (member.client_id == client_id) return member.connection;
  }
  return 0;
}

net::Reply RelayedReply(ClientAnswer answer, const std::string& group, const std::string& client_id) {
  if (!answer.connected) {
    return net::Reply(ResponseCode::kSystemError, core::StrCat("The Consumer <", group, "> <", client_id, "> not online"));
  }
  if (!answer.status.ok()) {
    return net::Reply(ResponseCode::kConsumeMsgTimeout, core::StrCat("consumer <", group, "> <", client_id, "> did not answer: ",
                                                                     core::ToStd(answer.status.message())));
  }
  net::Reply reply(static_cast<ResponseCode>(answer.code), std::move(answer.remark));
  reply.SetBody(std::move(answer.body));
  return reply;
}

}  // namespace broker
