#include "store/tools/consume_queue_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/bytes.h"
#include "store/segment.h"

namespace store::tools {
namespace {

constexpr uint64_t kEntryBytes = 20;
constexpr size_t kWindowEntries = 2048;
/// The size in entries that stand in front of a queue that begins in the middle of a file. Source: RocketMQ 5.3.3, ConsumeQueue.fillPreBlank.
constexpr int32_t kBlankEntryBytes = INT32_MAX;

ConsumeQueueReader::Entry LoadEntry(std::string_view window, int64_t index) {
  const auto* at = reinterpret_cast<const std::byte*>(window.data()) + index * static_cast<int64_t>(kEntryBytes);
  return {LoadBig<int64_t>(at), LoadBig<int32_t>(at + 8), LoadBig<int64_t>(at + 12)};
}

}  // namespace

core::Task<absl::Status> ConsumeQueueReader::Open() {
  const absl::StatusOr<std::vector<core::DirectoryEntry>> topics = co_await core::fs::List(directory_);
  if (absl::IsNotFound(topics.status())) co_return absl::OkStatus();
  if (!topics.ok()) co_return topics.status();
  for (const core::DirectoryEntry& topic : *topics) {
    if (!topic.directory) continue;
    const std::string topic_directory = core::StrCat(directory_, "/", topic.name);
    CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> queues, co_await core::fs::List(topic_directory));
    for (const core::DirectoryEntry& queue : queues) {
      core::QueueKey key{topic.name, 0};
      const char* const end = queue.name.data() + queue.name.size();
      const auto [parsed, error] = std::from_chars(queue.name.data(), end, key.queue_id);
      if (!queue.directory || error != std::errc() || parsed != end || key.queue_id < 0) continue;
      CO_RETURN_IF_ERROR(co_await OpenQueue(std::move(key), core::StrCat(topic_directory, "/", queue.name)));
    }
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> ConsumeQueueReader::OpenQueue(core::QueueKey key, std::string directory) {
  Queue queue;
  queue.directory = directory;
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries, co_await core::fs::List(directory));
  for (const core::DirectoryEntry& entry : entries) {
    if (const std::optional<uint64_t> begin = PositionOfSegmentName(entry.name, "")) queue.files.push_back(*begin);
  }
  if (queue.files.empty()) co_return absl::OkStatus();
  std::sort(queue.files.begin(), queue.files.end());
  CO_ASSIGN_OR_RETURN(const core::FileInfo info,
                      co_await core::fs::Stat(absl::StrFormat("%s/%020d", directory, queue.files.front())));
  queue.file_bytes = info.bytes;
  for (size_t i = 0; i < queue.files.size(); ++i) {
    if (info.bytes == 0 || info.bytes % kEntryBytes != 0 || queue.files[i] % kEntryBytes != 0 ||
        queue.files[i] != queue.files[0] + i * info.bytes) {
      co_return absl::FailedPreconditionError(core::StrCat(directory, " has files that are no consume queue"));
    }
  }
  queue.begin = static_cast<int64_t>(queue.files.front() / kEntryBytes);
  CO_RETURN_IF_ERROR(co_await FindEnd(queue));
  queues_.emplace(std::move(key), std::move(queue));
  co_return absl::OkStatus();
}

/// Entries are written one after the other into files of zeros: a size of 0 says that there are no more.
core::Task<absl::Status> ConsumeQueueReader::FindEnd(Queue& queue) {
  const auto file_entries = static_cast<int64_t>(queue.file_bytes / kEntryBytes);
  int64_t low = queue.begin;
  int64_t high = queue.begin + file_entries * static_cast<int64_t>(queue.files.size());
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    CO_RETURN_IF_ERROR(co_await ReadWindow(queue, middle, 1));
    if (LoadEntry(queue.window, 0).bytes > 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  queue.end = low;
  if (queue.end > queue.begin) {
    CO_RETURN_IF_ERROR(co_await ReadWindow(queue, queue.end - 1, 1));
    const Entry last = LoadEntry(queue.window, 0);
    if (last.bytes != kBlankEntryBytes) dispatched_ = std::max(dispatched_, last.position);
  }
  queue.window.clear();
  co_return absl::OkStatus();
}

core::Task<absl::Status> ConsumeQueueReader::ReadWindow(Queue& queue, int64_t offset, size_t entries) {
  const uint64_t at = static_cast<uint64_t>(offset) * kEntryBytes;
  const uint64_t index = (at - queue.files.front()) / queue.file_bytes;
  const uint64_t in_file = at - queue.files[index];
  queue.window.resize(std::min<uint64_t>(entries * kEntryBytes, queue.file_bytes - in_file));
  queue.window_begin = offset;
  CO_ASSIGN_OR_RETURN(core::File file,
                      co_await core::File::Open(absl::StrFormat("%s/%020d", queue.directory, queue.files[index]), {}));
  const absl::Status read =
      co_await file.ReadExactlyAt(in_file, std::as_writable_bytes(std::span(queue.window.data(), queue.window.size())));
  const absl::Status closed = co_await file.Close();
  co_return read.ok() ? closed : read;
}

core::Task<absl::StatusOr<std::optional<ConsumeQueueReader::Entry>>> ConsumeQueueReader::Find(core::QueueKey key,
                                                                                              int64_t offset) {
  const auto found = queues_.find(key);
  if (found == queues_.end()) co_return std::optional<Entry>();
  Queue& queue = found->second;
  if (offset < queue.begin || offset >= queue.end) co_return std::optional<Entry>();
  const int64_t held = static_cast<int64_t>(queue.window.size() / kEntryBytes);
  if (offset < queue.window_begin || offset >= queue.window_begin + held) {
    CO_RETURN_IF_ERROR(co_await ReadWindow(queue, offset, kWindowEntries));
  }
  const Entry entry = LoadEntry(queue.window, offset - queue.window_begin);
  if (entry.bytes <= 0 || entry.bytes == kBlankEntryBytes) co_return std::optional<Entry>();
  co_return entry;
}

}  // namespace store::tools
