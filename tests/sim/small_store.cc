#include "tests/sim/small_store.h"

#include <iterator>
#include <limits>
#include <span>
#include <string_view>

#include "core/status.h"
#include "core/strings.h"
#include "store/properties.h"
#include "store/record.h"
#include "store/segment.h"
#include "store/tags_code.h"
#include "tests/sim/seeds.h"

namespace store {
namespace {

/// The records of an answer; kInternal when a byte of it is none.
absl::Status TakeRecords(const FetchResult& result, const std::string& topic, Seen& seen) {
  for (const core::Slice& part : result.parts) {
    std::span<const std::byte> rest = part.bytes();
    while (!rest.empty()) {
      const absl::StatusOr<RecordView> record = ParseRecord(rest);
      if (!record.ok() || !record->BodyIntact() || record->topic != topic)
        return absl::InternalError("a damaged record was served");
      if (record->properties.find(kPropertyUniqKey) != std::string_view::npos)
        seen.keyed.emplace(topic, record->queue_offset.value());
      std::string body(reinterpret_cast<const char*>(record->body.data()), record->body.size());
      if (!seen.messages.emplace(Place(topic, record->queue_offset.value()), std::move(body)).second) {
        return absl::InternalError(
            core::StrCat("offset ", record->queue_offset.value(), " of ", topic, " was served twice"));
      }
      rest = rest.subspan(record->bytes);
    }
  }
  return absl::OkStatus();
}

constexpr const char* kTags[] = {"TagA", "TagB", "TagC"};

/// Takes the queue from `min` to `max` as a consumer of `filter` does.
core::Task<absl::Status> ReadQueue(ShardStore& store, std::string topic, int64_t min, int64_t max, TagFilter filter,
                                   Seen* seen) {
  for (int64_t next = min; next < max;) {
    FetchRequest request;
    request.queue = {topic, 0};
    request.from = core::LogicalOffset(next);
    request.filter = filter;
    const FetchResult result = co_await store.Fetch(std::move(request));
    if (result.next.value() <= next)
      co_return absl::InternalError(core::StrCat("a reader of ", topic, " makes no progress at ", next));
    next = result.next.value();
    CO_RETURN_IF_ERROR(TakeRecords(result, topic, *seen));
  }
  co_return absl::OkStatus();
}

/// What `all` shows of the queue is what a consumer of `tag` finds, where it has that tag.
core::Task<absl::Status> CheckTag(ShardStore& store, std::string topic, const char* tag, const Seen& all) {
  const auto [min, max] = all.ranges.at(topic);
  Seen tagged;
  CO_RETURN_IF_ERROR(co_await ReadQueue(store, topic, min, max, {{JavaHash(tag)}}, &tagged));
  for (auto one = all.messages.lower_bound({topic, 0}); one != all.messages.end() && one->first.first == topic; ++one) {
    const bool found = tagged.messages.contains(one->first);
    if (found == (TagOf(one->second) == tag)) continue;
    co_return absl::InternalError(core::StrCat("a consumer of ", tag, found ? " gets" : " does not get", " message ",
                                               one->first.second, " of ", topic, ", which has ", TagOf(one->second)));
  }
  co_return absl::OkStatus();
}

/// The newest messages with this key, as bodies, the newest first.
core::Task<absl::StatusOr<std::vector<std::string>>> FindBodies(ShardStore& store, std::string topic, std::string key) {
  KeyQuery query{.topic = std::move(topic),
                 .key = std::move(key),
                 .end = std::numeric_limits<core::WallMillis>::max(),
                 .messages_max = 64};
  CO_ASSIGN_OR_RETURN(const KeyQueryResult found, co_await store.FindByKey(std::move(query)));
  std::vector<std::string> bodies;
  for (const KeyQueryResult::Message& message : found.messages) {
    const absl::StatusOr<RecordView> record = ParseRecord(message.record.bytes());
    if (!record.ok() || !record->BodyIntact()) co_return absl::InternalError("a damaged record was found by its key");
    bodies.emplace_back(reinterpret_cast<const char*>(record->body.data()), record->body.size());
  }
  co_return bodies;
}

/// What `all` shows of the queue is found by its keys, and nothing else.
core::Task<absl::Status> CheckKeys(ShardStore& store, std::string topic, const Seen& all) {
  std::map<std::string, std::vector<std::string>> by_tag;  // the newest first
  for (auto one = all.messages.lower_bound({topic, 0}); one != all.messages.end() && one->first.first == topic; ++one) {
    if (!all.keyed.contains(one->first)) continue;
    std::string key(KeyOf(one->second));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> found, co_await FindBodies(store, topic, key));
    if (found != std::vector<std::string>{one->second})
      co_return absl::InternalError(core::StrCat("message ", one->first.second, " of ", topic, " is found ",
                                                 found.size(), " times by its key ", key));
    std::vector<std::string>& of_tag = by_tag[TagOf(one->second)];
    of_tag.insert(of_tag.begin(), one->second);
  }
  for (auto& [tag, wanted] : by_tag) {
    if (wanted.size() > 64) wanted.resize(64);
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> found, co_await FindBodies(store, topic, tag));
    if (found != wanted)
      co_return absl::InternalError(
          core::StrCat(found.size(), " messages of ", topic, " are found by ", tag, " instead of ", wanted.size()));
  }
  co_return absl::OkStatus();
}

}  // namespace

uint64_t StateCount() { return sim::FromEnvironment("RINGMQ_SIM_STATES", sim::SeedCount(1000)); }
uint64_t FirstState() { return sim::FirstSeed(); }
std::string AgainState(uint64_t state) { return sim::Again(state, "RINGMQ_SIM_STATES"); }

