#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/task.h"
#include "store/record.h"
#include "store/tools/finding.h"
#include "store/tools/index_check.h"
#include "store/tools/log_folder.h"
#include "store/tools/log_walk.h"
#include "store/tools/meta_reader.h"
#include "store/tools/verify.h"

namespace store::tools {

/// Checks one log against itself: chain, positions, epochs, marks, checksums, queue offsets, and its indexes. One shard, once.
class LogVerifier {
 public:
  /// All of it outlives the verifier. Findings and counts go into `report`.
  LogVerifier(LogFolder& folder, const MetaContent& meta, VerifyReport& report);
  core::Task<void> Run();

 private:
  struct QueueState {
    std::string topic;
    int32_t queue_id = 0;
    int64_t next = 0;
    uint64_t last_position = 0;
    bool seen = false;
  };

  core::Task<void> EnterSegment(const Segment& segment);
  core::Task<void> LeaveSegment();
  void CheckEnd(const Segment& segment);
  void TakeDamage(const LogStep& step);
  void CheckBatch(const LogStep& step);
  void CheckHeader(const LogStep& step);
  void CheckPadding(const LogStep& step);
  void CheckRows(const LogStep& step);
  void CheckRecord(const LogStep& step, const TableEntry& row, std::span<const std::byte> bytes, size_t at);
  void LoseRow(const LogStep& step, const TableEntry& row, size_t at);
  bool Dropped(const std::string& topic, uint64_t position) const;
  QueueState& StateOf(uint64_t hash) { return queues_[hash]; }
  /// The queue goes on at `offset`: what lies between is lost, and here is known to whom.
  void Advance(QueueState& queue, int64_t offset, uint64_t position);
  Finding& Add(Severity severity, uint64_t begin, uint64_t end, std::string what, std::string_view effect);
  void ResolveNames();

  LogFolder& folder_;
  const MetaContent& meta_;
  VerifyReport& report_;
  LogWalk walk_;
  std::vector<Finding> found_;
  /// In found_: flaws of batches that are good all the same, and where these end. What no mark covers was torn by a crash.
  std::vector<std::pair<size_t, uint64_t>> unproven_;
  size_t segment_findings_ = 0;  // where those of the current segment begin in found_
  const Segment* segment_ = nullptr;
  std::unique_ptr<IndexCheck> index_;
  uint64_t unindexed_ = 0;     // messages of the segment that its index lacks
  uint64_t unknown_lost_ = 0;  // messages lost in the segment that nobody can name
  uint64_t end_ = 0;           // where the last batch ended
  uint64_t records_ = 0;
  uint32_t last_crc_ = 0;
  uint32_t epoch_ = 0;
  bool after_damage_ = false;
  int64_t unnamed_ = -1;  // in found_: the last damage of which not all messages are known by name
  uint64_t unnamed_position_ = 0;
  absl::flat_hash_map<uint64_t, QueueState> queues_;
};

}  // namespace store::tools
