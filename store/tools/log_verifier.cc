#include "store/tools/log_verifier.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/strings.h"
#include "store/all_zero.h"
#include "store/crc.h"

namespace store::tools {
namespace {

constexpr std::string_view kSkipped = "readers skip it, nothing is cut, its offsets are never given out again";
constexpr std::string_view kUnused = "costs nothing: nothing is kept there";

}  // namespace

LogVerifier::LogVerifier(LogFolder& folder, const MetaContent& meta, VerifyReport& report)
    : folder_(folder), meta_(meta), report_(report), walk_(folder) {}

core::Task<void> LogVerifier::Run() {
  for (;;) {
    const uint64_t unreadable = walk_.unreadable_bytes();
    const LogStep step = co_await walk_.Next();
    if (step.segment != nullptr && step.segment != segment_) co_await EnterSegment(*step.segment);
    if (walk_.unreadable_bytes() > unreadable && step.kind == LogStep::Kind::kDamage) {
      Add(Severity::kNote, step.begin, step.end,
          core::StrCat("the device could not read ", walk_.unreadable_bytes() - unreadable, " bytes near here"),
          "look at the kernel's log and at the device");
    }
    if (step.kind == LogStep::Kind::kEnd) {
      if (step.end > step.begin && segment_ != nullptr) {
        Add(Severity::kTornTail, step.begin, std::min(step.end, segment_->limit()),
            "batches that were being written when the broker ended",
            "cut at the next start; none of it was promised as durable");
      }
      break;
    }
    if (step.kind == LogStep::Kind::kDamage) {
      TakeDamage(step);
    } else {
      CheckBatch(step);
    }
    end_ = step.end;
    report_.bytes += step.end - step.begin;
  }
  if (segment_ != nullptr) co_await LeaveSegment();
  const uint64_t mark = std::max(folder_.mark(), walk_.mark());
  if (end_ < mark && !walk_.moving() && segment_ != nullptr && end_ > 0) {
    found_.push_back({.file = folder_.FileOf(*segment_),
                      .begin = end_ - segment_->position,
                      .end = end_ - segment_->position,
                      .what = core::StrCat("the log ends at ", end_, ", but all up to ", mark, " was flushed"),
                      .effect = "the end of the log is gone: restore the missing files before the broker starts"});
  }
  for (const auto& [index, end] : unproven_) {
    if (end > mark) found_[index].severity = Severity::kTornTail;
  }
  if (walk_.moving()) ++report_.moving_logs;
  ResolveNames();
  std::move(found_.begin(), found_.end(), std::back_inserter(report_.findings));
}

core::Task<void> LogVerifier::EnterSegment(const Segment& segment) {
  if (segment_ != nullptr) {
    co_await LeaveSegment();
    if (segment.position > segment_->limit()) {
      found_.push_back(
          {.file = folder_.FileOf(segment),
           .what = core::StrCat("the segment before it is missing: log positions ", segment_->limit(), " to ",
                                segment.position),
           .effect = "what it held is gone; the broker starts without it: restore the file first if you have it"});
    }
  }
  segment_ = &segment;
  segment_findings_ = found_.size();
  unindexed_ = unknown_lost_ = 0;
  ++report_.segments;
  report_.bytes += kBlock;
  index_ = co_await IndexCheck::Read(folder_, segment, found_);
  if (index_ == nullptr) co_return;
  ++report_.indexes;
  for (const SealedRow& row : index_->rows()) {
    QueueState& queue = StateOf(HashQueue(row.topic, row.queue_id));
    queue.topic = row.topic;
    queue.queue_id = row.queue_id;
  }
}

core::Task<void> LogVerifier::LeaveSegment() {
  if (segment_->sealed) CheckEnd(*segment_);
  if (index_ != nullptr) {
    index_->Finish(unknown_lost_, found_);
    if (unindexed_ > 0) {
      found_.push_back({.file = folder_.IndexFileOf(*segment_),
                        .what = core::StrCat(unindexed_, " messages of the segment are not in its index"),
                        .records = unindexed_,
                        .effect = "readers do not find them: stop the broker, remove this .idx file and start; it is "
                                  "rebuilt from the log"});
    }
  }
  if (found_.size() > segment_findings_ && !co_await folder_.Exists(*segment_)) {
    found_.resize(segment_findings_);
    std::erase_if(unproven_, [&](const auto& one) { return one.first >= segment_findings_; });
    unnamed_ = -1;
    found_.push_back({.severity = Severity::kNote,
                      .file = folder_.FileOf(*segment_),
                      .what = "the segment was removed by retention while it was read",
                      .effect = "not checked"});
  }
  index_.reset();
}

void LogVerifier::CheckEnd(const Segment& segment) {
  if (end_ == segment.end && last_crc_ == segment.last_crc && epoch_ == segment.last_epoch &&
      records_ == segment.records_end)
    return;
  found_.push_back(
      {.file = folder_.IndexFileOf(segment),
       .end = kBlock,
       .what = core::StrCat("the index says that its segment ends at ", segment.end, " with message ",
                            segment.records_end, ", in the log that is ", end_, " with message ", records_),
       .effect = "stop the broker, remove this .idx file and start; it is rebuilt from the log"});
}

Finding& LogVerifier::Add(Severity severity, uint64_t begin, uint64_t end, std::string what, std::string_view effect) {
  found_.push_back({.severity = severity,
                    .file = folder_.FileOf(*segment_),
                    .begin = begin - segment_->position,
                    .end = end - segment_->position,
                    .what = std::move(what),
                    .effect = std::string(effect)});
  return found_.back();
}

void LogVerifier::TakeDamage(const LogStep& step) {
  Finding& finding = Add(Severity::kDamage, step.begin, step.end, "no batch can be read here", kSkipped);
  finding.records = step.lost_before;
  unknown_lost_ += step.lost_before;
  records_ += step.lost_before;
  unnamed_ = static_cast<int64_t>(found_.size()) - 1;
  unnamed_position_ = step.begin;
  after_damage_ = true;
  if (segment_->sealed && step.end == segment_->end) {
    last_crc_ = segment_->last_crc;
    epoch_ = segment_->last_epoch;
    records_ = segment_->records_end;
  }
}

void LogVerifier::CheckBatch(const LogStep& step) {
  ++report_.batches;
  CheckHeader(step);
  CheckPadding(step);
  CheckRows(step);
  last_crc_ = step.header.crc;
  epoch_ = step.header.epoch;
  records_ = step.header.records_before + step.header.record_count;
  after_damage_ = false;
}

void LogVerifier::CheckHeader(const LogStep& step) {
  const BatchHeader& header = step.header;
  const uint64_t header_end = step.begin + kBatchHeaderBytes;
  if (step.header_damaged) {
    Add(Severity::kDamage, step.begin, header_end, "a batch header is damaged",
        "costs nothing: its copy at the end of the batch stands in");
  } else if (std::memcmp(step.bytes.data(), step.bytes.data() + step.bytes.size() - kBatchHeaderBytes,
                         kBatchHeaderBytes) != 0) {
    Add(Severity::kDamage, step.end - kBatchHeaderBytes, step.end, "the copy of a batch header is damaged",
        "costs nothing: the header itself is good");
    unproven_.push_back({found_.size() - 1, step.end});
  }
  const bool known_before = end_ > 0 && !after_damage_;
  if (step.chain_broken && !after_damage_) {
    Finding& finding =
        Add(Severity::kDamage, step.begin, header_end,
            "the batch does not continue the one before it: a write in between was lost or replaced", kSkipped);
    finding.records = step.lost_before;
    unknown_lost_ += step.lost_before;
    unnamed_ = static_cast<int64_t>(found_.size()) - 1;
    unnamed_position_ = step.begin;
  } else if (step.lost_before > 0 && after_damage_ && unnamed_ >= 0) {
    // Only now does the count in this header say what the damage before it held.
    found_[static_cast<size_t>(unnamed_)].records += step.lost_before;
    unknown_lost_ += step.lost_before;
  } else if (known_before && header.records_before != records_) {
    Add(Severity::kDamage, step.begin, header_end,
        core::StrCat("the batch counts ", header.records_before, " messages before it, the log has ", records_),
        "costs nothing by itself");
  }
  if (known_before && header.epoch < epoch_) {
    Add(Severity::kDamage, step.begin, header_end,
        core::StrCat("the batch is of epoch ", header.epoch, " behind one of epoch ", epoch_),
        "an older batch came back: look for a restored or swapped file");
  }
  if (header.mark > header.position) {
    Add(Severity::kDamage, step.begin, header_end,
        core::StrCat("the batch says that all up to ", header.mark, " was flushed, which lies behind it"),
        "recovery would not cut where it should");
  }
}

void LogVerifier::CheckPadding(const LogStep& step) {
  const size_t payload_end = kBatchHeaderBytes + step.header.payload_bytes;
  const size_t table = TableOffset(step.header.payload_bytes);
  const size_t table_end = table + size_t{step.header.record_count} * kTableEntryBytes;
  const size_t copy = step.bytes.size() - kBatchHeaderBytes;
  const std::pair<size_t, size_t> gaps[] = {{payload_end, table}, {table_end, copy}};
  for (const auto& [begin, end] : gaps) {
    if (AllZero(step.bytes.subspan(begin, end - begin))) continue;
    Add(Severity::kDamage, step.begin + begin, step.begin + end, "padding inside a batch is not zero", kUnused);
    unproven_.push_back({found_.size() - 1, step.end});
  }
}

void LogVerifier::CheckRows(const LogStep& step) {
  const BatchHeader& header = step.header;
  const BatchView batch(header, step.bytes);
  const bool table_intact = batch.TableIntact();
  size_t at = kBatchHeaderBytes;
  const size_t end = kBatchHeaderBytes + header.payload_bytes;
  uint32_t proven = 0;
  uint32_t lost = 0;
  uint32_t i = 0;
  for (; i < header.record_count; ++i) {
    const TableEntry row = batch.Entry(i);
    const bool fits = at <= end && row.bytes <= end - at && row.bytes >= kRecordBytesMin;
    if (fits && Crc32c(step.bytes.subspan(at, row.bytes)) == row.crc &&
        LoadBig<uint32_t>(step.bytes.data() + at) == row.bytes) {
      CheckRecord(step, row, step.bytes.subspan(at, row.bytes), at);
      ++proven;
      at += row.bytes;
      continue;
    }
    if (table_intact) {
      LoseRow(step, row, at);
      ++lost;
      at += row.bytes;
      continue;
    }
    const size_t row_at = TableOffset(header.payload_bytes) + size_t{i} * kTableEntryBytes;
    const absl::StatusOr<RecordView> record =
        at < end ? ParseRecord(step.bytes.subspan(at, end - at)) : absl::StatusOr<RecordView>(absl::DataLossError(""));
    if (!record.ok()) break;
    Finding& finding = Add(Severity::kDamage, step.begin + row_at, step.begin + row_at + kTableEntryBytes,
                           "the row that proves a message is damaged, or the message with it", kSkipped);
    finding.records = 1;
    const QueueName name(record->topic, record->queue_id);
    finding.lost.push_back({.topic = std::string(record->topic),
                            .queue_id = record->queue_id,
                            .first = record->queue_offset.value(),
                            .end = record->queue_offset.value() + 1});
    if (index_ != nullptr) index_->Excuse(name.hash, record->queue_offset.value());
    QueueState& queue = StateOf(name.hash);
    Advance(queue, record->queue_offset.value(), step.begin + at);
    ++lost;
    at += record->bytes;
  }
  if (i < header.record_count) {
    Finding& finding = Add(Severity::kDamage, step.begin + at, step.end,
                           "the record table of a batch and messages in it are damaged", kSkipped);
    finding.records = header.record_count - i;
    unknown_lost_ += finding.records;
    unnamed_ = static_cast<int64_t>(found_.size()) - 1;
    unnamed_position_ = step.begin;
  } else if (!table_intact && lost == 0) {
    Add(Severity::kDamage, step.begin + TableOffset(header.payload_bytes), step.end - kBatchHeaderBytes,
        "the record table of a batch is damaged", "costs nothing: each of its messages is proven by its own row");
  }
  report_.records += proven;
}

void LogVerifier::LoseRow(const LogStep& step, const TableEntry& row, size_t at) {
  const uint64_t begin = step.begin + std::min(at, step.bytes.size());
  Finding& finding =
      Add(Severity::kDamage, begin, std::min(begin + row.bytes, step.end), "a message is damaged", kSkipped);
  finding.records = 1;
  finding.lost.push_back({.queue_hash = row.queue_hash, .first = row.queue_offset, .end = row.queue_offset + 1});
  if (index_ != nullptr) index_->Excuse(row.queue_hash, row.queue_offset);
  Advance(StateOf(row.queue_hash), row.queue_offset, begin);
}

void LogVerifier::CheckRecord(const LogStep& step, const TableEntry& row, std::span<const std::byte> bytes, size_t at) {
  const uint64_t position = step.begin + at;
  const absl::StatusOr<RecordView> record = ParseRecord(bytes);
  const auto wrong = [&](std::string what) {
    Finding& finding = Add(Severity::kDamage, position, position + row.bytes, std::move(what), kSkipped);
    finding.records = 1;
    finding.lost.push_back({.queue_hash = row.queue_hash, .first = row.queue_offset, .end = row.queue_offset + 1});
  };
  if (!record.ok())
    return wrong(
        core::StrCat("a message with a good checksum can't be read: ", core::ToStd(record.status().message())));
  const QueueName name(record->topic, record->queue_id);
  if (record->topic.empty() || record->queue_id < 0 || record->queue_offset.value() != row.queue_offset ||
      row.queue_offset < 0 || name.hash != row.queue_hash) {
    return wrong("a message says another queue or offset than its row");
  }
  if (record->position != MakePhysicalOffset(folder_.identity().log_number, position))
    return wrong("a message belongs to another place");
  if (!record->BodyIntact()) wrong("the body of a message does not fit its CRC, though the record fits its own");
  QueueState& queue = StateOf(name.hash);
  if (queue.topic.empty()) {
    queue.topic = std::string(record->topic);
    queue.queue_id = record->queue_id;
  }
  if (index_ != nullptr && !index_->Match(name, row.queue_offset, {position, row.bytes, row.crc, row.tags_code}) &&
      !Dropped(queue.topic, position)) {
    ++unindexed_;
  }
  if (Dropped(queue.topic, position)) {
    queue.seen = false;  // a topic made anew begins at 0
    queue.next = 0;
    return;
  }
  if (queue.seen && row.queue_offset < queue.next) {
    Finding& finding = Add(Severity::kDamage, position, position + row.bytes,
                           "the offset of a message was given out before", "readers see the first of the two");
    finding.records = 1;
    finding.lost.push_back(
        {.topic = queue.topic, .queue_id = queue.queue_id, .first = row.queue_offset, .end = row.queue_offset + 1});
    return;
  }
  Advance(queue, row.queue_offset, position);
}

void LogVerifier::Advance(QueueState& queue, int64_t offset, uint64_t position) {
  if (queue.seen && offset > queue.next) {
    const LostRange gap{.topic = queue.topic, .queue_id = queue.queue_id, .first = queue.next, .end = offset};
    if (unnamed_ >= 0 && unnamed_position_ > queue.last_position) {
      found_[static_cast<size_t>(unnamed_)].lost.push_back(gap);
    } else {
      Finding& finding = Add(Severity::kNote, position, position,
                             core::StrCat("the queue ", queue.topic, "/", queue.queue_id, " has no messages ",
                                          gap.first, " to ", gap.end - 1),
                             "an earlier recovery or an import gave them up");
      finding.lost.push_back(gap);
    }
  }
  queue.next = std::max(queue.next, offset + 1);
  queue.last_position = position;
  queue.seen = true;
}

bool LogVerifier::Dropped(const std::string& topic, uint64_t position) const {
  const MetaContent::Table& dropped = meta_.All(MetaTable::kDroppedTopics);
  const auto found = dropped.find(topic);
  if (found == dropped.end()) return false;
  uint64_t limit = 0;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), limit);
  return position < limit;
}

void LogVerifier::ResolveNames() {
  for (Finding& finding : found_) {
    for (LostRange& lost : finding.lost) {
      if (!lost.topic.empty()) continue;
      const auto queue = queues_.find(lost.queue_hash);
      if (queue == queues_.end()) continue;
      lost.topic = queue->second.topic;
      lost.queue_id = queue->second.queue_id;
    }
  }
}

}  // namespace store::tools
