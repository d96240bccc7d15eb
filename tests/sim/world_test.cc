// Goal: the simulated world itself keeps its word: one seed is one history, a power cut takes exactly what was not synced, a kill
// leaves nothing behind, the network delivers bytes in order or not at all.
#include "core/sim/world.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/io_await.h"
#include "core/scope.h"
#include "core/sharded.h"
#include "core/socket.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"

namespace sim {
namespace {

using core::Task;

constexpr uint16_t kPort = 7000;

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// --- A small system of an echo server and a client, on which most tests rest.

Task<void> EchoOne(std::unique_ptr<core::Socket> socket) {
  for (;;) {
    const absl::StatusOr<core::Slice> bytes = co_await socket->Receive();
    if (!bytes.ok() || bytes->empty()) break;
    const absl::Status sent = co_await socket->Send(std::span(&*bytes, 1));
    if (!sent.ok()) break;
  }
  co_await socket->Close();
}

Task<absl::Status> ServeEcho() {
  core::Endpoint any;
  any.port = kPort;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<core::Listener> listener, core::Listener::Listen(any));
  core::Scope scope;
  for (;;) {
    absl::StatusOr<std::unique_ptr<core::Socket>> socket = co_await listener->Accept({});
    if (!socket.ok()) co_return socket.status();
    scope.Spawn(EchoOne(*std::move(socket)));
  }
}

/// An echo server on every shard of the process.
Task<absl::Status> ServeEchoEverywhere() {
  core::Scope scope;
  for (uint32_t shard = 1; shard < core::Reactor::Current().shard_count(); ++shard) {
    scope.Spawn([](uint32_t number) -> Task<void> {
      const absl::Status status = co_await core::InvokeOn(core::ShardId(number), [] { return ServeEcho(); });
      EXPECT_TRUE(status.ok()) << status;
    }(shard));
  }
  co_return co_await ServeEcho();
}

Task<absl::StatusOr<std::string>> ReceiveExactly(core::Socket& socket, size_t bytes) {
  std::string all;
  while (all.size() < bytes) {
    CO_ASSIGN_OR_RETURN(const core::Slice part, co_await socket.Receive());
    if (part.empty()) co_return absl::UnavailableError("the peer ended");
    all += part.text();
  }
  co_return all;
}

Task<absl::Status> EchoClient(core::Endpoint server, int rounds) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<core::Socket> socket, co_await core::Socket::Connect(server, absl::Seconds(5)));
  absl::Status status;
  for (int i = 0; i < rounds && status.ok(); ++i) {
    const std::string text = core::StrCat("round ", i, std::string(static_cast<size_t>(i) * 37 % 5000, 'x'));
    const core::Slice slice = core::Reactor::Current().buffers().Copy(std::string_view(text));
    status = co_await socket->Send(std::span(&slice, 1));
    if (!status.ok()) break;
    const absl::StatusOr<std::string> back = co_await ReceiveExactly(*socket, text.size());
    status = back.status();
    if (back.ok() && *back != text) status = absl::DataLossError(core::StrCat("round ", i, " came back as something else"));
    core::Sleep pause(absl::Milliseconds(1));
    co_await pause;
  }
  co_await socket->Close();
  co_return status;
}

Task<absl::Status> WriteAndSleep() {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories("data/log"));
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open("data/log/a", {.write = true, .create = true}));
  CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory("data/log"));
  for (uint64_t i = 0;; ++i) {
    const std::string text(700 + i % 300, static_cast<char>('a' + core::Reactor::Current().RandomBits() % 26));
    const absl::Status status = co_await file.WriteAt(i * 1000, BytesOf(text), i % 3 == 0);
    if (!status.ok()) co_return status;
    core::Sleep pause(absl::Microseconds(300));
    co_await pause;
  }
}

