#include "store/tools/rocketmq_export.h"

#include <memory>
#include <optional>
#include <utility>

#include "core/status.h"
#include "core/strings.h"
#include "store/half_record.h"
#include "store/record.h"
#include "store/tools/record_stream.h"
#include "store/tools/rocketmq_log_writer.h"
#include "store/tools/verify.h"

namespace store::tools {
namespace {

constexpr std::string_view kFillerProperties("RINGMQ_LOST\x01true\x02", 17);

struct Source {
  std::unique_ptr<RecordStream> stream;
  std::optional<StreamedRecord> head;
};

class Exporter {
 public:
  explicit Exporter(ExportOptions options)
      : options_(std::move(options)), writer_(options_.commit_log, options_.file_bytes) {}

  core::Task<absl::Status> Run() {
    CO_ASSIGN_OR_RETURN(const ManifestContent manifest, co_await ReadManifest(options_.directory));
    absl::Status status;
    for (uint32_t log = 0; status.ok() && log < manifest.logs; ++log) {
      absl::StatusOr<std::unique_ptr<RecordStream>> opened =
          co_await RecordStream::Open(options_.directory, {manifest.store_id, log});
      status = opened.status();
      if (opened.ok()) sources_.push_back({std::move(opened).value(), std::nullopt});
    }
    if (status.ok()) status = co_await Merge();
    if (status.ok()) status = co_await writer_.Finish();
    co_await writer_.Close();
    for (Source& source : sources_) {
      result.meta.push_back(source.stream->meta());
      co_await source.stream->Close();
    }
    result.end = writer_.position();
    co_return status;
  }

  ExportResult result;

 private:
  core::Task<absl::Status> Merge() {
    for (Source& source : sources_) co_await Advance(source);
    for (;;) {
      Source* first = nullptr;
      for (Source& source : sources_) {
        if (!source.head.has_value()) continue;
        if (first == nullptr || source.head->record.store_timestamp < first->head->record.store_timestamp)
          first = &source;
      }
      if (first == nullptr) co_return absl::OkStatus();
      CO_RETURN_IF_ERROR(co_await Write(*first->head));
      co_await Advance(*first);
    }
  }

  core::Task<void> Advance(Source& source) {
    do {
      source.head = co_await source.stream->Next();
      if (source.head.has_value() && source.head->damaged) ++result.damaged;
    } while (source.head.has_value() && source.head->damaged);
  }

  core::Task<absl::Status> Write(const StreamedRecord& one) {
    // RocketMQ would ask about all of them, also those that have ended, and commit them once more.
    if (one.record.topic == kHalfTopic || one.record.topic == kHalfEndTopic) co_return absl::OkStatus();
    const core::QueueKey key{std::string(one.record.topic), one.record.queue_id};
    const auto [entry, is_new] = result.queues.try_emplace(key);
    ExportResult::Range& range = entry->second;
    if (is_new) range = {one.row.queue_offset, one.row.queue_offset};
    if (one.row.queue_offset < range.end)
      co_return absl::OkStatus();  // given out twice: readers see the first, so does the copy
    if (one.row.queue_offset > range.end && !options_.fill_holes) {
      co_return absl::FailedPreconditionError(core::StrCat(key.topic, "/", key.queue_id, " lacks messages ", range.end,
                                                           " to ", one.row.queue_offset - 1,
                                                           ", and RocketMQ's queues can have no holes: --fill-holes "
                                                           "puts empty messages with the property RINGMQ_LOST there"));
    }
    while (range.end < one.row.queue_offset) {
      CO_RETURN_IF_ERROR(co_await WriteFiller(key, range.end, one.record.store_timestamp));
      ++range.end;
    }
    CO_RETURN_IF_ERROR(co_await writer_.Append(one.bytes));
    ++range.end;
    ++result.records;
    co_return absl::OkStatus();
  }

  core::Task<absl::Status> WriteFiller(const core::QueueKey& key, int64_t offset, core::WallMillis store_time) {
    MessageDraft draft;
    draft.topic = key.topic;
    draft.queue_id = key.queue_id;
    draft.born_timestamp = store_time;
    draft.properties = kFillerProperties;
    std::string record(RecordBytes(draft), '\0');
    EncodeRecord(draft, {core::LogicalOffset(offset), core::PhysicalOffset(0), store_time},
                 reinterpret_cast<std::byte*>(record.data()));
    ++result.fillers;
    co_return co_await writer_.Append(std::as_bytes(std::span(record.data(), record.size())));
  }

  const ExportOptions options_;
  RocketMqLogWriter writer_;
  std::vector<Source> sources_;
};

}  // namespace

core::Task<absl::StatusOr<ExportResult>> ExportCommitLog(ExportOptions options) {
  Exporter exporter(std::move(options));
  CO_RETURN_IF_ERROR(co_await exporter.Run());
  co_return std::move(exporter.result);
}

}  // namespace store::tools
