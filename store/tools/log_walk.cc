#include "store/tools/log_walk.h"

#include <algorithm>
#include <utility>

#include "core/sync.h"
#include "store/log_options.h"

namespace store::tools {
namespace {

/// As recovery: how far behind a bad batch a later mark can lie.
constexpr uint64_t kLookBehindBytes = 4 * kUnflushedBytesMax;
/// A write under way beside the walk is over after one of these pauses, or the disk is in such trouble that nothing can be told of it.
constexpr int kReadsMax = 3;
constexpr absl::Duration kReadPause = absl::Milliseconds(50);

}  // namespace

LogWalk::LogWalk(LogFolder& folder)
    : folder_(folder),
      reader_(std::make_unique<LogReader>()),
      mark_(folder.mark()),
      clean_end_(folder.clean() ? folder.mark() : UINT64_MAX) {
  if (folder.segments().empty()) {
    ended_ = true;
  } else {
    position_ = folder.segments().front().data_begin();
  }
}

void LogWalk::SkipSealed() {
  while (!ended_ && folder_.segments().at(index_).sealed) {
    const Segment& segment = folder_.segments().at(index_);
    position_ = segment.end;
    previous_crc_ = segment.last_crc;
    epoch_ = segment.last_epoch;
    records_ = segment.records_end;
    chain_ = Chain::kKnown;
    if (index_ + 1 == folder_.segments().size()) {
      ended_ = true;
    } else {
      ++index_;
      position_ = folder_.segments().at(index_).data_begin();
    }
  }
}

void LogWalk::ReadAnew() {
  unreadable_bytes_ += reader_->unreadable_bytes();
  reader_ = std::make_unique<LogReader>();
}

core::Task<absl::StatusOr<BatchHeader>> LogWalk::HeaderAt(Segment& segment, uint64_t position) {
  if (segment.limit() - position < kBlock) co_return absl::DataLossError("the segment is full");
  const std::span<const std::byte> bytes = co_await reader_->Read(segment, position, kBatchHeaderBytes);
  absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes, folder_.identity(), position);
  if (header.ok() && header->bytes > segment.limit() - position)
    co_return absl::DataLossError("the batch ends outside its segment");
  co_return header;
}

bool LogWalk::Continues(const BatchHeader& header) const {
  switch (chain_) {
    case Chain::kBegin:
      return true;
    case Chain::kKnown:
      return header.previous_crc == previous_crc_;
    case Chain::kLost:
      break;
  }
  return header.position < mark_;
}

core::Task<bool> LogWalk::ContinuesIn(size_t index) {
  if (index >= folder_.segments().size() || chain_ != Chain::kKnown) co_return false;
  Segment& segment = folder_.segments().at(index);
  const absl::StatusOr<BatchHeader> header = co_await HeaderAt(segment, segment.data_begin());
  co_return header.ok() && Continues(*header) && header->records_before == records_;
}

core::Task<bool> LogWalk::DurableBeyond(size_t index, uint64_t position) {
  remains_end_ = position;
  if (mark_ > position) co_return true;
  if (position == clean_end_) co_return false;
  uint64_t left = kLookBehindBytes;
  for (; index < folder_.segments().size(); ++index) {
    Segment& segment = folder_.segments().at(index);
    for (uint64_t at = std::max(position, segment.data_begin()); at + kBlock <= segment.limit(); at += kBlock) {
      if (left == 0) co_return false;
      left -= kBlock;
      const absl::StatusOr<BatchHeader> header = co_await HeaderAt(segment, at);
      if (!header.ok()) continue;
      if (header->epoch == epoch_) remains_end_ = std::max(remains_end_, at + header->bytes);
      if (at == position) continue;
      mark_ = std::max(mark_, header->mark);
      if (mark_ > position) co_return true;
    }
  }
  co_return false;
}

/// A whole batch that continues the log begins at `position`.
core::Task<bool> LogWalk::GoodAt(Segment& segment, uint64_t position, BatchHeader& header) {
  const absl::StatusOr<BatchHeader> found = co_await HeaderAt(segment, position);
  if (!found.ok() || !Continues(*found)) co_return false;
  header = *found;
  const std::span<const std::byte> bytes = co_await reader_->Read(segment, position, header.bytes);
  co_return BatchView(header, bytes).Intact();
}

core::Task<LogStep> LogWalk::TakeBatch(Segment& segment, BatchHeader header, bool header_damaged) {
  LogStep step{.kind = LogStep::Kind::kBatch,
               .segment = &segment,
               .begin = header.position,
               .end = header.position + header.bytes,
               .header = header,
               .header_damaged = header_damaged};
  if (chain_ != Chain::kBegin && header.records_before > records_) step.lost_before = header.records_before - records_;
  step.chain_broken = chain_ == Chain::kKnown && header.previous_crc != previous_crc_;
  step.bytes = co_await reader_->Read(segment, header.position, header.bytes);
  mark_ = std::max(mark_, header.mark);
  position_ = step.end;
  previous_crc_ = header.crc;
  epoch_ = header.epoch;
  records_ = header.records_before + header.record_count;
  chain_ = Chain::kKnown;
  co_return step;
}

