// Goal: server and client against each other and against bytes of our own, over loopback on the real runtime.
#include "net/connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/client.h"
#include "net/requests/client_management.h"
#include "net/requests/offsets.h"
#include "net/requests/send.h"
#include "net/requests/to_client.h"
#include "net/server.h"
#include "tests/unit/net/server_fixture.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

core::BufferPool& Pool() { return core::Reactor::Current().buffers(); }

/// What a broker would be: echoes sends, holds pulls until the connection closes, asks the client back.
class EchoService {
 public:
  explicit EchoService(Router& router) {
    router.On(*this, &EchoService::Send);
    router.On(RequestCode::kSendBatchMessage, *this, &EchoService::Send);
    router.On(*this, &EchoService::MaxOffset);
    router.On(*this, &EchoService::MinOffset);
    router.On(*this, &EchoService::AskBack);
  }
  core::Task<Reply> Send(RequestContext context, SendMessageV2Request request) {
    ++sends;
    Reply reply;
    SendMessageResponse response;
    response.msg_id = request.topic;
    response.queue_id = request.queue_id;
    reply.AddHeader(response).AddBody(context.frame.body);
    co_return reply;
  }
  /// Waits for as many milliseconds as the queue id says, or for the end.
  core::Task<Reply> MaxOffset(RequestContext context, GetMaxOffsetRequest request) {
    ++held;
    co_await core::Sleep(absl::Milliseconds(request.queue_id), context.connection.stop_token());
    --held;
    Reply reply;
    reply.AddHeader(OffsetResponse{.offset = request.queue_id});
    co_return reply;
  }
  /// `queue_id` bytes that lie somewhere else and are kept alive by a holder.
  core::Task<Reply> MinOffset(RequestContext, GetMinOffsetRequest request) {
    auto text = std::make_shared<std::string>(static_cast<size_t>(request.queue_id), 'f');
    last_foreign = text;
    foreign.push_back(text);
    Reply::ForeignParts parts;
    parts.emplace_back(std::string_view(*text).substr(0, text->size() / 2), text.get(), foreign_block_bytes);
    parts.emplace_back(std::string_view(*text).substr(text->size() / 2), text.get(), foreign_block_bytes);
    Reply reply;
    reply.SetForeignBody(std::move(text), std::move(parts));
    co_return reply;
  }
  core::Task<Reply> AskBack(RequestContext context, GetConsumerListByGroupRequest request) {
    const bool told =
        context.connection.SendOneway(NotifyConsumerIdsChangedRequest{.consumer_group = request.consumer_group});
    EXPECT_TRUE(told);
    GetConsumerRunningInfoRequest question;
    question.consumer_group = request.consumer_group;
    question.client_id = "me";
    absl::StatusOr<Frame> answer = co_await context.connection.Call(question, {}, kSoon);
    if (!answer.ok()) co_return Reply(ResponseCode::kConsumeMsgTimeout, std::string(answer.status().message()));
    Reply reply;
    reply.SetBody(std::string(answer->body.text()));
    co_return reply;
  }
  int sends = 0;
  int held = 0;
  size_t foreign_block_bytes = size_t{256} << 10;  // what a foreign body claims to keep in memory
  size_t ForeignAlive() const {
    return static_cast<size_t>(
        std::count_if(foreign.begin(), foreign.end(), [](const auto& one) { return !one.expired(); }));
  }
  std::weak_ptr<std::string> last_foreign;
  std::vector<std::weak_ptr<std::string>> foreign;
};

using Fixture = ServerFixture<EchoService>;

/// Buffers that are smaller than frames.
void RunOnShard(core::Task<absl::Status> (*body)()) { net::RunOnShard(16, 4096, body); }

SendMessageV2Request SendTo(std::string_view topic) {
  SendMessageV2Request request;
  request.producer_group = "PG";
  request.topic = topic;
  request.default_topic = "TBW102";
  request.queue_id = 3;
  request.properties = "TAGS\x01x\x02";
  return request;
}

GetMaxOffsetRequest Hold(int32_t millis) {
  GetMaxOffsetRequest request;
  request.topic = "T";
  request.queue_id = millis;
  return request;
}

core::Task<void> ListenLater(Server& server, core::Endpoint at, absl::Status* result) { *result = co_await server.ListenWhenFree(at); }

