#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "net/header.h"
#include "net/request_code.h"

// Source: RocketMQ 5.3.3, the *RequestHeader and *ResponseHeader class of the same name. Text members point into the frame.

namespace net {

struct GetRouteInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kGetRouteInfoByTopic;
  std::string_view topic;
  bool accept_standard_json_only = false;
  static constexpr auto kFields =
      std::tuple(Required("topic", &GetRouteInfoRequest::topic),
                 Optional("acceptStandardJsonOnly", &GetRouteInfoRequest::accept_standard_json_only));
};

/// Body: RegisterBrokerBody, plain or compressed.
struct RegisterBrokerRequest {
  static constexpr RequestCode kCode = RequestCode::kRegisterBroker;
  std::string_view broker_name;
  std::string_view broker_addr;
  std::string_view cluster_name;
  std::string_view ha_server_addr;
  int64_t broker_id = 0;
  std::optional<int64_t> heartbeat_timeout_millis;
  std::optional<bool> enable_acting_master;
  bool compressed = false;
  int32_t body_crc32 = 0;
  std::optional<std::string_view> zone_name;
  static constexpr auto kFields =
      std::tuple(Required("brokerName", &RegisterBrokerRequest::broker_name),
                 Required("brokerAddr", &RegisterBrokerRequest::broker_addr),
                 Required("clusterName", &RegisterBrokerRequest::cluster_name),
                 Required("haServerAddr", &RegisterBrokerRequest::ha_server_addr),
                 Required("brokerId", &RegisterBrokerRequest::broker_id),
                 Optional("heartbeatTimeoutMillis", &RegisterBrokerRequest::heartbeat_timeout_millis),
                 Optional("enableActingMaster", &RegisterBrokerRequest::enable_acting_master),
                 Optional("compressed", &RegisterBrokerRequest::compressed),
                 Optional("bodyCrc32", &RegisterBrokerRequest::body_crc32),
                 Optional("__ZONE_NAME", &RegisterBrokerRequest::zone_name));
};

struct RegisterBrokerResponse {
  std::optional<std::string_view> ha_server_addr;
  std::optional<std::string_view> master_addr;
  static constexpr auto kFields = std::tuple(Optional("haServerAddr", &RegisterBrokerResponse::ha_server_addr),
                                             Optional("masterAddr", &RegisterBrokerResponse::master_addr));
};

struct UnregisterBrokerRequest {
  static constexpr RequestCode kCode = RequestCode::kUnregisterBroker;
  std::string_view broker_name;
  std::string_view broker_addr;
  std::string_view cluster_name;
  int64_t broker_id = 0;
  static constexpr auto kFields = std::tuple(Required("brokerName", &UnregisterBrokerRequest::broker_name),
                                             Required("brokerAddr", &UnregisterBrokerRequest::broker_addr),
                                             Required("clusterName", &UnregisterBrokerRequest::cluster_name),
                                             Required("brokerId", &UnregisterBrokerRequest::broker_id));
};

/// Body: DataVersion.
struct QueryDataVersionRequest {
  static constexpr RequestCode kCode = RequestCode::kQueryDataVersion;
  std::string_view broker_name;
  std::string_view broker_addr;
  std::string_view cluster_name;
  int64_t broker_id = 0;
  static constexpr auto kFields = std::tuple(Required("brokerName", &QueryDataVersionRequest::broker_name),
                                             Required("brokerAddr", &QueryDataVersionRequest::broker_addr),
                                             Required("clusterName", &QueryDataVersionRequest::cluster_name),
                                             Required("brokerId", &QueryDataVersionRequest::broker_id));
};

struct QueryDataVersionResponse {
  bool changed = false;
  static constexpr auto kFields = std::tuple(Required("changed", &QueryDataVersionResponse::changed));
};

struct BrokerHeartbeatRequest {
  static constexpr RequestCode kCode = RequestCode::kBrokerHeartbeat;
  std::string_view cluster_name;
  std::string_view broker_addr;
  std::string_view broker_name;
  std::optional<int64_t> broker_id;
  std::optional<int32_t> epoch;
  std::optional<int64_t> max_offset;
  std::optional<int64_t> confirm_offset;
  std::optional<int64_t> heartbeat_timeout_millis;
  std::optional<int32_t> election_priority;
  static constexpr auto kFields = std::tuple(
      Required("clusterName", &BrokerHeartbeatRequest::cluster_name),
      Required("brokerAddr", &BrokerHeartbeatRequest::broker_addr),
      Required("brokerName", &BrokerHeartbeatRequest::broker_name),
      Optional("brokerId", &BrokerHeartbeatRequest::broker_id), Optional("epoch", &BrokerHeartbeatRequest::epoch),
      Optional("maxOffset", &BrokerHeartbeatRequest::max_offset),
      Optional("confirmOffset", &BrokerHeartbeatRequest::confirm_offset),
      Optional("heartbeatTimeoutMills", &BrokerHeartbeatRequest::heartbeat_timeout_millis),
      Optional("electionPriority", &BrokerHeartbeatRequest::election_priority));
};

