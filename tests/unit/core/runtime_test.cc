// Goal: the runtime on the real io_uring: files, sockets, timers and calls between pinned threads.
// Method: each test is the main task of a runtime of its own; everything stays on loopback and in a fresh folder.
#include "core/runtime.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <thread>

#include "core/file.h"
#include "core/log.h"
#include "core/scope.h"
#include "core/sharded.h"
#include "core/socket.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"

namespace core {
namespace {

RuntimeOptions Options(size_t shards) {
  RuntimeOptions options;
  options.shards = shards;
  options.pin_threads = false;
  options.receive_buffers = 8;
  options.receive_buffer_bytes = 4096;
  return options;
}

std::string FreshFolder() {
  std::string path = "/tmp/ringmq-runtime-XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  return path;
}

Task<absl::Status> FilesMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder + "/a/b"));
  const std::string path = folder + "/a/b/file";
  CO_RETURN_IF_ERROR(co_await fs::ReplaceWhole(path, "first"));
  CO_RETURN_IF_ERROR(co_await fs::ReplaceWhole(path, "second"));
  CO_ASSIGN_OR_RETURN(const std::string content, co_await fs::ReadWhole(path, 100));
  EXPECT_EQ(content, "second");
  const absl::StatusOr<std::string> refused = co_await fs::ReadWhole(path, 3);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  CO_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, co_await fs::List(folder + "/a/b"));
  EXPECT_EQ(entries.size(), 1U);

  CO_ASSIGN_OR_RETURN(File file, co_await File::Open(folder + "/direct", {.write = true, .create = true, .direct = true}));
  CO_RETURN_IF_ERROR(co_await file.Allocate(1 << 20));
  Slice block = Reactor::Current().buffers().Allocate(8192);
  std::memset(block.data(), 'x', block.size());
  CO_RETURN_IF_ERROR(co_await file.WriteAt(4096, block.bytes(), true));
  Slice back = Reactor::Current().buffers().Allocate(12288);
  CO_RETURN_IF_ERROR(co_await file.ReadExactlyAt(0, {back.data(), back.size()}));
  EXPECT_EQ(back.text().substr(0, 4096), std::string(4096, '\0'));
  EXPECT_EQ(back.text().substr(4096), std::string(8192, 'x'));
  CO_RETURN_IF_ERROR(co_await file.Lock());
  CO_ASSIGN_OR_RETURN(File again, co_await File::Open(folder + "/direct", {.write = true}));
  const absl::Status locked = co_await again.Lock();
  EXPECT_EQ(locked.code(), absl::StatusCode::kFailedPrecondition);
  CO_RETURN_IF_ERROR(co_await again.Close());
  CO_RETURN_IF_ERROR(co_await file.Close());
  const absl::StatusOr<File> missing = co_await File::Open(folder + "/missing", {});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  co_return absl::OkStatus();
}

TEST(RuntimeTest, FilesAreWrittenReadLockedAndReplaced) {
  const std::string folder = FreshFolder();
  const absl::Status status = RunShards(Options(1), [&] { return FilesMain(folder); });
  EXPECT_TRUE(status.ok()) << status;
}

Task<void> EchoOne(std::unique_ptr<Socket> socket) {
  for (;;) {
    const absl::StatusOr<Slice> bytes = co_await socket->Receive();
    if (!bytes.ok() || bytes->empty()) break;
    const absl::Status sent = co_await socket->Send(std::span(&*bytes, 1));
    if (!sent.ok()) break;
  }
  co_await socket->Close();
}

Task<void> EchoServer(Listener& listener, Scope& scope) {
  for (;;) {
    absl::StatusOr<std::unique_ptr<Socket>> socket = co_await listener.Accept(scope.stop_token());
    if (!socket.ok()) break;
    scope.Spawn(EchoOne(std::move(*socket)));
  }
  co_await listener.Close();
}

// Far more bytes are under way than there are receive buffers: starved receptions must go on when buffers come home.
Task<absl::Status> EchoClient(Endpoint to, size_t bytes_total) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Socket> socket, co_await Socket::Connect(to, absl::Seconds(5)));
  Scope writers;
  struct Send {
    static Task<void> All(Socket& out, size_t total) {
      Slice chunk = Reactor::Current().buffers().Allocate(10000);
      for (size_t i = 0; i < chunk.size(); ++i) chunk.data()[i] = static_cast<std::byte>(i % 251);
      for (size_t sent = 0; sent < total; sent += chunk.size()) {
        const absl::Status status = co_await out.Send(std::span(&chunk, 1));
        EXPECT_TRUE(status.ok()) << status;
      }
    }
  };
  writers.Spawn(Send::All(*socket, bytes_total));
  size_t received = 0;
  while (received < bytes_total) {
    CO_ASSIGN_OR_RETURN(const Slice bytes, co_await socket->Receive());
    EXPECT_FALSE(bytes.empty());
    if (bytes.empty()) break;
    for (size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_EQ(bytes.data()[i], static_cast<std::byte>((received + i) % 10000 % 251));
    }
    received += bytes.size();
  }
  co_await writers.Join();
  co_await socket->Close();
  co_return absl::OkStatus();
}

