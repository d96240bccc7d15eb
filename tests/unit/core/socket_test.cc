// Goal: streams and listeners behave alike on the real machine and on the simulated one.
#include "core/socket.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/scope.h"
#include "core/status.h"
#include "core/sync.h"
#include "tests/unit/core/on_both.h"

namespace core {
namespace {

Endpoint Local() { return *Endpoint::Parse("127.0.0.1:0"); }

struct Pair {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Socket> client;
  std::unique_ptr<Socket> server;

  Task<void> Close() {
    co_await client->Close();
    co_await server->Close();
    co_await listener->Close();
  }
};

Task<absl::StatusOr<Pair>> Connected() {
  Pair pair;
  CO_ASSIGN_OR_RETURN(pair.listener, Listener::Listen(Local()));
  CO_ASSIGN_OR_RETURN(pair.client, co_await Socket::Connect(pair.listener->local(), absl::Seconds(5)));
  CO_ASSIGN_OR_RETURN(pair.server, co_await pair.listener->Accept({}));
  co_return pair;
}

Task<void> SendMuch(Socket& socket, size_t bytes, bool& done) {
  size_t sent = 0;
  while (sent < bytes) {
    std::string text;
    const size_t length = 1 + (sent * 31) % 40'000;
    for (size_t i = 0; i < length; ++i) text += static_cast<char>((sent + i) % 127);
    const Slice parts[3] = {Reactor::Current().buffers().Copy(std::string_view(text).substr(0, length / 3)), Slice(),
                            Reactor::Current().buffers().Copy(std::string_view(text).substr(length / 3))};
    const absl::Status status = co_await socket.Send(parts);
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) break;
    sent += length;
  }
  socket.Shutdown();
  done = true;
}

// A reader that pauses for longer than the queue holds. Catches a reception that is not armed again after the pause, bytes lost at the
// pause, a partial send that goes on at the wrong place, an end that overtakes the last bytes.
Task<absl::Status> SlowReaderMain(std::string) {
  CO_ASSIGN_OR_RETURN(Pair pair, co_await Connected());
  Scope scope;
  bool done = false;
  scope.Spawn(SendMuch(*pair.client, 6 << 20, done));
  co_await Sleep(absl::Milliseconds(50));
  size_t received = 0;
  for (;;) {
    const absl::StatusOr<Slice> bytes = co_await pair.server->Receive();
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    if (!bytes.ok() || bytes->empty()) break;
    for (size_t i = 0; i < bytes->size(); ++i) {
      if (bytes->data()[i] != static_cast<std::byte>((received + i) % 127)) {
        ADD_FAILURE() << "byte " << received + i;
        break;
      }
    }
    received += bytes->size();
    if (testing::Test::HasFailure()) break;
    if (received % 7 == 0) co_await Sleep(absl::Microseconds(50));
  }
  EXPECT_EQ(received, pair.client->bytes_sent());
  EXPECT_EQ(received, pair.server->bytes_received());
  co_await scope.Join();
  co_await pair.Close();
  co_return absl::OkStatus();
}
TEST(SocketTest, ASlowReaderGetsEveryByteInOrder) {
  OnSim(1, SlowReaderMain, 4);
  OnMachine(1, SlowReaderMain);
}

Task<void> ShutdownAfter(Socket& socket, absl::Duration patience, StopToken stop) {
  if (co_await Sleep(patience, stop) == WaitResult::kTimeout) socket.Shutdown();
}

// Catches connections that nobody reads holding every receive buffer of the shard, so that a new one never receives a byte.
Task<absl::Status> UnreadMain(std::string) {
  std::vector<Pair> unread;
  for (int i = 0; i < 4; ++i) {
    CO_ASSIGN_OR_RETURN(Pair pair, co_await Connected());
    unread.push_back(std::move(pair));
    // Armed once, then left alone.
    const Slice first = Reactor::Current().buffers().Copy(std::string_view("x"));
    CO_RETURN_IF_ERROR(co_await unread.back().client->Send(std::span(&first, 1)));
    CO_RETURN_IF_ERROR((co_await unread.back().server->Receive()).status());
    const Slice much = Reactor::Current().buffers().Copy(std::string(128 << 10, 'm'));
    CO_RETURN_IF_ERROR(co_await unread.back().client->Send(std::span(&much, 1)));
  }
  co_await Sleep(absl::Milliseconds(20));
  CO_ASSIGN_OR_RETURN(Pair pair, co_await Connected());
  Scope scope;
  StopSource received;
  scope.Spawn(ShutdownAfter(*pair.server, absl::Seconds(2), received.token()));
  const Slice word = Reactor::Current().buffers().Copy(std::string_view("hear me"));
  CO_RETURN_IF_ERROR(co_await pair.client->Send(std::span(&word, 1)));
  {
    const absl::StatusOr<Slice> bytes = co_await pair.server->Receive();
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    if (bytes.ok()) EXPECT_EQ(bytes->text(), "hear me");
  }
  received.RequestStop();
  co_await scope.Join();
  for (Pair& one : unread) {
    size_t kept = 0;
    while (one.server->HasReceived()) kept += one.server->TakeReceived().size();
    EXPECT_EQ(kept, size_t{128} << 10);
    co_await one.Close();
  }
  co_await pair.Close();
  EXPECT_EQ(Reactor::Current().received_blocks_held(), 0U);
  co_return absl::OkStatus();
}
TEST(SocketTest, UnreadConnectionsLeaveReceiveBuffersForOthers) { OnMachine(1, UnreadMain); }

Task<void> ReceiveOnce(Socket& socket, absl::StatusOr<Slice>& result) { result = co_await socket.Receive(); }
Task<void> AcceptOnce(Listener& listener, StopToken stop, absl::Status& result) {
  result = (co_await listener.Accept(stop)).status();
}

// Catches a waiting call that nobody wakes when its socket is shut down, its peer dies or its listener stops.
Task<absl::Status> WakeMain(std::string) {
  CO_ASSIGN_OR_RETURN(Pair pair, co_await Connected());
  Scope scope;
  absl::StatusOr<Slice> at_server, at_client;
  scope.Spawn(ReceiveOnce(*pair.server, at_server));
  scope.Spawn(ReceiveOnce(*pair.client, at_client));
  co_await Sleep(absl::Milliseconds(2));
  pair.client->Shutdown();
  co_await scope.Join();
  EXPECT_TRUE(at_server.ok() && at_server->empty()) << at_server.status();  // the peer's end
  EXPECT_FALSE(at_client.ok());                                             // our own
  const Slice late = Reactor::Current().buffers().Copy(std::string_view("late"));
  const absl::Status sent = co_await pair.client->Send(std::span(&late, 1));
  EXPECT_EQ(sent.code(), absl::StatusCode::kUnavailable) << sent;

  absl::Status accepted;
  StopSource stop;
  scope.Spawn(AcceptOnce(*pair.listener, stop.token(), accepted));
  co_await Sleep(absl::Milliseconds(2));
  stop.RequestStop();
  co_await scope.Join();
  EXPECT_EQ(accepted.code(), absl::StatusCode::kCancelled) << accepted;
  accepted = absl::OkStatus();
  scope.Spawn(AcceptOnce(*pair.listener, {}, accepted));
  co_await Sleep(absl::Milliseconds(2));
  co_await pair.listener->Close();
  co_await scope.Join();
  EXPECT_EQ(accepted.code(), absl::StatusCode::kCancelled) << accepted;
  co_await pair.Close();
  co_return absl::OkStatus();
}
TEST(SocketTest, WaitingCallsEnd) { OnBoth(1, WakeMain); }

// Catches connections that are lost because nobody accepts yet, or leak because nobody ever does.
Task<absl::Status> BacklogMain(std::string) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Listener> listener, Listener::Listen(Local()));
  std::vector<std::unique_ptr<Socket>> clients;
  for (int i = 0; i < 10; ++i) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<Socket> client, co_await Socket::Connect(listener->local(), absl::Seconds(5)));
    EXPECT_EQ(client->peer(), listener->local());
    clients.push_back(std::move(client));
  }
  for (int i = 0; i < 4; ++i) {
    CO_ASSIGN_OR_RETURN(const std::unique_ptr<Socket> server, co_await listener->Accept({}));
    co_await server->Close();
  }
  co_await listener->Close();
  for (const auto& client : clients) {
    const absl::StatusOr<Slice> end = co_await client->Receive();
    EXPECT_TRUE(!end.ok() || end->empty());
    co_await client->Close();
  }
  co_return absl::OkStatus();
}
TEST(SocketTest, ConnectionsWaitToBeAccepted) { OnBoth(1, BacklogMain); }

Task<absl::Status> ConnectTo(Endpoint to, absl::Duration timeout) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Socket> socket, co_await Socket::Connect(to, timeout));
  co_await socket->Close();
  co_return absl::OkStatus();
}

// Catches a connect that waits for the kernel's minutes, and what leaks when it is given up.
TEST(SocketTest, AConnectGivesUpAtItsTimeout) {
  sim::World world(4);
  sim::Node& a = world.AddNode("a", 1);
  sim::Node& b = world.AddNode("b", 1);
  world.Partition(a, b);
  a.Start([&b] { return ConnectTo(b.At(80), absl::Seconds(2)); });
  const absl::Status status = world.RunToEnd(a, absl::Seconds(3));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_GE(world.now(), absl::Seconds(2));
  // Killed with the attempt still under way, and before its time.
  a.Start([&b] { return ConnectTo(b.At(80), absl::Seconds(2)); });
  world.RunFor(absl::Seconds(1));
  a.Kill();
}

}  // namespace
}  // namespace core