// Catches a start that gives up because the process before it, killed a moment ago, still has the port.
core::Task<absl::Status> TakenPortMain() {
  auto first = std::make_unique<Fixture>();
  CO_RETURN_IF_ERROR(first->Listen());
  const core::Endpoint at = first->server.local(0);
  Fixture second;
  CHECK_OR_FAIL(absl::IsAlreadyExists(second.server.Listen(at)));
  absl::Status result = absl::UnknownError("under way");
  core::Scope scope;
  scope.Spawn(ListenLater(second.server, at, &result));
  co_await core::Sleep(absl::Milliseconds(100));
  CHECK_OR_FAIL(absl::IsUnknown(result));
  co_await first->server.Stop();
  co_await scope.Join();
  CO_RETURN_IF_ERROR(result);
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(at, kSoon));
  co_await client->Close();
  co_await second.server.Stop();
  co_return absl::OkStatus();
}
TEST(ServerTest, IsPatientWithAPortThatIsTaken) { RunOnShard(TakenPortMain); }

core::Task<absl::Status> CallsMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  for (const SerializeType type : {SerializeType::kJson, SerializeType::kRocketMq}) {
    client->set_serialize_type(type);
    // Around the copy limit, larger than a receive buffer, many times larger.
    for (const size_t size : {size_t{0}, size_t{1}, size_t{512}, size_t{513}, size_t{5000}, size_t{3} << 20}) {
      const std::string body(size, 'b');
      core::Slice slice = Pool().Copy(body);
      absl::StatusOr<Frame> answer = co_await client->Call(SendTo("Topic"), std::move(slice), kSoon);
      CHECK_OR_FAIL(answer.ok());
      EXPECT_EQ(answer->serialize_type, type);
      EXPECT_EQ(answer->code, 0);
      EXPECT_TRUE(answer->is_response());
      EXPECT_EQ(Value(*answer, "msgId"), "Topic");
      EXPECT_EQ(Value(*answer, "queueId"), "3");
      EXPECT_EQ(Value(*answer, "MSG_REGION"), "DefaultRegion");
      EXPECT_EQ(answer->body.text(), body);
    }
  }
  co_await client->Close();
  co_await fixture.server.Stop();
  EXPECT_EQ(fixture.closed(), 1U);
  co_return absl::OkStatus();
}
TEST(Connection, AnswersInTheEncodingOfTheRequest) { RunOnShard(CallsMain); }

core::Task<void> CallOnce(Client& client, int32_t millis, std::vector<int32_t>& order) {
  const absl::StatusOr<Frame> answer = co_await client.Call(Hold(millis), {}, kSoon);
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (answer.ok()) EXPECT_EQ(Value(*answer, "offset"), std::to_string(millis));
  order.push_back(millis);
}

core::Task<absl::Status> OvertakingMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  std::vector<int32_t> order;
  core::Scope scope;
  scope.Spawn(CallOnce(*client, 120, order));
  scope.Spawn(CallOnce(*client, 60, order));
  scope.Spawn(CallOnce(*client, 0, order));
  co_await scope.Join();
  EXPECT_EQ(order, (std::vector<int32_t>{0, 60, 120}));
  co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, AnswersOvertakeEachOther) { RunOnShard(OvertakingMain); }

core::Task<absl::Status> ForeignMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  for (const int32_t size : {0, 100, 512, 514, 100000}) {
    GetMinOffsetRequest request;
    request.topic = "T";
    request.queue_id = size;
    const absl::StatusOr<Frame> answer = co_await client->Call(request, {}, kSoon);
    CHECK_OR_FAIL(answer.ok());
    EXPECT_EQ(answer->body.text(), std::string(static_cast<size_t>(size), 'f'));
    CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.service.last_foreign.expired(); }));
  }
  co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, ForeignBodiesAreSentAndLetGo) { RunOnShard(ForeignMain); }

core::Task<void> SendTimes(core::Socket& socket, core::Slice bytes, int times) {
  for (int i = 0; i < times; ++i) {
    const absl::Status sent = co_await socket.Send(std::span(&bytes, 1));
    if (!sent.ok()) co_return;
  }
}

