#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/file.h"
#include "core/task.h"
#include "store/batch.h"
#include "store/log_options.h"

namespace store {

/// What a data folder is, written once when it is made: DATA/manifest, text of `key=value` lines, the last of which is the CRC32C of the
/// lines before it. Beside it DATA/lock, locked while a process uses the folder, with that process's number in it.
struct ManifestContent {
  StoreId store_id;
  uint32_t logs = 0;
  uint64_t segment_bytes = 0;
};
inline constexpr uint32_t kManifestFormat = 1;

std::string EncodeManifest(const ManifestContent& content);
/// Total. kDataLoss: damaged or not a manifest; kFailedPrecondition: of another format.
absl::StatusOr<ManifestContent> ParseManifest(std::string_view text);

/// Owns a data folder. One instance a process and folder, on shard 0.
class Manifest {
 public:
  struct Options {
    std::string directory;
    uint32_t logs = 0;  // 0: what the folder has, `default_logs` for a new one
    uint32_t default_logs = 1;
    uint64_t segment_bytes = kSegmentBytesDefault;  // of a new folder; an old one keeps its own
    int64_t process = 0;                         // this process's number, for who finds the folder in use
  };
  /// Makes the folder when it is missing. kPermissionDenied: not writable; kFailedPrecondition: in use by another process, of another format,
  /// or with another number of logs; kDataLoss: damaged. Each error is one sentence that names the folder.
  static core::Task<absl::StatusOr<Manifest>> Open(Options options);
  Manifest() = default;
  Manifest(Manifest&&) = default;
  Manifest& operator=(Manifest&&) = default;

  const ManifestContent& content() const { return content_; }
  const std::string& directory() const { return directory_; }
  /// Another process may have the folder from then on.
  core::Task<absl::Status> Close();

 private:
  static core::Task<absl::StatusOr<core::File>> LockFolder(std::string directory, int64_t process);

  std::string directory_;
  ManifestContent content_;
  core::File lock_;
};

}  // namespace store