struct GetBrokerMemberGroupRequest {
  static constexpr RequestCode kCode = RequestCode::kGetBrokerMemberGroup;
  std::string_view cluster_name;
  std::string_view broker_name;
  static constexpr auto kFields = std::tuple(Required("clusterName", &GetBrokerMemberGroupRequest::cluster_name),
                                             Required("brokerName", &GetBrokerMemberGroupRequest::broker_name));
};

struct GetBrokerClusterInfoRequest {
  static constexpr RequestCode kCode = RequestCode::kGetBrokerClusterInfo;
  static constexpr auto kFields = std::tuple();
};

struct GetAllTopicListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetAllTopicListFromNameserver;
  static constexpr auto kFields = std::tuple();
};

struct GetTopicsByClusterRequest {
  static constexpr RequestCode kCode = RequestCode::kGetTopicsByCluster;
  std::string_view cluster;
  static constexpr auto kFields = std::tuple(Required("cluster", &GetTopicsByClusterRequest::cluster));
};

struct GetSystemTopicListFromNsRequest {
  static constexpr RequestCode kCode = RequestCode::kGetSystemTopicListFromNs;
  static constexpr auto kFields = std::tuple();
};

struct GetUnitTopicListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetUnitTopicList;
  static constexpr auto kFields = std::tuple();
};

struct GetHasUnitSubTopicListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetHasUnitSubTopicList;
  static constexpr auto kFields = std::tuple();
};

struct GetHasUnitSubUnunitTopicListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetHasUnitSubUnunitTopicList;
  static constexpr auto kFields = std::tuple();
};

struct DeleteTopicInNamesrvRequest {
  static constexpr RequestCode kCode = RequestCode::kDeleteTopicInNamesrv;
  std::string_view topic;
  std::optional<std::string_view> cluster_name;
  static constexpr auto kFields = std::tuple(Required("topic", &DeleteTopicInNamesrvRequest::topic),
                                             Optional("clusterName", &DeleteTopicInNamesrvRequest::cluster_name));
};

/// Body: TopicRouteData.
struct RegisterTopicInNamesrvRequest {
  static constexpr RequestCode kCode = RequestCode::kRegisterTopicInNamesrv;
  std::string_view topic;
  static constexpr auto kFields = std::tuple(Required("topic", &RegisterTopicInNamesrvRequest::topic));
};

struct WipeWritePermRequest {
  static constexpr RequestCode kCode = RequestCode::kWipeWritePermOfBroker;
  std::string_view broker_name;
  static constexpr auto kFields = std::tuple(Required("brokerName", &WipeWritePermRequest::broker_name));
};

struct WipeWritePermResponse {
  int32_t wipe_topic_count = 0;
  static constexpr auto kFields = std::tuple(Required("wipeTopicCount", &WipeWritePermResponse::wipe_topic_count));
};

struct AddWritePermRequest {
  static constexpr RequestCode kCode = RequestCode::kAddWritePermOfBroker;
  std::string_view broker_name;
  static constexpr auto kFields = std::tuple(Required("brokerName", &AddWritePermRequest::broker_name));
};

struct AddWritePermResponse {
  int32_t add_topic_count = 0;
  static constexpr auto kFields = std::tuple(Required("addTopicCount", &AddWritePermResponse::add_topic_count));
};

struct PutKvConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kPutKvConfig;
  std::string_view name_space;
  std::string_view key;
  std::string_view value;
  static constexpr auto kFields =
      std::tuple(Required("namespace", &PutKvConfigRequest::name_space), Required("key", &PutKvConfigRequest::key),
                 Required("value", &PutKvConfigRequest::value));
};

struct GetKvConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetKvConfig;
  std::string_view name_space;
  std::string_view key;
  static constexpr auto kFields =
      std::tuple(Required("namespace", &GetKvConfigRequest::name_space), Required("key", &GetKvConfigRequest::key));
};

struct GetKvConfigResponse {
  std::optional<std::string_view> value;
  static constexpr auto kFields = std::tuple(Optional("value", &GetKvConfigResponse::value));
};

struct DeleteKvConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kDeleteKvConfig;
  std::string_view name_space;
  std::string_view key;
  static constexpr auto kFields = std::tuple(Required("namespace", &DeleteKvConfigRequest::name_space),
                                             Required("key", &DeleteKvConfigRequest::key));
};

struct GetKvListRequest {
  static constexpr RequestCode kCode = RequestCode::kGetKvListByNamespace;
  std::string_view name_space;
  static constexpr auto kFields = std::tuple(Required("namespace", &GetKvListRequest::name_space));
};

/// Body: properties text.
struct UpdateNamesrvConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kUpdateNamesrvConfig;
  static constexpr auto kFields = std::tuple();
};

struct GetNamesrvConfigRequest {
  static constexpr RequestCode kCode = RequestCode::kGetNamesrvConfig;
  static constexpr auto kFields = std::tuple();
};

}  // namespace net
