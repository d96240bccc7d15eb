#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/manifest.h"
#include "store/meta_store.h"
#include "store/shard_store.h"

namespace store {

/// One shard's part of a data folder: DATA/meta-N and DATA/log-N. Opened and closed on its shard, after and before the Manifest.
class DataFolder {
 public:
  /// `options` says what is the caller's choice; directory, log number, store id and segment bytes come from the folder.
  static core::Task<absl::StatusOr<std::unique_ptr<DataFolder>>> Open(std::string directory, ManifestContent manifest, uint32_t log_number,
                                                                      StoreOptions options);
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  MetaStore& meta() { return *meta_; }
  ShardStore& store() { return *store_; }
  /// The log first, then the metadata; both are tried, the first error is returned.
  core::Task<absl::Status> Close();

 private:
  DataFolder() = default;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<ShardStore> store_;
};

}  // namespace store
