#include "store/record.h"

#include <cstring>

#include "core/assert.h"
#include "core/strings.h"
#include "store/bytes.h"
#include "store/crc.h"

namespace store {
namespace {

constexpr uint32_t kBodyCrcMask = 0x7FFFFFFF;

size_t HostBytes(bool ipv6) { return ipv6 ? 20 : 8; }

/// Writes what comes one after the other.
class Writer {
 public:
  explicit Writer(std::byte* at) : at_(at) {}
  template <std::integral T>
  void Put(T value) {
    StoreBig(at_, value);
    at_ += sizeof(T);
  }
  void Put(std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Put(std::string_view text) { Put(std::as_bytes(std::span(text.data(), text.size()))); }
  void Put(const core::Endpoint& host) {
    const size_t address_bytes = host.ipv6 ? 16 : 4;
    std::memcpy(at_, host.address, address_bytes);
    at_ += address_bytes;
    Put(static_cast<int32_t>(host.port));
  }
  std::byte* at() const { return at_; }

 private:
  std::byte* at_;
};

core::Endpoint LoadHost(const std::byte* at, bool ipv6) {
  core::Endpoint host;
  host.ipv6 = ipv6;
  const size_t address_bytes = ipv6 ? 16 : 4;
  std::memcpy(host.address, at, address_bytes);
  host.port = static_cast<uint16_t>(LoadBig<int32_t>(at + address_bytes));
  return host;
}

bool ClosedProperties(std::string_view properties) { return properties.empty() || properties.back() == '\x02'; }

}  // namespace

absl::Status CheckDraft(const MessageDraft& draft) {
  if (draft.topic.empty() || draft.topic.size() > kTopicBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the topic has ", draft.topic.size(), " bytes, 1 to ", kTopicBytesMax, " are allowed"));
  }
  if (draft.properties.size() + draft.more_properties.size() > kPropertiesBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the properties have ", draft.properties.size() + draft.more_properties.size(),
                                                   " bytes, at most ", kPropertiesBytesMax, " are allowed"));
  }
  if (!ClosedProperties(draft.properties) || !ClosedProperties(draft.more_properties)) {
    return absl::InvalidArgumentError("the properties do not end with 0x02");
  }
  if (draft.queue_id < 0) return absl::InvalidArgumentError(absl::StrCat("queue id ", draft.queue_id));
  return absl::OkStatus();
}

size_t RecordBytes(const MessageDraft& draft) {
  const size_t topic_length_bytes = draft.topic.size() > kTopicBytesMaxV1 ? 2 : 1;
  return 48 + HostBytes(draft.born_host.ipv6) + 8 + HostBytes(draft.store_host.ipv6) + 4 + 8 + 4 + draft.body.size() + topic_length_bytes +
         draft.topic.size() + 2 + draft.properties.size() + draft.more_properties.size();
}

void EncodeRecord(const MessageDraft& draft, const RecordPlace& place, std::byte* out) {
  const bool v2 = draft.topic.size() > kTopicBytesMaxV1;
  int32_t sys_flag = draft.sys_flag & ~(kSysFlagBornHostV6 | kSysFlagStoreHostV6);
  if (draft.born_host.ipv6) sys_flag |= kSysFlagBornHostV6;
  if (draft.store_host.ipv6) sys_flag |= kSysFlagStoreHostV6;
  const size_t bytes = RecordBytes(draft);
  Writer writer(out);
  writer.Put(static_cast<uint32_t>(bytes));
  writer.Put(v2 ? kRecordMagicV2 : kRecordMagicV1);
  writer.Put(draft.body.empty() ? uint32_t{0} : Crc32(draft.body) & kBodyCrcMask);
  writer.Put(draft.queue_id);
  writer.Put(draft.flag);
  writer.Put(place.queue_offset.value());
  writer.Put(place.position.value());
  writer.Put(sys_flag);
  writer.Put(draft.born_timestamp);
  writer.Put(draft.born_host);
  writer.Put(place.store_timestamp);
  writer.Put(draft.store_host);
  writer.Put(draft.reconsume_times);
  writer.Put(draft.prepared_transaction_offset);
  writer.Put(static_cast<uint32_t>(draft.body.size()));
  writer.Put(draft.body);
  if (v2) {
    writer.Put(static_cast<uint16_t>(draft.topic.size()));
  } else {
    writer.Put(static_cast<uint8_t>(draft.topic.size()));
  }
  writer.Put(draft.topic);
  writer.Put(static_cast<uint16_t>(draft.properties.size() + draft.more_properties.size()));
  writer.Put(draft.properties);
  writer.Put(draft.more_properties);
  CORE_DEBUG_ASSERT(writer.at() == out + bytes);
}