/// Everything at once, with a kill, a power cut and a partition; the history's hash.
uint64_t HistoryOf(uint64_t seed) {
  World world(seed);
  Node& server = world.AddNode("server", 3);
  Node& client = world.AddNode("client", 2);
  Node& writer = world.AddNode("writer", 1);
  server.Start([] { return ServeEchoEverywhere(); });
  writer.Start([] { return WriteAndSleep(); });
  world.RunFor(absl::Milliseconds(5));
  client.Start([&server] { return EchoClient(server.At(kPort), 60); });
  world.RunFor(absl::Microseconds(static_cast<int64_t>(world.random().Below(30'000))));
  world.Partition(server, client);
  writer.CutPower();
  world.RunFor(absl::Milliseconds(20));
  world.Heal(server, client);
  writer.Start([] { return WriteAndSleep(); });
  world.RunFor(absl::Milliseconds(40));
  server.Kill();
  world.RunFor(absl::Milliseconds(50));
  world.Note("disk", writer.disk().Hash());
  return world.hash();
}

// Catches any real clock, address or hash order that finds its way into the world.
TEST(WorldTest, TheSameSeedIsTheSameHistory) {
  std::vector<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const uint64_t once = HistoryOf(seed);
    // Other addresses for everything that the second run allocates.
    const std::vector<std::unique_ptr<char[]>> ballast = [seed] {
      std::vector<std::unique_ptr<char[]>> blocks;
      for (uint64_t i = 0; i < seed * 7; ++i) blocks.push_back(std::make_unique<char[]>(64 + i * 48));
      return blocks;
    }();
    EXPECT_EQ(once, HistoryOf(seed)) << "seed " << seed;
    hashes.push_back(once);
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::unique(hashes.begin(), hashes.end()), hashes.end()) << "two seeds with one history";
}

std::string ReadCommand(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  char buffer[256];
  while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  if (pipe != nullptr) pclose(pipe);
  return text;
}

// What the next test's child processes do; nothing by itself.
TEST(WorldTest, PrintsAHistory) {
  std::printf("history %016lx\n", static_cast<unsigned long>(HistoryOf(77)));
}

// Catches what is constant within a process but not between two: hash salts, the layout of the address space.
TEST(WorldTest, TheSameSeedIsTheSameHistoryInAnotherProcess) {
  const std::string self = "/proc/" + std::to_string(getpid()) + "/exe";
  const std::string output = ReadCommand(self + " --gtest_filter=WorldTest.PrintsAHistory");
  char expected[64];
  std::snprintf(expected, sizeof expected, "history %016lx\n", static_cast<unsigned long>(HistoryOf(77)));
  EXPECT_NE(output.find(expected), std::string::npos) << expected << " is not in:\n" << output;
}

// --- The disk.

struct Written {
  std::vector<std::string> synced;    // contents that must survive, by slot
  std::vector<std::string> attempted;
};
constexpr size_t kSlot = 512;

/// Writes slots of one sector each: even ones durably, odd ones with a sync after every eighth.
Task<absl::Status> WriteSlots(Written& written) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open("slots", {.write = true, .create = true}));
  CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory("."));
  for (uint64_t i = 0; i < 400; ++i) {
    const std::string text = core::StrCat(i, std::string(kSlot, static_cast<char>('A' + i % 26))).substr(0, kSlot);
    written.attempted.push_back(text);
    const bool durable = i % 2 == 0;
    CO_RETURN_IF_ERROR(co_await file.WriteAt(i * kSlot, BytesOf(text), durable));
    if (written.synced.size() <= i) written.synced.resize(i + 1);
    if (durable) written.synced[i] = text;
    if (i % 8 == 7) {
      CO_RETURN_IF_ERROR(co_await file.Sync());
      for (uint64_t j = 0; j <= i; ++j) written.synced[j] = written.attempted[j];
    }
  }
  co_return co_await file.Close();
}