Task<void> RunClient(Endpoint to, size_t bytes_total, int& done) {
  const absl::Status status = co_await EchoClient(to, bytes_total);
  EXPECT_TRUE(status.ok()) << status;
  ++done;
}

Task<absl::Status> EchoMain() {
  CO_ASSIGN_OR_RETURN(const Endpoint any, Endpoint::Parse("127.0.0.1:0"));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener, Listener::Listen(any));
  Scope scope;
  scope.Spawn(EchoServer(*listener, scope));
  Scope clients;
  int done = 0;
  for (int i = 0; i < 5; ++i) clients.Spawn(RunClient(listener->local(), 1'000'000, done));
  co_await clients.Join();
  EXPECT_EQ(done, 5);
  scope.RequestStop();
  co_await scope.Join();
  co_return absl::OkStatus();
}

TEST(RuntimeTest, SocketsEchoMoreThanTheReceiveBuffersHold) {
  const absl::Status status = RunShards(Options(1), EchoMain);
  EXPECT_TRUE(status.ok()) << status;
}

Task<absl::Status> SilentPeerMain() {
  CO_ASSIGN_OR_RETURN(const Endpoint any, Endpoint::Parse("127.0.0.1:0"));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener, Listener::Listen(any));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Socket> client, co_await Socket::Connect(listener->local(), absl::Seconds(5)));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Socket> server, co_await listener->Accept({}));
  EXPECT_EQ(server->peer(), client->local());
  EXPECT_EQ(server->local(), client->peer());
  // Shut down while a reception waits: it must end.
  Scope scope;
  struct Wait {
    static Task<void> ForEnd(Socket& socket, bool& ended) {
      const absl::StatusOr<Slice> bytes = co_await socket.Receive();
      ended = !bytes.ok() || bytes->empty();
    }
  };
  bool ended = false;
  scope.Spawn(Wait::ForEnd(*server, ended));
  co_await Sleep(absl::Milliseconds(5));
  EXPECT_FALSE(ended);
  server->Shutdown();
  co_await scope.Join();
  EXPECT_TRUE(ended);
  co_await server->Close();
  const absl::StatusOr<Slice> end = co_await client->Receive();
  EXPECT_TRUE(end.ok() && end->empty());
  co_await client->Close();
  co_await listener->Close();
  co_return absl::OkStatus();
}

TEST(RuntimeTest, ShutdownEndsAWaitingReception) {
  const absl::Status status = RunShards(Options(1), SilentPeerMain);
  EXPECT_TRUE(status.ok()) << status;
}

struct CountingService {
  int64_t value = 0;
  Task<int64_t> AddLater(int64_t by) {
    co_await Sleep(absl::Microseconds(10));
    value += by;
    co_return value;
  }
};

Task<void> CallMany(Sharded<CountingService>& services, int calls) {
  for (int i = 0; i < calls; ++i) {
    for (uint32_t shard = 0; shard < services.size(); ++shard) {
      co_await services.On(ShardId(shard), [](CountingService& service, int by) { service.value += by; }, 1);
    }
  }
}

Task<void> CallFromShard(Sharded<CountingService>* services, int tasks, int calls) {
  Scope scope;
  for (int i = 0; i < tasks; ++i) scope.Spawn(CallMany(*services, calls));
  co_await scope.Join();
}

Task<void> StartCaller(ShardId shard, Sharded<CountingService>* services) {
  co_await InvokeOn(
      shard, [](Sharded<CountingService>* all, int tasks, int calls) { return CallFromShard(all, tasks, calls); }, services,
      2000, 5);
}

// Every shard calls every shard with more calls at once than a ring holds: none may be lost or run elsewhere.
Task<absl::Status> CallsMain() {
  Sharded<CountingService> services(3);
  for (uint32_t shard = 0; shard < 3; ++shard) {
    co_await InvokeOn(
        ShardId(shard),
        [](Sharded<CountingService>* all) { all->Set(Reactor::Current().shard(), std::make_unique<CountingService>()); },
        &services);
  }
  Scope scope;
  for (uint32_t shard = 0; shard < 3; ++shard) scope.Spawn(StartCaller(ShardId(shard), &services));
  co_await scope.Join();
  for (uint32_t shard = 0; shard < 3; ++shard) {
    const int64_t value =
        co_await services.On(ShardId(shard), [](CountingService& service) { return service.AddLater(0); });
    EXPECT_EQ(value, 3 * 2000 * 5);
  }
  co_return absl::OkStatus();
}

TEST(RuntimeTest, CallsBetweenShardsAreNeitherLostNorDoubled) {
  const absl::Status status = RunShards(Options(3), CallsMain);
  EXPECT_TRUE(status.ok()) << status;
}

