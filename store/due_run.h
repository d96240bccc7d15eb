#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/file.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/due_entry.h"
#include "store/due_row.h"
#include "store/run_file.h"

namespace store {

/// DIRECTORY/NUMBER.due, NUMBER in 20 digits: entries of a DueIndex in their order, written once. Blocks of 4,096 bytes, little-endian:
///
///     block 0: 0 magic 8 | 8 format version 4 | 12 log number 4 | 16 store id 16 | 32 number 8 | 40 entries 8 | 48 those that take back 8
///              | 56 lowest log position in it 8 | 64 kind 4 | 68 CRC32C of bytes 0..68 4 | zero
///     pages of a sorted run (run_page.h): due time, position (bit 63: takes back); their mark is that of kind and number (DueRunName)
///
/// Block 0 is written last: a file with a good block 0 is whole.
inline constexpr std::string_view kDueRunSuffix = ".due";
inline constexpr uint64_t kDueRunMagic = 0x4E55524555444E52;  // "RNDUERUN"
inline constexpr uint32_t kDueRunVersion = 2;

/// Which run it is: its header and each of its pages prove that.
struct DueRunName {
  LogIdentity log;
  DueKind kind = DueKind::kLater;
  uint64_t number = 0;
  uint32_t PageMark() const { return RunPageMark(log, static_cast<uint32_t>(kind), number, 0); }
};

struct DueRunHeader {
  uint64_t entries = 0;
  uint64_t taken_back = 0;
  uint64_t lowest_position = 0;
};
void EncodeDueRunHeader(const DueRunName& name, const DueRunHeader& header, std::span<std::byte> block);
/// kDataLoss: no header, or that of another run.
absl::StatusOr<DueRunHeader> ParseDueRunHeader(std::span<const std::byte> block, const DueRunName& name);

/// A run that can be read. One shard; close it.
class DueRun : public RunFile<DueEntry> {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> Open(std::string directory, DueRunName name);
  uint64_t number() const { return number_; }
  const DueRunHeader& header() const { return header_; }

 private:
  friend class DueRunWriter;
  static constexpr size_t kFencesMax = 4096;  // the upper levels of a search: 128 KiB of memory at most
  DueRun(core::File file, const DueRunName& name, const DueRunHeader& header)
      : RunFile(std::move(file), name.PageMark(), header.entries, kFencesMax), number_(name.number), header_(header) {}
  const uint64_t number_;
  const DueRunHeader header_;
};

/// Writes one: entries in ascending order, then Finish. Leaves no file behind when it fails, if it can.
class DueRunWriter {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<DueRunWriter>>> Create(std::string directory, DueRunName name);
  void Add(const DueEntry& entry);
  /// So much is gathered that Write is to be called before the next Add.
  bool full() const { return file_.full(); }
  core::Task<absl::Status> Write() { return file_.Write(); }
  /// On stable storage with its name when it returns.
  core::Task<absl::StatusOr<std::unique_ptr<DueRun>>> Finish();
  core::Task<void> Abandon() { return file_.Abandon(); }
  uint64_t entries() const { return header_.entries; }

 private:
  DueRunWriter(std::string directory, const DueRunName& name, core::File file);

  const std::string directory_;
  const DueRunName name_;
  DueRunHeader header_;
  RunFileWriter<DueEntry> file_;
};

std::string DueRunPath(const std::string& directory, uint64_t number);

}  // namespace store
