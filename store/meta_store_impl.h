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

/// DIRECTORY/meta.log and meta.mark (meta_file.h).
///
/// A snapshot is a file like any other that begins with all that is live: written beside, synced, renamed. What lies below "snapshot bytes" was
/// durable before the file had its name. Everything committed at once is one record and one write, and one write is under way at a time: so
/// only the last record can be torn.
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
  absl::Status Load(std::string_view content, uint64_t& last_record, uint64_t& valid_end);
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
