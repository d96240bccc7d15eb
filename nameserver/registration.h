#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nameserver/route_data.h"

namespace nameserver {

/// What a broker reports of its topics: the body of REGISTER_BROKER.
struct TopicReport {
  struct Topic {
    std::string name;
    QueueData queues;
  };
  DataVersion version;
  std::vector<Topic> topics;
  std::map<std::string, QueueMapping, std::less<>> mappings;  // topic -> where its queues lie; static topics only
};

/// Unpacked, a compressed report may be this large: no more than one that is not, which a frame bounds.
inline constexpr size_t kReportBytesMax = size_t{16} << 20;

/// Decodes the body of REGISTER_BROKER as a broker of `broker_version` sends it (RocketMQ 5.3.3): RegisterBrokerBody as JSON, before
/// V3_0_11 TopicConfigSerializeWrapper as JSON, or the packed form. No body is a report without topics. kInvalidArgument says
/// what is wrong.
absl::StatusOr<TopicReport> DecodeTopicReport(std::string_view body, bool compressed, int32_t broker_version);

/// Takes out the topics whose names no nameserver should pass on, since a client may do anything with them; returns how many.
size_t DropIllegalTopics(TopicReport& report);

/// {"counter":3,"stateVersion":0,"timestamp":1795227053207}
std::string DataVersionJson(const DataVersion& version);
absl::StatusOr<DataVersion> DataVersionFromJson(std::string_view json);

/// The queueDatas of a TopicRouteData, by broker name: the body of REGISTER_TOPIC_IN_NAMESRV.
absl::StatusOr<std::vector<std::pair<std::string, QueueData>>> DecodeQueueDatas(std::string_view body);

}  // namespace nameserver
