#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/queue.h"
#include "store/sealed_index.h"
#include "store/tools/finding.h"
#include "store/tools/log_folder.h"

namespace store::tools {

/// The index file of one sealed segment, held against the messages that are in the log. Holds all entries: 25 bytes a message of one segment.
class IndexCheck {
 public:
  /// Reads the file of `segment`, whatever state it is in; what is wrong goes into `findings`. Null when there is no such file.
  static core::Task<std::unique_ptr<IndexCheck>> Read(LogFolder& folder, const Segment& segment,
                                                      std::vector<Finding>& findings);

  const std::vector<SealedRow>& rows() const { return rows_; }
  /// The message lies at `entry.position` in the log. False: the index does not list it.
  bool Match(const QueueName& queue, int64_t offset, const IndexEntry& entry);
  /// The message was in the log and can't be read there: that the index lists it is right.
  void Excuse(uint64_t queue_hash, int64_t offset);
  /// Adds what does not agree. `unknown_lost`: so many messages of the segment were lost that nobody can name.
  void Finish(uint64_t unknown_lost, std::vector<Finding>& findings);

 private:
  enum class State : uint8_t { kListed, kMatched, kUnknown };
  IndexCheck(std::string file, uint64_t position) : file_(std::move(file)), position_(position) {}
  core::Task<void> ReadFile(core::File& file, const LogIdentity& identity, uint64_t file_bytes,
                            std::vector<Finding>& findings);
  core::Task<void> ReadPages(core::File& file, const IndexSection& section, std::vector<Finding>& findings);
  core::Task<void> ReadDirectory(core::File& file, const IndexSection& section, std::vector<Finding>& findings);
  void AddBadPage(uint32_t number, std::vector<Finding>& findings) const;
  /// The number of the entry, or -1.
  int64_t Find(uint64_t queue_hash, int64_t offset) const;
  void Damage(uint64_t begin, uint64_t end, std::string what, std::string_view effect,
              std::vector<Finding>& findings) const;

  const std::string file_;
  const uint64_t position_;
  std::vector<SealedRow> rows_;
  absl::flat_hash_map<uint64_t, std::vector<uint32_t>> rows_of_;  // queue hash -> rows by first offset
  std::vector<IndexEntry> entries_;
  std::vector<State> states_;
  std::vector<uint32_t> bad_pages_;
  uint64_t wrong_ = 0;        // entries that say something else than the log
  uint64_t first_wrong_ = 0;  // the first one's number
  bool whole_ = true;
};

}  // namespace store::tools
