#pragma once

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
#include "core/time.h"
#include "store/batch.h"
#include "store/key_entry.h"
#include "store/run_file.h"

namespace store {

/// DIRECTORY/POSITION.keys, POSITION in 20 digits: the keys of all messages in a stretch of the log, which begins there and lies within one segment. Written
/// once, under the name POSITION.newkeys. Blocks of 4,096 bytes, little-endian:
///
///     block 0: 0 magic 8 | 8 format version 4 | 12 log number 4 | 16 store id 16 | 32 begin of the stretch 8 | 40 its end 8
///              | 48 where the batch begins with which it goes on behind the end 8 | 56 entries 8 | 64 smallest, 72 largest store time 8 each, 0 without
///              messages | 80 flags 4 | 84 CRC32C of bytes 0..84 4 | zero
///     pages of a sorted run (run_page.h): hash, log position; their mark is that of begin and end (KeyPageMark)
inline constexpr std::string_view kKeyRunSuffix = ".keys";
inline constexpr std::string_view kNewKeyRunSuffix = ".newkeys";
inline constexpr uint64_t kKeyRunMagic = 0x4E555259454B4E52;  // "RNKEYRUN"
inline constexpr uint32_t kKeyRunVersion = 1;

/// A stretch of the log whose keys are known.
struct KeyStretch {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t resume = 0;            // the batch with which the log goes on behind `end`, which may lie within it
  core::WallMillis time_min = 0;  // 0 when there is no message in it
  core::WallMillis time_max = 0;
  bool in_order = true;     // later in the log is not earlier by store time
  bool unreadable = false;  // the disk has refused a part of it, whose messages are not in
};

/// What the pages of the run of [begin, end) bear.
inline uint32_t KeyPageMark(const LogIdentity& log, uint64_t begin, uint64_t end) {
  constexpr uint32_t kKind = 0x5359454B;  // "KEYS"
  return RunPageMark(log, kKind, begin, end);
}

struct KeyRunHeader {
  KeyStretch stretch;
  uint64_t entries = 0;
};
void EncodeKeyRunHeader(const LogIdentity& log, const KeyRunHeader& header, std::span<std::byte> block);
/// kDataLoss: no header, or that of another log or place.
absl::StatusOr<KeyRunHeader> ParseKeyRunHeader(std::span<const std::byte> block, const LogIdentity& log,
                                               uint64_t begin);

std::string KeyRunPath(const std::string& directory, uint64_t begin);

/// One of them, open. One shard; close it.
class KeyRun : public RunFile<KeyEntry> {
 public:
  /// kDataLoss: it is not whole.
  static core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> Open(std::string directory, LogIdentity log,
                                                                  uint64_t begin);
  const KeyStretch& stretch() const { return header_.stretch; }

  /// The entries of one hash, by their numbers in the run, and what was read to find them.
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
    std::vector<KeyEntry> window;
    uint64_t window_begin = 0;
  };
  /// Usually one read, however large the file: hashes are spread evenly.
  core::Task<absl::StatusOr<Range>> Find(uint64_t hash);
  /// The record of the entry with that number, which lies in `range`.
  core::Task<absl::StatusOr<RecordRef>> At(Range& range, uint64_t number);

  /// An error was found in it: it does not count any more.
  bool damaged = false;

 private:
  friend class KeyRunWriter;
  static constexpr size_t kFencesMax = 64;  // there may be thousands of such files
  KeyRun(core::File file, const LogIdentity& log, const KeyRunHeader& header)
      : RunFile(std::move(file), KeyPageMark(log, header.stretch.begin, header.stretch.end), header.entries, kFencesMax),
        header_(header) {}
  const KeyRunHeader header_;
};

/// Writes one: entries in ascending order, then Finish. Leaves no file behind when it fails, if it can.
class KeyRunWriter {
 public:
  static core::Task<absl::StatusOr<std::unique_ptr<KeyRunWriter>>> Create(std::string directory, LogIdentity log,
                                                                          KeyStretch stretch);
  void Add(const KeyEntry& entry) { file_.Add(entry); }
  /// So much is gathered that Write is to be called before the next Add.
  bool full() const { return file_.full(); }
  core::Task<absl::Status> Write() { return file_.Write(); }
  /// On stable storage with its name when it returns, in the place of one that had the name before.
  core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> Finish();
  core::Task<void> Abandon() { return file_.Abandon(); }

 private:
  KeyRunWriter(std::string directory, LogIdentity log, const KeyStretch& stretch, core::File file)
      : directory_(std::move(directory)),
        log_(log),
        stretch_(stretch),
        file_(std::move(file), KeyPageMark(log, stretch.begin, stretch.end)) {}

  const std::string directory_;
  const LogIdentity log_;
  const KeyStretch stretch_;
  RunFileWriter<KeyEntry> file_;
};

}  // namespace store