// Catches a peer that reads nothing and keeps, by small records in each, any number of large blocks of the log in memory.
core::Task<absl::Status> PinsMain() {
  constexpr int kRequests = 300;
  constexpr size_t kBody = 60000;
  ServerLimits limits;
  limits.pinned_bytes_max = size_t{1} << 20;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> peer,
                      co_await core::Socket::Connect(fixture.server.local(0), kSoon));
  GetMinOffsetRequest request;
  request.topic = "T";
  request.queue_id = static_cast<int32_t>(kBody);
  HeaderFields fields;
  fields.AddHeader(request);
  FrameHead head;
  head.code = static_cast<int32_t>(GetMinOffsetRequest::kCode);
  head.fields = &fields;
  core::Scope scope;
  scope.Spawn(SendTimes(*peer, Pool().Copy(Encode(head, 0)), kRequests));
  const auto answered = [&fixture] { return fixture.service.foreign.size(); };
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return answered() > 30; }));
  size_t before = 0;
  while (before != answered()) {
    before = answered();
    co_await core::Sleep(absl::Milliseconds(100));
  }
  EXPECT_GT(fixture.budgets.pinned.bytes(), 0U);
  EXPECT_LE(fixture.budgets.pinned.bytes(), limits.pinned_bytes_max);
  EXPECT_LE(fixture.service.ForeignAlive(), limits.pinned_bytes_max / fixture.service.foreign_block_bytes);
  // Copied or as they lay: the peer gets all of them once it reads.
  FrameAssembler assembler(Pool(), kFrameBytesMax);
  const std::string body(kBody, 'f');
  for (int answers = 0; answers < kRequests;) {
    absl::StatusOr<core::Slice> received = co_await peer->Receive();
    CHECK_OR_FAIL(received.ok() && !received->empty());
    assembler.Feed(*std::move(received));
    for (;;) {
      absl::StatusOr<std::optional<core::Slice>> bytes = assembler.Next();
      CHECK_OR_FAIL(bytes.ok());
      if (!bytes->has_value()) break;
      const absl::StatusOr<Frame> answer = DecodeFrame(std::move(**bytes));
      CHECK_OR_FAIL(answer.ok() && answer->body.text() == body);
      ++answers;
    }
  }
  CO_RETURN_IF_ERROR(co_await WaitUntil([&] { return fixture.service.ForeignAlive() == 0; }));
  EXPECT_EQ(fixture.budgets.pinned.bytes(), 0U);
  co_await scope.Join();
  co_await peer->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, APeerThatDoesNotReadKeepsLittleOfTheLogInMemory) { RunOnShard(PinsMain); }

core::Task<absl::Status> ErrorsMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  HeaderFields none;
  const auto unknown = co_await client->connection().CallFields(4711, none, {}, kSoon);
  CHECK_OR_FAIL(unknown.ok());
  EXPECT_EQ(unknown->code, 3);
  EXPECT_EQ(unknown->remark, " request type 4711 not supported");
  const auto missing = co_await client->connection().CallFields(30, none, {}, kSoon);
  CHECK_OR_FAIL(missing.ok());
  EXPECT_EQ(missing->code, 1);
  EXPECT_EQ(missing->remark, "the custom field <topic> is null");
  // The server may ask a client that answers nothing: it is told so, and its answer is passed on.
  const auto asked = co_await client->Call(GetConsumerListByGroupRequest{.consumer_group = "G"}, {}, kSoon);
  CHECK_OR_FAIL(asked.ok());
  EXPECT_EQ(asked->code, 0);
  const auto late = co_await client->Call(Hold(5000), {}, absl::Milliseconds(30));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(client->connected());
  co_await client->Close();
  const auto gone = co_await client->Call(Hold(0), {}, kSoon);
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kUnavailable);
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, RefusalsAreAnswers) { RunOnShard(ErrorsMain); }

