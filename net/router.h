#pragma once

#include <cstdint>
#include <functional>

#include "absl/container/flat_hash_map.h"
#include "core/task.h"
#include "net/frame.h"
#include "net/reply.h"
#include "net/request_code.h"

namespace net {

class Connection;

/// What a handler knows of the request beside its typed header. References stay valid until the handler returns: the connection
/// joins its handlers before it closes.
struct RequestContext {
  Connection& connection;
  const Frame& frame;
};

/// The request codes that one server (a nameserver, a broker) answers on one shard. Codes of the request table without a handler
/// are answered with REQUEST_CODE_NOT_SUPPORTED and their name; unknown ones likewise with their number.
class Router {
 public:
  using Handler = std::function<core::Task<Reply>(RequestContext)>;

  /// `service` outlives the router. The typed form decodes and validates the header first: a missing required field or a
  /// malformed number is answered without calling the handler (code 1 as RocketMQ does, naming the field).
  ///   router.On(*this, &BrokerShard::PullMessage);  with  core::Task<Reply> PullMessage(RequestContext, PullMessageRequest)
  template <typename Service, typename Request>
  void On(Service& service, core::Task<Reply> (Service::*method)(RequestContext, Request));

  const Handler* Find(int32_t code) const;

 private:
  absl::flat_hash_map<int32_t, Handler> handlers_;
};

}  // namespace net