bool RecordView::BodyIntact() const { return body_crc == (body.empty() ? 0 : Crc32(body) & kBodyCrcMask); }

absl::StatusOr<RecordView> ParseRecord(std::span<const std::byte> bytes) {
  if (bytes.size() < kRecordBytesMin) return absl::OutOfRangeError("shorter than any record");
  const uint32_t total = LoadBig<uint32_t>(bytes.data());
  const uint32_t magic = LoadBig<uint32_t>(bytes.data() + 4);
  if (magic != kRecordMagicV1 && magic != kRecordMagicV2) return absl::DataLossError("not a record: wrong magic");
  if (total < kRecordBytesMin || total > uint32_t{INT32_MAX}) return absl::DataLossError("impossible record length");
  if (total > bytes.size()) return absl::OutOfRangeError("the record is longer than what is here");
  bytes = bytes.first(total);
  const std::byte* const data = bytes.data();

  RecordView view;
  view.bytes = total;
  view.body_crc = LoadBig<uint32_t>(data + 8);
  view.queue_id = LoadBig<int32_t>(data + 12);
  view.flag = LoadBig<int32_t>(data + 16);
  view.queue_offset = core::LogicalOffset(LoadBig<int64_t>(data + 20));
  view.position = core::PhysicalOffset(LoadBig<int64_t>(data + 28));
  view.sys_flag = LoadBig<int32_t>(data + 36);
  view.born_timestamp = LoadBig<int64_t>(data + 40);

  // From here on the places depend on what was read: `at` never passes the end unnoticed.
  const bool born_v6 = (view.sys_flag & kSysFlagBornHostV6) != 0;
  const bool store_v6 = (view.sys_flag & kSysFlagStoreHostV6) != 0;
  size_t at = 48 + HostBytes(born_v6);
  const size_t store_host_bytes = HostBytes(store_v6);
  const size_t topic_length_bytes = magic == kRecordMagicV2 ? 2 : 1;
  if (at + 8 + store_host_bytes + 4 + 8 + 4 > total) return absl::DataLossError("the record ends within its hosts");
  view.born_host = LoadHost(data + 48, born_v6);
  view.store_timestamp = LoadBig<int64_t>(data + at);
  view.store_host = LoadHost(data + at + 8, store_v6);
  at += 8 + store_host_bytes;
  view.reconsume_times = LoadBig<int32_t>(data + at);
  view.prepared_transaction_offset = LoadBig<int64_t>(data + at + 4);
  at += 4 + 8;
  const uint32_t body_bytes = LoadBig<uint32_t>(data + at);
  at += 4;
  if (body_bytes > total - at) return absl::DataLossError("the body is longer than the record");
  view.body = bytes.subspan(at, body_bytes);
  at += body_bytes;
  if (topic_length_bytes > total - at) return absl::DataLossError("the record ends before its topic");
  const size_t topic_bytes = topic_length_bytes == 2 ? LoadBig<uint16_t>(data + at) : LoadBig<uint8_t>(data + at);
  at += topic_length_bytes;
  if (topic_bytes > total - at) return absl::DataLossError("the topic is longer than the record");
  view.topic = {reinterpret_cast<const char*>(data + at), topic_bytes};
  at += topic_bytes;
  if (total - at < 2) return absl::DataLossError("the record ends before its properties");
  const size_t properties_bytes = LoadBig<uint16_t>(data + at);
  at += 2;
  if (properties_bytes != total - at) return absl::DataLossError("the properties do not end with the record");
  view.properties = {reinterpret_cast<const char*>(data + at), properties_bytes};
  return view;
}

}  // namespace store
