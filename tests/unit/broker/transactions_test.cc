// Goal: a half message is nobody's until it is committed, then everybody's, once; rolled back it never is; who does not say is asked, and in the end his
// message is put aside; all of it across restarts; what is wrong ends nothing.
#include "broker/transactions.h"

#include <algorithm>
#include <string>
#include <vector>

#include "broker/half_message.h"
#include "broker/schedule.h"
#include "broker/system_topics.h"
#include "net/remoting_util.h"
#include "net/requests/to_client.h"
#include "net/requests/topic_admin.h"
#include "net/requests/transaction.h"
#include "net/router.h"
#include "store/half_record.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"

namespace broker::testing {
namespace {

constexpr std::string_view kGroup = "producers";

core::Task<int64_t> EndOf(net::Client& client, std::string topic, int32_t queue) {
  net::GetMaxOffsetRequest max;
  max.topic = topic;
  max.queue_id = queue;
  const Answer answer = co_await Ask(client, max);
  co_return answer.Number("offset");
}

/// A half message as its producer knows it.
struct Begun {
  int64_t queue_offset = -1;
  int64_t position = -1;
  std::string key;
};

core::Task<Begun> Begin(net::Client& client, int32_t queue, std::string key, std::string more = "", std::string topic = "T") {
  const std::string properties =
      Properties({{"TRAN_MSG", "true"}, {"PGROUP", std::string(kGroup)}, {"TAGS", "A"}, {"UNIQ_KEY", key}}) + more;
  net::SendMessageV2Request request = SendTo(topic, queue, properties);
  request.sys_flag = 4;
  const Answer sent = co_await Ask(client, request, "body of " + key);
  EXPECT_EQ(sent.code, 0) << sent.remark;
  EXPECT_EQ(sent.Number("queueId"), queue);
  Begun begun;
  if (sent.code != 0) co_return begun;
  begun.queue_offset = sent.Number("queueOffset");
  begun.position = static_cast<int64_t>(std::stoull(sent.fields.at("msgId").substr(16), nullptr, 16));
  begun.key = key;
  co_return begun;
}

net::EndTransactionRequest EndOf(const Begun& begun, int32_t how) {
  net::EndTransactionRequest request;
  request.producer_group = kGroup;
  request.tran_state_table_offset = begun.queue_offset;
  request.commit_log_offset = begun.position;
  request.commit_or_rollback = how;
  request.msg_id = begun.key;
  return request;
}

core::Task<std::vector<std::string>> Bodies(net::Client& client, int32_t queue, std::string topic = "T") {
  const net::PullMessageRequest pull = PullFrom(topic, queue, 0);
  const Answer answer = co_await Ask(client, pull);
  std::vector<std::string> bodies;
  for (const store::RecordView& record : RecordsOf(answer.body)) bodies.push_back(BodyOf(record));
  co_return bodies;
}

core::Task<TransactionStats> StatsOf(Broker& broker) {
  TransactionStats sum;
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    const TransactionStats one =
        co_await broker.shards().On(core::ShardId(i), [](BrokerShard& there) { return there.transactions().stats(); });
    sum.pending += one.pending;
    sum.committed += one.committed;
    sum.rolled_back += one.rolled_back;
    sum.checks += one.checks;
    sum.unasked += one.unasked;
    sum.put_aside += one.put_aside;
    sum.discarded += one.discarded;
  }
  co_return sum;
}

using Texts = std::vector<std::string>;

core::Task<void> CommitAndRollback(Broker& broker, net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) {  // one on each shard
    const Begun kept = co_await Begin(client, queue, "KEPT");
    const Begun dropped = co_await Begin(client, queue, "DROPPED");
    const Begun open = co_await Begin(client, queue, "OPEN");
    EXPECT_EQ(co_await EndOf(client, "T", queue), 0) << "nobody's yet";
    EXPECT_EQ((co_await Ask(client, EndOf(dropped, net::kRollbackTransaction))).code, 0);
    EXPECT_EQ((co_await Ask(client, EndOf(kept, net::kCommitTransaction))).code, 0);
    EXPECT_EQ(co_await EndOf(client, "T", queue), 1);
    const Answer pulled = co_await Ask(client, PullFrom("T", queue, 0, "A"));
    const std::vector<store::RecordView> records = RecordsOf(pulled.body);
    EXPECT_EQ(records.size(), 1u);
    if (records.size() != 1) co_return;
    const store::RecordView& record = records[0];
    EXPECT_EQ(BodyOf(record), "body of KEPT");
    EXPECT_TRUE(record.BodyIntact());
    EXPECT_EQ(record.sys_flag & 0xC, 8);
    EXPECT_EQ(record.born_timestamp, 1234);
    // Source: semantics of RocketMQ 5.3.3, where the committed record still shows them.
    EXPECT_EQ(PropertyOf(record.properties, "TRAN_MSG"), "true");
    EXPECT_EQ(PropertyOf(record.properties, "PGROUP"), kGroup);
    EXPECT_EQ(PropertyOf(record.properties, "REAL_TOPIC"), "T");
    EXPECT_EQ(PropertyOf(record.properties, "REAL_QID"), std::to_string(queue));
    EXPECT_EQ(PropertyOf(record.properties, "__transactionId__"), "KEPT");
    EXPECT_EQ(PropertyOf(record.properties, "CLUSTER"), "DefaultCluster");
    // A second end changes nothing, whatever it says.
    for (const Begun& ended : {kept, dropped}) {
      for (const int32_t how : {net::kCommitTransaction, net::kRollbackTransaction}) {
        const Answer again = co_await Ask(client, EndOf(ended, how));
        EXPECT_EQ(again.code, 1);
        EXPECT_NE(again.remark.find("none is pending"), std::string::npos) << again.remark;
      }
    }
    EXPECT_EQ(co_await Bodies(client, queue), Texts{"body of KEPT"});
    EXPECT_GE(open.position, 0);
  }
  const TransactionStats stats = co_await StatsOf(broker);
  EXPECT_EQ(stats.pending, 2u);
  EXPECT_EQ(stats.committed, 2u);
  EXPECT_EQ(stats.rolled_back, 2u);
}
TEST(TransactionsTest, ACommittedMessageComesOnceAndARolledBackOneNever) { WithBroker(CommitAndRollback); }

