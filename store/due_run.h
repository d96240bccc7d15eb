#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/due_entry.h"

namespace store {

/// DIRECTORY/NUMBER.due, NUMBER in 20 digits: entries of a DueIndex in their order, written once. Blocks of 4,096 bytes, little-endian:
///
///     block 0: 0 magic 8 | 8 format version 4 | 12 log number 4 | 16 store id 16 | 32 number 8 | 40 entries 8 | 48 those that take back 8
///              | 56 lowest log position in it 8 | 64 CRC32C of bytes 0..64 4 | zero
///     pages:   0 CRC32C of all that follows 4 | 4 entries in it 4 | 8 page, from 0 4 | 12 low half of the run's number 4
///              | 16 entries of 24: due time 8, position 8 (bit 63: takes back), bytes 4, CRC32C 4 | zero
///
/// Block 0 is written last: a file with a good block 0 is whole. All pages but the last one are full.
inline constexpr std::string_view kDueRunSuffix = ".due";
inline constexpr uint64_t kDueRunMagic = 0x4E55524555444E52;  // "RNDUERUN"
inline constexpr uint32_t kDueRunVersion = 1;
inline constexpr size_t kDueEntryBytes = 24;
inline constexpr size_t kDuePageHeaderBytes = 16;
inline constexpr size_t kDuePageEntries = (kBlock - kDuePageHeaderBytes) / kDueEntryBytes;
static_assert(kDuePageEntries == 170);

struct DueRunHeader {
  uint64_t number = 0;
  uint64_t entries = 0;
  uint64_t taken_back = 0;
  uint64_t lowest_position = 0;
};
void EncodeDueRunHeader(const LogIdentity& log, const DueRunHeader& header, std::span<std::byte> block);
/// kDataLoss: no header, or that of another log or number.
absl::StatusOr<DueRunHeader> ParseDueRunHeader(std::span<const std::byte> block, const LogIdentity& log,
                                               uint64_t number);
void EncodeDuePage(uint64_t number, uint32_t page, std::span<const DueEntry> entries, std::span<std::byte> block);
/// Appends the page's entries to `entries`. Total; kDataLoss: it is not that page.
absl::Status ParseDuePage(std::span<const std::byte> block, uint64_t number, uint32_t page,
                          std::vector<DueEntry>& entries);

/// A run that can be read. One shard; close it.
class DueRun {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> Open(std::string directory, LogIdentity log,
                                                                  uint64_t number);
  core::Task<absl::Status> Close() { return file_.Close(); }

  const DueRunHeader& header() const { return header_; }
  /// Appends the entries of `pages` pages from `first` on (fewer at the end).
  core::Task<absl::Status> Read(uint64_t first, size_t pages, std::vector<DueEntry>& entries);
  /// The number of the first entry that is not below `least`. Mostly one read, however many pages there are.
  core::Task<absl::StatusOr<uint64_t>> LowerBound(DueEntry least);

 private:
  friend class DueRunWriter;
  DueRun() = default;
  uint64_t pages() const { return (header_.entries + kDuePageEntries - 1) / kDuePageEntries; }
  core::File file_;
  DueRunHeader header_;
  /// First entries of the pages that searches have passed through: of those that all of them pass through.
  absl::flat_hash_map<uint64_t, DueEntry> fences_;
};

/// Writes one: entries in ascending order, then Finish. Leaves no file behind when it fails, if it can.
class DueRunWriter {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<DueRunWriter>>> Create(std::string directory, LogIdentity log,
                                                                          uint64_t number);
  void Add(const DueEntry& entry);
  /// So much is gathered that Write is to be called before the next Add.
  bool full() const { return filled_ == buffer_.size(); }
  core::Task<absl::Status> Write();
  /// On stable storage with its name when it returns.
  core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> Finish();
  core::Task<void> Abandon();
  uint64_t entries() const { return header_.entries; }

 private:
  DueRunWriter() = default;
  void ClosePage();

  std::string directory_;
  LogIdentity log_;
  core::File file_;
  DueRunHeader header_;
  std::vector<DueEntry> page_;
  uint32_t pages_ = 0;
  core::Slice buffer_;
  size_t filled_ = 0;
  uint64_t offset_ = kBlock;
};

std::string DueRunPath(const std::string& directory, uint64_t number);

}  // namespace store
