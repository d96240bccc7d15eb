// Any body of a request or of a configuration file of RocketMQ's is read or refused, and what was read is written and read to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/access/acl.h"
#include "broker/access/body_names.h"
#include "broker/data_version.h"
#include "broker/group_config.h"
#include "broker/subscription_data.h"
#include "broker/topic_config.h"
#include "core/buffer.h"
#include "main/rocketmq_config.h"
#include "nameserver/registration.h"
#include "net/json.h"
#include "net/request_table.h"
#include "net/zlib.h"

namespace {

constexpr int32_t kBrokerVersion = 479;     // MQVersion ordinal of V5_3_3
constexpr int32_t kOldBrokerVersion = 100;  // before V3_0_11

template <typename Config>
void CheckConfig(const net::JsonValue& json) {
  const absl::StatusOr<Config> config = Config::FromJson(json);
  if (!config.ok()) return;
  const absl::StatusOr<Config> again = Config::FromJson(config->ToJson());
  if (!again.ok() || !(*again == *config)) abort();
}

/// What is a list of access control is written as it is judged, and what it says does not depend on how it came.
void CheckAcl(const net::JsonValue& json) {
  const absl::StatusOr<broker::Acl> acl = broker::Acl::FromJson(json);
  if (!acl.ok()) return;
  const std::string text = acl->ToJson();
  if (acl->user.empty()) return;  // another request's header names it
  const absl::StatusOr<broker::Acl> again = broker::Acl::FromJson(text);
  if (!again.ok() || again->ToJson() != text || again->entries() != acl->entries()) abort();
  const core::Endpoint peer = *core::Endpoint::Parse("10.0.0.7", 4711);
  for (const broker::Policy& policy : acl->policies) {
    for (const broker::PolicyEntry& entry : policy.entries) {
      const std::string_view name = entry.resource.name;
      if (!entry.resource.Matches(entry.resource.type, name)) abort();
      if (acl->Decide(entry.resource.type, name, entry.actions, peer) != again->Decide(entry.resource.type, name, entry.actions, peer)) abort();
    }
  }
}

void CheckNames(std::string_view body) {
  core::BufferPool pool{0};
  net::Frame frame;
  if (!body.empty()) frame.body = pool.Copy(body);
  for (const net::RequestInfo& info : net::RequestTable()) {
    if (info.resource.where == net::RequestResource::Where::kBody) (void)broker::BodyNames(info, frame);
  }
}

void CheckSubscription(const net::JsonValue& json) {
  const broker::SubscriptionData subscription = broker::SubscriptionData::FromJson(json);
  net::JsonWriter writer;
  subscription.WriteJson(writer);
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(writer.text());
  if (!document.ok() || !(broker::SubscriptionData::FromJson(document->root()) == subscription)) abort();
}

/// All that a value may be meant as; and its parts, as the documents of lists and tables hold theirs.
void CheckAs(const net::JsonValue& json, int depth) {
  CheckConfig<broker::TopicConfig>(json);
  CheckConfig<broker::GroupConfig>(json);
  CheckSubscription(json);
  CheckAcl(json);
  if (depth == 0) return;
  for (const net::JsonValue& item : json.items()) CheckAs(item, depth - 1);
  for (const net::JsonMember& member : json.members()) CheckAs(member.value, depth - 1);
}

void CheckVersion(std::string_view body) {
  const absl::StatusOr<broker::DataVersion> version = broker::DataVersion::FromJson(body);
  if (version.ok()) {
    const absl::StatusOr<broker::DataVersion> again = broker::DataVersion::FromJson(version->ToJson());
    if (!again.ok() || !(*again == *version)) abort();
  }
  const absl::StatusOr<nameserver::DataVersion> other = nameserver::DataVersionFromJson(body);
  if (!other.ok()) return;
  const absl::StatusOr<nameserver::DataVersion> again =
      nameserver::DataVersionFromJson(nameserver::DataVersionJson(*other));
  if (!again.ok() || !(*again == *other)) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(body);
  if (document.ok()) CheckAs(document->root(), 3);
  CheckVersion(body);
  CheckNames(body);
  (void)nameserver::DecodeTopicReport(body, /*compressed=*/false, kBrokerVersion);
  (void)nameserver::DecodeTopicReport(body, /*compressed=*/false, kOldBrokerVersion);
  (void)nameserver::DecodeTopicReport(body, /*compressed=*/true, kBrokerVersion);
  // The fuzzer will not find out how to pack: the same bytes as what a packed report holds.
  (void)nameserver::DecodeTopicReport(net::Deflate(body), /*compressed=*/true, kBrokerVersion);
  (void)nameserver::DecodeQueueDatas(body);
  const std::string text(body);
  (void)ringmq::TopicsOf(body);
  for (const ringmq::RocketMqConfig& config : {ringmq::RocketMqConfig{.topics = text, .groups = {}, .offsets = {}},
                                               ringmq::RocketMqConfig{.topics = {}, .groups = text, .offsets = {}},
                                               ringmq::RocketMqConfig{.topics = {}, .groups = {}, .offsets = text}}) {
    (void)ringmq::ReadRocketMqConfig(config, 2);
  }
  return 0;
}
