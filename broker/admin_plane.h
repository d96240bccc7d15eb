#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "core/task.h"
#include "net/reply.h"
#include "net/request_table.h"
#include "net/router.h"

namespace broker {

/// Whether the request table puts the code on the admin plane.
inline bool IsAdminRequest(net::RequestCode code) {
  const net::RequestInfo* info = net::FindRequest(static_cast<int32_t>(code));
  return info == nullptr || info->plane == net::RequestPlane::kAdmin;
}

/// The one check of who may administer a broker: until authentication is configured, who sits on the same machine (CVE-2023-33246 and its
/// like came through remote administration that asked for nothing). The refusal, or nothing.
std::optional<net::Reply> RefuseRemoteAdmin(const net::RequestContext& context, net::RequestCode code);

/// Stands before a handler of the admin plane; BrokerShard::On puts it there.
template <typename Service, typename Request>
class AdminGuard {
 public:
  using Method = core::Task<net::Reply> (Service::*)(net::RequestContext, Request);
  AdminGuard(Service& service, Method method) : service_(service), method_(method) {}

  core::Task<net::Reply> Handle(net::RequestContext context, Request request) {
    std::optional<net::Reply> refusal = RefuseRemoteAdmin(context, Request::kCode);
    if (refusal.has_value()) co_return *std::move(refusal);
    co_return co_await (service_.*method_)(context, std::move(request));
  }

 private:
  Service& service_;
  Method method_;
};

}  // namespace broker
