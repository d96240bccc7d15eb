#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/request_code.h"

namespace net {

/// Who answers a request; a set of bits.
enum RequestServer : uint8_t {
  kBroker = 1,
  kNameserver = 2,
  kClient = 4,
  kController = 8,
  kContainer = 16,
};

/// Messages and what clients need for them; the administration of it; what brokers and nameservers say to each other.
enum class RequestPlane : uint8_t { kData, kAdmin, kCluster };

/// What may be done to a resource; a set of bits. Source: RocketMQ 5.3.3 Action.
enum class RequestAction : uint8_t {
  kNone = 0,
  kPub = 1,
  kSub = 2,
  kCreate = 4,
  kUpdate = 8,
  kDelete = 16,
  kGet = 32,
  kList = 64,
  kAll = 127,
};
constexpr RequestAction operator|(RequestAction a, RequestAction b) {
  return static_cast<RequestAction>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}
constexpr bool Overlap(RequestAction a, RequestAction b) { return (static_cast<uint8_t>(a) & static_cast<uint8_t>(b)) != 0; }

/// How large a request's body may be. Each is at least kSmallFrame (limits.h), so that frames up to that need not be judged before they are there.
enum class BodySize : uint8_t {
  kSmall,    // none, or a few fields: kSmallFrame
  kLists,    // names, queues, settings: kListsBytesMax
  kMessage,  // messages: maxMessageSize
  kFrame,    // all the topics of a broker: what a frame can hold
};
inline constexpr size_t kListsBytesMax = size_t{4} << 20;

/// How a name is judged (name_rules.h), and the answer to one that is not legal.
enum class NameKind : uint8_t {
  kTopic,          // of a broker: INVALID_PARAMETER
  kRoute,          // a topic as nameservers know it: TOPIC_NOT_EXIST
  kConsumerGroup,  // of a consumer that is told so: SUBSCRIPTION_GROUP_NOT_EXIST
  kGroup,          // INVALID_PARAMETER
  kLabel,          // of brokers, clusters and producer groups: INVALID_PARAMETER
  kUser,           // or "User:" and one: INVALID_PARAMETER
};

/// A header field that names a resource.
struct NameField {
  std::string_view field;  // empty: none
  NameKind kind = NameKind::kLabel;
  bool required = true;
  char between = '\0';  // not zero: it holds several names with this between them
};

/// Calls `look(name)` with each name that `field` with the value `value` holds, until one gives something that is true, which is returned.
template <typename Look>
auto LookAtNames(const NameField& field, std::string_view value, Look look) -> decltype(look(value)) {
  if (field.between == '\0') return look(value);
  while (!value.empty()) {
    const size_t end = std::min(value.find(field.between), value.size());
    if (end > 0) {
      if (auto found = look(value.substr(0, end))) return found;
    }
    value.remove_prefix(std::min(value.size(), end + 1));
  }
  return {};
}

/// What a request is about.
struct RequestResource {
  enum class Where : uint8_t {
    kNoRule,  // nobody has said: refused
    kServer,  // the server itself: no name
    kHeader,  // the header fields `names`
    kBody,    // names in the body: whoever decodes it judges each with name_rules.h
  };
  Where where = Where::kNoRule;
  std::array<NameField, 3> names{};
  bool any_will_do = false;  // one of `names` is enough
  /// The handler judges `names`, and only where its lookup misses, as every name that it knows is legal: for the requests that come most often.
  bool by_lookup = false;
  /// Which topic it is about shows only in a message that is found for it: its handler asks RequestContext::RefuseTopic then.
  bool by_message = false;
  /// The topic is one to which replies go: every user may send to the cluster's.
  bool for_replies = false;
};

/// What is known of a request code beside its header struct.
struct RequestInfo {
  RequestCode code;
  std::string_view name;  // RocketMQ's: "SEND_MESSAGE"
  uint8_t servers;        // RequestServer bits
  RequestPlane plane;
  char tier;  // 'A' .. 'D'
  BodySize body;
  RequestResource resource;
  RequestAction actions;  // a user who may do one of them with the resource may ask for it
};

/// All of request_codes.inc, in its order.
std::span<const RequestInfo> RequestTable();
/// Null for a code that nobody answers.
const RequestInfo* FindRequest(int32_t code);
/// "SEND_MESSAGE", or "" for an unknown code.
std::string_view RequestName(int32_t code);

}  // namespace net
