// Goal: who has signed, and who has a right to what a request is about, is told for every kind of request, whatever way it names that.
#include "broker/access/access_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/access/change_access.h"
#include "broker/catalog_draft.h"
#include "core/buffer.h"
#include "core/strings.h"
#include "net/access.h"
#include "net/name_rules.h"

namespace broker {
namespace {

using net::RequestCode;
using net::ResponseCode;
using ::testing::HasSubstr;
using Fields = std::vector<std::pair<std::string, std::string>>;

/// A broker's policy with users, and requests as they would send them.
class AccessControlTest : public ::testing::Test {
 protected:
  AccessControlTest() {
    config_.authentication_enabled = true;
    config_.authorization_enabled = true;
    Change(CreateUser({.name = "root", .password = "root-pw", .type = UserType::kSuper, .status = {}}));
    for (const char* name : {"alice", "nobody"}) Change(CreateUser({.name = name, .password = core::StrCat(name, "-pw"), .type = {}, .status = {}}));
    Start();
  }

  void Start() {
    guard_ = AccessControl::Make(config_, view_);
    policy_ = std::make_unique<net::AccessPolicy>("broker", net::PeerList(), "clusterPeers", guard_.get());
  }

  void Change(const AccessChange& change) {
    CatalogDraft draft(*view_, 1);
    const absl::Status status = change(draft);
    ASSERT_TRUE(status.ok()) << status;
    (void)draft.Finish();
    view_.Install(draft.Take());
  }

  void Make(const std::vector<std::string>& groups, const std::vector<std::string>& topics) {
    CatalogDraft draft(*view_, 1);
    for (const std::string& name : groups) {
      GroupConfig group;
      group.name = name;
      draft.PutGroup(std::move(group));
    }
    for (const std::string& name : topics) {
      TopicConfig topic;
      topic.name = name;
      draft.PutTopic(std::move(topic));
    }
    (void)draft.Finish();
    view_.Install(draft.Take());
  }

  void Allow(std::string_view user, std::string_view resource, std::string_view actions, std::string_view decision = "Allow") {
    std::string list;
    for (const std::string& action : SplitAddresses(actions)) list += core::StrCat(list.empty() ? "" : ",", "\"", action, "\"");
    absl::StatusOr<Acl> acl = Acl::FromJson(core::StrCat(R"({"subject":"User:)", user, R"(","policies":[{"entries":[{"resource":")", resource,
                                                         R"(","actions":[)", list, R"(],"decision":")", decision, R"("}]}]})"));
    ASSERT_TRUE(acl.ok()) << acl.status();
    Change(PutAcl(*std::move(acl)));
  }

  struct Request {
    Fields fields;
    core::Slice body;
    net::Frame frame;
  };
  /// One that `user` has signed with `password`; empty: nobody has.
  std::unique_ptr<Request> Make(RequestCode code, Fields fields, std::string_view body, std::string_view user, std::string_view password) {
    auto request = std::make_unique<Request>();
    request->fields = std::move(fields);
    request->fields.reserve(request->fields.size() + 2);  // the frame points into them
    if (!user.empty()) request->fields.emplace_back("AccessKey", user);
    request->frame.code = static_cast<int32_t>(code);
    if (!body.empty()) request->frame.body = pool_.Copy(body);
    for (const auto& [name, value] : request->fields) request->frame.fields.push_back({name, value});
    if (!user.empty()) {
      request->fields.emplace_back("Signature", net::Signer(password).Sign(request->frame));
      request->frame.fields.clear();
      for (const auto& [name, value] : request->fields) request->frame.fields.push_back({name, value});
    }
    return request;
  }

  std::pair<ResponseCode, std::string> Ask(RequestCode code, Fields fields, std::string_view body, std::string_view user, std::string_view password,
                                           std::string_view host = "10.0.0.7", bool whole = true) {
    const std::unique_ptr<Request> request = Make(code, std::move(fields), body, user, password);
    const std::optional<net::Reply> refusal =
        policy_->Refuse(net::FindRequest(static_cast<int32_t>(code)), *core::Endpoint::Parse(host, 4711), request->frame, whole);
    if (!refusal.has_value()) return {ResponseCode::kSuccess, ""};
    return {refusal->code(), std::string(refusal->remark())};
  }
  bool May(std::string_view user, RequestCode code, Fields fields, std::string_view body = "") {
    const auto [answer, remark] = Ask(code, std::move(fields), body, user, core::StrCat(user, "-pw"));
    EXPECT_THAT(answer, ::testing::AnyOf(ResponseCode::kSuccess, ResponseCode::kNoPermission)) << remark;
    return answer == ResponseCode::kSuccess;
  }

  BrokerConfig config_;
  CatalogView view_;
  core::BufferPool pool_{0};
  std::unique_ptr<AccessControl> guard_;
  std::unique_ptr<net::AccessPolicy> policy_;
};