core::Task<void> WrongEnds(Broker& broker, net::Client& client) {
  const Begun begun = co_await Begin(client, 0, "ONE");
  const auto refused = [&](net::EndTransactionRequest request, int32_t code, std::string_view said) -> core::Task<void> {
    const Answer answer = co_await Ask(client, request);
    EXPECT_EQ(answer.code, code) << said;
    EXPECT_NE(answer.remark.find(said), std::string::npos) << answer.remark;
  };
  net::EndTransactionRequest request = EndOf(begun, net::kCommitTransaction);
  request.producer_group = "others";
  co_await refused(request, 1, "producer group wrong");
  request = EndOf(begun, net::kCommitTransaction);
  request.tran_state_table_offset += 1;
  co_await refused(request, 1, "state table offset wrong");
  for (const int64_t position : {int64_t{-1}, int64_t{0}, begun.position + 1, int64_t{1} << 47, (int64_t{9} << 48) + 4096, INT64_MAX, INT64_MIN}) {
    request = EndOf(begun, net::kCommitTransaction);
    request.commit_log_offset = position;
    co_await refused(request, 1, "Find prepared transaction message failed");
  }
  // Neither commit nor rollback: no answer at all, and it stays pending.
  for (const int32_t how : {0, 4, -1}) {
    const absl::StatusOr<net::Frame> none = co_await client.Call(EndOf(begun, how), {}, absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(none.status())) << none.status();
  }
  EXPECT_EQ((co_await StatsOf(broker)).pending, 1u);
  EXPECT_EQ(co_await EndOf(client, "T", 0), 0);
  EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 0);
  EXPECT_EQ(co_await EndOf(client, "T", 0), 1);
}
TEST(TransactionsTest, WhatIsWrongEndsNothing) { WithBroker(WrongEnds); }

