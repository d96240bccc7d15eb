#include "store/tools/record_stream.h"

#include <charconv>
#include <utility>

#include "core/status.h"
#include "core/strings.h"

namespace store::tools {

core::Task<absl::StatusOr<std::unique_ptr<RecordStream>>> RecordStream::Open(std::string directory,
                                                                             LogIdentity identity) {
  std::unique_ptr<RecordStream> stream(new RecordStream);
  std::vector<Finding> findings;
  absl::StatusOr<MetaContent> meta = co_await ReadMeta(directory, core::StrCat("meta-", identity.log_number), findings);
  if (!meta.ok()) co_return meta.status();
  stream->meta_ = *std::move(meta);
  CO_ASSIGN_OR_RETURN(stream->folder_, co_await LogFolder::Open(directory, core::StrCat("log-", identity.log_number),
                                                                identity, findings));
  stream->walk_ = std::make_unique<LogWalk>(*stream->folder_);
  co_return stream;
}

core::Task<std::optional<StreamedRecord>> RecordStream::Next() {
  while (next_ == batch_.size()) {
    const LogStep step = co_await walk_->Next();
    if (step.kind == LogStep::Kind::kEnd) co_return std::nullopt;
    if (step.kind == LogStep::Kind::kDamage) {
      ++damaged_ranges_;
      continue;
    }
    Unpack(step);
  }
  co_return batch_[next_++];
}

void RecordStream::Unpack(const LogStep& step) {
  batch_.clear();
  next_ = 0;
  const MetaContent::Table& dropped = meta_.All(MetaTable::kDroppedTopics);
  uint64_t at_damaged = step.begin + kBatchHeaderBytes;
  BatchView(step.header, step.bytes)
      .ForEach(
          [&](const TableEntry& row, std::span<const std::byte> bytes, size_t offset) {
            at_damaged = step.begin + offset + row.bytes;
            StreamedRecord one{.row = row, .record = {}, .bytes = bytes, .position = step.begin + offset};
            const absl::StatusOr<RecordView> record = ParseRecord(bytes);
            one.damaged = !record.ok() || record->queue_offset.value() != row.queue_offset || record->topic.empty() ||
                          record->queue_id < 0;
            if (!one.damaged) {
              one.record = *record;
              uint64_t limit = 0;
              const auto found = dropped.find(record->topic);
              if (found != dropped.end()) {
                std::from_chars(found->second.data(), found->second.data() + found->second.size(), limit);
              }
              if (one.position < limit) return;
            }
            batch_.push_back(one);
          },
          [&](const TableEntry& row) {
            batch_.push_back({.row = row, .record = {}, .bytes = {}, .position = at_damaged, .damaged = true});
            at_damaged += row.bytes;
          });
}

}  // namespace store::tools
