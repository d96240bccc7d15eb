#include "broker/access/body_names.h"

#include <set>
#include <string_view>
#include <tuple>

#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"

namespace broker {
namespace {

using net::JsonValue;

/// Of one body: more than any handler takes; and of different ones, each of which is looked for in a list.
constexpr size_t kMentionsMax = 70'000;
constexpr size_t kNamesMax = 10'000;

class Names {
 public:
  void AddGroup(std::string_view group) { Add(ResourceType::kGroup, group, {}); }
  void AddTopic(std::string_view topic, std::string_view group = {}) { Add(ResourceType::kTopic, topic, group); }
  bool full() const { return mentions_ > kMentionsMax || seen_.size() > kNamesMax; }
  absl::StatusOr<std::vector<NamedResource>> Take() {
    if (full()) return absl::InvalidArgumentError(core::StrCat("a body that names more than ", kNamesMax, " topics and groups"));
    if (names_.empty()) return absl::InvalidArgumentError("a body that names no topic and no group");
    return std::move(names_);
  }

 private:
  void Add(ResourceType type, std::string_view name, std::string_view group) {
    ++mentions_;
    if (full() || !seen_.emplace(type, name, group).second) return;
    names_.push_back({type, std::string(name), std::string(group)});
  }
  size_t mentions_ = 0;
  std::set<std::tuple<ResourceType, std::string_view, std::string_view>> seen_;
  std::vector<NamedResource> names_;
};

void AddHeartbeat(const JsonValue& beat, Names& names) {
  for (const JsonValue& consumer : beat["consumerDataSet"].items()) {
    if (names.full()) return;
    const std::string_view group = consumer["groupName"].text();
    names.AddGroup(group);
    for (const JsonValue& subscription : consumer["subscriptionDataSet"].items()) names.AddTopic(subscription["topic"].text(), group);
  }
}

void AddQueues(const JsonValue& body, Names& names) {
  const std::string_view group = body["consumerGroup"].text();
  names.AddGroup(group);
  for (const JsonValue& queue : body["mqSet"].items()) {
    if (names.full()) return;
    names.AddTopic(queue["topic"].text(), group);
  }
}

void AddAcks(const JsonValue& body, Names& names) {
  for (const JsonValue& ack : body["acks"].items()) {
    if (names.full()) return;
    const std::string_view group = (ack.Has("c") ? ack["c"] : ack["consumerGroup"]).text();
    names.AddGroup(group);
    names.AddTopic((ack.Has("t") ? ack["t"] : ack["topic"]).text(), group);
  }
}

}  // namespace

absl::StatusOr<std::vector<NamedResource>> BodyNames(const net::RequestInfo& info, const net::Frame& frame) {
  ASSIGN_OR_RETURN(const net::JsonDocument document, net::JsonDocument::Parse(frame.body.text()));
  const JsonValue body = document.root();
  Names names;
  switch (info.code) {
    case net::RequestCode::kHeartBeat:
      // Producers are nobody's: a client that only sends names no group of consumers.
      if (body["consumerDataSet"].items().empty()) return std::vector<NamedResource>();
      AddHeartbeat(body, names);
      break;
    case net::RequestCode::kCheckClientConfig:
      names.AddGroup(body["group"].text());
      names.AddTopic(body["subscriptionData"]["topic"].text(), body["group"].text());
      break;
    case net::RequestCode::kLockBatchMq:
    case net::RequestCode::kUnlockBatchMq:
      AddQueues(body, names);
      break;
    case net::RequestCode::kBatchAckMessage:
      AddAcks(body, names);
      break;
    case net::RequestCode::kQueryAssignment:
    case net::RequestCode::kSetMessageRequestMode:
      names.AddGroup(body["consumerGroup"].text());
      names.AddTopic(body["topic"].text(), body["consumerGroup"].text());
      break;
    case net::RequestCode::kUpdateAndCreateTopicList:
      for (const JsonValue& topic : body["topicConfigList"].items()) names.AddTopic(topic["topicName"].text());
      break;
    case net::RequestCode::kUpdateAndCreateSubscriptionGroup:
      names.AddGroup(body["groupName"].text());
      break;
    case net::RequestCode::kUpdateAndCreateSubscriptionGroupList:
      for (const JsonValue& group : body["groupConfigList"].items()) names.AddGroup(group["groupName"].text());
      break;
    default:
      return absl::UnimplementedError(core::StrCat("nobody has said what the body of ", info.name, " names"));
  }
  return names.Take();
}

}  // namespace broker
