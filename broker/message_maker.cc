#include "broker/message_maker.h"

#include "broker/config.h"
#include "store/tags_code.h"

namespace broker {
namespace {

std::string AddedProperties(const BrokerConfig& config, bool trace_on) {
  std::string added;
  AppendProperty(added, kPropertyMsgRegion, config.region_id);
  AppendProperty(added, kPropertyTraceOn, trace_on ? "true" : "false");
  AppendProperty(added, kPropertyCluster, config.broker_cluster_name);
  return added;
}

}  // namespace

MessageMaker::MessageMaker(const BrokerConfig& config, uint64_t salt)
    : config_(config), added_{AddedProperties(config, false), AddedProperties(config, true)}, unique_keys_(salt) {}

void MessageMaker::Prepare(const net::SendMessageHeader& header, int32_t flag, std::string_view properties,
                           const ScannedProperties& scanned, std::string_view header_properties,
                           std::span<const std::byte> body, const MessageHosts& hosts, core::WallMillis now,
                           bool drop_delay, PreparedMessage& message) {
  store::MessageDraft& draft = message.draft;
  draft.flag = flag;
  draft.sys_flag = header.sys_flag;
  draft.born_timestamp = header.born_timestamp;
  draft.born_host = hosts.born;
  draft.store_host = hosts.store;
  draft.reconsume_times = header.reconsume_times;
  draft.body = body;
  draft.tags_code = scanned.tags.empty() ? 0 : store::JavaHash(scanned.tags);
  draft.properties = properties;
  if (scanned.rewrite || drop_delay) {
    AppendStorable(message.properties, properties,
                   [drop_delay](std::string_view name) { return drop_delay && name == kPropertyDelay; });
    draft.properties = message.properties;
  }
  const std::string& added = added_[config_.trace_on ? 1 : 0];
  draft.more_properties = added;
  message.uniq_key = scanned.uniq_key;
  if (!header_properties.empty() || scanned.uniq_key.empty()) {
    message.more_properties.assign(header_properties);
    if (scanned.uniq_key.empty()) {
      message.generated = unique_keys_.Next(hosts.store, now);
      message.uniq_key = message.generated.text();
      AppendProperty(message.more_properties, kPropertyUniqKey, message.uniq_key);
    }
    message.more_properties.append(added);
    draft.more_properties = message.more_properties;
  }
}

std::string MessageMaker::BatchProperties(std::string_view properties) {
  std::string storable;
  AppendStorable(storable, properties,
                 [](std::string_view name) { return name == kPropertyUniqKey || name == kPropertyWait; });
  return storable;
}

}  // namespace broker
