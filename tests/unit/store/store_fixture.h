#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/meta_store.h"
#include "store/record.h"
#include "store/segment.h"
#include "store/shard_store.h"

namespace store {

/// The smallest segments, so that a test of some hundred messages has several.
inline StoreOptions SmallOptions() {
  StoreOptions options;
  options.segment_bytes = kSegmentBytesMin;
  options.append_buffer_bytes = size_t{2} << 20;
  return options;
}

/// A message with everything that a record needs; the strings must outlive the draft.
inline MessageDraft DraftOf(std::string_view topic, int32_t queue_id, std::string_view body, int64_t tags_code = 0) {
  MessageDraft draft;
  draft.topic = topic;
  draft.queue_id = queue_id;
  draft.body = std::as_bytes(std::span(body.data(), body.size()));
  draft.properties = std::string_view("KEYS\x01k\x02", 7);
  draft.born_host.address[0] = 127;
  draft.born_host.port = 1234;
  draft.store_host.address[0] = 10;
  draft.store_host.port = 10911;
  draft.born_timestamp = 5;
  draft.tags_code = tags_code;
  return draft;
}

/// A shard's store with its metadata in one folder.
struct OpenStore {
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<ShardStore> store;
};

inline core::Task<absl::StatusOr<OpenStore>> OpenIn(std::string folder, StoreOptions options) {
  OpenStore opened;
  CO_ASSIGN_OR_RETURN(opened.meta, co_await MetaStore::Open(folder + "/meta"));
  options.directory = folder + "/log";
  absl::StatusOr<std::unique_ptr<ShardStore>> store = co_await ShardStore::Open(options, *opened.meta);
  if (!store.ok()) {
    (void)co_await opened.meta->Close();
    co_return store.status();
  }
  opened.store = std::move(store).value();
  co_return opened;
}

inline core::Task<absl::Status> CloseBoth(OpenStore& opened) {
  absl::Status status = co_await opened.store->Close();
  const absl::Status meta = co_await opened.meta->Close();
  opened.store.reset();
  opened.meta.reset();
  co_return status.ok() ? meta : status;
}

inline core::Task<absl::StatusOr<AppendResult>> AppendOne(ShardStore& store, std::string topic, int32_t queue_id, std::string body,
                                                          int64_t tags_code = 0) {
  const MessageDraft draft = DraftOf(topic, queue_id, body, tags_code);
  co_return co_await store.Append({&draft, 1});
}

/// The bodies of what a fetch found, each record checked.
inline std::vector<std::string> BodiesOf(const FetchResult& result) {
  std::vector<std::string> bodies;
  for (const core::Slice& part : result.parts) {
    std::span<const std::byte> rest = part.bytes();
    while (!rest.empty()) {
      const absl::StatusOr<RecordView> record = ParseRecord(rest);
      if (!record.ok() || !record->BodyIntact()) {
        ADD_FAILURE() << "a damaged record was served";
        return bodies;
      }
      bodies.emplace_back(reinterpret_cast<const char*>(record->body.data()), record->body.size());
      rest = rest.subspan(record->bytes);
    }
  }
  return bodies;
}

inline core::Task<FetchResult> FetchFrom(ShardStore& store, std::string topic, int32_t queue_id, int64_t from, int32_t messages_max = 32) {
  FetchRequest request;
  request.queue = {topic, queue_id};
  request.from = core::LogicalOffset(from);
  request.messages_max = messages_max;
  co_return co_await store.Fetch(std::move(request));
}

}  // namespace store
