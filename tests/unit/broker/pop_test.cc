// POP consumption on a whole broker of two shards: what is popped is gone for its time, what is acknowledged for good, and the rest comes again, once, when its time is up.
#include "broker/pop/pop_message.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/scope.h"
#include "core/status.h"
#include "tests/unit/broker/pop_fixture.h"

namespace broker::testing {
namespace {

constexpr int kQueues = 4;  // on both shards
constexpr std::string_view kTopic = "T";

std::multiset<std::string> BodiesOf(const std::vector<Popped>& messages) {
  std::multiset<std::string> bodies;
  for (const Popped& one : messages) bodies.insert(one.body);
  return bodies;
}

std::multiset<std::string> Expected(int queues, int each) {
  std::multiset<std::string> bodies;
  for (int queue = 0; queue < queues; ++queue) {
    for (int i = 0; i < each; ++i) bodies.insert(core::StrCat("m", queue, ".", i));
  }
  return bodies;
}

core::Task<void> TakesFromAllQueues(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, kQueues, 3);
  const std::vector<Popped> first = co_await Pop(client, PopFrom(kTopic, 60'000));
  EXPECT_EQ(BodiesOf(first), Expected(kQueues, 3));
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 60'000))).empty()) << "they are in flight";
  for (const Popped& one : first) {
    const Answer ack = co_await Ask(client, AckOf(one));
    EXPECT_EQ(ack.code, 0) << ack.remark;
  }
  co_await core::Sleep(absl::Seconds(70));
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 60'000))).empty()) << "they are done";
}
TEST(PopTest, WhatIsAcknowledgedDoesNotComeAgain) { WithBroker(TakesFromAllQueues); }

core::Task<void> ComesAgain(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, kQueues, 2);
  std::vector<Popped> first = co_await Pop(client, PopFrom(kTopic, 5'000));
  EXPECT_EQ(first.size(), 8u);
  const core::MonoTime popped = core::Reactor::Current().now();
  std::set<std::string> open;
  for (size_t i = 0; i < first.size(); ++i) {
    if (i % 2 == 0) {
      EXPECT_EQ((co_await Ask(client, AckOf(first[i]))).code, 0);
    } else {
      open.insert(first[i].body);
    }
  }
  // Held until they are back.
  std::vector<Popped> again;
  while (again.size() < open.size()) {
    const std::vector<Popped> some = co_await Pop(client, PopFrom(kTopic, 5'000, 20'000));
    if (some.empty()) break;
    again.insert(again.end(), some.begin(), some.end());
  }
  const absl::Duration waited = core::Reactor::Current().now() - popped;
  EXPECT_GE(waited, absl::Milliseconds(4'950));
  EXPECT_LE(waited, absl::Milliseconds(5'100)) << "redelivery within 100 ms";
  std::set<std::string> back;
  for (const Popped& one : again) {
    EXPECT_TRUE(back.insert(one.body).second) << "twice: " << one.body;
    EXPECT_EQ(one.topic, "%RETRY%poppers_T");
    EXPECT_EQ(one.reconsume_times, 1);
    EXPECT_NE(PropertyOf(one.properties, "1ST_POP_TIME"), "");
  }
  EXPECT_EQ(back, open);
  // Once more not acknowledged: the second time round, in the same retry topic.
  const std::vector<Popped> third = co_await Pop(client, PopFrom(kTopic, 5'000, 20'000));
  EXPECT_FALSE(third.empty());
  if (third.empty()) co_return;
  EXPECT_EQ(third.front().topic, "%RETRY%poppers_T");
  EXPECT_EQ(third.front().reconsume_times, 2);
}
TEST(PopTest, WhatIsNotAcknowledgedComesAgainAtItsTime) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(ComesAgain, TestConfig(), seed);
}

core::Task<void> Changed(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 2);
  std::vector<Popped> messages = co_await Pop(client, PopFrom(kTopic, 10'000));
  EXPECT_EQ(messages.size(), 2u);
  if (messages.size() != 2) co_return;
  // Sooner, and later.
  const Answer sooner = co_await Ask(client, ChangeOf(messages[0], 1'000));
  EXPECT_EQ(sooner.code, 0) << sooner.remark;
  const Answer later = co_await Ask(client, ChangeOf(messages[1], 60'000));
  EXPECT_EQ(later.code, 0) << later.remark;
  const Answer old = co_await Ask(client, AckOf(messages[1]));
  EXPECT_EQ(old.code, 208) << "its receipt was replaced";
  EXPECT_NE(old.remark.find("newer receipt"), std::string::npos) << old.remark;
  const std::vector<Popped> back = co_await Pop(client, PopFrom(kTopic, 60'000, 30'000));
  EXPECT_EQ(back.size(), 1u);
  if (back.size() == 1) EXPECT_EQ(back[0].body, messages[0].body);
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 60'000, 20'000))).empty());
  messages[1].receipt = ReceiptAfter(messages[1], later);
  EXPECT_EQ((co_await Ask(client, AckOf(messages[1]))).code, 0);
}
TEST(PopTest, TheTimeOfAMessageIsChanged) { WithBroker(Changed); }

core::Task<void> ChangedAtOnce(Broker&, net::Client& client) {
  // All within one millisecond of virtual time: each receipt must be another.
  co_await SendMany(client, kTopic, 1, 3);
  std::vector<Popped> messages = co_await Pop(client, PopFrom(kTopic, 10'000));
  std::set<std::string> receipts;
  for (Popped& one : messages) {
    for (int i = 0; i < 5; ++i) {
      const Answer change = co_await Ask(client, ChangeOf(one, 10'000));
      EXPECT_EQ(change.code, 0) << change.remark;
      one.receipt = ReceiptAfter(one, change);
      EXPECT_TRUE(receipts.insert(one.receipt).second) << one.receipt;
    }
  }
  for (const Popped& one : messages) EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 10'000, 30'000))).empty());
}
TEST(PopTest, ChangesInOneMillisecondAreTold) { WithBroker(ChangedAtOnce); }

core::Task<void> Late(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 1);
  const std::vector<Popped> messages = co_await Pop(client, PopFrom(kTopic, 1'000));
  EXPECT_EQ(messages.size(), 1u);
  co_await core::Sleep(absl::Seconds(2));
  const Answer late = co_await Ask(client, AckOf(messages[0]));
  EXPECT_EQ(late.code, 208);
  EXPECT_NE(late.remark.find("is good no more"), std::string::npos) << late.remark;
  EXPECT_EQ((co_await Ask(client, ChangeOf(messages[0], 1'000))).code, 208);
  EXPECT_EQ((co_await Pop(client, PopFrom(kTopic, 60'000))).size(), 1u) << "its state is unharmed";
}
TEST(PopTest, AnExpiredReceiptIsToldSo) { WithBroker(Late); }

core::Task<void> Nonsense(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 1);
  const std::vector<Popped> messages = co_await Pop(client, PopFrom(kTopic, 60'000));
  EXPECT_EQ(messages.size(), 1u);
  net::AckMessageRequest ack = AckOf(messages[0]);
  ack.offset = 2;
  EXPECT_EQ((co_await Ask(client, ack)).code, 208);
  ack.offset = -1;
  EXPECT_EQ((co_await Ask(client, ack)).code, 208);
  ack = AckOf(messages[0]);
  ack.queue_id = 100;
  EXPECT_EQ((co_await Ask(client, ack)).code, 13);
  ack = AckOf(messages[0]);
  ack.topic = "Nowhere";
  EXPECT_EQ((co_await Ask(client, ack)).code, 17);
  ack = AckOf(messages[0]);
  ack.extra_info = "1 2 x";
  EXPECT_EQ((co_await Ask(client, ack)).code, 1);
  net::ChangeInvisibleTimeRequest change = ChangeOf(messages[0], -1);
  EXPECT_EQ((co_await Ask(client, change)).code, 29);
  net::PopMessageRequest pop = PopFrom(kTopic, 1'000);
  pop.max_msg_nums = 33;
  EXPECT_EQ((co_await Ask(client, pop)).code, 29);
  pop = PopFrom(kTopic, 1'000);
  pop.queue_id = 100;
  EXPECT_EQ((co_await Ask(client, pop)).code, 29);
  pop = PopFrom("Nowhere", 1'000);
  EXPECT_EQ((co_await Ask(client, pop)).code, 17);
  pop = PopFrom(kTopic, 1'000);
  pop.born_time = 1;
  EXPECT_TRUE((co_await Pop(client, pop)).empty()) << "its client has given up";
  pop = PopFrom(kTopic, 1'000);
  pop.expression_type = "SQL92";
  pop.expression = "a = ";
  EXPECT_EQ((co_await Ask(client, pop)).code, 23);
  EXPECT_EQ((co_await Ask(client, AckOf(messages[0]))).code, 0) << "the message is as it was";
  EXPECT_EQ((co_await Ask(client, AckOf(messages[0]))).code, 0) << "an answer may be lost";
}
TEST(PopTest, WhatMakesNoSenseIsRefusedAndChangesNothing) { WithBroker(Nonsense); }

core::Task<void> PopInto(net::Client& client, net::PopMessageRequest request, std::vector<Popped>& into) {
  into = co_await Pop(client, request);
}

core::Task<void> Held(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, kQueues, 1);
  for (const Popped& one : co_await Pop(client, PopFrom(kTopic, 60'000)))
    EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  std::unique_ptr<net::Client> other = co_await Connect();
  std::vector<Popped> first;
  std::vector<Popped> second;
  core::Scope pops;
  const core::MonoTime begin = core::Reactor::Current().now();
  pops.Spawn(PopInto(client, PopFrom(kTopic, 60'000, 15'000), first));
  pops.Spawn(PopInto(*other, PopFrom(kTopic, 60'000, 15'000), second));
  co_await core::Sleep(absl::Seconds(3));
  EXPECT_TRUE(first.empty() && second.empty());
  std::unique_ptr<net::Client> sender = co_await Connect();
  // One of them is enough for one message; the other waits for the next.
  co_await Ask(*sender, SendTo(kTopic, 1), "new1");
  co_await core::Sleep(absl::Milliseconds(20));
  EXPECT_EQ(first.size() + second.size(), 1u);
  co_await Ask(*sender, SendTo(kTopic, 2), "new2");
  co_await pops.Join();
  EXPECT_LT(core::Reactor::Current().now() - begin, absl::Seconds(4));
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(second.size(), 1u);
  const core::MonoTime now = core::Reactor::Current().now();
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 60'000, 2'000))).empty());
  EXPECT_LE(core::Reactor::Current().now() - now, absl::Milliseconds(2'000));
  EXPECT_GE(core::Reactor::Current().now() - now, absl::Milliseconds(1'900));
  co_await other->Close();
  co_await sender->Close();
}
TEST(PopTest, IsHeldUntilThereIsSomething) {
  for (uint64_t seed = 1; seed <= 4; ++seed) WithBroker(Held, TestConfig(), seed);
}

core::Task<void> Before(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, kQueues, 2);
  const std::vector<Popped> messages = co_await Pop(client, PopFrom(kTopic, 30'000));
  EXPECT_EQ(messages.size(), 8u);
  for (const Popped& one : messages) {
    if (one.body.ends_with(".0")) EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  }
}
core::Task<void> After(Broker&, net::Client& client) {
  EXPECT_TRUE((co_await Pop(client, PopFrom(kTopic, 1'000))).empty()) << "still in flight";
  std::vector<Popped> back;
  while (back.size() < 4) {
    const std::vector<Popped> some = co_await Pop(client, PopFrom(kTopic, 60'000, 40'000));
    if (some.empty()) break;
    back.insert(back.end(), some.begin(), some.end());
  }
  const std::multiset<std::string> expected = {"m0.1", "m1.1", "m2.1", "m3.1"};
  EXPECT_EQ(BodiesOf(back), expected);
}
core::Task<absl::Status> RestartMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), Before));
  co_return co_await RunScenario(TestConfig(), After);
}
TEST(PopTest, ARestartForgetsNothing) {
  const absl::Status status = sim::RunInWorld(3, 2, RestartMain);
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<void> Batched(Broker&, net::Client& client) {
  co_await SendMany(client, kTopic, 1, 10);
  const std::vector<Popped> messages = co_await Pop(client, PopFrom(kTopic, 3'000));
  EXPECT_EQ(messages.size(), 10u);
  const PopReceipt receipt = *PopReceipt::Parse(messages[0].receipt);
  // Bits 0 to 7 and 9: all but the ninth. And 15, where there is no message: RocketMQ passes over it.
  const std::string body = core::StrCat(R"({"brokerName":"broker-a","acks":[{"c":"poppers","t":"T","r":"0","so":)",
                                        receipt.start_offset, R"(,"q":0,"rq":0,"pt":)", receipt.pop_time, R"(,"it":)",
                                        receipt.invisible_time, R"(,"b":"/4I="}]})");
  const Answer ack = co_await Ask(client, net::BatchAckMessageRequest{}, body);
  EXPECT_EQ(ack.code, 0) << ack.remark;
  const std::vector<Popped> back = co_await Pop(client, PopFrom(kTopic, 60'000, 20'000));
  EXPECT_EQ(back.size(), 1u);
  if (back.size() == 1) EXPECT_EQ(back[0].body, "m0.8");
  // Catches one request that keeps a shard busy: 8,192 messages, and two entries that are too many together.
  const auto entry = [&](size_t bytes) {
    return core::StrCat(R"({"c":"poppers","t":"T","r":"0","q":0,"so":0,"pt":1,"it":1,"b":")", std::string(bytes / 3 * 4, '/'), R"("})");
  };
  for (const std::string& entries : {entry(1023), core::StrCat(entry(510), ",", entry(510))})
    EXPECT_EQ((co_await Ask(client, net::BatchAckMessageRequest{}, core::StrCat(R"({"acks":[)", entries, "]}"))).code, 13);
  EXPECT_EQ((co_await Ask(client, net::BatchAckMessageRequest{}, "{}")).code, 208);
  EXPECT_EQ((co_await Ask(client, net::BatchAckMessageRequest{}, "nonsense")).code, 208);
  EXPECT_EQ(
      (co_await Ask(
           client, net::BatchAckMessageRequest{},
           R"({"acks":[{"c":"poppers","t":"T","r":"0","q":0,"so":9223372036854775807,"pt":1,"it":1,"b":"/w=="}]})"))
          .code,
      13);
  EXPECT_EQ((co_await Ask(client, net::BatchAckMessageRequest{},
                          R"({"acks":[{"c":"poppers","t":"T","r":"0","q":0,"so":0,"pt":1,"it":1,"b":"?"}]})"))
                .code,
            13);
}
TEST(PopTest, ManyAreAcknowledgedAtOnce) { WithBroker(Batched); }

core::Task<void> Filtered(Broker&, net::Client& client) {
  for (int i = 0; i < 10; ++i) {
    co_await Ask(client,
                 SendTo(kTopic, 0,
                        i % 2 == 0 ? std::string_view("TAGS\x01"
                                                      "A\x02",
                                                      7)
                                   : std::string_view("TAGS\x01"
                                                      "B\x02",
                                                      7)),
                 core::StrCat(i));
  }
  net::PopMessageRequest request = PopFrom(kTopic, 2'000);
  request.expression = "A";
  const std::vector<Popped> messages = co_await Pop(client, request);
  const std::multiset<std::string> expected = {"0", "2", "4", "6", "8"};
  EXPECT_EQ(BodiesOf(messages), expected);
  for (const Popped& one : messages) {
    if (one.body != "4") EXPECT_EQ((co_await Ask(client, AckOf(one))).code, 0);
  }
  request.poll_time = 10'000;
  const std::vector<Popped> back = co_await Pop(client, request);
  EXPECT_EQ(back.size(), 1u);
  if (back.size() == 1) EXPECT_EQ(back[0].body, "4");
}
TEST(PopTest, TagsFilterWhatIsPoppedAndWhatComesAgain) { WithBroker(Filtered); }

}  // namespace
}  // namespace broker::testing
