#include "nameserver/registration.h"

#include <charconv>
#include <optional>
#include <utility>

#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/name_rules.h"
#include "net/zlib.h"

namespace nameserver {
namespace {

// Ordinals of RocketMQ 5.3.3 MQVersion.
constexpr int32_t kV3_0_11 = 37;
constexpr int32_t kV5_0_0 = 413;

DataVersion VersionOf(net::JsonValue json) {
  return {.state_version = json["stateVersion"].IntOr(0),
          .timestamp = json["timestamp"].IntOr(0),
          .counter = json["counter"].IntOr(0)};
}

QueueMapping MappingOf(net::JsonValue json) {
  QueueMapping mapping;
  mapping.broker_name = std::string(json["bname"].text());
  for (const net::JsonMember& id : json["currIdMap"].members()) {
    mapping.current_ids[id.key.Int32Or(0)] = id.value.Int32Or(0);
  }
  mapping.dirty = json["dirty"].BoolOr(false);
  mapping.epoch = json["epoch"].IntOr(0);
  mapping.scope = std::string(json["scope"].text());
  mapping.topic = std::string(json["topic"].text());
  mapping.total_queues = json["totalQueues"].Int32Or(0);
  return mapping;
}

QueueData QueuesOf(net::JsonValue json) {
  const QueueData defaults;
  return {.read_queues = json["readQueueNums"].Int32Or(defaults.read_queues),
          .write_queues = json["writeQueueNums"].Int32Or(defaults.write_queues),
          .perm = json["perm"].Int32Or(defaults.perm),
          .topic_sys_flag = json["topicSysFlag"].Int32Or(defaults.topic_sys_flag)};
}

void ReadWrapper(net::JsonValue wrapper, TopicReport& report) {
  report.version = VersionOf(wrapper["dataVersion"]);
  for (const net::JsonMember& topic : wrapper["topicConfigTable"].members()) {
    // The key names the topic; the name inside is the same, or missing.
    report.topics.push_back({std::string(topic.name()), QueuesOf(topic.value)});
  }
  for (const net::JsonMember& mapping : wrapper["topicQueueMappingInfoMap"].members()) {
    report.mappings.emplace(std::string(mapping.name()), MappingOf(mapping.value));
  }
}

/// Reads the packed form: big-endian counts, and texts with their length before them.
class PackedReader {
 public:
  explicit PackedReader(std::string_view bytes) : rest_(bytes) {}
  absl::StatusOr<uint32_t> Count() {
    if (rest_.size() < 4) return absl::InvalidArgumentError("the packed report is cut short");
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(rest_[static_cast<size_t>(i)]);
    rest_.remove_prefix(4);
    return value;
  }
  absl::StatusOr<std::string_view> Text() {
    ASSIGN_OR_RETURN(const uint32_t length, Count());
    if (length > rest_.size()) return absl::InvalidArgumentError("the packed report is cut short");
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return text;
  }

 private:
  std::string_view rest_;
};

std::optional<int32_t> TakeNumber(std::string_view& text) {
  const std::string_view digits = text.substr(0, text.find(' '));
  int32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  text.remove_prefix(std::min(text.size(), digits.size() + 1));
  return value;
}

/// "topic readNums writeNums perm filterType attributes". Source: RocketMQ 5.3.3 TopicConfig.decode.
absl::StatusOr<TopicReport::Topic> TopicOf(std::string_view text) {
  const size_t blank = text.find(' ');
  std::string_view rest = blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  const std::optional<int32_t> read = TakeNumber(rest);
  const std::optional<int32_t> write = TakeNumber(rest);
  const std::optional<int32_t> perm = TakeNumber(rest);
  if (blank == 0 || !read || !write || !perm) {
    return absl::InvalidArgumentError(core::StrCat("the packed report has no topic in '", text.substr(0, 200), "'"));
  }
  return TopicReport::Topic{std::string(text.substr(0, blank)), {*read, *write, *perm, 0}};
}

absl::StatusOr<TopicReport> DecodePacked(std::string_view body, int32_t broker_version) {
  absl::StatusOr<std::string> bytes = net::Inflate(body, kReportBytesMax);
  if (!bytes.ok()) return core::Annotate(bytes.status(), "the compressed report");
  PackedReader reader(*bytes);
  TopicReport report;
  ASSIGN_OR_RETURN(const std::string_view version, reader.Text());
  ASSIGN_OR_RETURN(report.version, DataVersionFromJson(version));
  ASSIGN_OR_RETURN(const uint32_t topics, reader.Count());
  for (uint32_t i = 0; i < topics; ++i) {
    ASSIGN_OR_RETURN(const std::string_view text, reader.Text());
    ASSIGN_OR_RETURN(TopicReport::Topic topic, TopicOf(text));
    report.topics.push_back(std::move(topic));
  }
  RETURN_IF_ERROR(reader.Text().status());  // filter servers, which nobody has had since 4.3
  if (broker_version < kV5_0_0) return report;
  ASSIGN_OR_RETURN(const uint32_t mappings, reader.Count());
  for (uint32_t i = 0; i < mappings; ++i) {
    ASSIGN_OR_RETURN(const std::string_view text, reader.Text());
    ASSIGN_OR_RETURN(const net::JsonDocument json, net::JsonDocument::Parse(text));
    QueueMapping mapping = MappingOf(json.root());
    std::string topic = mapping.topic;
    report.mappings.emplace(std::move(topic), std::move(mapping));
  }
  return report;
}

}  // namespace

absl::StatusOr<TopicReport> DecodeTopicReport(std::string_view body, bool compressed, int32_t broker_version) {
  TopicReport report;
  if (body.empty()) return report;
  if (compressed) return DecodePacked(body, broker_version);
  ASSIGN_OR_RETURN(const net::JsonDocument json, net::JsonDocument::Parse(body));
  ReadWrapper(broker_version >= kV3_0_11 ? json.root()["topicConfigSerializeWrapper"] : json.root(), report);
  return report;
}

size_t DropIllegalTopics(TopicReport& report) {
  std::erase_if(report.mappings, [](const auto& entry) { return net::WrongRouteName(entry.first).has_value(); });
  return std::erase_if(report.topics,
                       [](const TopicReport::Topic& topic) { return net::WrongRouteName(topic.name).has_value(); });
}

std::string DataVersionJson(const DataVersion& version) {
  net::JsonWriter json;
  json.BeginObject().Member("counter", version.counter).Member("stateVersion", version.state_version);
  json.Member("timestamp", version.timestamp).EndObject();
  return json.Take();
}

absl::StatusOr<DataVersion> DataVersionFromJson(std::string_view json) {
  ASSIGN_OR_RETURN(const net::JsonDocument document, net::JsonDocument::Parse(json));
  return VersionOf(document.root());
}

absl::StatusOr<std::vector<std::pair<std::string, QueueData>>> DecodeQueueDatas(std::string_view body) {
  std::vector<std::pair<std::string, QueueData>> queues;
  if (body.empty()) return queues;
  ASSIGN_OR_RETURN(const net::JsonDocument json, net::JsonDocument::Parse(body));
  for (const net::JsonValue& queue : json.root()["queueDatas"].items()) {
    queues.emplace_back(std::string(queue["brokerName"].text()), QueuesOf(queue));
  }
  return queues;
}

}  // namespace nameserver
