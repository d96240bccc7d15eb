// Goal: what peers hold together stays within the budgets, and who behaves gets through all the same. Over loopback on the real runtime.
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "core/reactor.h"
#include "core/status.h"
#include "net/client.h"
#include "net/metrics_server.h"
#include "net/requests/offsets.h"
#include "net/requests/send.h"
#include "net/server.h"
#include "net/shared_budgets.h"
#include "tests/unit/net/server_fixture.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

constexpr std::string_view kStill = "its frame stands still and others wait for the memory";
constexpr std::string_view kOldest = "half frames fill the memory for frames, and its is one of the oldest";

core::BufferPool& Pool() { return core::Reactor::Current().buffers(); }

/// Holds a request for as many ms as its queue id says; hands out answers of as many bytes, with room for them and without.
class Service {
 public:
  explicit Service(Router& router) {
    router.On(*this, &Service::Hold);
    router.On(*this, &Service::Give);
    router.On(*this, &Service::GiveFreely);
  }
  core::Task<Reply> Hold(RequestContext context, SendMessageV2Request request) {
    bytes += context.frame.body.size();
    most = std::max(most, bytes);
    co_await core::Sleep(absl::Milliseconds(request.queue_id), context.connection.stop_token());
    bytes -= context.frame.body.size();
    ++answered;
    co_return Reply();
  }
  core::Task<Reply> Give(RequestContext context, GetMinOffsetRequest request) {
    const auto size = static_cast<size_t>(request.queue_id);
    AnswerRoom room = context.connection.TryTakeAnswerRoom(size);
    if (!room) room = co_await context.connection.TakeAnswerRoom(size);
    if (!room) co_return Reply::None();
    Reply reply;
    reply.AddBody(Pool().Copy(std::string(size, 'a'))).KeepUntilSent(std::move(room));
    co_return reply;
  }
  core::Task<Reply> GiveFreely(RequestContext, SearchOffsetRequest request) {
    Reply reply;
    reply.SetBody(std::string(static_cast<size_t>(request.queue_id), 'a'));
    co_return reply;
  }
  size_t bytes = 0;
  size_t most = 0;
  int answered = 0;
};

using Fixture = ServerFixture<Service>;

void RunOnShard(core::Task<absl::Status> (*body)()) { net::RunOnShard(64, 16384, body); }

size_t OpenFiles() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

/// Connections that are only good for sending bytes.
struct Peers {
  core::Task<absl::Status> Connect(core::Endpoint to, int count) {
    for (int i = 0; i < count; ++i) {
      CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> socket, co_await core::Socket::Connect(to, kSoon));
      sockets.push_back(std::move(socket));
    }
    co_return absl::OkStatus();
  }
  core::Task<void> Close() {
    for (const auto& socket : sockets) co_await socket->Close();
  }
  std::vector<std::unique_ptr<core::Socket>> sockets;
};

core::Task<void> SendText(core::Socket& socket, std::string text) {
  const core::Slice bytes = Pool().Copy(text);
  (void)co_await socket.Send(std::span(&bytes, 1));
}

template <typename Request>
Request Ask(int32_t number) {
  Request request;
  request.topic = "T";
  request.queue_id = number;
  return request;
}

/// The first `count` bytes of a send with a body of `body_bytes`.
std::string HalfSend(size_t body_bytes, size_t count) {
  HeaderFields fields;
  fields.AddHeader(Ask<SendMessageV2Request>(0));
  FrameHead head;
  head.code = static_cast<int32_t>(SendMessageV2Request::kCode);
  head.fields = &fields;
  return (Encode(head, body_bytes) + std::string(body_bytes, 'b')).substr(0, count);
}

core::Task<void> Call(Client& client, int32_t millis, size_t body_bytes, int& good) {
  const auto answer =
      co_await client.Call(Ask<SendMessageV2Request>(millis), Pool().Copy(std::string(body_bytes, 'b')), kSoon);
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (answer.ok() && answer->code == 0) ++good;
}