const char* TagOf(std::string_view body) { return kTags[sim::HashText(body) % std::size(kTags)]; }

std::string_view KeyOf(std::string_view body) { return body.substr(0, body.find('|')); }

StoreOptions SmallStoreOptions(Durability durability) {
  StoreOptions options;
  options.durability = durability;
  options.append_buffer_bytes = size_t{1} << 20;
  options.key_table_entries = 32;
  return options;
}

core::Task<absl::StatusOr<SmallStore>> OpenSmall(StoreOptions options, uint32_t log_number, uint32_t logs) {
  SmallStore opened;
  Manifest::Options wanted{.directory = "data", .default_logs = logs, .segment_bytes = kSegmentBytesMin};
  CO_ASSIGN_OR_RETURN(opened.manifest, co_await Manifest::Open(std::move(wanted)));
  absl::StatusOr<std::unique_ptr<DataFolder>> folder =
      co_await DataFolder::Open("data", opened.manifest.content(), log_number, std::move(options));
  if (!folder.ok()) {
    (void)co_await opened.manifest.Close();
    co_return folder.status();
  }
  opened.folder = std::move(folder).value();
  co_return opened;
}

core::Task<absl::Status> CloseSmall(SmallStore& opened) {
  const absl::Status folder_closed = co_await opened.folder->Close();
  opened.folder.reset();
  const absl::Status manifest_closed = co_await opened.manifest.Close();
  co_return folder_closed.ok() ? manifest_closed : folder_closed;
}

core::Task<absl::Status> Send(ShardStore& store, Told& told, std::string topic, std::string body,
                              Durability durability) {
  MessageDraft draft;
  draft.topic = topic;
  draft.body = std::as_bytes(std::span(body.data(), body.size()));
  const std::string properties =
      core::StrCat("TAGS\x01", TagOf(body), "\x02KEYS\x01", TagOf(body), "\x02UNIQ_KEY\x01", KeyOf(body), "\x02");
  draft.properties = properties;
  draft.tags_code = JavaHash(TagOf(body));
  draft.born_host.port = draft.store_host.port = 1;
  told.sent.insert(body);
  const absl::StatusOr<AppendResult> result = co_await store.Append({&draft, 1}, durability);
  if (!result.ok()) {
    if (!absl::IsDeadlineExceeded(result.status()))
      told.refused.insert(std::move(body));  // FLUSH_DISK_TIMEOUT promises nothing
    co_return result.status();
  }
  const Told::Message message{body, LogPositionOf(result->positions[0]), RecordBytes(draft),
                              durability == Durability::kSynced};
  if (!told.acknowledged.emplace(Place(topic, result->first_queue_offset.value()), message).second) {
    co_return absl::InternalError(
        core::StrCat("offset ", result->first_queue_offset.value(), " of ", topic, " was given out twice"));
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> ReadEverything(ShardStore& store, const Told& told, Seen& seen) {
  std::set<std::string> topics;
  for (const std::string& topic : store.Topics()) topics.insert(topic);
  for (const auto& [place, message] : told.acknowledged) topics.insert(place.first);
  for (const std::string& topic : topics) {
    const core::QueueKey key{topic, 0};
    const int64_t min = store.MinOffset(key).value();
    const int64_t max = store.MaxOffset(key).value();
    seen.ranges[topic] = {min, max};
    CO_RETURN_IF_ERROR(co_await ReadQueue(store, topic, min, max, {}, &seen));
    for (const char* tag : kTags) CO_RETURN_IF_ERROR(co_await CheckTag(store, topic, tag, seen));
    CO_RETURN_IF_ERROR(co_await CheckKeys(store, topic, seen));
  }
  seen.damaged_records = store.Stats().damaged_records;
  seen.damaged_bytes = store.Stats().damaged_bytes;
  co_return absl::OkStatus();
}

std::vector<std::string> Contradictions(const Told& told, const Seen& seen) {
  std::vector<std::string> wrong;
  std::map<std::string, Place> first;
  for (const auto& [place, body] : seen.messages) {
    const std::string where = core::StrCat(place.first, " ", place.second, " holds '", body.substr(0, 24), "', ");
    const auto [before, fresh] = first.emplace(body, place);
    if (!fresh) wrong.push_back(core::StrCat(where, "as does ", before->second.first, " ", before->second.second));
    if (!told.sent.contains(body)) wrong.push_back(where + "which nobody sent");
    if (told.refused.contains(body)) wrong.push_back(where + "which was refused");
    const auto known = told.acknowledged.find(place);
    if (known != told.acknowledged.end() && known->second.body != body) {
      wrong.push_back(core::StrCat(where, "where '", known->second.body.substr(0, 24), "' was acknowledged"));
    }
  }
  return wrong;
}

std::vector<Place> MissingFrom(const Told& told, const Seen& seen, size_t* reused) {
  std::vector<Place> missing;
  for (const auto& [place, message] : told.acknowledged) {
    if (seen.messages.contains(place)) continue;
    missing.push_back(place);
    const auto range = seen.ranges.find(place.first);
    const bool free = range == seen.ranges.end() || range->second.second <= place.second;
    if (free && reused != nullptr) ++*reused;
  }
  return missing;
}

std::string Lines(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::string BodyOf(const std::string& name, size_t bytes) {
  std::string body = name + "|";
  uint64_t chance = sim::HashText(name);
  while (body.size() < bytes) {
    chance = chance * 6364136223846793005U + 1442695040888963407U;
    body.push_back(static_cast<char>('A' + (chance >> 59)));
  }
  return body;
}

}  // namespace store