// Catches bodies that are gathered only to be refused, and connections that are lost for it.
core::Task<absl::Status> LargeBodiesMain() {
  ServerLimits limits;
  limits.partial_bytes_max = size_t{1} << 20;
  Fixture fixture(limits);
  fixture.router.LimitMessages([] { return size_t{2} << 20; });
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  const auto body = [](size_t mebibytes) { return Pool().Copy(std::string(mebibytes << 20, 'b')); };
  for (int i = 0; i < 3; ++i) {
    const auto small = co_await client->Call(Hold(0), body(8), kSoon);
    CHECK_OR_FAIL(small.ok());
    EXPECT_EQ(small->code, static_cast<int32_t>(ResponseCode::kInvalidParameter)) << small->remark;
    const auto large = co_await client->Call(SendTo("T"), body(3), kSoon);
    CHECK_OR_FAIL(large.ok());
    EXPECT_EQ(large->code, static_cast<int32_t>(ResponseCode::kMessageIllegal)) << large->remark;
    HeaderFields none;
    const auto unknown = co_await client->connection().CallFields(4711, none, body(2), kSoon);
    CHECK_OR_FAIL(unknown.ok());
    EXPECT_EQ(unknown->code, 3);
    EXPECT_EQ(fixture.budgets.bodies_refused, static_cast<uint64_t>(3 * i + 3));
    const auto good = co_await client->Call(SendTo("T"), body(2), kSoon);
    CHECK_OR_FAIL(good.ok());
    EXPECT_EQ(good->code, 0) << good->remark;
    EXPECT_EQ(good->body.size(), size_t{2} << 20);
  }
  EXPECT_EQ(fixture.service.sends, 3);
  EXPECT_EQ(fixture.closed(), 0U);
  EXPECT_EQ(fixture.budgets.partial_bytes.used, 0U);
  co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, BodiesThatAreTooLargeAreRefusedByTheirHeader) { RunOnShard(LargeBodiesMain); }

/// Whether the server closes the connection on which it got these bytes, or answers them with a frame.
core::Task<absl::StatusOr<bool>> ClosesOn(core::Endpoint server, std::string bytes) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> socket, co_await core::Socket::Connect(server, kSoon));
  const core::Slice part = Pool().Copy(bytes);
  CO_RETURN_IF_ERROR(co_await socket->Send(std::span(&part, 1)));
  const absl::StatusOr<core::Slice> received = co_await socket->Receive();
  co_await socket->Close();
  co_return !received.ok() || received->empty();
}

// Catches a judgement that waits for a body which never comes, as a peer that wants memory would have it.
core::Task<absl::Status> HeadsMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  const core::Endpoint server = fixture.server.local(0);
  const auto announced = [](uint32_t length, std::string_view begin) {
    return BigEndian32(length) + std::string(begin);
  };
  HeaderFields fields;
  fields.AddHeader(Hold(0));
  FrameHead head;
  head.code = static_cast<int32_t>(GetMaxOffsetRequest::kCode);
  head.fields = &fields;
  CO_ASSIGN_OR_RETURN(const bool refused, co_await ClosesOn(server, Encode(head, size_t{8} << 20)));
  EXPECT_FALSE(refused);
  EXPECT_EQ(fixture.budgets.bodies_refused, 1U);
  CO_ASSIGN_OR_RETURN(const bool long_header, co_await ClosesOn(server, announced(8 << 20, BigEndian32(1 << 20))));
  EXPECT_TRUE(long_header);
  CO_ASSIGN_OR_RETURN(const bool no_type, co_await ClosesOn(server, announced(8 << 20, "xxxx")));
  EXPECT_TRUE(no_type);
  CO_ASSIGN_OR_RETURN(const bool no_json, co_await ClosesOn(server, announced(8 << 20, RawFrame(0, "not json"))));
  EXPECT_TRUE(no_json);
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, ALargeFrameIsJudgedByItsHead) { RunOnShard(HeadsMain); }

// The client's side of a consumer: told and asked by the broker.
class ConsumerService {
 public:
  explicit ConsumerService(Router& router) {
    router.On(*this, &ConsumerService::Notified);
    router.On(*this, &ConsumerService::RunningInfo);
  }
  core::Task<Reply> Notified(RequestContext context, NotifyConsumerIdsChangedRequest request) {
    EXPECT_TRUE(context.frame.is_oneway());
    EXPECT_EQ(context.frame.serialize_type, SerializeType::kJson);
    notified = std::string(request.consumer_group);
    co_return Reply();  // to a oneway request: not sent
  }
  core::Task<Reply> RunningInfo(RequestContext, GetConsumerRunningInfoRequest request) {
    Reply reply;
    reply.SetBody("info of " + std::string(request.client_id));
    co_return reply;
  }
  std::string notified;
};

