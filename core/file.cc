#include "core/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/io_await.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"

namespace core {
namespace {

absl::Status StatusOf(int32_t result, std::string_view verb, std::string_view path) {
  if (result >= 0) return absl::OkStatus();
  return ErrnoStatus(-result, StrCat(verb, " ", path));
}

}  // namespace

File::File(File&& other) noexcept : id_(std::exchange(other.id_, FileId(-1))), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  CORE_ASSERT(!is_open() || this == &other);
  id_ = std::exchange(other.id_, FileId(-1));
  path_ = std::move(other.path_);
  return *this;
}

File::~File() { CORE_ASSERT(!is_open() || !Reactor::HasCurrent() || Reactor::Current().abandoned()); }

Task<absl::StatusOr<File>> File::Open(std::string path, OpenOptions options) {
  IoCall call([&](Io& io, Completion& done) { io.OpenFile(path, options, done); });
  const int32_t result = co_await call;
  if (result < 0) co_return ErrnoStatus(-result, StrCat("open ", path));
  co_return File(FileId(result), std::move(path));
}

Task<absl::StatusOr<size_t>> File::ReadAt(uint64_t offset, std::span<std::byte> into) {
  size_t done_bytes = 0;
  while (done_bytes < into.size()) {
    IoCall call([&](Io& io, Completion& done) { io.ReadFile(id_, into.subspan(done_bytes), offset + done_bytes, done); });
    const int32_t result = co_await call;
    if (result < 0) co_return StatusOf(result, StrCat("read at ", offset + done_bytes), path_);
    if (result == 0) break;
    done_bytes += static_cast<size_t>(result);
    // A direct read that ends off a block has met the end of the file.
    if (done_bytes % kDirectBlock != 0 && done_bytes < into.size()) {
      FileInfo info;
      IoCall stat([&](Io& io, Completion& done) { io.StatFile(path_, &info, done); });
      const int32_t stat_result = co_await stat;
      if (stat_result < 0) co_return StatusOf(stat_result, "stat", path_);
      if (offset + done_bytes >= info.bytes) break;
    }
  }
  co_return done_bytes;
}

Task<absl::Status> File::ReadExactlyAt(uint64_t offset, std::span<std::byte> into) {
  CO_ASSIGN_OR_RETURN(const size_t bytes, co_await ReadAt(offset, into));
  if (bytes == into.size()) co_return absl::OkStatus();
  co_return absl::OutOfRangeError(
      StrCat(path_, " ends at ", offset + bytes, ", ", into.size(), " bytes were wanted at ", offset));
}

Task<absl::Status> File::WriteAt(uint64_t offset, std::span<const std::byte> bytes, bool durable) {
  const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  co_return co_await WritePartsAt(offset, std::span(&part, 1), durable);
}