TEST_F(AccessControlTest, WhoHasNotSignedIsRefused) {
  const Fields offsets = {{"topic", "T"}};
  EXPECT_TRUE(May("root", RequestCode::kGetMaxOffset, offsets));
  EXPECT_THAT(Ask(RequestCode::kGetMaxOffset, offsets, "", "", "").second, HasSubstr("GET_MAX_OFFSET without AccessKey"));
  const std::string unknown = Ask(RequestCode::kGetMaxOffset, offsets, "", "mallory", "x").second;
  const std::string wrong = Ask(RequestCode::kGetMaxOffset, offsets, "", "root", "x").second;
  EXPECT_THAT(unknown, HasSubstr("check signature failed: there is no User:mallory, or its password is another"));
  EXPECT_THAT(wrong, HasSubstr("check signature failed: there is no User:root, or its password is another")) << "who guesses learns nothing";
  EXPECT_EQ(Ask(RequestCode::kGetMaxOffset, offsets, "", "", "", "127.0.0.1").first, ResponseCode::kNoPermission) << "also on this machine";
  EXPECT_EQ(guard_->counters().unidentified, 4u);
  Change(UpdateUser({.name = "root", .password = "new", .type = {}, .status = {}}, true, true));
  EXPECT_FALSE(May("root", RequestCode::kGetMaxOffset, offsets)) << "with the old password";
  EXPECT_EQ(Ask(RequestCode::kGetMaxOffset, offsets, "", "root", "new").first, ResponseCode::kSuccess);
  Allow("alice", "Topic:T", "Get");
  EXPECT_TRUE(May("alice", RequestCode::kGetMaxOffset, offsets));
  Change(UpdateUser({.name = "alice", .password = {}, .type = {}, .status = UserStatus::kDisable}, true, true));
  EXPECT_THAT(Ask(RequestCode::kGetMaxOffset, offsets, "", "alice", "alice-pw").second, HasSubstr("User:alice is disabled"));
  Change(DeleteUser("alice", true, true));
  EXPECT_FALSE(May("alice", RequestCode::kGetMaxOffset, offsets));
}

// What is refused by its header alone must not tell strangers who there is.
TEST_F(AccessControlTest, BeforeTheBodyIsHereNobodyIsKnown) {
  const Fields send = {{"a", "g"}, {"b", "T"}};
  for (const char* user : {"root", "alice", "mallory"}) {
    EXPECT_EQ(Ask(RequestCode::kSendMessageV2, send, "", user, "wrong", "10.0.0.7", false).first, ResponseCode::kSuccess) << user;
  }
  EXPECT_EQ(Ask(RequestCode::kSendMessageV2, send, "", "", "", "10.0.0.7", false).first, ResponseCode::kNoPermission);
}

TEST_F(AccessControlTest, AdministrationNeedsARightOrASuperUser) {
  const Fields topic = {{"topic", "T"}};
  EXPECT_TRUE(May("root", RequestCode::kDeleteTopicInBroker, topic)) << "from anywhere";
  EXPECT_FALSE(May("alice", RequestCode::kDeleteTopicInBroker, topic));
  EXPECT_EQ(Ask(RequestCode::kDeleteTopicInBroker, topic, "", "alice", "alice-pw", "127.0.0.1").first, ResponseCode::kNoPermission);
  Allow("alice", "Topic:T", "Delete");
  EXPECT_TRUE(May("alice", RequestCode::kDeleteTopicInBroker, topic));
  EXPECT_FALSE(May("alice", RequestCode::kUpdateBrokerConfig, {}, "traceOn=true"));
  EXPECT_FALSE(May("alice", RequestCode::kAuthCreateUser, {{"username", "x"}}, "{}"));
  Allow("alice", "Cluster:DefaultCluster", "Update");
  EXPECT_TRUE(May("alice", RequestCode::kUpdateBrokerConfig, {}, "traceOn=true"));
  EXPECT_TRUE(May("alice", RequestCode::kAuthCreateUser, {{"username", "x"}}, "{}"));
  EXPECT_FALSE(May("alice", RequestCode::kGetBrokerRuntimeInfo, {})) << "that is Get";
  EXPECT_FALSE(May("alice", RequestCode::kGetAllConsumerOffset, {})) << "of the cluster's plane, and 10.0.0.7 is no peer";
  EXPECT_TRUE(May("root", RequestCode::kGetAllConsumerOffset, {}));
}

