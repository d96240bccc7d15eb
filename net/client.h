#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/io.h"
#include "core/task.h"
#include "net/frame.h"
#include "net/router.h"

namespace net {

/// The client side of the protocol: one connection, many calls in flight, matched by opaque. One shard. Used by the broker towards
/// nameservers, by the load generator and by tests.
class Client {
 public:
  /// Connects within `timeout`. `router` (may be null) answers requests that the server sends.
  static core::Task<absl::StatusOr<std::unique_ptr<Client>>> Connect(core::Endpoint to, absl::Duration timeout,
                                                                     const Router* router = nullptr);
  ~Client();

  /// Sends a request and waits for its response, whatever its code. kDeadlineExceeded after `timeout`, kUnavailable when the
  /// connection is gone.
  template <typename Request>
  core::Task<absl::StatusOr<Frame>> Call(const Request& header, core::Slice body, absl::Duration timeout);
  /// Sends and expects nothing back.
  template <typename Request>
  absl::Status Oneway(const Request& header, core::Slice body);

  void set_serialize_type(SerializeType type);
  bool connected() const;
  const core::Endpoint& peer() const;
  const core::Endpoint& local() const;
  /// Fails calls under way and frees the connection.
  core::Task<void> Close();
};

}  // namespace net
