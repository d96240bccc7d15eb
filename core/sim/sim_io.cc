#include "core/sim/sim_io.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/assert.h"
#include "core/reactor.h"
#include "core/strings.h"

namespace sim {
namespace {

/// 2026-01-01T00:00:00Z: when every world begins.
constexpr int64_t kWallStartMillis = 1'767'225'600'000;

}  // namespace

struct SimIo::Socket {
  std::shared_ptr<Connection> connection;  // or
  std::shared_ptr<ListeningSocket> listener;
  int side = 0;
  core::ReceiveSink* receive_sink = nullptr;
  core::AcceptSink* accept_sink = nullptr;
  bool stopping = false;  // StopReceive was called
  bool due = false;       // listed in due_
};

SimIo::SimIo(Clockwork& clock, Machine& machine, SimNetwork& network, uint64_t process, core::ShardId shard,
             Random random, std::function<void(core::ShardId)> wake)
    : clock_(clock),
      machine_(machine),
      network_(network),
      process_(process),
      shard_(shard),
      random_(random),
      wake_(std::move(wake)) {}

SimIo::~SimIo() = default;

core::WallMillis SimIo::WallNow() { return kWallStartMillis + (clock_.now + machine_.wall_offset) / kMillisecond; }

// --- The loop.

void SimIo::Complete(core::Completion& done, int32_t result) {
  std::erase(connecting_, &done);
  std::erase(closing_, &done);
  due_.push_back({.done = &done, .result = result});
  wake_(shard_);
}

void SimIo::SocketReady(int32_t socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end() || found->second->due) return;
  found->second->due = true;
  due_.push_back({.result = socket});
  wake_(shard_);
}

void SimIo::Poll(core::MonoTime) {
  std::vector<Due> due;
  due.swap(due_);
  for (const Due& item : due) {
    if (item.done != nullptr) item.done->OnComplete(item.result);
    else if (item.unarmed != nullptr) item.unarmed->OnAccept(-ECANCELED, false);
    else DeliverTo(item.result);
  }
}

void SimIo::CancelAll() {
  dead_ = true;
  // What is cancelled may start something new, which is cancelled in the next round.
  for (;;) {
    std::vector<core::Completion*> all;
    for (const Due& item : due_) {
      if (item.done != nullptr) all.push_back(item.done);
    }
    for (const auto& [number, operation] : operations_) all.push_back(operation->done);
    all.insert(all.end(), connecting_.begin(), connecting_.end());
    all.insert(all.end(), closing_.begin(), closing_.end());
    for (const auto& [id, socket] : sockets_) {
      if (socket->connection == nullptr) continue;
      StreamEnd& end = socket->connection->ends[socket->side];
      if (end.sending != nullptr) all.push_back(std::exchange(end.sending, nullptr));
    }
    if (signal_waiter_ != nullptr) all.push_back(std::exchange(signal_waiter_, nullptr));
    due_.clear();
    operations_.clear();
    connecting_.clear();
    closing_.clear();
    if (all.empty()) return;
    for (core::Completion* done : all) done->OnComplete(-ECANCELED);
  }
}

// --- Signals.

void SimIo::Signal(int number) {
  if (signal_waiter_ != nullptr) Complete(*std::exchange(signal_waiter_, nullptr), number);
  else signals_.push_back(number);
}

void SimIo::WaitSignal(core::Completion& done) {
  CORE_ASSERT(shard_ == core::ShardId(0) && signal_waiter_ == nullptr);
  if (signals_.empty()) {
    signal_waiter_ = &done;
    return;
  }
  const int number = signals_.front();
  signals_.erase(signals_.begin());
  Complete(done, number);
}

void SimIo::CancelWaitSignal() {
  if (signal_waiter_ != nullptr) Complete(*std::exchange(signal_waiter_, nullptr), -ECANCELED);
}

// --- Sockets.

SimIo::Socket& SimIo::SocketOf(core::SocketId socket) {
  const auto found = sockets_.find(socket.value());
  CORE_ASSERT(found != sockets_.end());  // closed, or never was
  return *found->second;
}

int32_t SimIo::Adopt(std::shared_ptr<Connection> connection, int side) {
  const int32_t id = next_descriptor_++;
  auto socket = std::make_unique<Socket>();
  socket->connection = std::move(connection);
  socket->side = side;
  sockets_[id] = std::move(socket);
  return id;
}

absl::StatusOr<core::SocketId> SimIo::Listen(const core::Endpoint& at, int backlog) {
  auto listener = network_.Listen(*this, at, backlog);
  if (!listener.ok()) return listener.status();
  const int32_t id = next_descriptor_++;
  (*listener)->socket = id;
  auto socket = std::make_unique<Socket>();
  socket->listener = *std::move(listener);
  sockets_[id] = std::move(socket);
  return core::SocketId(id);
}

