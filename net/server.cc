#include "net/server.h"

#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "core/sync.h"

namespace net {

namespace {

constexpr absl::Duration kServerAcceptRetry = absl::Milliseconds(100);

constexpr absl::Duration kPortPatience = absl::Seconds(2);
constexpr absl::Duration kPortRetry = absl::Milliseconds(20);

core::Task<void> CloseAtOnce(std::unique_ptr<core::Socket> socket) { co_await socket->Close(); }

}  // namespace

Server::Server(const Router& router, ServerLimits limits, SharedBudgets& budgets, CloseListener on_close)
    : router_(router), limits_(limits), budgets_(budgets), on_close_(std::move(on_close)) {}

Server::~Server() = default;

absl::Status Server::Listen(const core::Endpoint& at) {
  absl::StatusOr<std::unique_ptr<core::Listener>> listener = core::Listener::Listen(at);
  if (!listener.ok()) return listener.status();
  listeners_.push_back(*std::move(listener));
  scope_.Spawn(AcceptLoop(*listeners_.back()));
  return absl::OkStatus();
}

core::Task<absl::Status> Server::ListenWhenFree(core::Endpoint at) {
  const core::MonoTime give_up = core::Reactor::Current().now() + kPortPatience;
  for (;;) {
    absl::Status status = Listen(at);
    if (!absl::IsAlreadyExists(status) || core::Reactor::Current().now() >= give_up) co_return status;
    (void)co_await core::Sleep(kPortRetry);
  }
}

// The port tells the servers of one shard apart.
Connection::Id Server::NextId(const core::Listener& listener) {
  const auto shard = static_cast<Connection::Id>(core::Reactor::Current().shard().value());
  return shard << 48 | static_cast<Connection::Id>(listener.local().port) << 32 | next_id_++;
}

core::Task<void> Server::AcceptLoop(core::Listener& listener) {
  const core::StopToken stop = scope_.stop_token();
  while (!stop.stop_requested()) {
    absl::StatusOr<std::unique_ptr<core::Socket>> socket = co_await listener.Accept(stop);
    if (!socket.ok()) {
      uint64_t suppressed = 0;
      if (stop.stop_requested()) break;
      if (budgets_.log.Admit(core::Reactor::Current().now(), &suppressed)) core::LogWarning(socket.status().message());
      co_await core::Sleep(kServerAcceptRetry, stop);
      continue;
    }
    // Those behind it wait in the kernel's backlog, which is bounded; while that is full the kernel lets nobody in.
    bool admitted = budgets_.TryAccept(core::Reactor::Current().now());
    if (!admitted) ++budgets_.accepts.hits;
    while (!admitted && !stop.stop_requested()) {
      co_await core::Sleep(budgets_.NextAccept(core::Reactor::Current().now()), stop);
      admitted = budgets_.TryAccept(core::Reactor::Current().now());
    }
    if (stop.stop_requested()) {
      scope_.Spawn(CloseAtOnce(*std::move(socket)));
      break;
    }
    AddressUse* const address = budgets_.Enter((*socket)->peer());
    if (address == nullptr) {
      Refuse(*std::move(socket), "there are as many connections, of all or of its address, as there may be");
      continue;
    }
    scope_.Spawn(ServeOne(*std::move(socket), NextId(listener), address));
  }
}

void Server::Refuse(std::unique_ptr<core::Socket> socket, std::string_view why) {
  uint64_t suppressed = 0;
  if (!scope_.stop_requested() && budgets_.log.Admit(core::Reactor::Current().now(), &suppressed)) {
    core::LogWarning("connection from ", socket->peer().Text(), " refused: ", why, "; ", budgets_.connections.used,
                     " are open on this shard");
  }
  scope_.Spawn(CloseAtOnce(std::move(socket)));
}

core::Task<void> Server::ServeOne(std::unique_ptr<core::Socket> socket, Connection::Id id, AddressUse* address) {
  const core::Endpoint peer = socket->peer();
  Connection& connection =
      *connections_.emplace(id, std::make_unique<Connection>(std::move(socket), id, &router_, limits_, budgets_, address))
           .first->second;
  co_await connection.Serve();
  if (on_close_) on_close_(connection);
  connections_.erase(id);
  budgets_.Leave(peer);
}

Connection* Server::Find(Connection::Id id) {
  const auto it = connections_.find(id);
  return it == connections_.end() || it->second->closing() ? nullptr : it->second.get();
}

core::Task<void> Server::Stop() {
  scope_.RequestStop();
  for (auto& [id, connection] : connections_) connection->Close("the server stops");
  co_await scope_.Join();
  for (const std::unique_ptr<core::Listener>& listener : listeners_) co_await listener->Close();
  listeners_.clear();
}

}  // namespace net
