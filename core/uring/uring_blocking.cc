// The operations that io_uring does not have or does not do without blocking: handed to the worker thread.
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "core/assert.h"
#include "core/uring/tags.h"
#include "core/uring/uring_io.h"
#include "core/uring/worker_event.h"

namespace core {

using uring::Tag;
using uring::Tagged;

template <typename Fn>
void UringIo::RunBlocking(Completion& done, Fn fn) {
  if (worker_ == nullptr) {
    worker_event_ = std::make_unique<WorkerEvent>();
    worker_event_->io = this;
    worker_event_->fd = ::eventfd(0, EFD_CLOEXEC);
    CORE_ASSERT(worker_event_->fd >= 0);
    worker_ = std::make_unique<BlockingWorker>(worker_event_->fd);
    ArmWorkerEvent();
  }
  worker_->Run(done, std::move(fn));
}

void UringIo::ArmWorkerEvent() {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_read(sqe, worker_event_->fd, &worker_event_->count, sizeof worker_event_->count, 0);
  sqe->user_data = Tagged(static_cast<Completion*>(worker_event_.get()), Tag::kCompletion);
}

void UringIo::TruncateFile(FileId file, uint64_t length, Completion& done) {
  RunBlocking(done, [fd = file.value(), length] { return ::ftruncate(fd, static_cast<off_t>(length)) == 0 ? 0 : -errno; });
}

void UringIo::LockFile(FileId file, Completion& done) {
  RunBlocking(done, [fd = file.value()] {
    // Bound to the open file, not to the process: a second open in the same process conflicts as well.
    return ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : (errno == EWOULDBLOCK ? -EAGAIN : -errno);
  });
}

void UringIo::StatFile(const std::string& path, FileInfo* info, Completion& done) {
  RunBlocking(done, [path, info] {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return -errno;
    info->directory = S_ISDIR(status.st_mode);
    info->bytes = static_cast<uint64_t>(status.st_size);
    info->modified = int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
    return 0;
  });
}

void UringIo::SyncDirectory(const std::string& path, Completion& done) {
  RunBlocking(done, [path] {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const int result = ::fsync(fd) == 0 ? 0 : -errno;
    ::close(fd);
    return result;
  });
}

void UringIo::ListDirectory(const std::string& path, std::vector<DirectoryEntry>* entries, Completion& done) {
  RunBlocking(done, [path, entries] {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return -errno;
    int32_t result = 0;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory);
      if (entry == nullptr) {
        result = -errno;
        break;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      bool is_directory = entry->d_type == DT_DIR;
      if (entry->d_type == DT_UNKNOWN) {
        struct stat status {};
        if (::fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
          is_directory = S_ISDIR(status.st_mode);
        }
      }
      entries->push_back({std::string(name), is_directory});
    }
    ::closedir(directory);
    return result;
  });
}

void UringIo::SpaceOf(const std::string& path, SpaceInfo* space, Completion& done) {
  RunBlocking(done, [path, space] {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return -errno;
    // What the system keeps back from this user counts neither as used nor as free, as in df's Use%: else a disk with a large reserve is
    // "full" while it is nearly empty.
    const uint64_t used_blocks = uint64_t{status.f_blocks} - status.f_bfree;
    space->total_bytes = (used_blocks + status.f_bavail) * status.f_frsize;
    space->free_bytes = uint64_t{status.f_bavail} * status.f_frsize;
    return 0;
  });
}

}  // namespace core