// Catches half frames that fill the memory together, and a budget that honest large frames cannot get past.
core::Task<absl::Status> HalfFramesMain() {
  ServerLimits limits;
  limits.partial_bytes_max = size_t{2} << 20;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  Peers peers;
  CO_RETURN_IF_ERROR(co_await peers.Connect(fixture.server.local(0), 60));
  core::Scope scope;
  for (const auto& socket : peers.sockets) {
    scope.Spawn(SendText(*socket, HalfSend(size_t{15} << 20, size_t{200} << 10)));
  }
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.partial_bytes.hits > 0; }));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  int good = 0;
  co_await Call(*client, 0, 1, good);  // no stranger any more: it need not wait for those that were there before
  for (int i = 0; i < 3; ++i) co_await Call(*client, 0, size_t{3} << 20, good);
  EXPECT_EQ(good, 4);
  EXPECT_GE(fixture.Closed(kStill) + fixture.Closed(kOldest), 1U);
  EXPECT_LE(fixture.budgets.partial_bytes.used, limits.partial_bytes_max);
  co_await scope.Join();
  co_await peers.Close();
  co_await client->Close();
  co_await fixture.server.Stop();
  EXPECT_EQ(fixture.budgets.partial_bytes.used, 0U);
  EXPECT_EQ(fixture.budgets.connections.used, 0U);
  co_return absl::OkStatus();
}
TEST(Budgets, HalfFramesShareWhatThereIsAndDoNotStopOthers) { RunOnShard(HalfFramesMain); }

// Catches first frames that grow beyond what is everybody's before it is their turn.
core::Task<absl::Status> StrangersMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  Peers peers;
  constexpr size_t kStrangers = 20;
  CO_RETURN_IF_ERROR(co_await peers.Connect(fixture.server.local(0), kStrangers));
  core::Scope scope;
  for (const auto& socket : peers.sockets) {
    scope.Spawn(SendText(*socket, HalfSend(size_t{15} << 20, size_t{200} << 10)));
  }
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.partial_bytes.hits >= kStrangers - 1; }));
  // The turn goes on after 100 ms: on a busy machine some have had it by now.
  EXPECT_LE(fixture.budgets.partial_bytes.used, kStrangers * kSmallFrame + 4 * (size_t{192} << 10));
  co_await peers.Close();
  co_await scope.Join();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, TheFirstFramesOfPeersGrowOneAtATime) { RunOnShard(StrangersMain); }

// Catches any number of peers that hold a little each.
core::Task<absl::Status> ManyHalfFramesMain() {
  ServerLimits limits;
  limits.partial_bytes_max = 64 << 10;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  Peers peers;
  for (int i = 0; i < 200; ++i) {
    CO_RETURN_IF_ERROR(co_await peers.Connect(fixture.server.local(0), 1));
    co_await SendText(*peers.sockets.back(), HalfSend(100'000, 50));
    EXPECT_LE(fixture.budgets.partial_bytes.used, limits.partial_bytes_max);
  }
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.Closed(kOldest) >= 100; }));
  EXPECT_GE(fixture.budgets.connections.used, 10U);
  co_await peers.Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, TheOldestHalfFramesGoFirst) { RunOnShard(ManyHalfFramesMain); }

core::Task<void> Trickle(core::Socket& socket, std::string text, size_t step, absl::Duration pause) {
  for (size_t at = 0; at < text.size(); at += step) {
    co_await SendText(socket, text.substr(at, step));
    co_await core::Sleep(pause);
  }
}

