#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "core/task.h"
#include "net/access.h"
#include "net/frame.h"
#include "net/header.h"
#include "net/reply.h"
#include "net/request_code.h"

namespace net {

class Audit;
class Connection;
class Router;

/// What a request that is under way counts for.
struct RequestCost {
  size_t bytes = 0;
  bool parked = false;  // its frame is gone: it only waits
};

/// What a handler knows of the request beside its typed header. References stay valid until the handler returns: the connection
/// joins its handlers before it closes.
struct RequestContext {
  Connection& connection;
  const Frame& frame;
  Frame* owned = nullptr;        // the same frame
  RequestCost* cost = nullptr;  // of the request
  const Router* router = nullptr;    // which has let it through
  const RequestInfo* info = nullptr;

  /// For a handler that will wait for long (a held pull): lets go of the request's bytes, which may lie in a receive buffer that the whole
  /// shard needs, and no longer counts as a request under way. The frame's text and body, and all that points into them, are gone then.
  void ReleaseFrame() const;
  /// For a handler that has found a message which the request is about, on behalf of the group `group` if there is one: the refusal when who asks has no right
  /// to its topic. Before the frame is released.
  std::optional<Reply> RefuseTopic(std::string_view topic, std::string_view group = {}) const;
  /// The user who has signed it; empty where nobody need.
  std::string_view user() const;
};

/// Takes requests without a coroutine for each, many at once on their way: the common case of a code that comes hundreds of thousands of times a
/// second. What is not the common case it leaves to the handler of the code. One shard.
class DirectHandler {
 public:
  /// True: it was taken; Connection::FinishDirect answers it, now or later, exactly once. `frame` may have been moved from. False: nothing has happened.
  virtual bool Take(Connection& connection, Frame& frame, const RequestCost& cost) = 0;

 protected:
  ~DirectHandler() = default;
};

/// The request codes that one server (a nameserver, a broker) answers on one shard. Codes of the request table without a handler
/// are answered with REQUEST_CODE_NOT_SUPPORTED and their name; unknown ones likewise with their number. No handler is reached but through the
/// access policy; refusals and what administrators change are written to the log (Audit).
class Router {
 public:
  using Handler = std::function<core::Task<Reply>(RequestContext)>;

  explicit Router(AccessPolicy policy = AccessPolicy());
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// `service` outlives the router. The typed form decodes and validates the header first: a missing required field or a
  /// malformed number is answered without calling the handler (code 1 as RocketMQ does, naming the field).
  ///   router.On(*this, &BrokerShard::PullMessage);  with  core::Task<Reply> PullMessage(RequestContext, PullMessageRequest)
  template <typename Service, typename Request>
  void On(Service& service, core::Task<Reply> (Service::*method)(RequestContext, Request)) {
    On(Request::kCode, service, method);
  }
  /// The same header under another code: PullMessageRequest for kLitePullMessage, SendMessageV2Request for kSendBatchMessage.
  template <typename Service, typename Request>
  void On(RequestCode code, Service& service, core::Task<Reply> (Service::*method)(RequestContext, Request)) {
    Add(code, [&service, method](RequestContext context) -> core::Task<Reply> {  // no coroutine: captures are fine
      Request header;
      const HeaderError error = DecodeHeader(context.frame, header);
      if (!error.ok()) return Answer(Reply(ResponseCode::kSystemError, error.Text()));
      return (service.*method)(context, std::move(header));
    });
  }
  /// Asks `direct` first when a request with this code comes, which has a handler as well. Outlives the router.
  void AddDirect(RequestCode code, DirectHandler& direct);
  /// Offers a request of `connection` to the direct handler of its code. True: taken, unless `refusal` has the answer.
  bool TakeDirect(Connection& connection, Frame& frame, const RequestCost& cost, std::optional<Reply>* refusal) const;
  /// A handler that reads the frame itself. One handler a code.
  void Add(RequestCode code, Handler handler);

  /// The handler of a request that has come, which counts it.
  const Handler* Begin(int32_t code) const;
  /// The answer to a request of which only the header is here (`head`, without a body) and a body of `body_bytes` is on its way; nothing when its
  /// handler is to see it.
  std::optional<Reply> RefuseEarly(const Connection& connection, const Frame& head, size_t body_bytes) const;
  /// See RequestContext.
  std::optional<Reply> RefuseTopic(const RequestContext& context, std::string_view topic, std::string_view group) const;
  /// How large a message may be, asked whenever one is larger than kSmallFrame. Unless it is set: what a frame can hold.
  void LimitMessages(std::function<size_t()> bytes_max) { message_bytes_max_ = std::move(bytes_max); }
  /// Adds how many requests of each code have come to `requests`; those without a handler are not told apart.
  void AddRequests(std::map<int32_t, uint64_t>& requests) const;
  /// What is answered, in ascending order: for docs/COMPATIBILITY.md.
  std::vector<int32_t> Codes() const;

  /// A task that gives `reply`.
  static core::Task<Reply> Answer(Reply reply);
  /// The answer to a code without a handler.
  static Reply NotSupported(int32_t code);

 private:
  struct Direct {
    const RequestInfo* info;
    DirectHandler* handler;
    mutable uint64_t requests = 0;
  };
  struct Handled {
    Handler handler;
    mutable uint64_t requests = 0;
  };

  std::optional<Reply> Refuse(const RequestInfo* info, const Connection& connection, const Frame& frame,
                              size_t body_bytes, bool whole) const;
  /// `topic`: of the message that it is about; empty: what the header or the body says.
  void NoteRefusal(const RequestInfo& info, const Connection& connection, const Frame& frame, std::string_view topic, const Reply& refusal) const;
  std::string WhoAsks(const Connection& connection, const Frame& frame) const;
  core::Task<Reply> Audited(const RequestInfo& info, const Handler& handler, RequestContext context);

  const AccessPolicy policy_;
  const std::unique_ptr<Audit> audit_;
  absl::flat_hash_map<int32_t, Handled> handlers_;
  std::function<size_t()> message_bytes_max_ = [] { return kFrameBytesMax; };
  absl::InlinedVector<Direct, 2> direct_;
};

}  // namespace net