core::Task<absl::Status> AskBackMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  Router router;
  ConsumerService consumer(router);
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client,
                      co_await Client::Connect(fixture.server.local(0), kSoon, &router));
  const auto answer = co_await client->Call(GetConsumerListByGroupRequest{.consumer_group = "G"}, {}, kSoon);
  CHECK_OR_FAIL(answer.ok());
  EXPECT_EQ(answer->body.text(), "info of me");
  EXPECT_EQ(consumer.notified, "G");
  co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, TheServerTellsAndAsksItsClient) { RunOnShard(AskBackMain); }

core::Task<absl::Status> OnewayMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> socket,
                      co_await core::Socket::Connect(fixture.server.local(0), kSoon));
  std::string bytes;
  for (const int32_t code : {310, 4711, 30}) {  // served, unknown, without its fields: never answered
    HeaderFields fields;
    if (code == 310) fields.AddHeader(SendTo("T"));
    FrameHead head;
    head.code = code;
    head.flag = kFlagOneway;
    head.opaque = code;
    head.fields = &fields;
    bytes += Encode(head);
  }
  HeaderFields fields;
  fields.AddHeader(SendTo("T"));
  FrameHead head;
  head.code = 320;
  head.opaque = 99;
  head.fields = &fields;
  bytes += Encode(head);
  const core::Slice part = Pool().Copy(bytes);
  CO_RETURN_IF_ERROR(co_await socket->Send(std::span(&part, 1)));
  FrameAssembler assembler(Pool(), kFrameBytesMax);
  CO_ASSIGN_OR_RETURN(core::Slice received, co_await socket->Receive());
  assembler.Feed(received);
  CO_ASSIGN_OR_RETURN(std::optional<core::Slice> first, assembler.Next());
  CHECK_OR_FAIL(first.has_value());
  CO_ASSIGN_OR_RETURN(const Frame frame, DecodeFrame(*first));
  EXPECT_EQ(frame.opaque, 99);
  EXPECT_EQ(fixture.service.sends, 2);
  co_await socket->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, OnewayRequestsAreNeverAnswered) { RunOnShard(OnewayMain); }

/// Sends of one connection, whose topic and bodies are of its own letter, and the server's echoes; in small pieces.
core::Task<absl::Status> TalkInPieces(core::Endpoint server, char letter) {
  constexpr int kFrames = 20;
  constexpr size_t kPiece = 700;
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> socket, co_await core::Socket::Connect(server, kSoon));
  std::string bytes;
  std::vector<std::string> bodies;
  const std::string topic(10, letter);
  for (int i = 0; i < kFrames; ++i) {
    bodies.emplace_back(static_cast<size_t>(1 + i * 997), letter);
    HeaderFields fields;
    fields.AddHeader(SendTo(topic));
    FrameHead head;
    head.code = static_cast<int32_t>(SendMessageV2Request::kCode);
    head.opaque = i;
    head.fields = &fields;
    bytes += Encode(head, bodies.back().size()) + bodies.back();
  }
  FrameAssembler assembler(Pool(), kFrameBytesMax);
  int answers = 0;
  for (size_t at = 0; answers < kFrames;) {
    if (at < bytes.size()) {
      const core::Slice piece = Pool().Copy(std::string_view(bytes).substr(at, kPiece));
      at += piece.size();
      CO_RETURN_IF_ERROR(co_await socket->Send(std::span(&piece, 1)));
      co_await core::Sleep(absl::Microseconds(200));  // the others' turn
      if (at < bytes.size() && !socket->HasReceived()) continue;
    }
    CO_ASSIGN_OR_RETURN(core::Slice received, co_await socket->Receive());
    CHECK_OR_FAIL(!received.empty());
    assembler.Feed(std::move(received));
    for (;;) {
      CO_ASSIGN_OR_RETURN(std::optional<core::Slice> frame, assembler.Next());
      if (!frame.has_value()) break;
      CO_ASSIGN_OR_RETURN(const Frame answer, DecodeFrame(*std::move(frame)));
      CHECK_OR_FAIL(answer.opaque >= 0 && answer.opaque < kFrames);
      EXPECT_EQ(Value(answer, "msgId"), topic);
      EXPECT_TRUE(answer.body.text() == bodies[static_cast<size_t>(answer.opaque)]) << "a body with bytes of another connection";
      ++answers;
    }
  }
  co_await socket->Close();
  co_return absl::OkStatus();
}