Task<absl::Status> File::WritePartsAt(uint64_t offset, std::span<const iovec> parts, bool durable) {
  IoCall call([&](Io& io, Completion& done) { io.WriteFile(id_, parts, offset, durable, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, StrCat("write at ", offset), path_);
}

Task<absl::Status> File::Sync() {
  IoCall call([&](Io& io, Completion& done) { io.SyncFile(id_, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, "sync", path_);
}

Task<absl::Status> File::Allocate(uint64_t length) {
  IoCall call([&](Io& io, Completion& done) { io.AllocateFile(id_, length, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, StrCat("reserve ", length, " bytes for"), path_);
}

Task<absl::Status> File::Truncate(uint64_t length) {
  IoCall call([&](Io& io, Completion& done) { io.TruncateFile(id_, length, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, "truncate", path_);
}

absl::StatusOr<std::unique_ptr<FileMapping>> File::Map(size_t bytes) {
  absl::StatusOr<std::unique_ptr<FileMapping>> mapping = Reactor::Current().io().MapFile(id_, bytes);
  if (!mapping.ok()) return Annotate(mapping.status(), path_);
  return mapping;
}

Task<absl::Status> File::Lock() {
  IoCall call([&](Io& io, Completion& done) { io.LockFile(id_, done); });
  const int32_t result = co_await call;
  if (result == -EAGAIN || result == -EACCES) {
    co_return absl::FailedPreconditionError(StrCat(path_, " is locked by another process"));
  }
  co_return StatusOf(result, "lock", path_);
}

Task<absl::Status> File::Close() {
  CORE_ASSERT(is_open());
  const FileId id = std::exchange(id_, FileId(-1));
  IoCall call([&](Io& io, Completion& done) { io.CloseFile(id, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, "close", path_);
}

Task<absl::Status> Populate(FileMapping& mapping, size_t offset, size_t bytes) {
  IoCall call([&](Io& io, Completion& done) { io.PopulateMapping(mapping, offset, bytes, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, StrCat("populate ", bytes, " bytes of"), "a mapped file");
}

namespace fs {

Task<absl::StatusOr<FileInfo>> Stat(std::string path) {
  FileInfo info;
  IoCall call([&](Io& io, Completion& done) { io.StatFile(path, &info, done); });
  const int32_t result = co_await call;
  if (result < 0) co_return StatusOf(result, "stat", path);
  co_return info;
}

Task<absl::Status> Rename(std::string from, std::string to) {
  IoCall call([&](Io& io, Completion& done) { io.RenameFile(from, to, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, StrCat("rename ", from, " to"), to);
}

Task<absl::Status> Remove(std::string path) {
  IoCall call([&](Io& io, Completion& done) { io.RemoveFile(path, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, "remove", path);
}

Task<absl::Status> SyncDirectory(std::string path) {
  IoCall call([&](Io& io, Completion& done) { io.SyncDirectory(path, done); });
  const int32_t result = co_await call;
  co_return StatusOf(result, "sync directory", path);
}

Task<absl::Status> MakeDirectories(std::string path) {
  size_t end = 0;
  while (end < path.size()) {
    end = path.find('/', end + 1);
    if (end == std::string::npos) end = path.size();
    const std::string part = path.substr(0, end);
    IoCall call([&](Io& io, Completion& done) { io.MakeDirectory(part, done); });
    const int32_t result = co_await call;
    if (result == -EEXIST) continue;
    if (result < 0) co_return StatusOf(result, "make directory", part);
    const size_t slash = part.find_last_of('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : part.substr(0, slash);
    CO_RETURN_IF_ERROR(co_await SyncDirectory(parent));
  }
  co_return absl::OkStatus();
}

Task<absl::StatusOr<std::vector<DirectoryEntry>>> List(std::string path) {
  std::vector<DirectoryEntry> entries;
  IoCall call([&](Io& io, Completion& done) { io.ListDirectory(path, &entries, done); });
  const int32_t result = co_await call;
  if (result < 0) co_return StatusOf(result, "list", path);
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  co_return entries;
}

Task<absl::StatusOr<SpaceInfo>> Space(std::string path) {
  SpaceInfo space;
  IoCall call([&](Io& io, Completion& done) { io.SpaceOf(path, &space, done); });
  const int32_t result = co_await call;
  if (result < 0) co_return StatusOf(result, "free space of", path);
  co_return space;
}

Task<absl::StatusOr<std::string>> ReadWhole(std::string path, size_t bytes_max) {
  CO_ASSIGN_OR_RETURN(const FileInfo info, co_await Stat(path));
  if (info.bytes > bytes_max) {
    co_return absl::ResourceExhaustedError(StrCat(path, " has ", info.bytes, " bytes, at most ", bytes_max, " are read"));
  }
  CO_ASSIGN_OR_RETURN(File file, co_await File::Open(path, {}));
  std::string content(info.bytes, '\0');
  const std::span<std::byte> into = std::as_writable_bytes(std::span(content.data(), content.size()));
  const absl::StatusOr<size_t> bytes = co_await file.ReadAt(0, into);
  const absl::Status closed = co_await file.Close();
  if (!bytes.ok()) co_return bytes.status();
  CO_RETURN_IF_ERROR(closed);
  content.resize(*bytes);
  co_return content;
}

Task<absl::Status> ReplaceWhole(std::string path, std::string content) {
  const std::string beside = path + ".new";
  CO_ASSIGN_OR_RETURN(File file, co_await File::Open(beside, {.write = true, .create = true}));
  absl::Status status = co_await file.Truncate(0);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(content.data(), content.size()));
  if (status.ok() && !bytes.empty()) status = co_await file.WriteAt(0, bytes, false);
  if (status.ok()) status = co_await file.Sync();
  const absl::Status closed = co_await file.Close();
  CO_RETURN_IF_ERROR(status);
  CO_RETURN_IF_ERROR(closed);
  CO_RETURN_IF_ERROR(co_await Rename(beside, path));
  const size_t slash = path.find_last_of('/');
  co_return co_await SyncDirectory(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace fs
}  // namespace core
