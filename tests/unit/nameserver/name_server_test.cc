// The nameserver over the wire, on the simulation and on the machine: what each request answers.
#include "nameserver/name_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "net/client.h"
#include "tests/unit/core/on_both.h"

namespace nameserver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kTimeout = absl::Seconds(3);

struct Answer {
  int32_t code = -1;
  std::string body;
  std::string remark;
  std::string fields;  // "name=value ..."
};

/// A client of the nameserver under test.
class Caller {
 public:
  static core::Task<absl::StatusOr<Caller>> Connect(core::Endpoint at) {
    Caller caller;
    CO_ASSIGN_OR_RETURN(caller.client_, co_await net::Client::Connect(at, kTimeout));
    co_return caller;
  }
  template <typename Request>
  core::Task<Answer> Call(Request request, std::string body = "") {
    core::Slice bytes = core::Reactor::Current().buffers().Copy(body);
    const absl::StatusOr<net::Frame> frame = co_await client_->Call(request, std::move(bytes), kTimeout);
    Answer answer;
    if (!frame.ok()) {
      answer.remark = frame.status().ToString();
      co_return answer;
    }
    answer.code = frame->code;
    answer.body = std::string(frame->body.text());
    answer.remark = std::string(frame->remark);
    for (const net::ExtField& field : frame->fields) answer.fields += core::StrCat(field.name, "=", field.value, " ");
    co_return answer;
  }
  core::Task<void> Close() { co_await client_->Close(); }

 private:
  std::unique_ptr<net::Client> client_;
};

net::RegisterBrokerRequest BrokerRequest(std::string_view name, std::string_view address, int64_t id = 0) {
  net::RegisterBrokerRequest request;
  request.broker_name = name;
  request.broker_addr = address;
  request.cluster_name = "C";
  request.ha_server_addr = "ha:1";
  request.broker_id = id;
  request.enable_acting_master = false;
  return request;
}

std::string Report(std::string_view topics, int counter = 1) {
  std::string table;
  for (size_t at = 0; at < topics.size(); ++at) {
    table += core::StrCat(at == 0 ? "" : ",", "\"", topics.substr(at, 1), "\":{\"perm\":6,\"topicSysFlag\":", at, "}");
  }
  return core::StrCat("{\"topicConfigSerializeWrapper\":{\"dataVersion\":{\"counter\":", counter,
                      ",\"stateVersion\":0,\"timestamp\":1},\"topicConfigTable\":{", table, "}}}");
}

NameServerConfig ConfigIn(const std::string& folder) {
  NameServerConfig config;
  config.listen_address = "127.0.0.1";
  config.listen_port = 0;
  config.kv_config_path = folder + "/namesrv/kvConfig.json";
  return config;
}

net::GetRouteInfoRequest RouteOf(std::string_view topic) {
  net::GetRouteInfoRequest request;
  request.topic = topic;
  return request;
}

