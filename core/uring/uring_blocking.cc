// The operations that io_uring does not have or does not do without blocking: handed to the worker thread.
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "core/assert.h"
#include "core/uring/ring_worker.h"
#include "core/uring/tags.h"
#include "core/uring/tsan_descriptors.h"
#include "core/uring/uring_io.h"

namespace core {

using uring::Tag;
using uring::Tagged;

namespace {

// What the shard stores to there meanwhile, it stores plainly. So these are no accesses that the language knows of, where that is possible.
void TouchToRead(std::byte* at) {
#if defined(__x86_64__)
  asm volatile("testb $0, %0" : : "m"(*at) : "cc");
#else
  (void)std::atomic_ref<uint8_t>(*reinterpret_cast<uint8_t*>(at)).load(std::memory_order_relaxed);
#endif
}

/// Writes what is there, whoever stores to it meanwhile.
void TouchToWrite(std::byte* at) {
#if defined(__x86_64__)
  asm volatile("lock orb $0, %0" : "+m"(*at) : : "cc");
#else
  std::atomic_ref<uint8_t>(*reinterpret_cast<uint8_t*>(at)).fetch_or(0, std::memory_order_relaxed);
#endif
}

}  // namespace

void UringIo::RunOn(std::unique_ptr<RingWorker>& worker, Completion& done, std::function<int32_t()> call) {
  if (worker == nullptr) {
    worker = std::make_unique<RingWorker>();
    worker->io = this;
    worker->fd = ::eventfd(0, EFD_CLOEXEC);
    CORE_ASSERT(worker->fd >= 0);
    worker->worker = std::make_unique<BlockingWorker>(worker->fd);
    Arm(*worker);
  }
  worker->worker->Run(done, std::move(call));
}

void UringIo::Arm(RingWorker& worker) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_read(sqe, worker.fd, &worker.count, sizeof worker.count, 0);
  sqe->user_data = Tagged(static_cast<Completion*>(&worker), Tag::kCompletion);
}

/// Touches each page, on a thread of its own, as a disk that stops may stop it too. MADV_POPULATE_WRITE would do the same with the lock of the whole
/// address space in its hands, on which then everything waits that asks the kernel for memory. So does the fault that brings a page in; one that
/// makes a present page writable, which is the one that the disk can stop, holds the lock of the mapping alone. Hence both, one after the other.
void UringIo::PopulateMapping(FileMapping& mapping, size_t offset, size_t bytes, Completion& done) {
  CORE_ASSERT(offset <= mapping.size() && bytes <= mapping.size() - offset);
  RunOn(populate_worker_, done, [&mapping, offset, bytes] {
    static const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    std::byte* const end = mapping.data() + offset + bytes;
    for (std::byte* at = mapping.data() + offset; at < end; at += page_bytes) TouchToRead(at);
    for (std::byte* at = mapping.data() + offset; at < end; at += page_bytes) TouchToWrite(at);
    return mapping.detached() ? -EIO : 0;
  });
}

void UringIo::TruncateFile(FileId file, uint64_t length, Completion& done) {
  RunOn(worker_, done, [fd = file.value(), length] { return ::ftruncate(fd, static_cast<off_t>(length)) == 0 ? 0 : -errno; });
}

void UringIo::LockFile(FileId file, Completion& done) {
  RunOn(worker_, done, [fd = file.value()] {
    // Bound to the open file, not to the process: a second open in the same process conflicts as well.
    return ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : (errno == EWOULDBLOCK ? -EAGAIN : -errno);
  });
}

void UringIo::StatFile(const std::string& path, FileInfo* info, Completion& done) {
  RunOn(worker_, done, [path, info] {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return -errno;
    info->directory = S_ISDIR(status.st_mode);
    info->bytes = static_cast<uint64_t>(status.st_size);
    info->modified = int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
    return 0;
  });
}

void UringIo::SyncDirectory(const std::string& path, Completion& done) {
  RunOn(worker_, done, [path] {
    const UnwatchedDescriptors unwatched;
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const int result = ::fsync(fd) == 0 ? 0 : -errno;
    ::close(fd);
    return result;
  });
}

void UringIo::ListDirectory(const std::string& path, std::vector<DirectoryEntry>* entries, Completion& done) {
  RunOn(worker_, done, [path, entries] {
    const UnwatchedDescriptors unwatched;
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
  RunOn(worker_, done, [path, space] {
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
