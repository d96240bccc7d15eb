// Goal: a peer that sends without pause gets its share of each tick and no more.
// Method: a server and its client on one shard of the real runtime, and a task that looks at each tick what has been begun.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "core/reactor.h"
#include "core/scope.h"
#include "core/status.h"
#include "net/requests/offsets.h"
#include "net/requests/send.h"
#include "net/server.h"
#include "tests/unit/net/server_fixture.h"
#include "tests/unit/net/test_util.h"

namespace net {
namespace {

class CountingService {
 public:
  explicit CountingService(Router& router) {
    router.On(*this, &CountingService::Send);
    router.On(*this, &CountingService::MaxOffset);
  }
  core::Task<Reply> Send(RequestContext, SendMessageV2Request) {
    ++sends;
    co_return Reply();
  }
  core::Task<Reply> MaxOffset(RequestContext, GetMaxOffsetRequest) { co_return Reply(); }
  int sends = 0;
};

core::Task<void> WatchTicks(const CountingService& service, int until, int* most) {
  int before = 0;
  while (service.sends < until) {
    co_await core::Yield();
    *most = std::max(*most, service.sends - before);
    before = service.sends;
  }
}

// Catches a peer that has everyone else on its shard wait until all that it has sent is done.
core::Task<absl::Status> TurnsMain() {
  constexpr int kFlood = 4000;
  ServerFixture<CountingService> fixture;
  CO_RETURN_IF_ERROR(fixture.Listen());
  SendMessageV2Request request;
  request.producer_group = "PG";
  request.topic = "T";
  request.default_topic = "TBW102";
  HeaderFields fields;
  fields.AddHeader(request);
  std::string bytes;
  for (int i = 0; i < kFlood; ++i) {
    FrameHead head;
    head.code = static_cast<int32_t>(SendMessageV2Request::kCode);
    head.opaque = i;
    head.flag = kFlagOneway;
    head.fields = &fields;
    bytes += Encode(head, 0);
  }
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<core::Socket> socket, co_await core::Socket::Connect(fixture.server.local(0), kSoon));
  int most = 0;
  core::Scope scope;
  scope.Spawn(WatchTicks(fixture.service, kFlood, &most));
  const core::Slice all = core::Reactor::Current().buffers().Copy(bytes);
  CO_RETURN_IF_ERROR(co_await socket->Send(std::span(&all, 1)));
  co_await scope.Join();
  EXPECT_LE(most, 128);
  EXPECT_GT(most, 20);
  std::map<int32_t, uint64_t> requests;
  fixture.router.AddRequests(requests);
  EXPECT_EQ(requests.at(310), static_cast<uint64_t>(kFlood));
  EXPECT_EQ(requests.at(30), 0U) << "GET_MAX_OFFSET, which has a handler and has not come";
  co_await socket->Close();
  co_await fixture.server.Stop();
  co_return absl::OkStatus();
}
TEST(Connection, OneDoesNotTakeTheTurnsOfOthers) { RunOnShard(64, 65536, TurnsMain); }

}  // namespace
}  // namespace net
