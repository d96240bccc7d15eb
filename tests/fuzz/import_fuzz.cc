// Any commit log and consume queue of RocketMQ is imported or refused, and what was imported is a folder without damage that holds what the import says.
// The input: length of the topic's name 1, queue 1, bytes of the consume queue 2 (big-endian), number of commit log files 1, then name, consume
// queue, commit log.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/sim/world.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/data_folder.h"
#include "store/segment.h"
#include "store/tools/rocketmq_import.h"
#include "store/tools/verify.h"

namespace {

using core::Task;

constexpr uint32_t kLogs = 2;
constexpr size_t kEntryBytes = 20;

void Demand(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n%s\n", what.c_str(), sim::World::Current()->Describe().c_str());
  abort();
}

void Put(sim::SimDisk& disk, const std::string& path, std::string_view content, size_t bytes) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    (void)disk.MakeDirectory(path.substr(0, slash), 0);
  }
  sim::InodeRef inode;
  if (disk.Open(path, {.write = true, .create = true}, 0, &inode) != 0)
    return;  // a topic's name that is no name of a folder
  (void)disk.Truncate(*inode, bytes, 0);
  (void)disk.Write(*inode, 0, std::as_bytes(std::span(content.data(), content.size())), /*durable=*/true, 0);
  disk.Close(inode);
}

void MakeStore(sim::SimDisk& disk, std::string_view input) {
  const auto topic_bytes = static_cast<uint8_t>(input[0]);
  const auto queue = static_cast<uint8_t>(input[1]);
  const size_t entries_bytes = static_cast<uint8_t>(input[2]) * size_t{256} + static_cast<uint8_t>(input[3]);
  const size_t files = 1 + static_cast<uint8_t>(input[4]) % 3;
  input.remove_prefix(5);
  const std::string_view topic = input.substr(0, topic_bytes);
  input.remove_prefix(topic.size());
  const std::string_view entries = input.substr(0, entries_bytes / kEntryBytes * kEntryBytes);
  input.remove_prefix(entries.size());
  if (!topic.empty() && topic.find('/') == std::string_view::npos) {
    Put(disk, core::StrCat("rocketmq/consumequeue/", topic, "/", static_cast<int>(queue), "/00000000000000000000"),
        entries, entries.size() + 5 * kEntryBytes);
  }
  const size_t file_bytes = input.size() / files + 1;
  for (size_t i = 0; i < files; ++i) {
    const std::string_view part = input.substr(std::min(input.size(), i * file_bytes), file_bytes);
    Put(disk, absl::StrFormat("rocketmq/commitlog/%020d", i * file_bytes), part, file_bytes);
  }
}

Task<absl::Status> Import() {
  const store::ManifestContent manifest{
      .store_id = {.high = 1, .low = 2}, .logs = kLogs, .segment_bytes = store::kSegmentBytesMin};
  CO_RETURN_IF_ERROR(co_await store::tools::CheckEmpty("data"));
  CO_ASSIGN_OR_RETURN(
      const store::tools::ImportResult result,
      co_await store::tools::ImportCommitLog(
          {.from = "rocketmq",
           .directory = "data",
           .manifest = manifest,
           .owner = [](const core::QueueKey& key) { return static_cast<uint32_t>(key.queue_id) % kLogs; },
           .tags_code = [](const store::RecordView&) { return int64_t{0}; },
           .wanted = [](std::string_view) { return true; }}));
  for (uint32_t log = 0; log < kLogs; ++log) {
    store::StoreOptions options;
    options.append_buffer_bytes = size_t{1} << 20;
    const absl::StatusOr<std::unique_ptr<store::DataFolder>> folder =
        co_await store::DataFolder::Open("data", manifest, log, options);
    Demand(folder.ok(), "what was imported can't be opened: " + folder.status().ToString());
    Demand((*folder)->store().Stats().damaged_records == 0, "what was imported is damaged");
    const absl::Status closed = co_await (*folder)->Close();
    Demand(closed.ok(), closed.ToString());
  }
  CO_RETURN_IF_ERROR(co_await store::tools::WriteManifest("data", manifest));
  const absl::StatusOr<store::tools::VerifyReport> report = co_await store::tools::VerifyFolder("data");
  Demand(report.ok() && !report->Damaged(), "what was imported has damage");
  Demand(report->records == result.records,
         core::StrCat(result.records, " messages imported, ", report->records, " found"));
  co_return absl::OkStatus();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 6) return 0;
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  MakeStore(node.disk(), {reinterpret_cast<const char*>(data), size});
  node.Start([] { return Import(); });
  const absl::Status status = world.RunToEnd(node, absl::Minutes(10));
  Demand(!absl::IsDeadlineExceeded(status), "the import does not end");
  return 0;
}
