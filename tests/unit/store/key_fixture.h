#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/task.h"
#include "store/record.h"
#include "store/shard_store.h"
#include "tests/unit/store/store_fixture.h"

namespace store {

inline std::string KeysText(std::string_view uniq_key, std::string_view keys) {
  std::string text;
  if (!keys.empty()) text += core::StrCat("KEYS\x01", keys, "\x02");
  if (!uniq_key.empty()) text += core::StrCat("UNIQ_KEY\x01", uniq_key, "\x02");
  return text;
}

inline core::Task<absl::StatusOr<AppendResult>> AppendKeyed(ShardStore& store, std::string topic, int32_t queue_id,
                                                            std::string body, std::string properties) {
  MessageDraft draft = DraftOf(topic, queue_id, body);
  draft.properties = properties;
  co_return co_await store.Append({&draft, 1});
}

inline KeyQuery QueryFor(std::string topic, std::string key, size_t messages_max = 64) {
  return {.topic = std::move(topic),
          .key = std::move(key),
          .begin = 0,
          .end = std::numeric_limits<core::WallMillis>::max(),
          .messages_max = messages_max};
}

/// The bodies of what a query finds, the newest first, each record checked.
inline core::Task<absl::StatusOr<std::vector<std::string>>> FindBodies(ShardStore& store, KeyQuery query) {
  absl::StatusOr<KeyQueryResult> found = co_await store.FindByKey(std::move(query));
  if (!found.ok()) co_return found.status();
  std::vector<std::string> bodies;
  for (const KeyQueryResult::Message& message : found->messages) {
    const absl::StatusOr<RecordView> record = ParseRecord(message.record.bytes());
    if (!record.ok() || !record->BodyIntact() || record->position != message.position ||
        record->store_timestamp != message.store_time) {
      co_return absl::DataLossError("a damaged record was found");
    }
    bodies.emplace_back(reinterpret_cast<const char*>(record->body.data()), record->body.size());
  }
  co_return bodies;
}

}  // namespace store
