#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/io.h"
#include "core/scope.h"
#include "core/task.h"
#include "net/connection.h"
#include "net/frame.h"
#include "net/router.h"

namespace net {

/// The client side of the protocol: one connection, many calls in flight, matched by opaque. One shard. Used by the broker towards
/// nameservers, by the load generator and by tests. Must be closed (awaited) before it dies.
class Client {
 public:
  /// Connects within `timeout`. `router` (may be null) answers requests that the server sends.
  static core::Task<absl::StatusOr<std::unique_ptr<Client>>> Connect(core::Endpoint to, absl::Duration timeout,
                                                                     const Router* router = nullptr);
  ~Client();

  /// Sends a request and waits for its response, whatever its code. kDeadlineExceeded after `timeout`, kUnavailable when the
  /// connection is gone. The header is read before this returns: it need not outlive the task.
  template <typename Request>
  core::Task<absl::StatusOr<Frame>> Call(const Request& header, core::Slice body, absl::Duration timeout) {
    return connection_->Call(header, std::move(body), timeout);
  }
  /// Sends and expects nothing back. kUnavailable when the connection is gone or too much waits to be sent.
  template <typename Request>
  absl::Status Oneway(const Request& header, core::Slice body) {
    if (connection_->SendOneway(header, std::move(body))) return absl::OkStatus();
    return absl::UnavailableError("the connection takes no more");
  }

  void set_serialize_type(SerializeType type) { connection_->set_serialize_type(type); }
  bool connected() const { return !connection_->closing(); }
  const core::Endpoint& peer() const { return connection_->peer(); }
  const core::Endpoint& local() const { return connection_->local(); }
  /// What it is beside a client: for requests without a header struct.
  Connection& connection() { return *connection_; }
  /// Fails calls under way and frees the connection.
  core::Task<void> Close();

 private:
  explicit Client(std::unique_ptr<core::Socket> socket, const Router* router);

  ServerLimits limits_;
  SharedBudgets budgets_;
  std::unique_ptr<Connection> connection_;
  core::Scope scope_;
};

}  // namespace net