core::Task<void> Refusals(Broker& broker, net::Client& client) {
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0), "makes the topic")).code, 0);
  std::string body;
  const std::string half = Properties({{"TRAN_MSG", "true"}});
  net::AppendBatchMessage(body, {.flag = 0, .body = "one", .properties = half});
  net::SendBatchMessageRequest batch;
  static_cast<net::SendMessageHeader&>(batch) = SendTo("T", 0);
  batch.batch = true;
  const Answer in_batch = co_await Ask(client, batch, body);
  EXPECT_EQ(in_batch.code, 13);
  EXPECT_NE(in_batch.remark.find("TRAN_MSG"), std::string::npos) << in_batch.remark;
  for (uint32_t i = 0; i < broker.shards().size(); ++i) {
    co_await broker.shards().On(core::ShardId(i), [](BrokerShard& there) { there.live_config().reject_transaction_message = true; });
  }
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0, half), "x")).code, 16);
  EXPECT_EQ(co_await EndOf(client, "T", 0), 1);
}
TEST(TransactionsTest, BatchesAndWhatIsSwitchedOffAreRefused) { WithBroker(Refusals); }

// The client's own group is in the header as well: a client that does not name it in the properties can end its transaction all the same.
core::Task<void> NoGroup(Broker&, net::Client& client) {
  const std::string properties = Properties({{"TRAN_MSG", "true"}, {"REAL_TOPIC", "forged"}, {"REAL_QID", "7"}, {"UNIQ_KEY", "K"}});
  const Answer sent = co_await Ask(client, SendTo("T", 1, properties), "x");
  EXPECT_EQ(sent.code, 0);
  Begun begun;
  begun.queue_offset = sent.Number("queueOffset");
  begun.position = static_cast<int64_t>(std::stoull(sent.fields.at("msgId").substr(16), nullptr, 16));
  EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 0);
  EXPECT_EQ(co_await Bodies(client, 1), Texts{"x"});
}
TEST(TransactionsTest, TheGroupOfTheRequestCountsWhereThePropertyIsMissing) { WithBroker(NoGroup); }

core::Task<void> Delayed(Broker& broker, net::Client& client) {
  const Begun begun = co_await Begin(client, 0, "LATER", Properties({{"TIMER_DELAY_MS", "5000"}}));
  EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 0);
  EXPECT_EQ(co_await EndOf(client, "T", 0), 0);
  EXPECT_EQ((co_await StatsOf(broker)).pending, 0u);
  EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 1);
  (void)co_await core::Sleep(absl::Milliseconds(5100));
  EXPECT_EQ(co_await Bodies(client, 0), Texts{"body of LATER"});
}
TEST(TransactionsTest, ADelayBeginsWithTheCommit) { WithBroker(Delayed); }

// --- Check-backs.

/// The client's side of a producer that is asked.
class ProducerService {
 public:
  explicit ProducerService(net::Router& router) { router.On(*this, &ProducerService::Asked); }
  core::Task<net::Reply> Asked(net::RequestContext context, net::CheckTransactionStateRequest request) {
    EXPECT_TRUE(context.frame.is_oneway());
    Begun begun;
    begun.queue_offset = request.tran_state_table_offset;
    begun.position = request.commit_log_offset;
    begun.key = std::string(request.msg_id.value_or(""));
    EXPECT_EQ(request.transaction_id.value_or(""), begun.key);
    EXPECT_EQ(request.topic.value_or(""), "T");
    const std::vector<store::RecordView> records = RecordsOf(context.frame.body.text());
    EXPECT_EQ(records.size(), 1u);
    if (records.size() == 1) {
      EXPECT_EQ(records[0].topic, "T");
      EXPECT_EQ(BodyOf(records[0]), "body of " + begun.key);
      EXPECT_EQ(records[0].position.value(), begun.position);
      EXPECT_EQ(PropertyOf(records[0].properties, "PGROUP"), kGroup);
      times.push_back(PropertyOf(records[0].properties, "TRANSACTION_CHECK_TIMES"));
    }
    asked.push_back(std::move(begun));
    co_return net::Reply();
  }
  std::vector<Begun> asked;
  std::vector<std::string> times;
};

