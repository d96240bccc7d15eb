#include <cstdio>
#include <map>
#include <string>

#include "core/file.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/rocketmq_config.h"
#include "main/store_commands.h"
#include "store/tools/rocketmq_export.h"
#include "store/tools/rocketmq_import.h"

namespace ringmq {
namespace {

core::Task<absl::Status> ExportMain(const StoreExportOptions& options) {
  const std::string commit_log = options.out + "/commitlog";
  const std::string config_folder = options.out + "/config";
  CO_RETURN_IF_ERROR(co_await store::tools::CheckEmpty(options.out));
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(commit_log));
  store::tools::ExportOptions what{.directory = options.directory,
                                   .commit_log = commit_log,
                                   .file_bytes = options.file_bytes,
                                   .fill_holes = options.fill_holes};
  absl::StatusOr<store::tools::ExportResult> result = co_await store::tools::ExportCommitLog(std::move(what));
  if (!result.ok()) {
    co_return core::Annotate(result.status(), core::StrCat(options.out, " is unfinished, remove it"));
  }
  std::map<core::QueueKey, int64_t> ends;
  for (const auto& [key, range] : result->queues) ends[key] = range.end;
  const RocketMqConfig config = MakeRocketMqConfig(result->meta, ends, core::Reactor::Current().wall_now());
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(config_folder));
  CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(config_folder + "/topics.json", config.topics));
  CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(config_folder + "/subscriptionGroup.json", config.groups));
  CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(config_folder + "/consumerOffset.json", config.offsets));
  std::printf("%s: %s messages of %s queues, commit log from %lu to %lu\n", options.out.c_str(),
              Grouped(result->records).c_str(), Grouped(result->queues.size()).c_str(), options.file_bytes,
              result->end);
  if (result->fillers > 0) {
    std::printf("%s empty messages with the property RINGMQ_LOST stand for messages that were lost\n",
                Grouped(result->fillers).c_str());
  }
  if (result->damaged > 0) {
    std::printf("%s damaged messages were left behind: see ringmq store verify\n", Grouped(result->damaged).c_str());
  }
  std::printf("start RocketMQ with storePathRootDir=%s storePathCommitLog=%s mappedFileSizeCommitLog=%lu\n",
              options.out.c_str(), commit_log.c_str(), options.file_bytes);
  std::printf("queue offsets and consumer offsets are the same; offset message ids (host and position) are not\n");
  co_return absl::OkStatus();
}

}  // namespace

int RunStoreExport(const StoreExportOptions& options) {
  const int exit_code = 0;
  return RunTool("store export", [&] { return ExportMain(options); }, exit_code);
}

}  // namespace ringmq
