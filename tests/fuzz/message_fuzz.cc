// Any bytes are a record or none, whatever a message is made of comes back from its record, and any properties, tag expression, attribute
// change, list of delays or recall handle is read or refused.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "broker/delay.h"
#include "broker/message_properties.h"
#include "broker/subscription_data.h"
#include "broker/topic_attributes.h"
#include "store/due_record.h"
#include "store/record.h"

namespace {

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool Inside(std::span<const std::byte> all, const void* begin, size_t bytes) {
  const auto* first = static_cast<const std::byte*>(begin);
  return bytes == 0 || (first >= all.data() && first + bytes <= all.data() + all.size());
}

void CheckRecord(std::span<const std::byte> bytes) {
  const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes);
  if (!record.ok()) return;
  if (record->bytes > bytes.size() || !Inside(bytes, record->body.data(), record->body.size()) ||
      !Inside(bytes, record->topic.data(), record->topic.size()) ||
      !Inside(bytes, record->properties.data(), record->properties.size())) {
    abort();
  }
  (void)record->BodyIntact();
  const store::DueEvent event = store::ReadDueEvent({*record, {}});
  const bool has_link = store::IsDueLink(record->prepared_transaction_offset);
  if (!has_link && event.kind != store::DueEvent::Kind::kNone) abort();
}

/// The bytes as a message: lengths of topic and properties, then those two, then the body.
void CheckDraft(std::string_view text) {
  if (text.size() < 8) return;
  store::MessageDraft draft;
  const size_t topic_bytes = static_cast<uint8_t>(text[0]);
  const size_t properties_bytes = static_cast<uint8_t>(text[1]) * size_t{256} + static_cast<uint8_t>(text[2]);
  draft.flag = static_cast<int8_t>(text[3]);
  draft.sys_flag = static_cast<uint8_t>(text[4]) & ~(store::kSysFlagBornHostV6 | store::kSysFlagStoreHostV6);
  draft.queue_id = static_cast<uint8_t>(text[5]);
  draft.born_host.ipv6 = (text[6] & 1) != 0;
  draft.store_host.ipv6 = (text[6] & 2) != 0;
  text.remove_prefix(8);
  draft.topic = text.substr(0, topic_bytes);
  text.remove_prefix(draft.topic.size());
  draft.properties = text.substr(0, properties_bytes);
  text.remove_prefix(draft.properties.size());
  draft.body = std::as_bytes(std::span(text.data(), text.size()));
  if (!store::CheckDraft(draft).ok()) return;
  std::vector<std::byte> out(store::RecordBytes(draft));
  store::EncodeRecord(draft, {core::LogicalOffset(7), core::PhysicalOffset(77), 777}, out.data());
  const absl::StatusOr<store::RecordView> record = store::ParseRecord(out);
  if (!record.ok() || record->bytes != out.size() || record->topic != draft.topic ||
      record->properties != draft.properties || TextOf(record->body) != text || record->queue_id != draft.queue_id ||
      record->queue_offset.value() != 7 || record->position.value() != 77 || record->store_timestamp != 777 ||
      !record->BodyIntact()) {
    abort();
  }
}

/// What the broker stores of a client's properties is well-formed and needs no second treatment.
void CheckProperties(std::string_view text) {
  const broker::ScannedProperties scanned = broker::ScanProperties(text);
  (void)broker::AsksForDelay(scanned);
  std::string stored;
  broker::AppendStorable(stored, text, [](std::string_view) { return false; });
  std::string again;
  broker::AppendStorable(again, stored, [](std::string_view) { return false; });
  if (again != stored || broker::ScanProperties(stored).rewrite) abort();
  if (!broker::ForEachProperty(stored, [](std::string_view, std::string_view) {})) abort();
}

void CheckExpression(std::string_view text) {
  const std::optional<broker::SubscriptionData> subscription = broker::ParseTagExpression("T", text);
  if (!subscription.has_value()) return;
  if (subscription->tags.size() != subscription->codes.size()) abort();
}

/// A handle that was taken says the same after it was written again; what clients send is in base 64, which the fuzzer will not find out.
void CheckRecallHandle(std::string_view text) {
  std::string encoded;
  absl::WebSafeBase64Escape(absl::string_view(text.data(), text.size()), &encoded);
  for (const std::string_view handle : {text, std::string_view(encoded)}) {
    const absl::StatusOr<broker::RecallHandle> decoded = broker::RecallHandle::Decode(handle);
    if (!decoded.ok()) continue;
    const absl::StatusOr<broker::RecallHandle> again = broker::RecallHandle::Decode(decoded->Encode());
    if (!again.ok() || again->topic != decoded->topic || again->broker_name != decoded->broker_name ||
        again->due != decoded->due || again->uniq_key != decoded->uniq_key) {
      abort();
    }
  }
}

void CheckDelayLevels(std::string_view text) {
  const absl::StatusOr<std::vector<int64_t>> levels = broker::DelayLevelsMs(text);
  if (!levels.ok()) return;
  if (levels->empty()) abort();
  for (const int64_t level : *levels) {
    if (level <= 0) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const std::string_view text = TextOf(bytes);
  CheckRecord(bytes);
  CheckDraft(text);
  CheckProperties(text);
  CheckExpression(text);
  CheckRecallHandle(text);
  CheckDelayLevels(text);
  const absl::StatusOr<broker::TopicAttributes> changes = broker::ParseAttributeChanges(std::string(text));
  if (changes.ok()) (void)broker::AlterAttributes({}, *changes, /*creating=*/true);
  return 0;
}
