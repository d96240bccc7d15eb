#include "broker/half_message.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "broker/message_properties.h"
#include "core/strings.h"

namespace broker {

void MakeHalf(std::string_view producer_group, PreparedMessage& message) {
  store::MessageDraft& draft = message.draft;
  std::string properties;
  properties.reserve(draft.properties.size());
  bool has_group = false;
  ForEachProperty(draft.properties, [&](std::string_view name, std::string_view value) {
    if (name == kPropertyRealTopic || name == kPropertyRealQueue || name == kPropertyTransactionId || name == kPropertyCheckTimes) return;
    has_group = has_group || (name == kPropertyProducerGroup && !value.empty());
    AppendProperty(properties, name, value);
  });
  std::string added(draft.more_properties);
  // Clients say it. One that does not could never be asked nor end its transaction.
  if (!has_group) AppendProperty(added, kPropertyProducerGroup, producer_group);
  AppendProperty(added, kPropertyTransactionId, message.uniq_key);
  AppendProperty(added, kPropertyRealTopic, draft.topic);
  AppendProperty(added, kPropertyRealQueue, core::StrCat(draft.queue_id));
  message.properties = std::move(properties);
  message.more_properties = std::move(added);
  draft.properties = message.properties;
  draft.more_properties = message.more_properties;
  draft.sys_flag &= ~kSysFlagTransaction;
}

HalfMessage::HalfMessage(const store::RecordView& record) {
  ForEachProperty(record.properties, [this](std::string_view name, std::string_view value) {
    if (name == kPropertyRealTopic)
      topic = value;
    else if (name == kPropertyRealQueue)
      std::from_chars(value.data(), value.data() + value.size(), queue_id);
    else if (name == kPropertyProducerGroup)
      group = value;
    else if (name == kPropertyTags)
      tags = value;
    else if (name == kPropertyUniqKey)
      uniq_key = value;
    else if (name == kPropertyCheckImmunity)
      immunity = value;
  });
}

absl::Duration HalfMessage::Immunity(absl::Duration timeout) const {
  int64_t seconds = -1;
  const auto [end, error] = std::from_chars(immunity.data(), immunity.data() + immunity.size(), seconds);
  if (error != std::errc() || end != immunity.data() + immunity.size() || seconds < 0) return timeout;
  constexpr int64_t kLongest = int64_t{10} * 365 * 24 * 3600;
  return absl::Seconds(std::min(seconds, kLongest));
}

}  // namespace broker
