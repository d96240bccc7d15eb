// The authorisation table: who may ask for what, and that nothing is answered without a rule. The walk over all codes that the servers answer is
// tests/unit/main/access_rules_test.cc, which has the servers.
#include "net/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "net/limits.h"

namespace net {
namespace {

using ::testing::HasSubstr;

Frame FrameOf(RequestCode code, std::vector<ExtField> fields) {
  Frame frame;
  frame.code = static_cast<int32_t>(code);
  for (const ExtField& field : fields) frame.fields.push_back(field);
  return frame;
}

core::Endpoint At(const char* host) { return *core::Endpoint::Parse(host, 4711); }

/// SUCCESS when it is let through.
std::pair<ResponseCode, std::string> Ask(RequestCode code, std::vector<ExtField> fields, const char* host = "127.0.0.1",
                                         std::string_view peers = "10.0.0.0/8") {
  const AccessPolicy policy("nameserver", *PeerList::Parse(peers), "clusterPeers");
  const std::optional<Reply> refusal =
      policy.Refuse(FindRequest(static_cast<int32_t>(code)), At(host), FrameOf(code, std::move(fields)));
  if (!refusal.has_value()) return {ResponseCode::kSuccess, ""};
  return {refusal->code(), std::string(refusal->remark())};
}

// A2: no rule, no answer.
TEST(AccessTest, ARequestWithoutARuleIsRefused) {
  const AccessPolicy policy;
  Frame frame;
  frame.code = 4711;
  EXPECT_EQ(policy.Refuse(nullptr, At("127.0.0.1"), frame)->code(), ResponseCode::kNoPermission);
  const RequestInfo* unruled = FindRequest(static_cast<int32_t>(RequestCode::kResetMasterFlushOffset));
  ASSERT_EQ(unruled->resource.where, RequestResource::Where::kNoRule);
  EXPECT_EQ(policy.Refuse(unruled, At("127.0.0.1"), frame)->code(), ResponseCode::kNoPermission);
}

TEST(AccessTest, PlanesByAddress) {
  const std::vector<ExtField> topic = {{"topic", "T"}};
  const std::vector<ExtField> broker = {{"brokerName", "b"}, {"clusterName", "C"}};
  for (const char* host : {"127.0.0.1", "::1", "127.8.8.8"}) {
    EXPECT_EQ(Ask(RequestCode::kDeleteTopicInBroker, topic, host).first, ResponseCode::kSuccess) << host;
    EXPECT_EQ(Ask(RequestCode::kRegisterBroker, broker, host).first, ResponseCode::kSuccess) << host;
  }
  for (const char* host : {"10.0.0.1", "8.8.8.8"}) {
    EXPECT_EQ(Ask(RequestCode::kGetRouteInfoByTopic, topic, host).first, ResponseCode::kSuccess)
        << "data is for everybody";
    const auto [code, remark] = Ask(RequestCode::kDeleteTopicInBroker, topic, host);
    EXPECT_EQ(code, ResponseCode::kNoPermission) << host;
    EXPECT_THAT(remark, HasSubstr("only from its own machine"));
  }
  EXPECT_EQ(Ask(RequestCode::kRegisterBroker, broker, "10.0.0.1").first, ResponseCode::kSuccess);
  const auto [code, remark] = Ask(RequestCode::kRegisterBroker, broker, "8.8.8.8");
  EXPECT_EQ(code, ResponseCode::kNoPermission);
  EXPECT_THAT(remark, HasSubstr("8.8.8.8 is none of clusterPeers"));
  EXPECT_EQ(Ask(RequestCode::kRegisterBroker, broker, "10.0.0.1", "").first, ResponseCode::kNoPermission);
}

// A3: an empty or missing resource is no resource.
TEST(AccessTest, WhatTheRequestIsAboutMustBeNamed) {
  EXPECT_EQ(Ask(RequestCode::kSendReplyMessageV2, {{"b", "T"}}).first, ResponseCode::kSuccess);
  EXPECT_EQ(Ask(RequestCode::kSendReplyMessageV2, {{"b", ""}}).first, ResponseCode::kInvalidParameter);
  EXPECT_EQ(Ask(RequestCode::kSendReplyMessageV2, {{"topic", "T"}}).first, ResponseCode::kSystemError);
  EXPECT_EQ(Ask(RequestCode::kSendReplyMessageV2, {{"b", "T"}, {"b", "../x"}}).first, ResponseCode::kInvalidParameter)
      << "of a field given twice the last counts, here as in the decoder";
  EXPECT_EQ(Ask(RequestCode::kPullMessage, {{"topic", "T"}, {"consumerGroup", "../g"}}).first,
            ResponseCode::kSubscriptionGroupNotExist);
  EXPECT_EQ(Ask(RequestCode::kPullMessage, {{"topic", "a/b"}, {"consumerGroup", "g"}}).first,
            ResponseCode::kInvalidParameter);
  EXPECT_EQ(Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "a/b"}}).first, ResponseCode::kTopicNotExist);
  EXPECT_EQ(Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "host.example.com"}}).first, ResponseCode::kSuccess);
  EXPECT_EQ(Ask(RequestCode::kRegisterBroker, {{"brokerName", "b"}, {"clusterName", "a b"}}).first,
            ResponseCode::kInvalidParameter);
  EXPECT_EQ(Ask(RequestCode::kSendMessageV2, {{"b", "../x"}}).first, ResponseCode::kSuccess)
      << "of sends the handler judges what its catalog does not know";
}

