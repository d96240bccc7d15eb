// Requests of brokers and clients: who serves what. The order of checks and the remarks are RocketMQ's: 5.3.3 DefaultRequestProcessor
// and ClientRequestProcessor.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "nameserver/name_server.h"
#include "net/json.h"
#include "net/name_rules.h"
#include "net/zlib.h"

namespace nameserver {
namespace {

/// How long a broker may ask to be remembered in silence.
constexpr int64_t kHeartbeatTimeoutMillisMax = 3600'000;

/// From this version on Java clients want standard JSON. RocketMQ 5.3.3 ClientRequestProcessor.
constexpr int32_t kV4_9_4 = 401;

net::Reply Failed(std::string remark) { return net::Reply(net::ResponseCode::kSystemError, std::move(remark)); }

/// An address is put into the answers that clients dial: "host:port".
std::optional<std::string> WrongBrokerAddress(std::string_view address) {
  const size_t colon = address.rfind(':');
  const bool port = colon != std::string_view::npos && colon > 0 && colon + 1 < address.size() &&
                    address.size() - colon <= 6 &&
                    std::all_of(address.begin() + static_cast<std::ptrdiff_t>(colon) + 1, address.end(),
                                [](char c) { return c >= '0' && c <= '9'; });
  if (port && !net::WrongLabel("brokerAddr", address).has_value()) return std::nullopt;
  return core::StrCat("brokerAddr '", net::Quoted(address), "' is not HOST:PORT");
}

std::string KvTableJson(const KvConfig::Table& table) {
  net::JsonWriter json;
  json.BeginObject().Key("table").BeginObject();
  for (const auto& [key, value] : table) json.Member(key, value);
  json.EndObject().EndObject();
  return json.Take();
}

}  // namespace

NameServer::ReplyTask NameServer::GetRouteInfo(Context context, net::GetRouteInfoRequest request) {
  RouteQuestion question;
  question.quoted_keys = context.frame.version >= kV4_9_4 || request.accept_standard_json_only;
  question.dialled = context.connection.local();
  std::string_view zone_mode;
  if (context.frame.Find("__ZONE_MODE", &zone_mode) && zone_mode == "true") {
    context.frame.Find("__ZONE_NAME", &question.zone);
  }
  if (config_.order_message_enable) {
    if (const std::string* order = kv_.Find(kOrderTopicNamespace, request.topic)) question.order_config = *order;
  }
  std::optional<core::Slice> answer =
      table_.snapshot().RouteAnswer(request.topic, question, core::Reactor::Current().buffers());
  if (!answer.has_value()) {
    co_return net::Reply(net::ResponseCode::kTopicNotExist,
                         core::StrCat("No topic route info in name server for the topic: ", request.topic));
  }
  net::Reply reply;
  reply.AddBody(*std::move(answer));
  co_return reply;
}

NameServer::ReplyTask NameServer::RegisterBroker(Context context, net::RegisterBrokerRequest request) {
  const std::string_view body = context.frame.body.text();
  if (request.body_crc32 != 0 && request.body_crc32 != net::Crc32Masked(body)) co_return Failed("crc32 not match");
  absl::StatusOr<TopicReport> report = DecodeTopicReport(body, request.compressed, context.frame.version);
  if (!report.ok()) co_return Failed(core::StrCat("the body of REGISTER_BROKER: ", core::ToStd(report.status().message())));
  if (report->topics.size() > static_cast<size_t>(config_.topics_per_broker_max)) {
    co_return Failed(core::StrCat("a registration of ", report->topics.size(),
                                  " topics; topicsPerBrokerMax of this nameserver is ", config_.topics_per_broker_max));
  }
  if (std::optional<std::string> wrong = WrongBrokerAddress(request.broker_addr)) co_return Failed(*std::move(wrong));
  const size_t dropped = DropIllegalTopics(*report);

  Registration registration;
  registration.broker = {std::string(request.cluster_name), std::string(request.broker_name),
                         std::string(request.broker_addr), request.broker_id};
  registration.ha_address = std::string(request.ha_server_addr);
  registration.zone = std::string(request.zone_name.value_or(""));
  if (request.heartbeat_timeout_millis.has_value() && *request.heartbeat_timeout_millis > 0) {
    registration.timeout = absl::Milliseconds(std::min(*request.heartbeat_timeout_millis, kHeartbeatTimeoutMillisMax));
  }
  registration.enable_acting_master = request.enable_acting_master;
  registration.report = *std::move(report);
  registration.connection = context.connection.id();
  registration.host = context.connection.peer().HostText();
  const bool known = table_.VersionOf(request.cluster_name, request.broker_addr).has_value();
  const RouteTable::Options options{.delete_topic_with_registration = config_.delete_topic_with_broker_registration,
                                    .brokers_max = static_cast<size_t>(config_.brokers_max),
                                    .topics_max = static_cast<size_t>(config_.topics_max)};
  const RegistrationAnswer answer =
      table_.Register(std::move(registration), core::Reactor::Current().now(), options);
  if (!answer.accepted) {
    if (answer.refusal.empty()) co_return Failed("register broker failed");
    co_return net::Reply(net::ResponseCode::kNoPermission, answer.refusal);
  }
  if (!known && dropped > 0) {
    core::LogWarning("nameserver: ", dropped, " topics of the broker ", request.broker_name,
                     " have illegal names and no routes");
  }
  if (!known) {
    core::LogInfo("nameserver: new broker ", request.broker_name, " id ", request.broker_id, " of ", request.cluster_name,
                  " at ", request.broker_addr);
  }
  if (!answer.moved_from.empty()) {
    core::LogWarning("nameserver: the broker ", request.broker_name, " id ", request.broker_id, " has moved from ",
                     answer.moved_from, " to ", request.broker_addr);
  }
  net::RegisterBrokerResponse header;
  if (!answer.ha_address.empty()) header.ha_server_addr = answer.ha_address;
  if (!answer.master_address.empty()) header.master_addr = answer.master_address;
  net::Reply reply;
  reply.AddHeader(header);
  if (config_.return_order_topic_config_to_broker) {
    if (const KvConfig::Table* order = kv_.Namespace(kOrderTopicNamespace)) reply.SetBody(KvTableJson(*order));
  }
  co_return reply;
}

NameServer::ReplyTask NameServer::UnregisterBroker(Context context, net::UnregisterBrokerRequest request) {
  if (!table_.MayChange(request.cluster_name, request.broker_addr, context.connection.peer().HostText())) {
    co_return net::Reply(net::ResponseCode::kNoPermission,
                         core::StrCat("the broker ", request.broker_name, " was not registered from ",
                                      context.connection.peer().HostText()));
  }
  table_.Unregister({std::string(request.cluster_name), std::string(request.broker_name), std::string(request.broker_addr),
                     request.broker_id});
  core::LogInfo("nameserver: the broker ", request.broker_name, " at ", request.broker_addr, " has said goodbye");
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::QueryDataVersion(Context context, net::QueryDataVersionRequest request) {
  const absl::StatusOr<DataVersion> theirs = DataVersionFromJson(context.frame.body.text());
  if (!theirs.ok()) co_return Failed(core::StrCat("the body of QUERY_DATA_VERSION: ", core::ToStd(theirs.status().message())));
  if (table_.MayChange(request.cluster_name, request.broker_addr, context.connection.peer().HostText())) {
    table_.Heartbeat(request.cluster_name, request.broker_addr, core::Reactor::Current().now());
  }
  const std::optional<DataVersion> ours = table_.VersionOf(request.cluster_name, request.broker_addr);
  net::Reply reply;
  reply.AddHeader(net::QueryDataVersionResponse{.changed = ours != *theirs});
  if (ours.has_value()) reply.SetBody(DataVersionJson(*ours));
  co_return reply;
}

NameServer::ReplyTask NameServer::BrokerHeartbeat(Context context, net::BrokerHeartbeatRequest request) {
  if (!table_.MayChange(request.cluster_name, request.broker_addr, context.connection.peer().HostText())) {
    co_return net::Reply(net::ResponseCode::kNoPermission,
                         core::StrCat("another host has registered ", request.broker_addr));
  }
  table_.Heartbeat(request.cluster_name, request.broker_addr, core::Reactor::Current().now());
  co_return net::Reply();
}

NameServer::ReplyTask NameServer::GetBrokerMemberGroup(Context context, net::GetBrokerMemberGroupRequest request) {
  net::JsonWriter json;
  json.BeginObject().Key("brokerMemberGroup").BeginObject().Key("brokerAddrs").BeginObject();
  if (const BrokerGroup* group = table_.snapshot().FindBroker(request.broker_name)) {
    for (const auto& [id, address] : group->addresses) {
      json.NumberKey(id).String(ReachableAddress(address, context.connection.local()));
    }
  }
  json.EndObject().Member("brokerName", request.broker_name).Member("cluster", request.cluster_name);
  json.EndObject().EndObject();
  net::Reply reply;
  reply.SetBody(json.Take());
  co_return reply;
}

NameServer::ReplyTask NameServer::GetBrokerClusterInfo(Context context, net::GetBrokerClusterInfoRequest) {
  net::Reply reply;
  reply.SetBody(table_.snapshot().ClusterInfo(context.connection.local()));
  co_return reply;
}

}  // namespace nameserver
