#include "net/request_table.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace net {

namespace {

using enum RequestAction;  // the words of the column "actions"

// The words of the column "resource".

using Where = RequestResource::Where;

constexpr RequestResource NoRule() { return {}; }
constexpr RequestResource Server() { return {.where = Where::kServer}; }
constexpr RequestResource InBody() { return {.where = Where::kBody}; }
constexpr RequestResource Named(NameField first, NameField second = {}, NameField third = {}) {
  return {.where = Where::kHeader, .names = {first, second, third}};
}
constexpr NameField PerhapsTopicField(std::string_view field) { return {.field = field, .kind = NameKind::kTopic, .required = false}; }
constexpr NameField PerhapsGroupField(std::string_view field) { return {.field = field, .kind = NameKind::kGroup, .required = false}; }
constexpr NameField Several(NameField field, char between) {
  field.between = between;
  return field;
}
constexpr RequestResource Topic(std::string_view field) { return Named({field, NameKind::kTopic}); }
constexpr RequestResource LookedUpTopic(std::string_view field) {
  RequestResource resource = Topic(field);
  resource.by_lookup = true;
  return resource;
}
constexpr RequestResource PerhapsTopic(std::string_view field) { return Named(PerhapsTopicField(field)); }
constexpr RequestResource Route(std::string_view field) { return Named({field, NameKind::kRoute}); }
constexpr RequestResource Group(std::string_view field) { return Named({field, NameKind::kConsumerGroup}); }
constexpr RequestResource Both(std::string_view topic, std::string_view group) {
  return Named({topic, NameKind::kTopic}, {group, NameKind::kConsumerGroup});
}
constexpr RequestResource AdminGroup(std::string_view field) { return Named({field, NameKind::kGroup}); }
/// From group to group, of one topic or all.
constexpr RequestResource GroupsPerhapsTopic(std::string_view one, std::string_view other, std::string_view topic) {
  return Named({one, NameKind::kGroup}, {other, NameKind::kGroup}, PerhapsTopicField(topic));
}
constexpr RequestResource AdminBoth(std::string_view topic, std::string_view group) {
  return Named({topic, NameKind::kTopic}, {group, NameKind::kGroup});
}
constexpr RequestResource GroupPerhapsTopic(std::string_view group, std::string_view topic) {
  return Named({group, NameKind::kGroup}, PerhapsTopicField(topic));
}
constexpr RequestResource GroupPerhapsTopics(std::string_view group, std::string_view topic, std::string_view topics) {
  return Named({group, NameKind::kGroup}, PerhapsTopicField(topic), Several(PerhapsTopicField(topics), ';'));
}
constexpr RequestResource RoutePerhapsGroup(std::string_view topic, std::string_view group) {
  return Named({topic, NameKind::kRoute}, PerhapsGroupField(group));
}
constexpr RequestResource AdminBothAndGroups(std::string_view topic, std::string_view group, std::string_view groups) {
  return Named({topic, NameKind::kTopic}, {group, NameKind::kGroup}, Several(PerhapsGroupField(groups), ','));
}
/// What the header leaves open, the message says: its topic.
constexpr RequestResource AndMessage(RequestResource resource) {
  resource.by_message = true;
  return resource;
}
/// Where the header names no topic, or a wrong one, the message does.
constexpr RequestResource TopicOfMessage(std::string_view field) { return AndMessage(PerhapsTopic(field)); }
/// The group is about a message of some topic.
constexpr RequestResource GroupAndMessage(std::string_view field) { return AndMessage(Group(field)); }
constexpr RequestResource AdminGroupAndMessage(std::string_view field) { return AndMessage(AdminGroup(field)); }
/// A reply goes to the client that waits for it, and is kept in the topic.
constexpr RequestResource ReplyTopic(std::string_view field) {
  RequestResource resource = Topic(field);
  resource.for_replies = true;
  return resource;
}
constexpr RequestResource User(std::string_view field) { return Named({field, NameKind::kUser, false}); }
constexpr RequestResource Label(std::string_view field) { return Named({field, NameKind::kLabel}); }
constexpr RequestResource Broker(std::string_view name, std::string_view cluster) {
  return Named({name, NameKind::kLabel}, {cluster, NameKind::kLabel});
}
/// A client may have only one of both; a producer's group is anything that a producer calls itself.
constexpr RequestResource Either(std::string_view consumers, std::string_view producers) {
  RequestResource resource = Named({consumers, NameKind::kConsumerGroup, false}, {producers, NameKind::kLabel, false});
  resource.any_will_do = true;
  return resource;
}

constexpr RequestInfo kRequests[] = {
#define REQUEST(name, code, text, servers, plane, tier, body, resource, actions)             \
  {RequestCode::k##name, text,     static_cast<uint8_t>(servers), RequestPlane::plane, tier, \
   BodySize::body,       resource, actions},
#include "net/request_codes.inc"
#undef REQUEST
};

consteval auto SortedByCode() {
  std::array<uint8_t, std::size(kRequests)> order{};
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
  std::sort(order.begin(), order.end(), [](uint8_t a, uint8_t b) { return kRequests[a].code < kRequests[b].code; });
  return order;
}
constexpr auto kByCode = SortedByCode();
static_assert(std::size(kRequests) < 256);
static_assert(std::adjacent_find(kByCode.begin(), kByCode.end(), [](uint8_t a, uint8_t b) {
                return kRequests[a].code == kRequests[b].code;
              }) == kByCode.end());

}  // namespace

std::span<const RequestInfo> RequestTable() { return kRequests; }

const RequestInfo* FindRequest(int32_t code) {
  const auto at = std::lower_bound(kByCode.begin(), kByCode.end(), code, [](uint8_t index, int32_t wanted) {
    return static_cast<int32_t>(kRequests[index].code) < wanted;
  });
  if (at == kByCode.end() || static_cast<int32_t>(kRequests[*at].code) != code) return nullptr;
  return &kRequests[*at];
}

std::string_view RequestName(int32_t code) {
  const RequestInfo* info = FindRequest(code);
  return info == nullptr ? std::string_view() : info->name;
}

}  // namespace net
