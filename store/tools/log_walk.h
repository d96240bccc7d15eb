#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/task.h"
#include "store/append_remains.h"
#include "store/batch.h"
#include "store/log_reader.h"
#include "store/tools/log_folder.h"

namespace store::tools {

/// One step through a log.
struct LogStep {
  enum class Kind {
    kBatch,   // [begin, end) is a batch whose header is good; what is inside it may be damaged
    kDamage,  // nothing can be read in [begin, end)
    kEnd,     // the log ends at `begin`; up to `end` lies what a crash (or a write under way) left behind it
  };
  Kind kind = Kind::kEnd;
  const Segment* segment = nullptr;
  uint64_t begin = 0;  // log positions
  uint64_t end = 0;
  BatchHeader header = {};                // kBatch
  std::span<const std::byte> bytes = {};  // kBatch: all of it, until the next call
  bool header_damaged = false;            // kBatch: only the copy at its end is good
  uint64_t lost_before =
      0;  // kBatch, kDamage: messages that are missing between the batch before and this one, by the count in the headers
  bool chain_broken = false;  // kBatch: it does not continue the batch before it
};

/// Goes through a log by the rule of recovery (recovery.h) and changes nothing: where recovery would cut, the log ends; where it would skip, there is
/// damage; where the append buffer has more, it goes on there. Beside a running broker the end moves: what is not good at first is read again before it counts. One shard.
class LogWalk {
 public:
  /// `folder` outlives the walk.
  explicit LogWalk(LogFolder& folder);
  core::Task<LogStep> Next();
  /// Passes over the sealed segments in front: what they hold stands in their indexes. Before the first Next().
  void SkipSealed();
  /// What the walk has learnt: all below was flushed.
  uint64_t mark() const { return mark_; }
  /// Blocks that the device could not read; they count as zeros.
  uint64_t unreadable_bytes() const { return unreadable_bytes_ + reader_->unreadable_bytes(); }
  /// The log's end was seen to move.
  bool moving() const { return moving_; }

 private:
  core::Task<absl::StatusOr<BatchHeader>> HeaderAt(Segment& segment, uint64_t position);
  core::Task<bool> GoodAt(Segment& segment, uint64_t position, BatchHeader& header);
  bool Continues(const BatchHeader& header) const;
  core::Task<bool> ContinuesIn(size_t index);
  core::Task<bool> DurableBeyond(size_t index, uint64_t position);
  core::Task<LogStep> Skip(Segment& segment);
  core::Task<bool> TakeOver(LogStep& step);
  core::Task<LogStep> TakeBatch(Segment& segment, BatchHeader header, bool header_damaged);
  core::Task<LogStep> End(const Segment& segment);
  void ReadAnew();

  LogFolder& folder_;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<AppendRemains> remains_;  // once the log's own end is reached
  bool remains_loaded_ = false;
  core::Slice taken_over_;  // the last batch from there
  uint64_t unreadable_bytes_ = 0;  // of readers before this one
  size_t index_ = 0;               // of the segment
  uint64_t position_ = 0;
  bool ended_ = false;
  bool moving_ = false;  // a broker is writing: its last batches are neither good nor bad yet
  uint64_t mark_;
  const uint64_t clean_end_;
  uint64_t remains_end_ = 0;  // where the last batch of this epoch behind the end ends
  /// What the next batch must continue: nothing yet, `previous_crc_`, or something that was lost.
  enum class Chain { kBegin, kKnown, kLost };
  Chain chain_ = Chain::kBegin;
  uint32_t previous_crc_ = 0;
  uint32_t epoch_ = 0;
  uint64_t records_ = 0;
};

}  // namespace store::tools
