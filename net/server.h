#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/intrusive_list.h"
#include "core/scope.h"
#include "core/socket.h"
#include "core/task.h"
#include "net/frame.h"
#include "net/router.h"

namespace net {

struct ServerLimits {
  size_t frame_bytes_max = kFrameBytesMax;
  uint32_t in_flight_requests_max = 1024;      // per connection: beyond, it is not read
  size_t in_flight_bytes_max = size_t{8} << 20;
  size_t output_bytes_max = size_t{8} << 20;   // per connection waiting to be sent: beyond, it is not read
  absl::Duration idle_timeout = absl::Seconds(120);
  absl::Duration frame_deadline = absl::Seconds(15);  // from the first byte of a frame to its last
  size_t connections_max = 20000;              // per shard; beyond, accepted and closed
};

/// One client's connection on the shard that accepted it. Handlers may keep a pointer only while they run; longer-lived holders
/// (consumer groups, registrations) use `id()` and Server::Find.
class Connection : public core::ListNode {
 public:
  using Id = uint64_t;  // unique in the process: shard in the high 16 bits

  Id id() const;
  const core::Endpoint& peer() const;
  /// The address the client dialled: what it can reach us by.
  const core::Endpoint& local() const;
  const std::string& peer_text() const;  // "ip:port"

  /// Sends a oneway request to this client (40, 39, 220), encoded in JSON unless the client speaks binary. Never blocks: queued,
  /// dropped when the connection is closing or its output is over the limit (then false).
  template <typename Request>
  bool SendOneway(const Request& header, core::Slice body = {});
  /// Calls the client and waits for its answer (221, 307, 309, 326).
  template <typename Request>
  core::Task<absl::StatusOr<Frame>> Call(const Request& header, core::Slice body, absl::Duration timeout);

  /// Stops the handlers' token, answers nothing more and closes. Returns at once.
  void Close(std::string_view why);
  core::StopToken stop_token();
};

/// Told on the connection's shard when it has closed, after its handlers have ended.
using CloseListener = std::function<void(Connection&)>;

/// The listening side of the protocol on one shard: every shard of a process runs one on the same port (SO_REUSEPORT). Responses of a
/// tick leave in one send per connection.
class Server {
 public:
  Server(const Router& router, ServerLimits limits, CloseListener on_close);
  ~Server();

  /// Listens on `at`; may be called for several addresses. kAlreadyExists when the port is in use.
  absl::Status Listen(const core::Endpoint& at);
  /// Where the i-th listener listens (its real port).
  const core::Endpoint& local(size_t listener) const;
  /// Stops accepting, closes every connection, waits for all of it.
  core::Task<void> Stop();
  /// The open connection with that id on this shard, or null.
  Connection* Find(Connection::Id id);
  size_t connection_count() const;
};

}  // namespace net