// Catches a durable write or a sync that keeps less than it promises, and a cut that keeps everything.
TEST(WorldTest, APowerCutKeepsWhatWasSyncedAndLosesSomeOfTheRest) {
  size_t lost = 0;
  size_t kept = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    World world(seed);
    Node& node = world.AddNode("node", 1);
    Written written;
    node.Start([&written] { return WriteSlots(written); });
    world.RunFor(absl::Microseconds(static_cast<int64_t>(1000 + world.random().Below(30'000))));
    world.CutPower(node);
    if (written.synced.empty()) continue;
    ASSERT_NE(node.disk().Find("slots"), nullptr);  // its directory was synced before the first write
    std::string content = node.disk().Content("slots");
    content.resize(written.attempted.size() * kSlot);
    for (size_t i = 0; i < written.attempted.size(); ++i) {
      const std::string found = content.substr(i * kSlot, kSlot);
      if (i < written.synced.size() && !written.synced[i].empty()) {
        ASSERT_EQ(found, written.synced[i]) << "slot " << i << " was durable";
      } else if (found == written.attempted[i]) {
        ++kept;
      } else {
        ASSERT_EQ(found, std::string(kSlot, '\0')) << "slot " << i << " is torn within a sector";
        ++lost;
      }
    }
  }
  EXPECT_GT(lost, 50U);
  EXPECT_GT(kept, 50U);
}

// Catches a kill that takes completed writes with it, as a power cut may.
TEST(WorldTest, AKillKeepsEveryCompletedWrite) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    World world(seed);
    Node& node = world.AddNode("node", 1);
    Written written;
    node.Start([&written] { return WriteSlots(written); });
    world.RunFor(absl::Microseconds(static_cast<int64_t>(1000 + world.random().Below(30'000))));
    node.Kill();
    if (written.synced.empty()) continue;
    const std::string content = node.disk().Content("slots");
    for (size_t i = 0; i < written.synced.size(); ++i) {  // one entry for each completed write
      ASSERT_EQ(content.substr(i * kSlot, kSlot), written.attempted[i]) << "slot " << i;
    }
  }
}

Task<absl::Status> MakeNames(int& durable) {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories("dir"));
  for (int i = 0; i < 20; ++i) {
    CO_ASSIGN_OR_RETURN(core::File file,
                        co_await core::File::Open(core::StrCat("dir/", i), {.write = true, .create = true}));
    CO_RETURN_IF_ERROR(co_await file.Sync());
    CO_RETURN_IF_ERROR(co_await file.Close());
    if (i % 5 == 4) {
      CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory("dir"));
      durable = i;
    }
  }
  core::Sleep for_ever(absl::Hours(1));
  co_await for_ever;
  co_return absl::OkStatus();
}

// Catches names that survive without a synced directory, and synced ones that do not.
TEST(WorldTest, APowerCutTakesNamesThatWereNotSynced) {
  int vanished = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    World world(seed);
    Node& node = world.AddNode("node", 1);
    int durable = -1;
    node.Start([&durable] { return MakeNames(durable); });
    world.RunFor(absl::Microseconds(static_cast<int64_t>(world.random().Below(9000))));
    const size_t before = node.disk().Files().size();
    world.CutPower(node);
    for (int i = 0; i <= durable; ++i) ASSERT_NE(node.disk().Find(core::StrCat("dir/", i)), nullptr) << i;
    vanished += static_cast<int>(before) - static_cast<int>(node.disk().Files().size());
  }
  EXPECT_GT(vanished, 50);
}

Task<absl::Status> ReplaceForEver(int& done) {
  for (int i = 1;; ++i) {
    CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole("config", core::StrCat("value ", i)));
    done = i;
  }
}

// Catches a replacement of a file that a power cut can leave half done: old or new, never neither, never older than promised.
TEST(WorldTest, AReplacedFileIsOldOrNewAfterAPowerCut) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    World world(seed);
    Node& node = world.AddNode("node", 1);
    int done = 0;
    node.Start([&done] { return ReplaceForEver(done); });
    world.RunFor(absl::Microseconds(static_cast<int64_t>(world.random().Below(20'000))));
    world.CutPower(node);
    if (done == 0) continue;
    ASSERT_NE(node.disk().Find("config"), nullptr);
    const std::string content = node.disk().Content("config");
    EXPECT_TRUE(content == core::StrCat("value ", done) || content == core::StrCat("value ", done + 1)) << content;
  }
}

Task<absl::Status> OneWrite(bool durable, absl::Status& wrote, absl::Status& synced, absl::Status& synced_again) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open("a", {.write = true, .create = true}));
  CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory("."));
  wrote = co_await file.WriteAt(0, BytesOf("hello"), durable);
  synced = co_await file.Sync();
  synced_again = co_await file.Sync();
  co_return co_await file.Close();
}