Task<absl::Status> ForeignMain() {
  const Foreign<Slice> held = co_await InvokeOn(ShardId(1), [] {
    return Foreign<Slice>(Reactor::Current().buffers().Copy(std::string_view("from shard 1")));
  });
  EXPECT_EQ(held->text(), "from shard 1");
  const size_t out = co_await InvokeOn(ShardId(1), [] { return Reactor::Current().buffers().bytes_out(); });
  EXPECT_GT(out, 0U);
  {
    Foreign<Slice> dropped = co_await InvokeOn(ShardId(1), [] {
      return Foreign<Slice>(Reactor::Current().buffers().Copy(std::string_view("another")));
    });
  }
  const size_t after = co_await InvokeOn(ShardId(1), [] { return Reactor::Current().buffers().bytes_out(); });
  EXPECT_EQ(after, out);
  co_return absl::OkStatus();
}

TEST(RuntimeTest, ForeignBuffersGoHomeToBeFreed) {
  const absl::Status status = RunShards(Options(2), ForeignMain);
  EXPECT_TRUE(status.ok()) << status;
}

Task<absl::Status> RefusedMain() {
  CO_ASSIGN_OR_RETURN(const Endpoint any, Endpoint::Parse("127.0.0.1:0"));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener, Listener::Listen(any));
  const Endpoint gone = listener->local();
  co_await listener->Close();
  const absl::StatusOr<std::unique_ptr<Socket>> socket = co_await Socket::Connect(gone, absl::Seconds(5));
  EXPECT_EQ(socket.status().code(), absl::StatusCode::kUnavailable) << socket.status();
  co_return absl::UnknownError("what main returns");
}

TEST(RuntimeTest, MainsStatusComesBackAndARefusedConnectSaysSo) {
  const absl::Status status = RunShards(Options(1), RefusedMain);
  EXPECT_EQ(status, absl::UnknownError("what main returns"));
}

Task<absl::Status> StallMain(uint64_t& stalls) {
  Reactor& reactor = Reactor::Current();
  co_await Yield();  // main begins before the first tick does
  reactor.SetActivity("request", 17);
  const MonoTime until = reactor.io().Now() + absl::Milliseconds(60);
  while (reactor.io().Now() < until) {
  }
  co_await Yield();
  stalls = reactor.counters().stalls;
  co_return absl::OkStatus();
}

// A shard that is kept busy must show: in its count, and in a line that names what ran.
TEST(RuntimeTest, ALongTickIsCountedAndNamed) {
  RuntimeOptions options = Options(1);
  options.reactor.stall_limit = absl::Milliseconds(20);
  std::string lines;
  SetLogSink([&](LogLevel, std::string_view line) { lines += std::string(line) + "\n"; });
  uint64_t stalls = 0;
  const absl::Status status = RunShards(options, [&] { return StallMain(stalls); });
  SetLogSink({});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GE(stalls, 1U);
  EXPECT_NE(lines.find("request 17"), std::string::npos) << lines;
}

TEST(RuntimeTest, ShardsAreFewerThanProcessors) {
  EXPECT_GE(DefaultShardCount(), 1U);
  EXPECT_LE(DefaultShardCount(), std::max(1U, std::thread::hardware_concurrency() - 1));
}

struct SpinResult {
  uint64_t busy = 0;
  uint64_t won = 0;
  uint64_t idle = 0;
};

Task<absl::Status> SpinMain(SpinResult& result) {
  Reactor& reactor = Reactor::Current();
  const auto nothing = []() -> Task<void> { co_return; };
  for (int i = 0; i < 2000; ++i) co_await InvokeOn(ShardId(1), nothing);
  result.busy = reactor.counters().spins;
  result.won = reactor.counters().spins_won;
  for (int i = 0; i < 16; ++i) {  // until it knows that waits are long now
    Sleep pause(absl::Milliseconds(5));
    (void)co_await pause;
  }
  const uint64_t before = reactor.counters().spins;
  for (int i = 0; i < 16; ++i) {
    Sleep pause(absl::Milliseconds(5));
    (void)co_await pause;
  }
  result.idle = reactor.counters().spins - before;
  co_return absl::OkStatus();
}

// Catches a shard that sleeps whatever comes, one that never does, and one whose watching finds nothing. The limit is far above what a call takes on a
// busy machine, and below the pause.
TEST(RuntimeTest, AShardWatchesForWorkWhileItComesFast) {
  RuntimeOptions options = Options(2);
  options.reactor.spin_limit = absl::Milliseconds(1);
  SpinResult result;
  absl::Status status = RunShards(options, [&] { return SpinMain(result); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GT(result.busy, 100U);
  EXPECT_GT(result.won, 0U);
  EXPECT_EQ(result.idle, 0U);

  options.reactor.spin_limit = absl::ZeroDuration();
  status = RunShards(options, [&] { return SpinMain(result); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(result.busy, 0U);
}

}  // namespace
}  // namespace core
