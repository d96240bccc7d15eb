// Preloaded (LD_PRELOAD) into a server under test: refuses its allocation number REFUSE_AT, counted from the start of the process over all threads; none when it is
// not set. REFUSE_COUNT is a file that holds the count while it runs, 8 bytes.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// What glibc's own functions are called beside the names that are replaced here: nothing is looked up while nothing can be allocated.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
}

namespace {

std::atomic<uint64_t> own_count{0};
std::atomic<std::atomic<uint64_t>*> count{&own_count};
std::atomic<uint64_t> refuse_at{0};

bool Refused() {
  const uint64_t number = count.load(std::memory_order_relaxed)->fetch_add(1, std::memory_order_relaxed) + 1;
  if (number != refuse_at.load(std::memory_order_relaxed)) return false;
  errno = ENOMEM;
  return true;
}

__attribute__((constructor)) void Begin() {
  if (const char* at = getenv("REFUSE_AT")) refuse_at = strtoull(at, nullptr, 10);
  const char* path = getenv("REFUSE_COUNT");
  if (path == nullptr) return;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) != 0) abort();
  void* shared = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (shared == MAP_FAILED) abort();
  close(fd);
  auto* counter = new (shared) std::atomic<uint64_t>(own_count.load());
  count = counter;
}

}  // namespace

extern "C" {
void* malloc(size_t bytes) { return Refused() ? nullptr : __libc_malloc(bytes); }
void* calloc(size_t number, size_t bytes) { return Refused() ? nullptr : __libc_calloc(number, bytes); }
void* realloc(void* memory, size_t bytes) { return Refused() ? nullptr : __libc_realloc(memory, bytes); }
void* memalign(size_t alignment, size_t bytes) { return Refused() ? nullptr : __libc_memalign(alignment, bytes); }
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  void* found = memalign(alignment, bytes);
  if (found == nullptr) return ENOMEM;
  *memory = found;
  return 0;
}
}