TEST_F(AccessControlTest, WithoutRightsUsersMaySendAndReceiveAndNothingElse) {
  config_.authorization_enabled = false;
  Start();
  EXPECT_TRUE(May("nobody", RequestCode::kSendMessageV2, {{"a", "g"}, {"b", "T"}}, "body"));
  EXPECT_FALSE(May("nobody", RequestCode::kDeleteTopicInBroker, {{"topic", "T"}}));
  EXPECT_TRUE(May("root", RequestCode::kDeleteTopicInBroker, {{"topic", "T"}}));
}

TEST_F(AccessControlTest, SendsAndRetries) {
  Allow("alice", "Topic:T", "Pub");
  Allow("alice", "Group:g", "Sub");
  EXPECT_TRUE(May("alice", RequestCode::kSendMessageV2, {{"a", "anything"}, {"b", "T"}}, "x"));
  EXPECT_TRUE(May("alice", RequestCode::kSendMessage, {{"producerGroup", "anything"}, {"topic", "T"}}, "x"));
  EXPECT_FALSE(May("alice", RequestCode::kSendBatchMessage, {{"a", "anything"}, {"b", "U"}}, "x"));
  EXPECT_TRUE(May("alice", RequestCode::kSendMessageV2, {{"a", "CLIENT_INNER_PRODUCER"}, {"b", "%RETRY%g"}}, "x")) << "what the group could not consume";
  EXPECT_FALSE(May("alice", RequestCode::kSendMessageV2, {{"a", "g"}, {"b", "%RETRY%other"}}, "x")) << "whatever group is named beside";
  EXPECT_FALSE(May("alice", RequestCode::kSendMessageV2, {{"a", "g"}, {"b", "%DLQ%g"}}, "x"));
  EXPECT_TRUE(May("alice", RequestCode::kConsumerSendMsgBack, {{"group", "g"}, {"offset", "0"}}));
  EXPECT_FALSE(May("alice", RequestCode::kConsumerSendMsgBack, {{"group", "other"}, {"offset", "0"}}));
  EXPECT_TRUE(May("nobody", RequestCode::kSendReplyMessageV2, {{"a", "g"}, {"b", "DefaultCluster_REPLY_TOPIC"}}, "x")) << "an answer to who has asked";
  EXPECT_FALSE(May("nobody", RequestCode::kSendReplyMessageV2, {{"a", "g"}, {"b", "T"}}, "x")) << "it is kept there";
  EXPECT_TRUE(May("alice", RequestCode::kSendReplyMessageV2, {{"a", "g"}, {"b", "T"}}, "x"));
}

TEST_F(AccessControlTest, PullsNeedTopicAndGroup) {
  Allow("alice", "Topic:T", "Sub");
  Allow("alice", "Group:g", "Sub");
  for (const RequestCode code : {RequestCode::kPullMessage, RequestCode::kPopMessage, RequestCode::kAckMessage, RequestCode::kQueryConsumerOffset}) {
    EXPECT_TRUE(May("alice", code, {{"topic", "T"}, {"consumerGroup", "g"}}));
    EXPECT_FALSE(May("alice", code, {{"topic", "U"}, {"consumerGroup", "g"}}));
    EXPECT_FALSE(May("alice", code, {{"topic", "T"}, {"consumerGroup", "h"}}));
    EXPECT_TRUE(May("alice", code, {{"topic", "%RETRY%g"}, {"consumerGroup", "g"}})) << "the group's own";
    EXPECT_FALSE(May("alice", code, {{"topic", "%RETRY%gg"}, {"consumerGroup", "g"}})) << "another group's";
  }
}

