#pragma once

#include <memory>
#include <string>
#include <utility>

#include "net/requests/client_management.h"
#include "net/requests/to_client.h"
#include "net/router.h"
#include "tests/unit/broker/broker_fixture.h"

namespace broker::testing {

/// A member of a group, answering as a Java client does. On the broker's own machine: its router, too, answers what tools ask to nobody else.
class Member {
 public:
  explicit Member(std::string status) : status_(std::move(status)) {
    router_.On(*this, &Member::Status);
    router_.On(*this, &Member::Consume);
    router_.On(*this, &Member::Info);
    router_.On(*this, &Member::Notified);
  }
  core::Task<void> Join(std::string client_id, std::string expression) {
    absl::StatusOr<std::unique_ptr<net::Client>> client = co_await net::Client::Connect(core::Endpoint::Parse("127.0.0.1", 10911).value(), kPatience, &router_);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    co_await Beat(std::move(client_id), std::move(expression));
  }
  core::Task<void> Beat(std::string client_id, std::string expression) {
    const std::string heartbeat =
        R"({"clientID":")" + client_id + R"(","consumerDataSet":[{"groupName":"consumers","consumeType":"CONSUME_PASSIVELY",)" +
        R"("messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"Topic1",)" +
        R"("subString":")" + expression + R"(","tagsSet":[],"codeSet":[],"subVersion":1,"expressionType":"TAG"}]}],"producerDataSet":[]})";
    EXPECT_EQ((co_await Ask(*client_, net::HeartBeatRequest{}, heartbeat)).code, 0);
  }
  core::Task<void> Leave() { return client_->Close(); }
  net::Client& client() { return *client_; }

  std::string consumed;  // the record
  std::string told;      // with it

 private:
  core::Task<net::Reply> Status(net::RequestContext, net::GetConsumerStatusFromClientRequest request) {
    EXPECT_EQ(request.group, "consumers");
    EXPECT_EQ(request.topic, "Topic1");
    net::Reply reply(status_.empty() ? net::ResponseCode::kSystemError : net::ResponseCode::kSuccess);
    reply.SetBody(status_);
    co_return reply;
  }
  core::Task<net::Reply> Consume(net::RequestContext context, net::ConsumeMessageDirectlyRequest request) {
    consumed = std::string(context.frame.body.text());
    told = std::string(request.broker_name.value_or("-")) + "/" + std::to_string(request.topic_sys_flag.value_or(-1)) + "/" +
           std::to_string(request.group_sys_flag.value_or(-1));
    net::Reply reply(net::ResponseCode::kSuccess, "done");
    reply.SetBody(R"({"consumeResult":"CR_SUCCESS"})");
    co_return reply;
  }
  core::Task<net::Reply> Info(net::RequestContext, net::GetConsumerRunningInfoRequest) {
    net::Reply reply;
    reply.SetBody(R"({"jstack":"\"properties\":{","properties":{"PROP":"1"},"subscriptionSet":[]})");
    co_return reply;
  }
  core::Task<net::Reply> Notified(net::RequestContext, net::NotifyConsumerIdsChangedRequest) { co_return net::Reply(); }

  const std::string status_;
  net::Router router_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace broker::testing