TEST(NameServerTest, RegisterAskUnregister) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    CO_ASSIGN_OR_RETURN(Caller broker, co_await Caller::Connect(server->listening_at()));
    CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(server->listening_at()));

    Answer answer = co_await client.Call(RouteOf("T"));
    EXPECT_EQ(answer.code, 17);
    EXPECT_EQ(answer.remark, "No topic route info in name server for the topic: T");

    answer = co_await broker.Call(BrokerRequest("b", "10.0.0.9:10911"), Report("TU"));
    EXPECT_EQ(answer.code, 0) << answer.remark;
    answer = co_await client.Call(RouteOf("T"));
    EXPECT_EQ(answer.code, 0);
    EXPECT_THAT(answer.body, HasSubstr(R"("brokerAddrs":{"0":"10.0.0.9:10911"})")) << "we call as 5.3.3: standard JSON";

    answer = co_await client.Call(net::GetBrokerClusterInfoRequest());
    EXPECT_THAT(answer.body, HasSubstr(R"("brokerAddrs":{0:"10.0.0.9:10911"})"));
    answer = co_await client.Call(net::GetBrokerMemberGroupRequest{"C", "b"});
    EXPECT_EQ(answer.body, R"({"brokerMemberGroup":{"brokerAddrs":{0:"10.0.0.9:10911"},"brokerName":"b","cluster":"C"}})");
    answer = co_await client.Call(net::GetAllTopicListRequest());
    EXPECT_EQ(answer.body, R"({"topicList":["T","U"]})");
    answer = co_await client.Call(net::GetTopicsByClusterRequest{"C"});
    EXPECT_EQ(answer.body, R"({"topicList":["T","U"]})");
    answer = co_await client.Call(net::GetTopicsByClusterRequest{"D"});
    EXPECT_EQ(answer.body, R"({"topicList":[]})");
    answer = co_await client.Call(net::GetSystemTopicListFromNsRequest());
    EXPECT_EQ(answer.body, R"({"brokerAddr":"10.0.0.9:10911","topicList":["C","b"]})");
    answer = co_await client.Call(net::GetUnitTopicListRequest());  // topicSysFlag of U is 1
    EXPECT_EQ(answer.body, R"({"topicList":["U"]})");

    answer = co_await client.Call(net::WipeWritePermRequest{"b"});
    EXPECT_THAT(answer.fields, HasSubstr("wipeTopicCount=2"));
    answer = co_await client.Call(net::AddWritePermRequest{"b"});
    EXPECT_THAT(answer.fields, HasSubstr("addTopicCount=2"));
    answer = co_await client.Call(net::DeleteTopicInNamesrvRequest{"U", "C"});
    EXPECT_EQ(answer.code, 0);
    answer = co_await client.Call(net::RegisterTopicInNamesrvRequest{"N"}, R"({"queueDatas":[{"brokerName":"b","perm":6}]})");
    EXPECT_EQ(answer.code, 0);
    answer = co_await client.Call(net::GetAllTopicListRequest());
    EXPECT_EQ(answer.body, R"({"topicList":["N","T"]})");

    answer = co_await broker.Call(net::UnregisterBrokerRequest{"b", "10.0.0.9:10911", "C", 0});
    EXPECT_EQ(answer.code, 0);
    answer = co_await client.Call(RouteOf("T"));
    EXPECT_EQ(answer.code, 17);
    co_await client.Close();
    co_await broker.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, DataVersionsAndBadBodies) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    CO_ASSIGN_OR_RETURN(Caller broker, co_await Caller::Connect(server->listening_at()));
    const net::QueryDataVersionRequest query{"b", "a:1", "C", 0};
    const std::string version = R"({"counter":1,"stateVersion":0,"timestamp":1})";
    Answer answer = co_await broker.Call(query, version);
    EXPECT_EQ(answer.fields, "changed=true ");
    EXPECT_EQ(answer.body, "");
    answer = co_await broker.Call(BrokerRequest("b", "a:1"), Report("TU"));
    EXPECT_EQ(answer.code, 0);
    answer = co_await broker.Call(query, version);
    EXPECT_EQ(answer.fields, "changed=false ");
    EXPECT_EQ(answer.body, version);
    answer = co_await broker.Call(query, R"({"counter":2,"stateVersion":0,"timestamp":1})");
    EXPECT_EQ(answer.fields, "changed=true ");

    net::RegisterBrokerRequest request = BrokerRequest("c", "a:2");
    request.body_crc32 = 7;
    answer = co_await broker.Call(request, Report("VW"));
    EXPECT_EQ(answer.code, 1);
    EXPECT_EQ(answer.remark, "crc32 not match");
    answer = co_await broker.Call(BrokerRequest("c", "a:2"), "{\"topicConfig");
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.remark, HasSubstr("the body of REGISTER_BROKER"));
    request = BrokerRequest("c", "a:2");
    request.compressed = true;
    answer = co_await broker.Call(request, "no zlib stream");
    EXPECT_EQ(answer.code, 1);
    answer = co_await broker.Call(BrokerRequest("c", "a:2"), Report("V"));
    EXPECT_EQ(answer.remark, "register broker failed") << "a single topic of an unknown broker";
    EXPECT_EQ(server->routes().FindBroker("c"), nullptr);
    co_await broker.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, ABrokerIsGoneWhenItsConnectionIs) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    CO_ASSIGN_OR_RETURN(Caller broker, co_await Caller::Connect(server->listening_at()));
    const Answer answer = co_await broker.Call(BrokerRequest("b", "a:1"), Report("TU"));
    EXPECT_EQ(answer.code, 0);
    EXPECT_NE(server->routes().FindTopic("T"), nullptr);
    const core::MonoTime before = core::Reactor::Current().now();
    co_await broker.Close();
    for (int i = 0; i < 200 && server->routes().FindTopic("T") != nullptr; ++i) co_await core::Sleep(absl::Milliseconds(5));
    EXPECT_EQ(server->routes().FindTopic("T"), nullptr);
    EXPECT_LT(core::Reactor::Current().now() - before, absl::Seconds(1));
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, ASilentBrokerGoesAfterItsTimeoutAndAHeartbeatKeepsIt) {
  core::OnSim(1, [](std::string folder) -> core::Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    CO_ASSIGN_OR_RETURN(Caller broker, co_await Caller::Connect(server->listening_at()));
    net::RegisterBrokerRequest request = BrokerRequest("b", "a:1");
    request.heartbeat_timeout_millis = 20'000;
    Answer answer = co_await broker.Call(request, Report("TU"));
    EXPECT_EQ(answer.code, 0);
    co_await core::Sleep(absl::Seconds(15));
    net::BrokerHeartbeatRequest beat;
    beat.cluster_name = "C";
    beat.broker_addr = "a:1";
    beat.broker_name = "b";
    answer = co_await broker.Call(beat);
    EXPECT_EQ(answer.code, 0);
    co_await core::Sleep(absl::Seconds(15));
    EXPECT_NE(server->routes().FindTopic("T"), nullptr);
    co_await core::Sleep(absl::Seconds(15));
    EXPECT_EQ(server->routes().FindTopic("T"), nullptr);
    co_await broker.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, KvConfigOutlivesTheProcess) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    {
      CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
      CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(server->listening_at()));
      Answer answer = co_await client.Call(net::GetKvConfigRequest{"ORDER_TOPIC_CONFIG", "T"});
      EXPECT_EQ(answer.code, 22);
      EXPECT_EQ(answer.remark, "No config item, Namespace: ORDER_TOPIC_CONFIG Key: T");
      answer = co_await client.Call(net::PutKvConfigRequest{"ORDER_TOPIC_CONFIG", "T", "b:4"});
      EXPECT_EQ(answer.code, 0) << answer.remark;
      answer = co_await client.Call(net::PutKvConfigRequest{"ORDER_TOPIC_CONFIG", "U", "b:\"8\""});
      EXPECT_EQ(answer.code, 0);
      answer = co_await client.Call(net::DeleteKvConfigRequest{"ORDER_TOPIC_CONFIG", "T"});
      EXPECT_EQ(answer.code, 0);
      answer = co_await client.Call(net::PutKvConfigRequest{"", "U", "x"});
      EXPECT_EQ(answer.remark, "namespace or key is null");
      co_await client.Close();
      co_await server->Stop();
    }
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(server->listening_at()));
    Answer answer = co_await client.Call(net::GetKvConfigRequest{"ORDER_TOPIC_CONFIG", "U"});
    EXPECT_EQ(answer.fields, "value=b:\"8\" ");
    answer = co_await client.Call(net::GetKvListRequest{"ORDER_TOPIC_CONFIG"});
    EXPECT_EQ(answer.body, R"({"table":{"U":"b:\"8\""}})");
    answer = co_await client.Call(net::GetKvListRequest{"nowhere"});
    EXPECT_EQ(answer.code, 22);
    answer = co_await client.Call(BrokerRequest("b", "a:1"), Report("TU"));
    EXPECT_EQ(answer.body, R"({"table":{"U":"b:\"8\""}})") << "brokers are told the order configuration";
    co_await client.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, ADamagedKvFileIsAClearErrorAndStaysAsItIs) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    const NameServerConfig config = ConfigIn(folder);
    CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(folder + "/namesrv"));
    CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(config.kv_config_path, "{\"configTable\":{\"n"));
    const auto server = co_await NameServer::Start(config);
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("kvConfig.json is not a KV configuration"));
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, ConfigurationFromOutside) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(server->listening_at()));
    Answer answer = co_await client.Call(net::UpdateNamesrvConfigRequest(), "kvConfigPath=/etc/passwd\n");
    EXPECT_EQ(answer.code, 16);
    answer = co_await client.Call(net::UpdateNamesrvConfigRequest(), "enableAllTopicList=perhaps\n");
    EXPECT_EQ(answer.code, 1);
    answer = co_await client.Call(net::UpdateNamesrvConfigRequest(), "orderMessageEnable=true\nclusterPeers=any\n");
    EXPECT_EQ(answer.code, 16);
    EXPECT_THAT(answer.remark, HasSubstr("clusterPeers"));
    answer = co_await client.Call(net::GetNamesrvConfigRequest());
    EXPECT_THAT(answer.body, HasSubstr("orderMessageEnable=false\n")) << "all of it or nothing";
    answer = co_await client.Call(net::UpdateNamesrvConfigRequest(), "enableAllTopicList=false\norderMessageEnable=true\n");
    EXPECT_EQ(answer.code, 0) << answer.remark;
    answer = co_await client.Call(net::GetAllTopicListRequest());
    EXPECT_EQ(answer.code, 1);
    answer = co_await client.Call(net::GetNamesrvConfigRequest());
    EXPECT_THAT(answer.body, HasSubstr("orderMessageEnable=true\n"));
    EXPECT_THAT(answer.body, Not(HasSubstr("kvConfigPath"))) << "paths are nobody's business";

    answer = co_await client.Call(BrokerRequest("b", "a:1"), Report("TU"));
    EXPECT_EQ(answer.code, 0);
    answer = co_await client.Call(RouteOf("T"));
    EXPECT_THAT(answer.body, Not(HasSubstr("orderTopicConf")));
    answer = co_await client.Call(net::PutKvConfigRequest{"ORDER_TOPIC_CONFIG", "T", "b:4"});
    EXPECT_EQ(answer.code, 0);
    answer = co_await client.Call(RouteOf("T"));
    EXPECT_THAT(answer.body, HasSubstr(R"("orderTopicConf":"b:4")")) << "the answer given before must not be given again";
    co_await client.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