/// Whose a retry topic is does not show in its name alone.
TEST_F(AccessControlTest, RetryTopicsAreTheirGroups) {
  Allow("alice", "Topic:T", "Sub");
  Allow("alice", "Group:g", "Sub");
  const auto may = [this](std::string topic) { return May("alice", RequestCode::kPullMessage, {{"topic", std::move(topic)}, {"consumerGroup", "g"}}); };
  EXPECT_TRUE(may("%RETRY%g"));
  EXPECT_FALSE(may("%RETRY%g_T")) << "neither the group nor the topic is there, so it is no pops' of g";
  Make({"g"}, {"T"});
  EXPECT_TRUE(may("%RETRY%g"));
  EXPECT_TRUE(may("%RETRY%g_T")) << "of its pops";
  EXPECT_FALSE(may("%RETRY%g_U")) << "of no topic";
  EXPECT_FALSE(may("%RETRY%gg"));
  Make({"g_T"}, {});
  EXPECT_FALSE(may("%RETRY%g_T")) << "of a group that is named like that";
  Make({"g_secret"}, {});
  EXPECT_FALSE(may("%RETRY%g_secret"));
  EXPECT_FALSE(may("%RETRY%g_secret_T")) << "of that group's pops";
  Make({}, {"secret_T"});
  EXPECT_FALSE(may("%RETRY%g_secret_T")) << "of either";
  Allow("alice", "Group:g_secret", "Sub");
  EXPECT_TRUE(may("%RETRY%g_secret_T"));
  // A group that is named like another's pops has its own all the same.
  Change(DeleteAcl("alice", PolicyType::kCustom, *Resource::Parse("Group:g")));
  Allow("alice", "Group:g_T", "Sub");
  EXPECT_TRUE(May("alice", RequestCode::kPullMessage, {{"topic", "%RETRY%g_T"}, {"consumerGroup", "g_T"}}));
  EXPECT_TRUE(May("alice", RequestCode::kHeartBeat, {}, R"({"clientID":"c","consumerDataSet":[{"groupName":"g_T","subscriptionDataSet":[{"topic":"%RETRY%g_T"}]}]})"));
}