/// A producer of the group on a connection of its own.
struct Producer {
  net::Router router;
  ProducerService service{router};
  std::unique_ptr<net::Client> client;
  std::string id;

  core::Task<void> Connect(std::string client_id) {
    id = client_id;
    absl::StatusOr<std::unique_ptr<net::Client>> connected = co_await net::Client::Connect(BrokerAddress(), kPatience, &router);
    EXPECT_TRUE(connected.ok()) << connected.status();
    if (!connected.ok()) co_return;
    client = *std::move(connected);
    co_await Beat();
  }
  core::Task<void> Beat() {
    const std::string beat = "{\"clientID\":\"" + id + "\",\"producerDataSet\":[{\"groupName\":\"" + std::string(kGroup) +
                             "\"}],\"consumerDataSet\":[]}";
    EXPECT_EQ((co_await Ask(*client, net::HeartBeatRequest(), beat)).code, 0);
  }
};

/// Lets time pass in which neither of them is silent for so long that the broker forgets it.
core::Task<void> Pass(absl::Duration time, Producer& producer, net::Client& client) {
  constexpr absl::Duration kBeat = absl::Seconds(25);
  for (; time > absl::ZeroDuration(); time -= kBeat) {
    (void)co_await core::Sleep(std::min(time, kBeat));
    co_await producer.Beat();
    (void)co_await EndOf(client, "T", 0);
  }
}

core::Task<void> CheckBacks(Broker& broker, net::Client& client) {
  const Begun first = co_await Begin(client, 0, "FIRST");
  const Begun second = co_await Begin(client, 1, "SECOND");
  Producer producer;
  co_await producer.Connect("a");
  (void)co_await core::Sleep(absl::Seconds(29));
  EXPECT_TRUE(producer.service.asked.empty()) << "transactionCheckInterval is 30 s";
  const Begun young = co_await Begin(client, 0, "YOUNG");
  (void)co_await core::Sleep(absl::Seconds(2));
  EXPECT_EQ(producer.service.asked.size(), 2u) << "YOUNG is not older than transactionTimeOut";
  for (const Begun& asked : producer.service.asked) EXPECT_EQ(asked.position, asked.key == "FIRST" ? first.position : second.position);
  EXPECT_EQ(producer.service.times, (Texts{"1", "1"}));

  // The producer has died; another one of its group knows.
  co_await producer.client->Close();
  Producer other;
  co_await other.Connect("b");
  (void)co_await core::Sleep(absl::Seconds(30));
  EXPECT_EQ(other.service.asked.size(), 3u);
  for (const Begun& asked : other.service.asked) {
    net::EndTransactionRequest end = EndOf(asked, asked.key == "SECOND" ? net::kRollbackTransaction : net::kCommitTransaction);
    end.from_transaction_check = true;
    EXPECT_EQ((co_await Ask(*other.client, end)).code, 0);
  }
  EXPECT_EQ(co_await Bodies(client, 0), (Texts{"body of FIRST", "body of YOUNG"}));
  EXPECT_EQ(co_await EndOf(client, "T", 1), 0);
  (void)co_await core::Sleep(absl::Minutes(2));
  EXPECT_EQ(other.service.asked.size(), 3u) << "nothing is pending";
  EXPECT_EQ((co_await StatsOf(broker)).pending, 0u);
  EXPECT_GE(young.position, 0);
  co_await other.client->Close();
}
TEST(TransactionsTest, AnyProducerOfTheGroupIsAsked) { WithBroker(CheckBacks); }

