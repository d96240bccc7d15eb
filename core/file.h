#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/task.h"

namespace core {

/// An open file of one shard. Close it before it dies (only a torn-down shard may drop it open). Every error names the path.
class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  static Task<absl::StatusOr<File>> Open(std::string path, OpenOptions options);
  bool is_open() const { return id_.value() >= 0; }
  const std::string& path() const { return path_; }

  /// Reads up to `into.size()` bytes; fewer only at the end of the file. With O_DIRECT all in whole kDirectBlock.
  Task<absl::StatusOr<size_t>> ReadAt(uint64_t offset, std::span<std::byte> into);
  /// Exactly `into.size()` bytes, or kOutOfRange when the file is shorter.
  Task<absl::Status> ReadExactlyAt(uint64_t offset, std::span<std::byte> into);
  /// All of it or an error. `durable`: on stable storage before this returns.
  Task<absl::Status> WriteAt(uint64_t offset, std::span<const std::byte> bytes, bool durable);
  Task<absl::Status> WritePartsAt(uint64_t offset, std::span<const iovec> parts, bool durable);
  Task<absl::Status> Sync();
  Task<absl::Status> Allocate(uint64_t length);
  Task<absl::Status> Truncate(uint64_t length);
  /// The first `bytes` as memory; see FileMapping.
  absl::StatusOr<std::unique_ptr<FileMapping>> Map(size_t bytes);
  /// kFailedPrecondition when another process holds it.
  Task<absl::Status> Lock();
  Task<absl::Status> Close();

 private:
  File(FileId id, std::string path) : id_(id), path_(std::move(path)) {}
  FileId id_{-1};
  std::string path_;
};

/// Makes a part of a mapping present and writable: storing there then does not stop the shard. An error says that storing there may not work.
Task<absl::Status> Populate(FileMapping& mapping, size_t offset, size_t bytes);

/// Directory work, each on the shard's Io.
namespace fs {
Task<absl::StatusOr<FileInfo>> Stat(std::string path);
Task<absl::Status> Rename(std::string from, std::string to);
Task<absl::Status> Remove(std::string path);
/// Makes the directory and its missing parents, each made durable in its parent.
Task<absl::Status> MakeDirectories(std::string path);
Task<absl::Status> SyncDirectory(std::string path);
Task<absl::StatusOr<std::vector<DirectoryEntry>>> List(std::string path);
Task<absl::StatusOr<SpaceInfo>> Space(std::string path);
/// The whole file, at most `bytes_max` (kResourceExhausted beyond).
Task<absl::StatusOr<std::string>> ReadWhole(std::string path, size_t bytes_max);
/// Replaces `path` as a whole and durably: written beside it, synced, renamed, directory synced.
Task<absl::Status> ReplaceWhole(std::string path, std::string content);
}  // namespace fs

}  // namespace core