/// No batch that continues the log begins here, though what was here was durable.
core::Task<LogStep> LogWalk::Skip(Segment& segment) {
  const uint64_t position = position_;
  const absl::StatusOr<BatchHeader> here = co_await HeaderAt(segment, position);
  if (here.ok()) co_return co_await TakeBatch(segment, *here, false);
  const bool end_known = segment.sealed && position < segment.end;
  const uint64_t limit = end_known ? segment.end : segment.limit();
  LogStep step{.kind = LogStep::Kind::kDamage, .segment = &segment, .begin = position, .end = limit};
  for (uint64_t at = position + kBlock; at <= limit; at += kBlock) {
    const std::span<const std::byte> last = co_await reader_->Read(segment, at - kBlock, kBlock);
    const absl::StatusOr<BatchHeader> copy = ParseBatchTrailer(last, folder_.identity(), at);
    if (copy.ok() && copy->position == position) co_return co_await TakeBatch(segment, *copy, true);
    if (at == limit) break;
    if (at >= mark_) {
      // Behind the mark nothing is known to be of this history: recovery lets the log go on here.
      step.end = at;
      position_ = at;
      chain_ = Chain::kLost;
      co_return step;
    }
    const absl::StatusOr<BatchHeader> next = co_await HeaderAt(segment, at);
    if (next.ok()) {
      step.end = at;
      step.lost_before = next->records_before > records_ ? next->records_before - records_ : 0;
      previous_crc_ = next->previous_crc;
      records_ = next->records_before;
      chain_ = Chain::kKnown;
      position_ = at;
      co_return step;
    }
  }
  position_ = limit;
  if (end_known) {
    step.lost_before = segment.records_end > records_ ? segment.records_end - records_ : 0;
    previous_crc_ = segment.last_crc;
    epoch_ = segment.last_epoch;
    records_ = segment.records_end;
    chain_ = Chain::kKnown;
  } else {
    chain_ = Chain::kLost;
  }
  co_return step;
}

/// The batch that goes on where the log itself ends, acknowledged and not written yet, if the append buffer has it.
core::Task<bool> LogWalk::TakeOver(LogStep& step) {
  if (chain_ != Chain::kKnown || position_ == clean_end_) co_return false;
  if (!std::exchange(remains_loaded_, true)) {
    absl::StatusOr<std::unique_ptr<AppendRemains>> loaded = co_await AppendRemains::Load(folder_.directory(), folder_.identity());
    if (loaded.ok()) remains_ = std::move(loaded).value();
  }
  if (remains_ == nullptr) co_return false;
  for (size_t index = index_; index < folder_.segments().size() && index <= index_ + 1; ++index) {
    const Segment& segment = folder_.segments().at(index);
    const uint64_t position = index == index_ ? position_ : segment.data_begin();
    absl::StatusOr<core::Slice> found = co_await remains_->BatchAt(position, previous_crc_, mark_);
    if (!found.ok()) continue;  // a running broker may have put another buffer in its place
    core::Slice bytes = *std::move(found);
    if (bytes.empty() || position >= segment.limit() || bytes.size() > segment.limit() - position) continue;
    const absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes.bytes(), folder_.identity(), position);
    if (!header.ok()) continue;
    taken_over_ = std::move(bytes);
    index_ = index;
    position_ = position + header->bytes;
    previous_crc_ = header->crc;
    epoch_ = header->epoch;
    records_ = header->records_before + header->record_count;
    step = {.kind = LogStep::Kind::kBatch, .segment = &segment, .begin = position, .end = position_, .header = *header, .bytes = taken_over_.bytes()};
    co_return true;
  }
  co_return false;
}

core::Task<LogStep> LogWalk::End(const Segment& segment) {
  LogStep step;
  if (co_await TakeOver(step)) co_return step;
  ended_ = true;
  taken_over_ = {};
  co_return LogStep{
      .kind = LogStep::Kind::kEnd, .segment = &segment, .begin = position_, .end = std::max(position_, remains_end_)};
}

core::Task<LogStep> LogWalk::Next() {
  if (ended_) co_return LogStep{.begin = position_, .end = position_};  // kEnd
  // The append buffer keeps everything from the first batch on that the log lacks.
  if (!taken_over_.empty()) co_return co_await End(folder_.segments().at(index_));
  for (;;) {
    Segment& segment = folder_.segments().at(index_);
    const bool at_sealed_end = segment.sealed && position_ == segment.end;
    const bool full = segment.limit() - position_ < kBlock;
    BatchHeader header;
    bool good = false;
    bool goes_on = at_sealed_end;
    for (int reads = 0; !goes_on && !good; ++reads) {
      good = co_await GoodAt(segment, position_, header);
      if (good && reads > 0 && position_ >= mark_) moving_ = true;
      if (!good) goes_on = co_await ContinuesIn(index_ + 1);
      const bool at_moving_end = moving_ && position_ >= mark_;
      if (good || goes_on || reads == kReadsMax || position_ == clean_end_ || at_moving_end) break;
      core::Sleep pause(kReadPause);
      (void)co_await pause;
      ReadAnew();
    }
    if (good) co_return co_await TakeBatch(segment, header, false);
    if (goes_on || full) {
      if (index_ + 1 == folder_.segments().size()) co_return co_await End(segment);
      ++index_;
      position_ = folder_.segments().at(index_).data_begin();
      continue;
    }
    remains_end_ = position_;
    if (moving_ && position_ >= mark_) co_return co_await End(segment);
    if (!co_await DurableBeyond(index_, position_)) co_return co_await End(segment);
    // The mark may have been written after this place was read.
    ReadAnew();
    if (co_await GoodAt(segment, position_, header)) co_return co_await TakeBatch(segment, header, false);
    co_return co_await Skip(segment);
  }
}

}  // namespace store::tools
