// Goal: a topic that is deleted and made anew by the next send never loses what it was told it holds.
// Method: producers that never pause on every queue, over four shards; the topic is deleted in the midst of it. Many seeds, each another order.
#include <set>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/strings.h"
#include "core/sync.h"
#include "net/requests/topic_admin.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {
namespace {

constexpr int kShards = 4;
constexpr int kQueues = 8;

/// An acknowledged send, with the order in which sends began and were answered.
struct Sent {
  std::string body;
  int begun = 0;
  int answered = 0;
};

struct Load {
  net::Client* client = nullptr;
  int clock = 0;
  bool stop = false;
  std::vector<Sent> sent;
};

core::Task<void> SendUntilStopped(Load& load, int queue) {
  for (int i = 0; !load.stop; ++i) {
    Sent one{.body = core::StrCat(queue, ".", i), .begun = ++load.clock};
    net::SendMessageV2Request request = SendTo("T", queue);
    request.default_topic_queue_nums = kQueues;
    const Answer answer = co_await Ask(*load.client, request, one.body);
    if (answer.code != 0) continue;
    one.answered = ++load.clock;
    load.sent.push_back(std::move(one));
  }
}

core::Task<void> DeleteUnderLoad(Broker&, net::Client& client) {
  absl::StatusOr<std::unique_ptr<net::Client>> admin =
      co_await net::Client::Connect(core::Endpoint::Parse("127.0.0.1", 10911).value(), kPatience);
  EXPECT_TRUE(admin.ok()) << admin.status();
  if (!admin.ok()) co_return;
  Load load;
  load.client = &client;
  core::Scope producers;
  for (int queue = 0; queue < kQueues; ++queue) producers.Spawn(SendUntilStopped(load, queue));
  (void)co_await core::Sleep(absl::Milliseconds(20));
  const Answer deleted = co_await Ask(**admin, net::DeleteTopicInBrokerRequest{.topic = "T"});
  EXPECT_EQ(deleted.code, 0) << deleted.remark;
  (void)co_await core::Sleep(absl::Milliseconds(20));
  load.stop = true;
  co_await producers.Join();

  std::set<std::string> left;
  for (int queue = 0; queue < kQueues; ++queue) {
    for (int64_t next = 0;;) {
      const Answer pulled = co_await Ask(client, PullFrom("T", queue, next));
      if (pulled.code != 0) break;
      for (const store::RecordView& record : RecordsOf(pulled.body)) left.insert(BodyOf(record));
      next = pulled.Number("nextBeginOffset");
    }
  }
  // Once a message of the new topic is there to stay, so is whatever was sent later.
  int first_kept = INT32_MAX;
  for (const Sent& one : load.sent) {
    if (left.contains(one.body)) first_kept = std::min(first_kept, one.answered);
  }
  EXPECT_LT(first_kept, load.clock) << "the topic was not made anew";
  EXPECT_LT(left.size(), load.sent.size()) << "nothing was deleted";
  for (const Sent& one : load.sent) {
    if (one.begun > first_kept) EXPECT_TRUE(left.contains(one.body)) << one.body << " was acknowledged and is gone";
  }
  co_await (*admin)->Close();
}

TEST(DeleteTopicTest, WhatATopicMadeAnewAcknowledgesStays) {
  for (uint64_t seed = 1; seed <= 10 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(core::StrCat("seed ", seed));
    WithBroker(DeleteUnderLoad, TestConfig(), seed, kShards);
  }
}

}  // namespace
}  // namespace broker::testing
