#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/scope.h"
#include "core/sync.h"
#include "store/meta_store.h"

namespace store {

/// DIRECTORY/meta.log, little-endian:
///
///     header of 64 bytes: 0 magic 8 | 8 format version 4 | 12 CRC32C of the header with this field zero 4 | 16 snapshot bytes 8
///              | 24 CRC32C of the folder's name 4 | zero
///     records, each on a multiple of 8: 0 magic 4 | 4 CRC32C of all that follows 4 | 8 sequence 8 | 16 bytes of the changes 4 | 20 number of changes 4
///              | changes | zero to a multiple of 8
///     a change: table 1 | 1 for set, 2 for delete 1 | zero 2 | key bytes 4 | value bytes 4 | key | value
///
/// A snapshot is a file like any other that begins with all that is live: written beside, synced, renamed. What lies below "snapshot bytes" was
/// durable before the file had its name. Everything committed at once is one record and one write, and one write is under way at a time: so
/// only the last record can be torn.
///
/// DIRECTORY/meta.mark, 24 bytes: 0 magic 8 | 8 sequence 8 | 16 CRC32C of bytes 0..16 4 | zero: that record was durable. Written after each commit,
/// never waited for by a flush, so it may say less. A meta.log that ends before it has lost what was promised: cut short, an older copy, or
/// damaged in its last record, which would pass for torn.
class MetaStoreImpl final : public MetaStore {
 public:
  explicit MetaStoreImpl(std::string directory) : directory_(std::move(directory)) {}
  ~MetaStoreImpl() override = default;
  core::Task<absl::Status> Recover();

  core::Task<absl::Status> Close() override;
  core::Task<absl::Status> Commit(std::vector<MetaChange> changes) override;
  const std::string* Find(MetaTable table, std::string_view key) const override;
  const std::map<std::string, std::string, std::less<>>& All(MetaTable table) const override;

 private:
  using Table = std::map<std::string, std::string, std::less<>>;
  /// Those who wait for one write.
  struct Group {
    std::string changes;
    uint32_t count = 0;
    bool finished = false;
    absl::Status status;
    core::Notifier done;
  };

  Table& TableOf(MetaTable table);
  void Apply(MetaTable table, std::string_view key, const std::optional<std::string_view>& value);
  bool ApplyRecord(std::span<const std::byte> changes, uint32_t count);
  absl::Status Load(std::string_view content, uint64_t& valid_end);
  core::Task<absl::Status> CreateFile();
  core::Task<uint64_t> MarkedSequence();
  core::Task<absl::Status> CheckMark();
  core::Task<void> WriteMark();
  core::Task<void> WriteLoop();
  core::Task<absl::Status> WriteRecord(core::File& file, uint64_t& end, const std::string& changes, uint32_t count);
  core::Task<absl::Status> Snapshot();
  core::Task<absl::Status> FillSnapshot(core::File& file, uint64_t& end, std::shared_ptr<Group>& included);
  core::Task<void> WriteGroup(std::shared_ptr<Group> group);
  void Fence(const absl::Status& why);
  std::string path() const { return directory_ + "/meta.log"; }
  std::string mark_path() const { return directory_ + "/meta.mark"; }

  const std::string directory_;
  std::map<MetaTable, Table> tables_;
  uint64_t live_bytes_ = 0;  // what a snapshot would take, roughly
  core::File file_;
  core::File mark_;
  uint64_t end_ = 0;
  uint64_t sequence_ = 0;
  uint64_t snapshot_not_before_ = 0;  // file size below which no snapshot is tried again after a failed one
  std::shared_ptr<Group> pending_;
  core::Notifier work_;
  absl::Status failure_;
  bool closing_ = false;
  core::Scope scope_;
};

}  // namespace store
