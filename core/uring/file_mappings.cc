#include "core/uring/file_mappings.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>

#include "core/assert.h"
#include "core/status.h"

namespace core {
namespace {

/// Read at the first mapping: the handler must not ask.
uintptr_t page_bytes = 4096;

/// What the signal's handler knows of the mappings: it may look at atomics, and nothing else. A row with end 0 is free.
struct Row {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<std::atomic<bool>*> detached{nullptr};
};
constexpr size_t kRowsMax = 1024;  // one a shard
std::array<Row, kRowsMax> rows;
std::mutex rows_mutex;

/// Puts memory of the process's own, with the same content, in the place of the page that can't be written. False: it can't even be read.
bool ReplacePage(uintptr_t page) {
  void* own = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (own == MAP_FAILED) return false;
  // Reading it here could raise the signal again; this returns an error instead.
  const iovec local{own, page_bytes};
  const iovec remote{reinterpret_cast<void*>(page), page_bytes};
  if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != static_cast<ssize_t>(page_bytes)) return false;
  return mremap(own, page_bytes, page_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, reinterpret_cast<void*>(page)) != MAP_FAILED;
}

void OnBusError(int signal, siginfo_t* info, void*) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Row& row : rows) {
    if (address < row.begin.load(std::memory_order_acquire) || address >= row.end.load(std::memory_order_acquire)) continue;
    row.detached.load(std::memory_order_acquire)->store(true, std::memory_order_release);
    if (!ReplacePage(address / page_bytes * page_bytes)) break;
    errno = saved_errno;
    return;
  }
  // Not ours to mend: happens again at once, and ends the process as it would have.
  std::signal(signal, SIG_DFL);
  errno = saved_errno;
}

absl::Status Enlist(uintptr_t begin, size_t bytes, std::atomic<bool>& detached) {
  const std::lock_guard lock(rows_mutex);
  static const bool installed = [] {
    page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = OnBusError;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  CORE_ASSERT(installed);
  for (Row& row : rows) {
    if (row.end.load(std::memory_order_relaxed) != 0) continue;
    row.begin.store(begin, std::memory_order_release);
    row.detached.store(&detached, std::memory_order_release);
    row.end.store(begin + bytes, std::memory_order_release);
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError("too many mapped files");
}

void Strike(uintptr_t begin) {
  const std::lock_guard lock(rows_mutex);
  for (Row& row : rows) {
    if (row.end.load(std::memory_order_relaxed) != 0 && row.begin.load(std::memory_order_relaxed) == begin) {
      row.end.store(0, std::memory_order_release);
      row.begin.store(UINTPTR_MAX, std::memory_order_release);
    }
  }
}

class MappedDescriptor final : public FileMapping {
 public:
  MappedDescriptor(void* data, size_t size) : FileMapping(static_cast<std::byte*>(data), size) {}
  ~MappedDescriptor() override {
    Strike(reinterpret_cast<uintptr_t>(data()));
    munmap(data(), size());
  }
  absl::Status Enter() { return Enlist(reinterpret_cast<uintptr_t>(data()), size(), detached_flag()); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<FileMapping>> MapDescriptor(int fd, size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return ErrnoStatus(errno, "map the file");
  auto mapping = std::make_unique<MappedDescriptor>(data, bytes);
  const absl::Status entered = mapping->Enter();
  if (!entered.ok()) return entered;
  return std::unique_ptr<FileMapping>(std::move(mapping));
}

}  // namespace core