// apache/rocketmq#7542: who reached a nameserver could administer it. On the simulation a process has an address that is not
// loopback: from there, administration is refused and routes are not.
TEST(NameServerTest, AdministrationIsForTheSameMachineOnly) {
  core::OnSim(1, [](std::string folder) -> core::Task<absl::Status> {
    NameServerConfig config = ConfigIn(folder);
    config.listen_address = "0.0.0.0";
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(config));
    core::Endpoint at = *core::Endpoint::Parse("10.0.0.1", server->listening_at().port);
    CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(at));
    Answer answer = co_await client.Call(BrokerRequest("b", "0.0.0.0:10911"), Report("TU"));
    EXPECT_EQ(answer.code, 0) << answer.remark;
    answer = co_await client.Call(RouteOf("T"));
    EXPECT_THAT(answer.body, HasSubstr("10.0.0.1:10911")) << "the address that was dialled";
    answer = co_await client.Call(net::DeleteTopicInNamesrvRequest{"T", {}});
    EXPECT_EQ(answer.code, 16);
    EXPECT_THAT(answer.remark, HasSubstr("DELETE_TOPIC_IN_NAMESRV is administration"));
    answer = co_await client.Call(net::UpdateNamesrvConfigRequest(), "enableAllTopicList=false\n");
    EXPECT_EQ(answer.code, 16);
    EXPECT_NE(server->routes().FindTopic("T"), nullptr);
    co_await client.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

// On the simulation a process has an address that is not loopback.
TEST(NameServerTest, BrokersRegisterFromClusterPeersOnly) {
  core::OnSim(1, [](std::string folder) -> core::Task<absl::Status> {
    NameServerConfig config = ConfigIn(folder);
    config.listen_address = "0.0.0.0";
    config.cluster_peers = "192.168.0.0/16";
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(config));
    core::Endpoint at = *core::Endpoint::Parse("10.0.0.1", server->listening_at().port);
    CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(at));
    Answer answer = co_await client.Call(BrokerRequest("b", "10.0.0.1:10911"), Report("TU"));
    EXPECT_EQ(answer.code, 16);
    EXPECT_THAT(answer.remark, HasSubstr("REGISTER_BROKER is for the brokers of the cluster"));
    answer = co_await client.Call(RouteOf("T"));
    EXPECT_EQ(answer.code, 17);
    co_await client.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, ARegistrationIsBoundedAndItsNamesAreLegal) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    NameServerConfig config = ConfigIn(folder);
    config.topics_per_broker_max = 3;
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(config));
    CO_ASSIGN_OR_RETURN(Caller client, co_await Caller::Connect(server->listening_at()));
    Answer answer = co_await client.Call(BrokerRequest("b", "a:1"), Report("TUVW"));
    EXPECT_EQ(answer.code, 1);
    EXPECT_THAT(answer.remark, HasSubstr("topicsPerBrokerMax"));
    for (const char* name : {"../b", "b\nc", "", "<script>"}) {
      answer = co_await client.Call(BrokerRequest(name, "a:1"), Report("TU"));
      EXPECT_EQ(answer.code, 29) << name;
    }
    for (const char* address : {"a", "a:", ":1", "a:b", "a b:1", "a:123456"}) {
      answer = co_await client.Call(BrokerRequest("b", address), Report("TU"));
      EXPECT_EQ(answer.code, 1) << address;
      EXPECT_THAT(answer.remark, HasSubstr("is not HOST:PORT"));
    }
    EXPECT_TRUE(server->routes().brokers().empty());
    answer = co_await client.Call(BrokerRequest("b", "a:1"), Report("TU/"));
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_NE(server->routes().FindTopic("T"), nullptr);
    EXPECT_EQ(server->routes().FindTopic("/"), nullptr) << "no client is told a name that could be a path";
    co_await client.Close();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

TEST(NameServerTest, ATakenPortIsAClearError) {
  core::OnBoth(1, [](std::string folder) -> core::Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(const auto server, co_await NameServer::Start(ConfigIn(folder)));
    NameServerConfig config = ConfigIn(folder);
    config.listen_port = server->listening_at().port;
    const auto second = co_await NameServer::Start(config);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    co_await server->Stop();
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace nameserver