core::Task<void> TalkTo(core::Endpoint server, char letter, int* ended) {
  const absl::Status status = co_await TalkInPieces(server, letter);
  EXPECT_TRUE(status.ok()) << status;
  ++*ended;
}

// apache/rocketmq#10911: frames of other connections were found inside a stored body. More connections than receive buffers here.
core::Task<absl::Status> ManyTalkMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  int ended = 0;
  core::Scope scope;
  for (char letter = 'a'; letter <= 'z'; ++letter) scope.Spawn(TalkTo(fixture.server.local(0), letter, &ended));
  co_await scope.Join();
  EXPECT_EQ(ended, 26);
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, Issue10911NoFrameHoldsBytesOfAnotherConnection) { RunOnShard(ManyTalkMain); }

core::Task<absl::Status> MalformedMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> bystander,
                      co_await Client::Connect(fixture.server.local(0), kSoon));
  const std::vector<std::string> hostile = {
      "GET / HTTP/1.1\r\n\r\n",
      BigEndian32(0x7FFFFFFF) + "xxxx",
      BigEndian32(0),
      BigEndian32(12) + RawFrame(0, "not json"),
      BigEndian32(6) + RawFrame(3, "{}"),
      BigEndian32(8) + BigEndian32(500) + "{}xx",
  };
  for (const std::string& bytes : hostile) {
    CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> socket,
                        co_await core::Socket::Connect(fixture.server.local(0), kSoon));
    const core::Slice part = Pool().Copy(bytes);
    CO_RETURN_IF_ERROR(co_await socket->Send(std::span(&part, 1)));
    const absl::StatusOr<core::Slice> received = co_await socket->Receive();
    EXPECT_TRUE(!received.ok() || received->empty()) << "answered: " << received->text();
    co_await socket->Close();
  }
  CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.server.connection_count() == 1; }));
  const auto alive = co_await bystander->Call(Hold(0), {}, kSoon);
  EXPECT_TRUE(alive.ok()) << alive.status();
  co_await bystander->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, MalformedFramesCloseOnlyTheirConnection) { RunOnShard(MalformedMain); }

core::Task<absl::Status> DeadlinesMain() {
  ServerLimits limits;
  limits.idle_timeout = absl::Milliseconds(300);
  limits.frame_deadline = absl::Milliseconds(60);
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> half,
                      co_await core::Socket::Connect(fixture.server.local(0), kSoon));
  const core::MonoTime begin = core::Reactor::Current().now();
  const core::Slice part = Pool().Copy(BigEndian32(1000) + "some");
  CO_RETURN_IF_ERROR(co_await half->Send(std::span(&part, 1)));
  const absl::StatusOr<core::Slice> after_half = co_await half->Receive();
  EXPECT_TRUE(!after_half.ok() || after_half->empty());
  CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.closed() == 1; }));
  EXPECT_EQ(fixture.reasons.back(), "a frame did not arrive in time");
  EXPECT_GE(core::Reactor::Current().now() - begin, absl::Milliseconds(50));
  co_await half->Close();
  // A request of its own under way is no idleness; silence is.
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  const auto held = co_await client->Call(Hold(700), {}, kSoon);
  EXPECT_TRUE(held.ok()) << held.status();
  CO_RETURN_IF_ERROR(co_await WaitUntil([&client, &fixture] { return !client->connected() && fixture.closed() == 2; }));
  EXPECT_EQ(fixture.reasons.back(), "idle");
  co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, HalfFramesAndSilenceEndIt) { RunOnShard(DeadlinesMain); }

core::Task<absl::Status> HeldMain() {
  Fixture fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  std::vector<int32_t> order;
  core::Scope scope;
  // Many more held requests than there are receive buffers: each must let go of its own.
  for (int i = 0; i < 100; ++i) {
    scope.Spawn(CallOnce(*client, 500, order));
    CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture, i] { return fixture.service.held == i + 1; }));
  }
  const auto overtaking = co_await client->Call(SendTo("T"), Pool().Copy("x"), kSoon);
  EXPECT_TRUE(overtaking.ok()) << overtaking.status();
  co_await scope.Join();
  // What is held when the client goes ends at once.
  const auto late = co_await client->Call(Hold(60000), {}, absl::Milliseconds(20));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(fixture.service.held, 1);
  co_await client->Close();
  CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.closed() == 1; }));
  EXPECT_EQ(fixture.service.held, 0);
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, HeldRequestsKeepNoReceiveBuffersAndEndWithIt) { RunOnShard(HeldMain); }