// Catches a deadline that cuts off large frames on slow lines, or lets trickles live.
core::Task<absl::Status> RatesMain() {
  ServerLimits limits;
  limits.frame_deadline = absl::Milliseconds(300);  // at least 1,228 bytes in that time
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  Peers peers;
  CO_RETURN_IF_ERROR(co_await peers.Connect(fixture.server.local(0), 2));
  const std::string frame = HalfSend(20'000, 30'000);  // all of it
  core::Scope scope;
  scope.Spawn(Trickle(*peers.sockets[0], frame, 1000, absl::Milliseconds(40)));  // 0.8 s in all
  scope.Spawn(Trickle(*peers.sockets[1], frame.substr(0, 40), 1, absl::Milliseconds(20)));
  CO_RETURN_IF_ERROR(
      co_await WaitUntil([&] { return fixture.service.answered == 1 && fixture.budgets.frame_deadline_closes == 1; }));
  co_await scope.Join();
  co_await peers.Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, LargeFramesMayTakeTheirTimeWhileTheyComeOn) { RunOnShard(RatesMain); }

// Catches requests of many connections that together hold more than the shard may.
core::Task<absl::Status> RequestsMain() {
  ServerLimits limits;
  limits.shard_request_bytes_max = 512 << 10;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  constexpr int kClients = 8;
  constexpr int kEach = 10;
  constexpr size_t kBody = 60'000;
  std::vector<std::unique_ptr<Client>> clients;
  core::Scope scope;
  int good = 0;
  for (int i = 0; i < kClients; ++i) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
    for (int k = 0; k < kEach; ++k) scope.Spawn(Call(*client, 20, kBody, good));
    clients.push_back(std::move(client));
  }
  co_await scope.Join();
  EXPECT_EQ(good, kClients * kEach);
  EXPECT_LE(fixture.service.most,
            limits.shard_request_bytes_max + kClients * kBody);  // one more each may be taken when it is full
  EXPECT_GT(fixture.budgets.request_bytes.hits, 0U);
  EXPECT_EQ(fixture.budgets.request_bytes.used, 0U);
  EXPECT_EQ(fixture.budgets.requests.used, 0U);
  for (const auto& client : clients) co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, RequestsOfAllConnectionsAreBounded) { RunOnShard(RequestsMain); }

FrameHead HeadOf(const HeaderFields& fields) {
  FrameHead head;
  head.code = static_cast<int32_t>(GetMinOffsetRequest::kCode);
  head.fields = &fields;
  return head;
}

// Catches answers that pile up for peers that do not read, and peers that thereby keep the others from theirs.
core::Task<absl::Status> AnswersMain() {
  constexpr int32_t kAnswer = 300'000;
  ServerLimits limits;
  limits.shard_answer_bytes_max = size_t{4} << 20;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  HeaderFields fields;
  fields.AddHeader(Ask<GetMinOffsetRequest>(kAnswer));
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += Encode(HeadOf(fields), 0);
  Peers deaf;
  CO_RETURN_IF_ERROR(co_await deaf.Connect(fixture.server.local(0), 20));
  core::Scope scope;
  for (const auto& socket : deaf.sockets) scope.Spawn(SendText(*socket, requests));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.answer_hits > 0; }));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  for (int i = 0; i < 5; ++i) {
    const auto answer = co_await client->Call(Ask<GetMinOffsetRequest>(kAnswer), {}, kSoon);
    CHECK_OR_FAIL(answer.ok() && answer->body.size() == static_cast<size_t>(kAnswer));
    EXPECT_LE(Pool().bytes_out(), 3 * limits.shard_answer_bytes_max);  // blocks are powers of two
  }
  EXPECT_GT(fixture.budgets.output_stall_closes, 0U);
  co_await scope.Join();
  co_await deaf.Close();
  co_await client->Close();
  co_await fixture.server.Stop();
  EXPECT_EQ(fixture.budgets.answers.used(), 0U);
  co_return absl::OkStatus();
}
TEST(Budgets, WhoDoesNotReadKeepsNobodyFromTheirAnswers) { RunOnShard(AnswersMain); }

