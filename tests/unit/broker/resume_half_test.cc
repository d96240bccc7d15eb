// Goal: a transaction that was put aside is asked for again once it is resumed, and can be committed, once; nothing else can be resumed.
#include "broker/resume_half.h"

#include <optional>
#include <string>

#include "broker/message_id.h"
#include "broker/system_topics.h"
#include "core/timer.h"
#include "net/requests/to_client.h"
#include "net/requests/topic_admin.h"
#include "net/router.h"
#include "tests/unit/broker/administrator.h"
#include "tests/unit/broker/broker_fixture.h"
#include "tests/unit/broker/properties_text.h"

namespace broker::testing {
namespace {

/// A producer that is asked, and remembers what for.
struct Producer {
  Producer() { router.On(*this, &Producer::Check); }
  core::Task<net::Reply> Check(net::RequestContext, net::CheckTransactionStateRequest request) {
    asked = net::EndTransactionRequest{};
    asked->producer_group = "producers";
    asked->tran_state_table_offset = request.tran_state_table_offset;
    asked->commit_log_offset = request.commit_log_offset;
    asked->commit_or_rollback = net::kCommitTransaction;
    co_return net::Reply();
  }
  net::Router router;
  std::optional<net::EndTransactionRequest> asked;
};

core::Task<std::string> IdOfPutAside(net::Client& client) {
  for (int32_t queue = 0; queue < 2; ++queue) {
    const Answer pulled = co_await Ask(client, PullFrom(kPutAsideTopic, queue, 0));
    for (const store::RecordView& record : RecordsOf(pulled.body)) {
      co_return std::string(MessageId::OfRecord(record.store_host, record.position).text());
    }
  }
  co_return "";
}

net::ResumeCheckHalfMessageRequest ResumeOf(std::string_view id) {
  net::ResumeCheckHalfMessageRequest request;
  request.topic = "T";
  request.msg_id = id;
  return request;
}

core::Task<void> Resume(Broker&, net::Client& client) {
  const std::string properties =
      Properties({{"TRAN_MSG", "true"}, {"PGROUP", "producers"}, {"TAGS", "A"}, {"UNIQ_KEY", "KEY"}});
  net::SendMessageV2Request half = SendTo("T", 1, properties);
  half.sys_flag = 4;
  const Answer sent = co_await Ask(client, half, "body");
  EXPECT_EQ(sent.code, 0) << sent.remark;
  const Answer early = co_await Ask(client, ResumeOf(sent.fields.at("msgId")));
  EXPECT_EQ(early.code, 1) << "it is pending: resumed, it would be there twice";
  (void)co_await core::Sleep(absl::Seconds(20));  // nobody is there to be asked
  const std::string id = co_await IdOfPutAside(client);
  EXPECT_FALSE(id.empty());

  Producer producer;
  absl::StatusOr<std::unique_ptr<net::Client>> asked =
      co_await net::Client::Connect(BrokerAddress(), kPatience, &producer.router);
  EXPECT_TRUE(asked.ok());
  const std::string beat = R"({"clientID":"a","producerDataSet":[{"groupName":"producers"}],"consumerDataSet":[]})";
  EXPECT_EQ((co_await Ask(**asked, net::HeartBeatRequest(), beat)).code, 0);
  (void)co_await core::Sleep(absl::Seconds(10));
  EXPECT_FALSE(producer.asked.has_value()) << "it was given up";

  const Answer resumed = co_await Ask(client, ResumeOf(id));
  EXPECT_EQ(resumed.code, 0) << resumed.remark;
  for (int i = 0; i < 100 && !producer.asked.has_value(); ++i) (void)co_await core::Sleep(absl::Milliseconds(100));
  EXPECT_TRUE(producer.asked.has_value());
  if (producer.asked.has_value()) {
    EXPECT_EQ((co_await Ask(**asked, *producer.asked)).code, 0);
    EXPECT_EQ((co_await Ask(**asked, *producer.asked)).code, 1) << "it has ended";
  }
  const Answer pulled = co_await Ask(client, PullFrom("T", 1, 0, "A"));
  const std::vector<store::RecordView> records = RecordsOf(pulled.body);
  EXPECT_EQ(records.size(), 1u);
  if (records.size() == 1) {
    EXPECT_EQ(BodyOf(records[0]), "body");
    EXPECT_EQ(PropertyOf(records[0].properties, "UNIQ_KEY"), "KEY");
    EXPECT_EQ(PropertyOf(records[0].properties, "TRANSACTION_CHECK_TIMES"), "");
    const std::string own(MessageId::OfRecord(records[0].store_host, records[0].position).text());
    EXPECT_EQ((co_await Ask(client, ResumeOf(own))).code, 1) << "an ordinary message";
  }
  for (const char* wrong : {"", "x", "7F000001000027100000000000000000", "7F00000100002710FFFFFFFFFFFFFFFF"}) {
    EXPECT_EQ((co_await Ask(client, ResumeOf(wrong))).code, 1) << wrong;
  }
  net::DeleteTopicInBrokerRequest gone;
  gone.topic = "T";
  EXPECT_EQ((co_await Ask(client, gone)).code, 0);
  EXPECT_EQ((co_await Ask(client, ResumeOf(id))).code, 17);
  co_await (*asked)->Close();
}
TEST(ResumeHalfTest, WhatWasPutAsideIsAskedForAgain) {
  BrokerConfig config = TestConfig();
  config.transaction_time_out = absl::Seconds(1);
  config.transaction_check_interval = absl::Seconds(2);
  config.transaction_check_max = 2;
  WithBroker(Administrator<Resume>, config);
}

}  // namespace
}  // namespace broker::testing