core::Task<void> NeverEnded(Broker& broker, net::Client& client) {
  const Begun begun = co_await Begin(client, 1, "FORGOTTEN");
  Producer producer;
  co_await producer.Connect("a");
  co_await Pass(absl::Seconds(15 * 30 + 5), producer, client);
  EXPECT_EQ(producer.service.asked.size(), 15u) << "transactionCheckMax";
  EXPECT_EQ(producer.service.times.back(), "15");
  EXPECT_EQ((co_await StatsOf(broker)).put_aside, 0u);
  co_await Pass(absl::Seconds(60), producer, client);
  EXPECT_EQ(producer.service.asked.size(), 15u);
  const TransactionStats stats = co_await StatsOf(broker);
  EXPECT_EQ(stats.put_aside, 1u);
  EXPECT_EQ(stats.pending, 0u);
  Texts aside;
  for (int32_t queue = 0; queue < 2; ++queue) {
    for (std::string& body : co_await Bodies(client, queue, std::string(kPutAsideTopic))) aside.push_back(std::move(body));
  }
  EXPECT_EQ(aside, Texts{"body of FORGOTTEN"});
  EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 1);
  EXPECT_EQ(co_await EndOf(client, "T", 1), 0);
  co_await producer.client->Close();
}
TEST(TransactionsTest, WhatNobodyEndsIsPutAside) { WithBroker(NeverEnded); }

core::Task<void> Immunity(Broker&, net::Client& client) {
  Producer producer;
  co_await producer.Connect("a");
  const Begun begun = co_await Begin(client, 0, "PATIENT", Properties({{"CHECK_IMMUNITY_TIME_IN_SECONDS", "100"}}));
  co_await Pass(absl::Seconds(95), producer, client);
  EXPECT_TRUE(producer.service.asked.empty());
  co_await Pass(absl::Seconds(30), producer, client);
  EXPECT_EQ(producer.service.asked.size(), 1u);
  net::EndTransactionRequest end = EndOf(begun, net::kCommitTransaction);
  EXPECT_EQ((co_await Ask(client, end)).code, 604) << "only the answer to the question counts by now";
  end.from_transaction_check = true;
  EXPECT_EQ((co_await Ask(client, end)).code, 0);
  EXPECT_EQ(co_await EndOf(client, "T", 0), 1);
  co_await producer.client->Close();
}
TEST(TransactionsTest, WhoWantsMoreTimeIsNotAskedBefore) { WithBroker(Immunity); }

// --- Across restarts.

std::vector<Begun>& Left() {
  static std::vector<Begun> left;
  return left;
}

core::Task<void> LeaveFour(Broker&, net::Client& client) {
  Left().clear();
  for (int32_t queue = 0; queue < 2; ++queue) {
    for (const char* key : {"A", "B", "C"}) Left().push_back(co_await Begin(client, queue, key));
    EXPECT_EQ((co_await Ask(client, EndOf(Left().back(), net::kCommitTransaction))).code, 0);
    Left().pop_back();
  }
}
core::Task<void> EndFour(Broker& broker, net::Client& client) {
  EXPECT_EQ((co_await StatsOf(broker)).pending, 4u);
  Producer producer;
  co_await producer.Connect("a");
  (void)co_await core::Sleep(absl::Seconds(31));
  EXPECT_EQ(producer.service.asked.size(), 4u);
  for (const Begun& begun : Left()) {
    EXPECT_EQ((co_await Ask(client, EndOf(begun, begun.key == "A" ? net::kCommitTransaction : net::kRollbackTransaction))).code, 0);
  }
  co_await producer.client->Close();
}
core::Task<void> ExpectEnded(Broker& broker, net::Client& client) {
  EXPECT_EQ((co_await StatsOf(broker)).pending, 0u);
  for (int32_t queue = 0; queue < 2; ++queue) EXPECT_EQ(co_await Bodies(client, queue), (Texts{"body of C", "body of A"}));
  for (const Begun& begun : Left()) EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 1);
}
core::Task<absl::Status> RestartMain() {
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), LeaveFour));
  (void)co_await core::Sleep(absl::Seconds(2));
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), EndFour));
  CO_RETURN_IF_ERROR(co_await RunScenario(TestConfig(), ExpectEnded));
  co_return co_await RunScenario(TestConfig(), ExpectEnded);
}
TEST(TransactionsTest, WhatIsPendingOutlivesARestart) {
  const absl::Status status = sim::RunInWorld(5, 2, RestartMain);
  EXPECT_TRUE(status.ok()) << status;
}