// Catches answers for which nobody takes room and that pile up for peers that do not read: each connection has its limit, all of them had none.
core::Task<absl::Status> OtherAnswersMain() {
  constexpr int32_t kAnswer = 300'000;
  constexpr int kDeaf = 24;
  ServerLimits limits;
  limits.shard_output_bytes_max = size_t{4} << 20;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  HeaderFields fields;
  fields.AddHeader(Ask<SearchOffsetRequest>(kAnswer));
  FrameHead head = HeadOf(fields);
  head.code = static_cast<int32_t>(SearchOffsetRequest::kCode);
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += Encode(head, 0);
  Peers deaf;
  CO_RETURN_IF_ERROR(co_await deaf.Connect(fixture.server.local(0), kDeaf));
  core::Scope scope;
  for (const auto& socket : deaf.sockets) scope.Spawn(SendText(*socket, requests));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.output_bytes.hits > 0; }));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  size_t most = 0;
  const core::MonoTime limit = core::Reactor::Current().now() + kSoon;
  while (fixture.budgets.output_stall_closes == 0 && core::Reactor::Current().now() < limit) {
    const auto answer = co_await client->Call(Ask<SearchOffsetRequest>(kAnswer), {}, kSoon);
    CHECK_OR_FAIL(answer.ok() && answer->body.size() == static_cast<size_t>(kAnswer));
    most = std::max(most, fixture.budgets.output_bytes.used);
    EXPECT_LE(Pool().bytes_out(), 3 * limits.shard_output_bytes_max);  // blocks are powers of two
  }
  EXPECT_LE(most, limits.shard_output_bytes_max + static_cast<size_t>(kAnswer) + 1000)
      << "one more may be made when it is not quite full";
  EXPECT_GT(fixture.budgets.output_stall_closes, 0U);
  co_await scope.Join();
  co_await deaf.Close();
  co_await client->Close();
  co_await fixture.server.Stop();
  EXPECT_EQ(fixture.budgets.output_bytes.used, 0U);
  co_return absl::OkStatus();
}
TEST(Budgets, AnswersWithoutRoomAreBoundedAllTogether) { RunOnShard(OtherAnswersMain); }

core::Task<absl::Status> StallMain() {
  ServerLimits limits;
  limits.output_stall_timeout = absl::Milliseconds(300);
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  HeaderFields fields;
  fields.AddHeader(Ask<GetMinOffsetRequest>(1'000'000));
  std::string requests;
  for (int i = 0; i < 30; ++i) requests += Encode(HeadOf(fields), 0);
  Peers deaf;
  CO_RETURN_IF_ERROR(co_await deaf.Connect(fixture.server.local(0), 1));
  co_await SendText(*deaf.sockets[0], requests);
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.Closed("the peer does not take what it is sent") == 1; }));
  EXPECT_EQ(fixture.budgets.output_stall_closes, 1U);
  co_await deaf.Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, APeerThatTakesNothingIsClosed) { RunOnShard(StallMain); }

core::Task<absl::Status> AddressMain() {
  ServerLimits limits;
  limits.address_connections_max = 3;
  limits.loopback_is_limited = true;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
    clients.push_back(std::move(client));
  }
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return !clients[3]->connected(); }));
  EXPECT_EQ(fixture.budgets.address_connections.hits, 1U);
  co_await clients[0]->Close();
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.server.connection_count() == 2; }));
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Client> again, co_await Client::Connect(fixture.server.local(0), kSoon));
  int good = 0;
  co_await Call(*again, 0, 1, good);
  EXPECT_EQ(good, 1);
  co_await again->Close();
  for (size_t i = 1; i < clients.size(); ++i) co_await clients[i]->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, AnAddressHasItsShareOfConnections) { RunOnShard(AddressMain); }