TEST(AccessTest, OneOfTwoNamesIsEnoughWhereEitherWillDo) {
  EXPECT_EQ(Ask(RequestCode::kUnregisterClient, {{"producerGroup", "p"}}).first, ResponseCode::kSuccess);
  EXPECT_EQ(Ask(RequestCode::kUnregisterClient, {{"producerGroup", ""}, {"consumerGroup", "g"}}).first,
            ResponseCode::kSuccess);
  EXPECT_EQ(Ask(RequestCode::kUnregisterClient, {{"clientID", "c"}}).first, ResponseCode::kNoPermission);
  EXPECT_EQ(Ask(RequestCode::kUnregisterClient, {{"producerGroup", ""}, {"consumerGroup", ""}}).first,
            ResponseCode::kNoPermission);
}

TEST(AccessTest, ABodyIsAsLargeAsItsRequestNeedsItToBe) {
  const auto refuse = [](RequestCode code, size_t bytes) {
    const std::optional<Reply> refusal = RefuseBody(*FindRequest(static_cast<int32_t>(code)), bytes, size_t{1} << 20);
    return refusal.has_value() ? std::pair(refusal->code(), std::string(refusal->remark()))
                               : std::pair(ResponseCode::kSuccess, std::string());
  };
  EXPECT_EQ(refuse(RequestCode::kPullMessage, kSmallFrame).first, ResponseCode::kSuccess);
  EXPECT_EQ(refuse(RequestCode::kPullMessage, kSmallFrame + 1),
            std::pair(ResponseCode::kInvalidParameter,
                      std::string("PULL_MESSAGE with a body of 65537 bytes; it may have 65536")));
  EXPECT_EQ(refuse(RequestCode::kHeartBeat, kListsBytesMax).first, ResponseCode::kSuccess);
  EXPECT_EQ(refuse(RequestCode::kHeartBeat, kListsBytesMax + 1).first, ResponseCode::kInvalidParameter);
  EXPECT_EQ(refuse(RequestCode::kSendMessage, size_t{1} << 20).first, ResponseCode::kSuccess);
  EXPECT_EQ(refuse(RequestCode::kSendMessage, (size_t{1} << 20) + 1),
            std::pair(ResponseCode::kMessageIllegal,
                      std::string("the message body has 1048577 bytes, more than maxMessageSize 1048576")));
  EXPECT_EQ(refuse(RequestCode::kRegisterBroker, kFrameBytesMax).first, ResponseCode::kSuccess);
}

TEST(AccessTest, TheAuditNamesTheResource) {
  const RequestInfo& pull = *FindRequest(static_cast<int32_t>(RequestCode::kPullMessage));
  EXPECT_EQ(ResourceText(pull, FrameOf(pull.code, {{"topic", "a\nb"}, {"consumerGroup", "g"}})),
            "topic=a\\x0ab consumerGroup=g");
  const RequestInfo& info = *FindRequest(static_cast<int32_t>(RequestCode::kGetBrokerRuntimeInfo));
  EXPECT_EQ(ResourceText(info, FrameOf(info.code, {})), "the server");
}

}  // namespace
}  // namespace net
