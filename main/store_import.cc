#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/placement.h"
#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/rocketmq_config.h"
#include "main/store_commands.h"
#include "store/meta_store.h"
#include "store/queue.h"
#include "store/tags_code.h"
#include "store/tools/rocketmq_import.h"

namespace ringmq {
namespace {

using store::MetaChange;
using store::MetaTable;
using store::tools::ImportResult;

constexpr size_t kConfigJsonBytesMax = size_t{1} << 30;
/// Changes of one commit.
constexpr size_t kCommitChanges = 10'000;

/// RocketMQ keeps the state before the last change beside each file and reads that when the file can't be read. Empty when there is neither.
core::Task<absl::StatusOr<std::string>> ReadConfig(std::string from, std::string name) {
  const std::string path = core::StrCat(from, "/config/", name);
  for (const std::string& file : {path, path + ".bak"}) {
    absl::StatusOr<std::string> text = co_await core::fs::ReadWhole(file, kConfigJsonBytesMax);
    if (text.ok() && !text->empty()) co_return text;
    if (!text.ok() && !absl::IsNotFound(text.status())) co_return text.status();
  }
  co_return std::string();
}

core::Task<absl::Status> WriteMeta(std::string directory, std::vector<MetaChange> changes) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<store::MetaStore> meta, co_await store::MetaStore::Open(directory));
  absl::Status status;
  for (size_t at = 0; at < changes.size() && status.ok(); at += kCommitChanges) {
    const size_t end = std::min(changes.size(), at + kCommitChanges);
    std::vector<MetaChange> part(std::make_move_iterator(changes.begin() + static_cast<ptrdiff_t>(at)),
                                 std::make_move_iterator(changes.begin() + static_cast<ptrdiff_t>(end)));
    status = co_await meta->Commit(std::move(part));
  }
  const absl::Status closed = co_await meta->Close();
  co_return status.ok() ? closed : status;
}

/// The queues' next offsets, where no message is there to say them.
void AddFloors(const ImportResult& result, const broker::Placement& placement,
               std::vector<std::vector<MetaChange>>& changes) {
  for (const auto& [key, range] : result.queues) {
    if (!range.messages_end_before) continue;
    changes[placement.OwnerOf(key).value()].push_back(
        {MetaTable::kQueueFloors, store::QueueFloorKey(key), absl::StrCat(range.end)});
  }
}

void Print(const StoreImportOptions& options, const ImportResult& result) {
  std::printf("%s: %s messages of %s queues in %u logs\n", options.directory.c_str(), Grouped(result.records).c_str(),
              Grouped(result.queues.size()).c_str(), options.logs);
  if (result.deleted > 0) {
    std::printf(
        "%s records were left behind that RocketMQ does not deliver either: of deleted topics, expired, or rolled "
        "back\n",
        Grouped(result.deleted).c_str());
  }
  if (result.damaged > 0) {
    std::printf("%s damaged messages were left behind: their bodies do not fit their checksums\n",
                Grouped(result.damaged).c_str());
  }
  std::printf(
      "queue offsets, times, properties and consumer offsets are the same; offset message ids (host and position) are "
      "not\n");
  std::printf("start with: ringmq broker --data %s\n", options.directory.c_str());
}

core::Task<absl::Status> ImportMain(const StoreImportOptions& options) {
  CO_RETURN_IF_ERROR(co_await store::tools::CheckEmpty(options.directory));
  const absl::StatusOr<core::FileInfo> source = co_await core::fs::Stat(options.from + "/commitlog");
  if (!source.ok())
    co_return core::Annotate(source.status(), core::StrCat(options.from, " is no store folder of RocketMQ"));
  RocketMqConfig config;
  CO_ASSIGN_OR_RETURN(config.topics, co_await ReadConfig(options.from, "topics.json"));
  CO_ASSIGN_OR_RETURN(config.groups, co_await ReadConfig(options.from, "subscriptionGroup.json"));
  CO_ASSIGN_OR_RETURN(config.offsets, co_await ReadConfig(options.from, "consumerOffset.json"));
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> topics, TopicsOf(config.topics));
  CO_ASSIGN_OR_RETURN(std::vector<std::vector<MetaChange>> changes, ReadRocketMqConfig(config, options.logs));
  const std::set<std::string, std::less<>> wanted(topics.begin(), topics.end());
  const broker::Placement placement(options.logs);
  core::Reactor& reactor = core::Reactor::Current();
  const store::ManifestContent manifest{.store_id = {reactor.RandomBits(), reactor.RandomBits()},
                                        .logs = options.logs,
                                        .segment_bytes = options.segment_bytes};
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(options.directory));
  store::tools::ImportOptions what{
      .from = options.from,
      .directory = options.directory,
      .manifest = manifest,
      .owner = [&placement](const core::QueueKey& key) { return placement.OwnerOf(key).value(); },
      .tags_code = [](const store::RecordView& record) { return store::TagsCodeOf(record.properties); },
      // Without topics.json there is nothing that says which topics were deleted.
      .wanted = [&wanted](std::string_view topic) { return wanted.empty() || wanted.contains(topic); }};
  const absl::StatusOr<ImportResult> result = co_await store::tools::ImportCommitLog(std::move(what));
  absl::Status status = result.status();
  if (status.ok()) AddFloors(*result, placement, changes);
  for (uint32_t log = 0; log < options.logs && status.ok(); ++log) {
    status = co_await WriteMeta(core::StrCat(options.directory, "/meta-", log), std::move(changes[log]));
  }
  if (status.ok()) status = co_await store::tools::WriteManifest(options.directory, manifest);
  if (!status.ok()) co_return core::Annotate(status, core::StrCat(options.directory, " is unfinished, remove it"));
  Print(options, *result);
  co_return absl::OkStatus();
}

}  // namespace

int RunStoreImport(const StoreImportOptions& options) {
  const int exit_code = 0;
  return RunTool("store import", [&] { return ImportMain(options); }, exit_code);
}

}  // namespace ringmq