core::Task<absl::Status> BackPressureMain() {
  ServerLimits limits;
  limits.requests_max = 4;
  limits.output_bytes_max = 64 << 10;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(fixture.server.local(0), kSoon));
  std::vector<int32_t> order;
  core::Scope scope;
  for (int i = 0; i < 12; ++i) scope.Spawn(CallOnce(*client, 50, order));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.service.held == 4; }));
  co_await core::Sleep(absl::Milliseconds(20));
  EXPECT_EQ(fixture.service.held, 4);
  co_await scope.Join();
  EXPECT_EQ(order.size(), 12u);
  // A peer that reads nothing: its answers are bounded because its requests are no longer read.
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> deaf,
                      co_await core::Socket::Connect(fixture.server.local(0), kSoon));
  HeaderFields fields;
  fields.AddHeader(SendTo("T"));
  FrameHead head;
  head.code = 310;
  head.fields = &fields;
  const std::string body(60000, 'b');
  const core::Slice part = Pool().Copy(Encode(head, body.size()) + body);
  scope.Spawn([](core::Socket& socket, core::Slice bytes) -> core::Task<void> {
    for (int i = 0; i < 2000; ++i) {
      const absl::Status sent = co_await socket.Send(std::span(&bytes, 1));
      if (!sent.ok()) co_return;
    }
  }(*deaf, part));
  const int before = fixture.service.sends;
  co_await core::Sleep(absl::Milliseconds(300));
  const int then = fixture.service.sends;
  EXPECT_GT(then, before);
  co_await core::Sleep(absl::Milliseconds(100));
  EXPECT_EQ(fixture.service.sends, then);  // stands still
  EXPECT_LT(then - before, 2000);
  deaf->Shutdown();
  co_await scope.Join();
  co_await deaf->Close();
  co_await client->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, OverItsLimitsItIsNotRead) { RunOnShard(BackPressureMain); }

core::Task<absl::Status> StopMain() {
  ServerLimits limits;
  limits.connections_max = 1;
  Fixture fixture(limits);
  CO_RETURN_IF_ERROR(fixture.Listen());
  const core::Endpoint at = fixture.server.local(0);
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, co_await Client::Connect(at, kSoon));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.server.connection_count() == 1; }));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Client> one_too_many, co_await Client::Connect(at, kSoon));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&one_too_many] { return !one_too_many->connected(); }));
  EXPECT_TRUE(client->connected());
  co_await one_too_many->Close();
  std::vector<int32_t> order;
  core::Scope scope;
  scope.Spawn([](Client& caller) -> core::Task<void> {
    const auto answer = co_await caller.Call(Hold(60000), {}, kSoon);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  }(*client));
  CO_RETURN_IF_ERROR(co_await WaitUntil([&fixture] { return fixture.service.held == 1; }));
  co_await fixture.server.Stop();
  EXPECT_EQ(fixture.service.held, 0);
  EXPECT_EQ(fixture.server.connection_count(), 0u);
  EXPECT_EQ(fixture.closed(), 1U);
  co_await scope.Join();
  co_await client->Close();
  const auto refused = co_await Client::Connect(at, kSoon);
  EXPECT_FALSE(refused.ok());
  co_return absl::OkStatus();
}
TEST(Server, StopEndsEverythingAndLimitsConnections) { RunOnShard(StopMain); }

TEST(LogLimiter, LetsSomeLinesThroughAPeriod) {
  LogLimiter limiter;
  uint64_t suppressed = 0;
  const core::MonoTime now{1'000'000'000};
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += limiter.Admit(now, &suppressed) ? 1 : 0;
  EXPECT_EQ(admitted, 10);
  EXPECT_TRUE(limiter.Admit(now + absl::Seconds(10), &suppressed));
  EXPECT_EQ(suppressed, 90u);
  EXPECT_TRUE(limiter.Admit(now + absl::Seconds(11), &suppressed));
  EXPECT_EQ(suppressed, 0u);
}

}  // namespace
}  // namespace net