Task<absl::Status> TwoBlocks(absl::Status& first, absl::Status& second) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open("a", {.write = true, .create = true}));
  CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory("."));
  CO_RETURN_IF_ERROR(co_await file.Allocate(64 << 10));
  first = co_await file.WriteAt(0, BytesOf(std::string(4096, '1')), true);
  second = co_await file.WriteAt(8192, BytesOf(std::string(4096, '2')), true);
  co_return co_await file.Close();
}

// Catches a lost or misdirected write that the process could notice, or that happens to another one than the one asked for.
TEST(WorldTest, AWriteGoesAstrayUnnoticed) {
  for (const FaultKind kind : {FaultKind::kLost, FaultKind::kMisdirected}) {
    World world(6);
    Node& node = world.AddNode("node", 1);
    node.disk().Inject({.op = DiskOp::kWrite, .skip = 1, .kind = kind});
    absl::Status first, second;
    node.Start([&] { return TwoBlocks(first, second); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    EXPECT_TRUE(first.ok() && second.ok()) << first << second;
    node.CutPower();
    const std::string content = node.disk().Content("a");
    EXPECT_EQ(content.substr(8192, 4096), std::string(4096, '\0'));
    ASSERT_EQ(node.disk().astray().size(), 1U);
    const Astray& astray = node.disk().astray().front();
    EXPECT_EQ(astray.offset, 8192U);
    EXPECT_EQ(astray.instead.has_value(), kind == FaultKind::kMisdirected);
    EXPECT_EQ(content.find('2'), astray.instead.has_value() ? *astray.instead : std::string::npos);
  }
}

// Catches an operation that ends while the disk stands still.
TEST(WorldTest, AStoppedDiskAnswersNothing) {
  World world(7);
  Node& node = world.AddNode("node", 1);
  absl::Status first, second;
  node.Start([&] { return TwoBlocks(first, second); });
  world.RunFor(absl::Microseconds(30));
  node.StopDisk(absl::Seconds(3));
  world.RunFor(absl::Milliseconds(2999));
  EXPECT_TRUE(node.running());
  EXPECT_TRUE(world.RunToEnd(node, absl::Milliseconds(100)).ok());
}

// Catches an image that shares anything with the disk that it was taken from, or keeps less than it showed.
TEST(WorldTest, ADiskIsWhatItsImageWas) {
  World world(8);
  Node& node = world.AddNode("node", 1);
  Node& other = world.AddNode("other", 1);
  node.Start([] { return WriteAndSleep(); });
  world.RunFor(absl::Milliseconds(20));
  node.Kill();
  const DiskImage image = node.disk().Save();
  const uint64_t hash = node.disk().Hash();
  node.disk().FlipBit("data/log/a", 5, 1);
  ASSERT_NE(node.disk().Hash(), hash);
  other.disk().Load(image);
  EXPECT_EQ(other.disk().Hash(), hash);
  other.CutPower();  // everything in it is stable
  EXPECT_EQ(other.disk().Hash(), hash);
  EXPECT_GT(other.disk().used_bytes(), 0U);
}

// Catches a simulated disk that is kinder than Linux: after a failed fsync the data is lost although the next one succeeds.
TEST(WorldTest, ASyncAfterAFailedSyncSavesNothing) {
  World world(5);
  Node& node = world.AddNode("node", 1);
  node.disk().Inject({.op = DiskOp::kSync, .path_contains = "a"});
  absl::Status wrote, synced, synced_again;
  node.Start([&] { return OneWrite(false, wrote, synced, synced_again); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  EXPECT_TRUE(wrote.ok()) << wrote;
  EXPECT_EQ(synced.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(synced_again.ok()) << synced_again;
  EXPECT_EQ(node.disk().Content("a"), "hello");  // the page cache still has it
  world.CutPower(node);
  EXPECT_NE(node.disk().Content("a"), "hello");
}

// Catches a full disk that takes writes all the same, or that stays full after space was made.
TEST(WorldTest, AFullDiskRefusesWrites) {
  World world(6);
  Node& node = world.AddNode("node", 1);
  node.disk().set_capacity(0);
  absl::Status wrote, synced, again;
  node.Start([&] { return OneWrite(false, wrote, synced, again); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  EXPECT_EQ(wrote.code(), absl::StatusCode::kResourceExhausted) << wrote;
  node.disk().set_capacity(1 << 20);
  node.Start([&] { return OneWrite(false, wrote, synced, again); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  EXPECT_TRUE(wrote.ok()) << wrote;
  EXPECT_EQ(node.disk().used_bytes(), 4096U);
}

// --- The network.

// Catches lost, doubled or reordered bytes within a connection, whatever pieces they travel in.
TEST(WorldTest, AStreamArrivesWholeAndInOrder) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed);
    Node& server = world.AddNode("server", 2);
    Node& client = world.AddNode("client", 1);
    server.Start([] { return ServeEchoEverywhere(); });
    world.RunFor(absl::Milliseconds(20));
    client.Start([&server] { return EchoClient(server.At(kPort), 100); });
    const absl::Status status = world.RunToEnd(client, absl::Minutes(5));
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status;
  }
}

// Catches a partition that lets something through, and a heal after which nothing moves.
TEST(WorldTest, APartitionStopsAStreamAndAHealLetsItGoOn) {
  World world(9);
  Node& server = world.AddNode("server", 1);
  Node& client = world.AddNode("client", 1);
  server.Start([] { return ServeEchoEverywhere(); });
  world.RunFor(absl::Milliseconds(20));
  client.Start([&server] { return EchoClient(server.At(kPort), 100); });
  world.RunFor(absl::Milliseconds(30));
  ASSERT_TRUE(client.running());
  world.Partition(server, client);
  world.RunFor(absl::Seconds(10));
  EXPECT_TRUE(client.running());
  world.Heal(server, client);
  const absl::Status status = world.RunToEnd(client, absl::Seconds(5));
  EXPECT_TRUE(status.ok()) << status;
}

// Catches peers that are never told of a death, or are told of a power cut as if a kernel were still there to do it.
TEST(WorldTest, PeersLearnOfADeathAtOnceAndOfAPowerCutByWaiting) {
  int timed_out = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    const bool power = seed % 2 == 0;
    World world(seed);
    Node& server = world.AddNode("server", 1);
    Node& client = world.AddNode("client", 1);
    server.Start([] { return ServeEchoEverywhere(); });
    world.RunFor(absl::Milliseconds(50));
    client.Start([&server] { return EchoClient(server.At(kPort), 1000); });
    world.RunFor(absl::Milliseconds(80));
    ASSERT_TRUE(client.running());
    if (power) server.CutPower();
    else server.Kill();
    world.RunFor(absl::Milliseconds(200));
    ASSERT_EQ(client.running(), power);
    if (!power) {
      EXPECT_EQ(client.result()->code(), absl::StatusCode::kUnavailable) << *client.result();
      continue;
    }
    // Whoever has bytes under way gives up; whoever only listens hears nothing for ever.
    world.RunFor(absl::Seconds(60));
    if (client.running()) continue;
    ++timed_out;
    EXPECT_EQ(client.result()->code(), absl::StatusCode::kDeadlineExceeded) << *client.result();
  }
  EXPECT_GT(timed_out, 0);
}

Task<absl::Status> WaitForSignal() {
  core::IoCall call([](core::Io& io, core::Completion& done) { io.WaitSignal(done); });
  const int32_t signal = co_await call;
  co_return signal == SIGTERM ? absl::OkStatus() : absl::InternalError(core::StrCat("signal ", signal));
}

// Catches a signal that is lost when it comes before anyone waits for it, and a pause that does not hold.
TEST(WorldTest, SignalsArriveAndAPausedProcessDoesNothing) {
  World world(11);
  Node& node = world.AddNode("node", 1);
  node.Start([] { return WaitForSignal(); });
  node.Signal(SIGTERM);
  EXPECT_TRUE(world.RunToEnd(node).ok());
  node.Start([] { return WaitForSignal(); });
  world.RunFor(absl::Seconds(1));
  node.Pause();
  node.Signal(SIGTERM);
  world.RunFor(absl::Seconds(1));
  EXPECT_TRUE(node.running());
  node.Resume();
  EXPECT_TRUE(world.RunToEnd(node, absl::Seconds(1)).ok());
}

Task<absl::Status> ListenTwice() {
  core::Endpoint any;
  any.port = kPort;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<core::Listener> first, core::Listener::Listen(any));
  const auto second = core::Listener::Listen(any);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  any.port = 0;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<core::Listener> chosen, core::Listener::Listen(any));
  EXPECT_NE(chosen->local().port, 0);
  CO_ASSIGN_OR_RETURN(const core::Endpoint elsewhere, core::Endpoint::Parse("10.9.9.9:80"));
  EXPECT_FALSE(core::Listener::Listen(elsewhere).ok());
  co_await first->Close();
  co_await chosen->Close();
  co_return absl::OkStatus();
}

// Catches a port that two listeners of a shard can share, which would hide a mistake in a configuration.
TEST(WorldTest, APortInUseIsRefused) {
  const absl::Status status = RunInWorld(12, 1, [] { return ListenTwice(); });
  EXPECT_TRUE(status.ok()) << status;
}

// Catches a clog that does not end, or that reaches beyond the direction asked for.
TEST(WorldTest, AClogEndsByItself) {
  World world(9);
  Node& server = world.AddNode("server", 1);
  Node& client = world.AddNode("client", 1);
  server.Start([] { return ServeEcho(); });
  world.RunFor(absl::Milliseconds(5));
  client.Start([&server] { return EchoClient(server.At(kPort), 20); });
  world.RunFor(absl::Milliseconds(5));
  world.Clog(client, server, absl::Milliseconds(700));
  world.RunFor(absl::Milliseconds(600));
  EXPECT_TRUE(client.running());
  EXPECT_TRUE(world.RunToEnd(client, absl::Seconds(2)).ok());
}

// Catches connections of which an end is told although nobody carries them any more.
TEST(WorldTest, AForgottenConnectionIsSilent) {
  World world(10);
  Node& server = world.AddNode("server", 1);
  Node& client = world.AddNode("client", 1);
  server.Start([] { return ServeEcho(); });
  world.RunFor(absl::Milliseconds(5));
  client.Start([&server] { return EchoClient(server.At(kPort), 60); });
  world.RunFor(absl::Milliseconds(10));
  ASSERT_EQ(world.ForgetConnections(client, server), 1U);
  world.RunFor(absl::Seconds(10));
  EXPECT_TRUE(client.running());  // who waits for an answer only waits for ever
  client.Restart([&server] { return EchoClient(server.At(kPort), 10); });  // a new one works
  EXPECT_TRUE(world.RunToEnd(client, absl::Seconds(30)).ok());
}

}  // namespace
}  // namespace sim