void SimIo::StartAccept(core::SocketId listener, core::AcceptSink& sink) {
  Socket& socket = SocketOf(listener);
  CORE_ASSERT(socket.listener != nullptr && socket.accept_sink == nullptr);
  socket.accept_sink = &sink;
  if (!socket.listener->backlog.empty()) SocketReady(listener.value());
}

void SimIo::Connect(const core::Endpoint& to, core::Completion& done) {
  connecting_.push_back(&done);
  if (!dead_) network_.Connect(*this, to, done);
}

core::Endpoint SimIo::LocalEndpoint(core::SocketId socket) {
  const Socket& found = SocketOf(socket);
  return found.listener != nullptr ? found.listener->at : found.connection->ends[found.side].local;
}

core::Endpoint SimIo::PeerEndpoint(core::SocketId socket) {
  const Socket& found = SocketOf(socket);
  return found.listener != nullptr ? core::Endpoint() : found.connection->ends[found.side].peer;
}

void SimIo::StartReceive(core::SocketId id, core::ReceiveSink& sink) {
  Socket& socket = SocketOf(id);
  CORE_ASSERT(socket.connection != nullptr && socket.receive_sink == nullptr);
  socket.receive_sink = &sink;
  socket.stopping = false;
  const StreamEnd& end = socket.connection->ends[socket.side];
  if (!end.arrived.empty() || end.ended) SocketReady(id.value());
}

void SimIo::StopReceive(core::SocketId id) {
  Socket& socket = SocketOf(id);
  if (socket.receive_sink == nullptr) return;
  socket.stopping = true;
  SocketReady(id.value());
}

void SimIo::Send(core::SocketId id, std::span<const iovec> from, core::Completion& done) {
  Socket& socket = SocketOf(id);
  if (dead_) {
    closing_.push_back(&done);
    return;
  }
  network_.Send(socket.connection, socket.side, from, done);
}

void SimIo::ShutdownSocket(core::SocketId id) {
  Socket& socket = SocketOf(id);
  if (dead_) return;
  network_.Shutdown(socket.connection, socket.side);
}

void SimIo::CloseSocket(core::SocketId id, core::Completion& done) {
  Socket& socket = SocketOf(id);
  CORE_ASSERT(socket.receive_sink == nullptr);
  closing_.push_back(&done);
  if (dead_) return;
  core::AcceptSink* sink = std::exchange(socket.accept_sink, nullptr);
  if (socket.listener != nullptr) network_.CloseListener(*socket.listener);
  else network_.Close(socket.connection, socket.side);
  sockets_.erase(id.value());
  clock_.After(random_.Between(kMicrosecond, 20 * kMicrosecond), process_, [this, sink, &done] {
    if (sink != nullptr) due_.push_back({.unarmed = sink});
    Complete(done, 0);
  });
}

void SimIo::DeliverTo(int32_t socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return;
  found->second->due = false;
  if (found->second->listener != nullptr) DeliverConnections(socket);
  else DeliverBytes(socket);
}

void SimIo::DeliverConnections(int32_t id) {
  for (;;) {
    const auto found = sockets_.find(id);  // looked up each time: the sink may close it
    if (found == sockets_.end()) return;
    Socket& socket = *found->second;
    if (socket.accept_sink == nullptr || socket.listener->backlog.empty()) return;
    const std::shared_ptr<Connection> connection = socket.listener->backlog.front();
    socket.listener->backlog.pop_front();
    StreamEnd& end = connection->ends[1];
    end.socket = Adopt(connection, 1);
    clock_.Note("accept", machine_.name, shard_.value(), connection->number, end.socket);
    core::AcceptSink& sink = *socket.accept_sink;
    const bool more = !random_.OneIn(8);
    if (!more) socket.accept_sink = nullptr;
    sink.OnAccept(end.socket, more);
  }
}

void SimIo::DeliverBytes(int32_t id) {
  for (;;) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) return;
    Socket& socket = *found->second;
    if (socket.receive_sink == nullptr) return;
    StreamEnd& end = socket.connection->ends[socket.side];
    const auto finish = [&socket](int32_t result) {
      socket.stopping = false;
      std::exchange(socket.receive_sink, nullptr)->OnReceiveEnd(result);
    };
    if (socket.stopping && (end.arrived.empty() || random_.OneIn(2))) return finish(-ECANCELED);
    if (end.arrived.empty()) {
      if (end.ended) finish(end.error);
      return;
    }
    if (random_.OneIn(2000)) return finish(-ENOBUFS);
    const std::string bytes = std::move(end.arrived.front());
    end.arrived.pop_front();
    network_.Consumed(socket.connection, socket.side, bytes.size());
    socket.receive_sink->OnReceive(core::Reactor::Current().buffers().Copy(std::string_view(bytes)));
  }
}

}  // namespace sim
