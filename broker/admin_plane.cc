#include "broker/admin_plane.h"

#include "core/strings.h"
#include "net/server.h"

namespace broker {

std::optional<net::Reply> RefuseRemoteAdmin(const net::RequestContext& context, net::RequestCode code) {
  if (context.connection.peer().IsLoopback()) return std::nullopt;
  return net::Reply(net::ResponseCode::kNoPermission,
                    core::StrCat(net::RequestName(static_cast<int32_t>(code)),
                                 " is administration, which this broker answers only from its own machine; you are ",
                                 context.connection.peer_text()));
}

}  // namespace broker
