#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "core/scope.h"
#include "core/socket.h"
#include "core/task.h"
#include "net/connection.h"
#include "net/router.h"

namespace net {

/// Told on the connection's shard when it has closed, after its handlers have ended.
using CloseListener = std::function<void(Connection&)>;

/// The listening side of the protocol on one shard: every shard of a process runs one on the same port (SO_REUSEPORT). Responses of a
/// tick leave in one send per connection. Must be stopped (awaited) before it dies.
class Server {
 public:
  /// `router` and `budgets` (made with the same limits; a shard's servers share one) outlive the server; `on_close` may be empty.
  Server(const Router& router, ServerLimits limits, SharedBudgets& budgets, CloseListener on_close);
  ~Server();

  /// Listens on `at`; may be called for several addresses. kAlreadyExists when the port is in use.
  absl::Status Listen(const core::Endpoint& at);
  /// The same, patient for 2 s with a port that is taken: a process that was killed a moment ago may not be gone yet.
  core::Task<absl::Status> ListenWhenFree(core::Endpoint at);
  /// Where the i-th listener listens (its real port).
  const core::Endpoint& local(size_t listener) const { return listeners_[listener]->local(); }
  /// Stops accepting, closes every connection, waits for all of it.
  core::Task<void> Stop();
  /// The open connection with that id on this shard, or null.
  Connection* Find(Connection::Id id);
  size_t connection_count() const { return connections_.size(); }

 private:
  core::Task<void> AcceptLoop(core::Listener& listener);
  core::Task<void> ServeOne(std::unique_ptr<core::Socket> socket, Connection::Id id, AddressUse* address);
  void Refuse(std::unique_ptr<core::Socket> socket, std::string_view why);
  Connection::Id NextId(const core::Listener& listener);

  const Router& router_;
  const ServerLimits limits_;
  SharedBudgets& budgets_;
  const CloseListener on_close_;
  std::vector<std::unique_ptr<core::Listener>> listeners_;
  absl::btree_map<Connection::Id, std::unique_ptr<Connection>>
      connections_;  // ordered: Stop closes them in the same order each time
  uint32_t next_id_ = 1;
  core::Scope scope_;
};

}  // namespace net
