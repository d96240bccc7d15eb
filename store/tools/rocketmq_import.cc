#include "store/tools/rocketmq_import.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/queue.h"
#include "store/tools/consume_queue_reader.h"
#include "store/tools/log_builder.h"
#include "store/tools/rocketmq_log_reader.h"

namespace store::tools {
namespace {

// Source: RocketMQ 5.3.3, MessageSysFlag.
constexpr int32_t kTransactionPrepared = 0x4;
constexpr int32_t kTransactionRollback = 0xC;
constexpr int32_t kInnerBatch = 0x80;
/// Tags codes at and below it are addresses in consumequeue_ext. Source: RocketMQ 5.3.3, ConsumeQueueExt.MAX_ADDR.
constexpr int64_t kExtAddressMax = -2147483649;

class Importer {
 public:
  explicit Importer(ImportOptions options)
      : options_(std::move(options)),
        reader_(options_.from + "/commitlog"),
        consume_queues_(options_.from + "/consumequeue") {}

  core::Task<absl::Status> Run() {
    CO_RETURN_IF_ERROR(co_await RefuseOtherStores());
    CO_RETURN_IF_ERROR(co_await consume_queues_.Open());
    CO_RETURN_IF_ERROR(co_await reader_.Open());
    absl::Status status;
    for (uint32_t log = 0; status.ok() && log < options_.manifest.logs; ++log) {
      absl::StatusOr<std::unique_ptr<LogBuilder>> builder =
          co_await LogBuilder::Open(core::StrCat(options_.directory, "/log-", log), {options_.manifest.store_id, log},
                                    options_.manifest.segment_bytes);
      status = builder.status();
      if (builder.ok()) builders_.push_back(*std::move(builder));
    }
    while (status.ok()) {
      const absl::StatusOr<std::optional<RocketMqRecord>> next = co_await reader_.Next();
      status = next.status();
      if (!next.ok() || !next->has_value()) break;
      status = co_await Take(**next);
    }
    co_await reader_.Close();
    for (const std::unique_ptr<LogBuilder>& builder : builders_) {
      if (status.ok()) status = co_await builder->Finish();
      co_await builder->Close();
    }
    // A queue whose messages have expired goes on where it was.
    for (const auto& [key, queue] : consume_queues_.queues()) {
      if (!options_.wanted(key.topic)) continue;
      const auto [entry, is_new] = result.queues.try_emplace(key, ImportResult::Range{.begin = queue.end});
      if (queue.end <= entry->second.end) continue;
      entry->second.end = queue.end;
      entry->second.messages_end_before = true;
    }
    co_return status;
  }

  ImportResult result;

 private:
  core::Task<absl::Status> RefuseOtherStores() {
    for (const char* name : {"batchconsumequeue", "rocksdb", "rocksdbstore", "dledger-broker-a"}) {
      const absl::StatusOr<std::vector<core::DirectoryEntry>> entries =
          co_await core::fs::List(core::StrCat(options_.from, "/", name));
      if (!entries.ok() || entries->empty()) continue;
      co_return absl::FailedPreconditionError(
          core::StrCat(options_.from, " has a folder ", name,
                       ": only stores with plain consume queues and a plain commit log can be imported"));
    }
    co_return absl::OkStatus();
  }

  /// Whether the record is a message of its queue, and what the queue says of it.
  core::Task<absl::StatusOr<bool>> Wanted(const RocketMqRecord& one, const core::QueueKey& key, int64_t* tags_code) {
    const int32_t transaction = one.record.sys_flag & kTransactionRollback;
    if (transaction == kTransactionPrepared || transaction == kTransactionRollback) co_return false;
    if (one.record.topic.empty() || one.record.queue_id < 0 || !options_.wanted(one.record.topic)) co_return false;
    const int64_t offset = one.record.queue_offset.value();
    if (static_cast<int64_t>(one.position) <= consume_queues_.dispatched()) {
      CO_ASSIGN_OR_RETURN(const std::optional<ConsumeQueueReader::Entry> entry,
                          co_await consume_queues_.Find(key, offset));
      // No queue has it any more, or another record has the place: this one is of an earlier topic of the same name.
      if (!entry.has_value() || static_cast<uint64_t>(entry->position) != one.position) co_return false;
      *tags_code = entry->tags_code > kExtAddressMax ? entry->tags_code : options_.tags_code(one.record);
      co_return true;
    }
    // What RocketMQ had not yet entered when it ended.
    *tags_code = options_.tags_code(one.record);
    const auto known = result.queues.find(key);
    co_return known == result.queues.end() || offset >= known->second.end;
  }

  core::Task<absl::Status> Take(const RocketMqRecord& one) {
    if ((one.record.sys_flag & kInnerBatch) != 0) {
      co_return absl::FailedPreconditionError(core::StrCat(
          "the topic ", one.record.topic, " has batch messages (queue.type=BatchCQ), which RingMQ does not store"));
    }
    core::QueueKey key{std::string(one.record.topic), one.record.queue_id};
    int64_t tags_code = 0;
    CO_ASSIGN_OR_RETURN(const bool wanted, co_await Wanted(one, key, &tags_code));
    if (!wanted) {
      ++result.deleted;
      co_return absl::OkStatus();
    }
    if (!one.record.BodyIntact()) {
      ++result.damaged;
      co_return absl::OkStatus();
    }
    const int64_t offset = one.record.queue_offset.value();
    const uint64_t hash = HashQueue(key.topic, key.queue_id);
    LogBuilder& builder = *builders_[options_.owner(key)];
    CO_RETURN_IF_ERROR(co_await builder.Add(one.bytes, hash, offset, tags_code, one.record.store_timestamp));
    const auto [entry, is_new] = result.queues.try_emplace(std::move(key), ImportResult::Range{.begin = offset});
    entry->second.end = offset + 1;
    ++result.records;
    co_return absl::OkStatus();
  }

  const ImportOptions options_;
  RocketMqLogReader reader_;
  ConsumeQueueReader consume_queues_;
  std::vector<std::unique_ptr<LogBuilder>> builders_;
};

}  // namespace

core::Task<absl::StatusOr<ImportResult>> ImportCommitLog(ImportOptions options) {
  Importer importer(std::move(options));
  CO_RETURN_IF_ERROR(co_await importer.Run());
  co_return std::move(importer.result);
}

core::Task<absl::Status> WriteManifest(std::string directory, ManifestContent manifest) {
  co_return co_await core::fs::ReplaceWhole(directory + "/manifest", EncodeManifest(manifest));
}

core::Task<absl::Status> CheckEmpty(std::string directory) {
  const absl::StatusOr<std::vector<core::DirectoryEntry>> entries = co_await core::fs::List(directory);
  if (absl::IsNotFound(entries.status())) co_return absl::OkStatus();
  if (!entries.ok()) co_return entries.status();
  if (entries->empty()) co_return absl::OkStatus();
  co_return absl::AlreadyExistsError(
      core::StrCat(directory, " is not empty: nothing is overwritten, name a new folder"));
}

}  // namespace store::tools