TEST_F(AccessControlTest, NamesInBodiesAreJudged) {
  Allow("alice", "Topic:T", "Sub");
  Allow("alice", "Group:g", "Sub");
  const auto beat = [](std::string_view group, std::string_view topic) {
    return core::StrCat(R"({"clientID":"c","producerDataSet":[{"groupName":"p"}],"consumerDataSet":[{"groupName":")", group,
                        R"(","subscriptionDataSet":[{"topic":"T"},{"topic":"%RETRY%)", group, R"("},{"topic":")", topic, R"("}]}]})");
  };
  EXPECT_TRUE(May("alice", RequestCode::kHeartBeat, {}, beat("g", "T")));
  EXPECT_FALSE(May("alice", RequestCode::kHeartBeat, {}, beat("g", "U")));
  EXPECT_FALSE(May("alice", RequestCode::kHeartBeat, {}, beat("h", "T")));
  EXPECT_TRUE(May("nobody", RequestCode::kHeartBeat, {}, R"({"clientID":"c","producerDataSet":[{"groupName":"p"}],"consumerDataSet":[]})")) << "a producer";
  const auto lock = [](std::string_view topic) { return core::StrCat(R"({"consumerGroup":"g","clientId":"c","mqSet":[{"topic":"T"},{"topic":")", topic, R"("}]})"); };
  EXPECT_TRUE(May("alice", RequestCode::kLockBatchMq, {}, lock("T")));
  EXPECT_FALSE(May("alice", RequestCode::kLockBatchMq, {}, lock("U")));
  EXPECT_FALSE(May("alice", RequestCode::kUnlockBatchMq, {}, lock("U")));
  EXPECT_TRUE(May("alice", RequestCode::kBatchAckMessage, {}, R"({"acks":[{"c":"g","t":"T"},{"consumerGroup":"g","topic":"T"}]})"));
  EXPECT_FALSE(May("alice", RequestCode::kBatchAckMessage, {}, R"({"acks":[{"c":"g","t":"T"},{"consumerGroup":"h","topic":"T"}]})"));
  EXPECT_TRUE(May("alice", RequestCode::kQueryAssignment, {}, R"({"topic":"T","consumerGroup":"g"})"));
  EXPECT_FALSE(May("alice", RequestCode::kQueryAssignment, {}, R"({"topic":"U","consumerGroup":"g"})"));
  EXPECT_FALSE(May("alice", RequestCode::kCheckClientConfig, {}, R"({"group":"g","subscriptionData":{"topic":"U"}})"));
  EXPECT_FALSE(May("alice", RequestCode::kSetMessageRequestMode, {}, R"({"topic":"T","consumerGroup":"g"})")) << "that is an update";
  EXPECT_FALSE(May("alice", RequestCode::kUpdateAndCreateTopicList, {}, R"({"topicConfigList":[{"topicName":"T"}]})"));
  EXPECT_FALSE(May("alice", RequestCode::kUpdateAndCreateSubscriptionGroup, {}, R"({"groupName":"g"})"));
  Allow("alice", "Topic:T", "Create");
  EXPECT_TRUE(May("alice", RequestCode::kUpdateAndCreateTopicList, {}, R"({"topicConfigList":[{"topicName":"T"}]})"));
  EXPECT_FALSE(May("alice", RequestCode::kUpdateAndCreateTopicList, {}, R"({"topicConfigList":[{"topicName":"T"},{"topicName":"U"}]})"));
  for (const char* unreadable : {"", "{", "{}", "[]"}) {
    const ResponseCode code = Ask(RequestCode::kLockBatchMq, {}, unreadable, "alice", "alice-pw").first;
    EXPECT_NE(code, ResponseCode::kSuccess) << unreadable;
  }
  std::string many = R"({"consumerGroup":"g","mqSet":[)";
  for (int i = 0; i < 20'000; ++i) many += core::StrCat(i == 0 ? "" : ",", R"({"topic":"T)", i, R"("})");
  EXPECT_EQ(Ask(RequestCode::kLockBatchMq, {}, many + "]}", "alice", "alice-pw").first, ResponseCode::kSystemError) << "more names than anybody has";
}

TEST_F(AccessControlTest, GroupsOfProducersAreNobodys) {
  EXPECT_TRUE(May("nobody", RequestCode::kUnregisterClient, {{"clientID", "c"}, {"producerGroup", "p"}}));
  EXPECT_FALSE(May("nobody", RequestCode::kUnregisterClient, {{"clientID", "c"}, {"consumerGroup", "g"}}));
  EXPECT_FALSE(May("nobody", RequestCode::kUnregisterClient, {{"clientID", "c"}, {"consumerGroup", "g"}, {"producerGroup", "p"}}));
}

TEST_F(AccessControlTest, MessagesNameTheirTopics) {
  Allow("alice", "Topic:T", "Pub,Get");
  const net::RequestInfo& end = *net::FindRequest(static_cast<int32_t>(RequestCode::kEndTransaction));
  const core::Endpoint peer = *core::Endpoint::Parse("10.0.0.7", 1);
  EXPECT_TRUE(May("alice", RequestCode::kEndTransaction, {{"producerGroup", "p"}})) << "its message is looked at next";
  EXPECT_FALSE(May("alice", RequestCode::kEndTransaction, {{"topic", "U"}}));
  EXPECT_FALSE(policy_->RefuseTopic(end, peer, "alice", "T", "").has_value());
  EXPECT_TRUE(policy_->RefuseTopic(end, peer, "alice", "U", "").has_value());
  EXPECT_TRUE(policy_->RefuseTopic(end, peer, "", "T", "").has_value());
  EXPECT_FALSE(policy_->RefuseTopic(end, peer, "root", "U", "").has_value());
  EXPECT_THAT(std::string(policy_->RefuseTopic(end, peer, "alice", "U", "")->remark()), ::testing::Not(HasSubstr("U"))) << "who tries offsets is told of no topic";
}

