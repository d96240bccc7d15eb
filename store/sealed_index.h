#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/index_page.h"
#include "store/segment.h"

namespace store {

/// SEGMENT.idx: the queue index of a full segment, written once. Blocks of 4,096 bytes, little-endian:
///
///     block 0: 0 magic 8 | 8 format version 4 | 12 log number 4 | 16 store id 16 | 32 log position of the segment 8 | 40 end of its last batch 8
///              | 48 first, 56 last store time 8 each | 64 that batch's header CRC 4 | 68 its epoch 4 | 72 records in the log up to there 8
///              | 80 section count 4 | 84 CRC32C of this block with this field zero 4 | 88 sections of 24: kind 4, CRC32C 4, offset 8, bytes 8 | zero
///     section 1, entries: index pages (index_page.h), each proven by itself (the section's CRC is zero); begins at block 1
///     section 2, directory: rows in the order of (topic, queue id, first offset), proven as a whole:
///              topic length 2, topic | queue id 4 | first queue offset 8 | count 8 | first entry's number 8 | log position of the first message 8
///              | smallest, largest store time 8 each
///
/// Block 0 is written last, after everything else is on stable storage: a file with a good block 0 is whole. Other kinds of sections are
/// skipped by who does not know them.
struct SealedRow {
  std::string topic;
  int32_t queue_id = 0;
  int64_t first = 0;
  int64_t count = 0;
  uint64_t entry = 0;
  uint64_t position = 0;
  core::WallMillis time_min = 0;
  core::WallMillis time_max = 0;
};

struct SealedSegment {
  uint64_t end = 0;
  core::WallMillis time_min = 0;
  core::WallMillis time_max = 0;
  uint32_t last_crc = 0;
  uint32_t last_epoch = 0;
  uint64_t records_end = 0;
};

inline constexpr uint32_t kSectionEntries = 1;
inline constexpr uint32_t kSectionDirectory = 2;

/// Appends `row` to the directory's bytes.
void AppendSealedRow(const SealedRow& row, std::string& directory);
/// Total: any bytes give rows or kDataLoss.
absl::StatusOr<std::vector<SealedRow>> ParseSealedRows(std::string_view directory);

struct IndexSection {
  uint32_t kind = 0;
  uint32_t crc = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};
void EncodeIndexHeader(const LogIdentity& log, uint64_t position, const SealedSegment& sealed, std::span<const IndexSection> sections,
                       std::span<std::byte> block);
absl::StatusOr<std::pair<SealedSegment, std::vector<IndexSection>>> ParseIndexHeader(std::span<const std::byte> block, const LogIdentity& log,
                                                                                     uint64_t position);

/// Reads the index file of `segment`: fills in its end, times and chain, opens segment.index and returns the directory. kNotFound: there is
/// none; kDataLoss: it is not whole (segment.index stays closed).
core::Task<absl::StatusOr<std::vector<SealedRow>>> OpenSealedIndex(std::string directory, LogIdentity log, Segment& segment);

/// The directory of a sealed segment again.
core::Task<absl::StatusOr<std::vector<SealedRow>>> ReadSealedRows(std::string directory, LogIdentity log, const Segment& segment);

}  // namespace store