// A committed message must not bring the queue of a deleted topic back.
core::Task<void> DeletedTopic(Broker& broker, net::Client& client) {
  const Begun begun = co_await Begin(client, 0, "LOST");
  const absl::StatusOr<std::unique_ptr<net::Client>> admin =
      co_await net::Client::Connect(core::Endpoint::Parse("127.0.0.1", 10911).value(), kPatience);
  EXPECT_TRUE(admin.ok()) << admin.status();
  if (!admin.ok()) co_return;
  EXPECT_EQ((co_await Ask(**admin, net::DeleteTopicInBrokerRequest{.topic = "T"})).code, 0);
  co_await (*admin)->Close();
  EXPECT_EQ((co_await Ask(client, EndOf(begun, net::kCommitTransaction))).code, 17);
  EXPECT_EQ((co_await StatsOf(broker)).discarded, 1u);
  EXPECT_EQ((co_await StatsOf(broker)).pending, 0u);
  EXPECT_EQ((co_await Ask(client, SendTo("T", 0), "new")).Number("queueOffset"), 0);
}
TEST(TransactionsTest, WhatIsCommittedToADeletedTopicIsDiscarded) { WithBroker(DeletedTopic); }

TEST(HalfMessageTest, ImmunityThatCantBeReadIsTheTimeOut) {
  store::RecordView record;
  for (const std::string text : {"", "x", "-1", "5x", "99999999999999999999"}) {
    const std::string properties = Properties({{"CHECK_IMMUNITY_TIME_IN_SECONDS", text}});
    record.properties = properties;
    EXPECT_EQ(HalfMessage(record).Immunity(absl::Seconds(6)), absl::Seconds(6)) << text;
  }
  const std::string properties = Properties({{"CHECK_IMMUNITY_TIME_IN_SECONDS", "0"}});
  record.properties = properties;
  EXPECT_EQ(HalfMessage(record).Immunity(absl::Seconds(6)), absl::ZeroDuration());
}

TEST(HalfRecordTest, LinksSayWhatTheyAre) {
  store::RecordView record;
  const store::ReplayedRecord replayed{record, {.position = 4200}};
  record.topic = store::kHalfTopic;
  EXPECT_EQ(store::ReadHalfEvent(replayed).kind, store::DueEvent::Kind::kNone) << "RocketMQ's own record";
  record.prepared_transaction_offset = store::MakeHalfLink(0);
  EXPECT_EQ(store::ReadHalfEvent(replayed).kind, store::DueEvent::Kind::kWaits);
  EXPECT_EQ(store::ReadHalfEvent(replayed).due, 4200);
  EXPECT_EQ(store::ReadDueEvent(replayed).kind, store::DueEvent::Kind::kNone);
  record.topic = "T";
  EXPECT_EQ(store::ReadHalfEvent(replayed).kind, store::DueEvent::Kind::kNone);
  record.prepared_transaction_offset = store::MakeHalfLink(77);
  EXPECT_EQ(store::ReadHalfEvent(replayed).kind, store::DueEvent::Kind::kTakenBack);
  EXPECT_EQ(store::ReadHalfEvent(replayed).replaced, 77u);
  EXPECT_EQ(store::ReadHalfEvent(replayed).due, 77);
  EXPECT_EQ(store::ReadDueEvent(replayed).kind, store::DueEvent::Kind::kNone) << "a committed message was not delayed";
  const std::string due = Properties({{"TIMER_OUT_MS", "5"}});
  record.topic = store::kDueTopic;
  record.properties = due;
  EXPECT_EQ(store::ReadHalfEvent(replayed).kind, store::DueEvent::Kind::kTakenBack) << "committed, and waits for its time";
  EXPECT_EQ(store::ReadDueEvent(replayed).kind, store::DueEvent::Kind::kWaits);
  EXPECT_EQ(store::ReadDueEvent(replayed).replaced, 0u);
  record.prepared_transaction_offset = store::MakeDueLink(77);
  EXPECT_EQ(store::ReadHalfEvent(replayed).kind, store::DueEvent::Kind::kNone);
}

}  // namespace
}  // namespace broker::testing