TEST_F(AccessControlTest, Whitelists) {
  config_.authentication_whitelist = "30, 215";
  config_.authorization_whitelist = "31,30";
  Start();
  const Fields topic = {{"topic", "T"}};
  EXPECT_EQ(Ask(RequestCode::kGetMaxOffset, topic, "", "", "").first, ResponseCode::kSuccess) << "neither signature nor right";
  EXPECT_EQ(Ask(RequestCode::kGetMinOffset, topic, "", "", "").first, ResponseCode::kNoPermission);
  EXPECT_TRUE(May("nobody", RequestCode::kGetMinOffset, topic));
  EXPECT_FALSE(May("nobody", RequestCode::kSearchOffsetByTimestamp, topic));
  EXPECT_EQ(Ask(RequestCode::kGetMaxOffset, topic, "", "root", "wrong").first, ResponseCode::kNoPermission) << "a wrong signature is wrong";
  EXPECT_EQ(Ask(RequestCode::kDeleteTopicInBroker, topic, "", "", "").first, ResponseCode::kNoPermission) << "administration from elsewhere";
  EXPECT_EQ(Ask(RequestCode::kDeleteTopicInBroker, topic, "", "", "", "127.0.0.1").first, ResponseCode::kNoPermission) << "and without a right";
}

TEST(AccessSettingsTest, WhatCannotBeIsRefused) {
  const auto wrong = [](auto change) {
    BrokerConfig config;
    change(config);
    return std::string(CheckBrokerConfig(config).message());
  };
  EXPECT_THAT(wrong([](BrokerConfig& c) { c.authorization_enabled = true; }), HasSubstr("needs authenticationEnabled=true"));
  EXPECT_THAT(wrong([](BrokerConfig& c) { c.authentication_whitelist = "30,x"; }), HasSubstr("authenticationWhitelist: 'x'"));
  EXPECT_THAT(wrong([](BrokerConfig& c) { c.authorization_whitelist = "4711"; }), HasSubstr("authorizationWhitelist: '4711'"));
  for (const char* user : {"root", "{}", R"({"username":"","password":"hush"})", R"({"username":"root"})"}) {
    const std::string said = wrong([user](BrokerConfig& c) { c.init_authentication_user = user; });
    EXPECT_THAT(said, HasSubstr("initAuthenticationUser: write")) << user;
    EXPECT_THAT(said, ::testing::Not(HasSubstr("hush")));
  }
  EXPECT_EQ(wrong([](BrokerConfig& c) {
              c.authentication_enabled = true;
              c.authorization_enabled = true;
              c.init_authentication_user = R"({"username":"root","password":"x"})";
              c.inner_client_authentication_credentials = R"({"accessKey":"proxy","secretKey":"y"})";
            }),
            "");
}

TEST(ChangeAccessTest, TheLastSuperUserStaysWhereHeIsNeeded) {
  Catalog catalog;
  CatalogDraft draft(catalog, 1);
  BrokerConfig config;
  config.authentication_enabled = true;
  EXPECT_THAT(std::string(MakeConfiguredUsers(config)(draft).message()), HasSubstr("there is no super user"));
  config.init_authentication_user = R"({"username":"root","password":"x"})";
  config.inner_client_authentication_credentials = R"({"accessKey":"proxy","secretKey":"y"})";
  ASSERT_TRUE(MakeConfiguredUsers(config)(draft).ok());
  ASSERT_TRUE(MakeConfiguredUsers(config)(draft).ok()) << "at the next start";
  EXPECT_EQ(draft.access().user_count(), 2u);
  EXPECT_TRUE(DeleteUser("proxy", true, true)(draft).ok());
  EXPECT_EQ(DeleteUser("root", true, true)(draft).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(UpdateUser({.name = "root", .password = {}, .type = UserType::kNormal, .status = {}}, true, true)(draft).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(UpdateUser({.name = "root", .password = {}, .type = {}, .status = UserStatus::kDisable}, true, true)(draft).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(UpdateUser({.name = "root", .password = "z", .type = {}, .status = {}}, false, true)(draft).code(), absl::StatusCode::kPermissionDenied)
      << "by who is none";
  ASSERT_TRUE(UpdateUser({.name = "root", .password = "z", .type = {}, .status = {}}, true, true)(draft).ok());
  ASSERT_TRUE(MakeConfiguredUsers(config)(draft).ok());
  EXPECT_EQ(draft.access().FindUser("root")->password, "z") << "what was set later counts";
  EXPECT_TRUE(DeleteUser("root", true, false)(draft).ok()) << "while there is no authentication";
}

}  // namespace
}  // namespace broker