// Catches connections that are closed, or that are taken out of the kernel's backlog, before it is their turn.
core::Task<absl::Status> AcceptMain() {
  ServerLimits limits;
  limits.accepts_per_second_max = 10;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  Peers peers;
  const size_t files = OpenFiles();
  CO_RETURN_IF_ERROR(co_await peers.Connect(fixture.server.local(0), 40));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.accepts.hits > 0; }));
  const size_t before = fixture.budgets.accepted;
  EXPECT_LE(OpenFiles(), files + 40 + fixture.budgets.accepted + 1)
      << "of the peers, of those served, of whose turn it is";
  EXPECT_EQ(fixture.budgets.accepted, before);
  EXPECT_LE(before, 20U);  // in the second second
  // Those that waited get in, one second's worth after the other.
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.accepted == 40; }));
  EXPECT_EQ(fixture.budgets.connections.used, 40U);
  co_await peers.Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Budgets, AFloodOfConnectionsWaitsInTheBacklog) { RunOnShard(AcceptMain); }

// Catches a server that cannot be stopped while a connection waits for its turn.
core::Task<absl::Status> StopAmidAFloodMain() {
  ServerLimits limits;
  limits.accepts_per_second_max = 1;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  Peers peers;
  CO_RETURN_IF_ERROR(co_await peers.Connect(fixture.server.local(0), 10));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.budgets.accepts.hits > 0; }));
  const core::MonoTime begin = core::Reactor::Current().now();
  co_await fixture.server.Stop();
  EXPECT_LT(core::Reactor::Current().now() - begin, absl::Milliseconds(900));
  co_await peers.Close();
  co_return absl::OkStatus();
}
TEST(Budgets, StopsAmidAFloodOfConnections) { RunOnShard(StopAmidAFloodMain); }

TEST(Budgets, SharesOfAProcessAreALittleMoreThanEven) {
  EXPECT_EQ(ShareOf(2000, 1), 2000U);
  EXPECT_EQ(ShareOf(2000, 2), 1250U);
  EXPECT_EQ(ShareOf(1, 8), 1U);
}

core::Task<std::string> Fetch(core::Endpoint at, std::string request) {
  absl::StatusOr<std::unique_ptr<core::Socket>> socket = co_await core::Socket::Connect(at, kSoon);
  std::string answer;
  if (!socket.ok()) co_return answer;
  co_await SendText(**socket, std::move(request));
  for (;;) {
    const absl::StatusOr<core::Slice> received = co_await (*socket)->Receive();
    if (!received.ok() || received->empty()) break;
    answer.append(received->text());
  }
  co_await (*socket)->Close();
  co_return answer;
}

core::Task<std::string> Numbers() { co_return std::string("one 1\n"); }

core::Task<absl::Status> MetricsMain() {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<MetricsServer> server,
                      MetricsServer::Start(*core::Endpoint::Parse("127.0.0.1:0"), [] { return Numbers(); }));
  const core::Endpoint at = server->local();
  const std::string good = co_await Fetch(at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(good.starts_with("HTTP/1.1 200 OK\r\n")) << good;
  EXPECT_TRUE(good.ends_with("Content-Length: 6\r\nConnection: close\r\n\r\none 1\n")) << good;
  EXPECT_TRUE((co_await Fetch(at, "GET /else HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 404"));
  EXPECT_TRUE((co_await Fetch(at, "POST /metrics HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(
      (co_await Fetch(at, "GET /metrics HTTP/1.1\r\nX: " + std::string(8000, 'x'))).starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(absl::IsAlreadyExists(MetricsServer::Start(at, [] { return Numbers(); }).status()));
  Peers silent;  // as many as are served; they end at the deadline, and with the server
  CO_RETURN_IF_ERROR(co_await silent.Connect(at, static_cast<int>(MetricsServer::kConnectionsMax)));
  co_await core::Sleep(absl::Milliseconds(50));
  EXPECT_EQ(co_await Fetch(at, "GET /metrics HTTP/1.1\r\n\r\n"), "");
  co_await core::Sleep(MetricsServer::kDeadline);
  EXPECT_NE(co_await Fetch(at, "GET /metrics HTTP/1.1\r\n\r\n"), "");
  co_await silent.Close();
  co_await server->Stop();
  co_return absl::OkStatus();
}
TEST(MetricsServerTest, AnswersOneThingAndBoundsTheRest) { RunOnShard(MetricsMain); }

}  // namespace
}  // namespace net
