// fbd: a block device in user space that fails on command.
//
//   fbd MEBIBYTES MOUNTPOINT
//
// serves MOUNTPOINT/disk.img through FUSE; a loop device and a file system on top make it a disk for any program. The model: every write lands
// in a volatile cache; a flush (FSYNC, which the loop driver sends for REQ_PREFLUSH and FUA) makes durable all that was written before it. Both
// copies are in memory and take only what was ever written.
//
// Commands are lines on stdin, each answered by one line on stdout, "ok" or "error: ..."; at the end of stdin the program ends:
//
//   cut all | cut rand SEED             power loss: of the sectors of 512 bytes that were not flushed all are lost, or each with p = 1/2 (torn
//                                       and reordered writes); then the device answers EIO
//   cutflush N all | cutflush N rand SEED    the same at the Nth flush from now, which fails
//   revive                              power is back
//   eio flush N                         the next N flushes fail and keep nothing
//   eio write A B | eio read A B        what touches the bytes [A, B) fails
//   full N                              writes beyond byte N fail with ENOSPC
//   delay US                            each write and flush takes so much longer
//   stop | go                           nothing is answered until go
//   flip OFFSET BIT                     a bit turns, silently
//   clear                               no faults any more (a dead device stays dead)
//   state                               answers "flushes N writes N reads N dead 0|1 kept N lost N event NS": sectors of the last cut; when the last
//                                       cut or the first failure since `clear` was, on CLOCK_MONOTONIC, 0 for never
#define FUSE_USE_VERSION 31
#include <fuse.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kSector = 512;
constexpr char kImage[] = "/disk.img";

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool Touches(uint64_t from, uint64_t bytes) const { return from < end && from + bytes > begin; }
};

/// Memory that exists once it is written to.
uint8_t* Reserve(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("fbd: mmap");
    std::exit(1);
  }
  return static_cast<uint8_t*>(memory);
}

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class Device {
 public:
  explicit Device(size_t bytes)
      : bytes_(bytes), durable_(Reserve(bytes)), cached_(Reserve(bytes)), dirty_(bytes / kSector) {}

  size_t bytes() const { return bytes_; }

  int Read(char* to, size_t n, uint64_t offset) {
    std::unique_lock lock(mutex_);
    WaitForGo(lock);
    if (offset >= bytes_) return 0;
    n = std::min<size_t>(n, bytes_ - offset);
    ++reads_;
    if (dead_ || bad_reads_.Touches(offset, n)) return Fail(EIO);
    std::memcpy(to, cached_ + offset, n);
    return static_cast<int>(n);
  }

  int Write(const char* from, size_t n, uint64_t offset) {
    std::unique_lock lock(mutex_);
    Delay(lock);
    WaitForGo(lock);
    ++writes_;
    if (dead_ || bad_writes_.Touches(offset, n)) return Fail(EIO);
    if (offset + n > std::min<uint64_t>(bytes_, full_at_)) return Fail(ENOSPC);
    std::memcpy(cached_ + offset, from, n);
    for (uint64_t sector = offset / kSector; sector * kSector < offset + n; ++sector) {
      if (!dirty_[sector]) unflushed_.push_back(sector);
      dirty_[sector] = true;
    }
    return static_cast<int>(n);
  }

  int Flush() {
    std::unique_lock lock(mutex_);
    Delay(lock);
    WaitForGo(lock);
    ++flushes_;
    if (cut_in_ > 0 && --cut_in_ == 0) Cut(cut_random_, cut_seed_);
    if (dead_) return Fail(EIO);
    if (failing_flushes_ > 0) {
      --failing_flushes_;
      return Fail(EIO);
    }
    for (const uint64_t sector : unflushed_) Keep(sector);
    unflushed_.clear();
    return 0;
  }

  std::string Command(const std::string& line) {
    const std::lock_guard lock(mutex_);
    std::istringstream words(line);
    std::string verb;
    std::string kind;
    uint64_t a = 0;
    uint64_t b = 0;
    words >> verb;
    if (verb == "state") return State();
    if (verb == "cut" && ParseCut(words)) {
      Cut(cut_random_, cut_seed_);
    } else if (verb == "cutflush" && words >> a && ParseCut(words)) {
      cut_in_ = a;
    } else if (verb == "revive") {
      dead_ = false;
    } else if (verb == "eio" && words >> kind >> a && kind == "flush") {
      failing_flushes_ = a;
    } else if (verb == "eio" && kind == "write" && words >> b) {
      bad_writes_ = {a, b};
    } else if (verb == "eio" && kind == "read" && words >> b) {
      bad_reads_ = {a, b};
    } else if (verb == "full" && words >> a) {
      full_at_ = a;
    } else if (verb == "delay" && words >> a) {
      delay_ = std::chrono::microseconds(a);
    } else if (verb == "stop" || verb == "go") {
      stopped_ = verb == "stop";
    } else if (verb == "flip" && words >> a >> b && a < bytes_ && b < 8) {
      cached_[a] = static_cast<uint8_t>(cached_[a] ^ (1U << b));
      durable_[a] = static_cast<uint8_t>(durable_[a] ^ (1U << b));
    } else if (verb == "clear") {
      Clear();
    } else {
      return "error: no such command: " + line;
    }
    go_.notify_all();
    return "ok";
  }

 private:
  bool ParseCut(std::istream& words) {
    std::string kind;
    cut_seed_ = 0;
    if (!(words >> kind) || (kind != "all" && kind != "rand")) return false;
    cut_random_ = kind == "rand";
    return !cut_random_ || static_cast<bool>(words >> cut_seed_);
  }

  void Clear() {
    bad_reads_ = bad_writes_ = {};
    failing_flushes_ = cut_in_ = 0;
    full_at_ = UINT64_MAX;
    delay_ = {};
    stopped_ = false;
    event_ = 0;
  }

  void Keep(uint64_t sector) {
    std::memcpy(durable_ + sector * kSector, cached_ + sector * kSector, kSector);
    dirty_[sector] = false;
  }

  void Cut(bool random, uint64_t seed) {
    std::mt19937_64 rng(seed);
    std::sort(unflushed_.begin(),
              unflushed_.end());  // which sectors a seed keeps depends on what was written, not on when
    kept_ = lost_ = 0;
    for (const uint64_t sector : unflushed_) {
      if (random && (rng() & 1) != 0) {
        Keep(sector);
        ++kept_;
      } else {
        std::memcpy(cached_ + sector * kSector, durable_ + sector * kSector, kSector);
        dirty_[sector] = false;
        ++lost_;
      }
    }
    unflushed_.clear();
    dead_ = true;
    stopped_ = false;
    event_ = Now();
  }

  int Fail(int error) {
    if (event_ == 0) event_ = Now();
    return -error;
  }

  void WaitForGo(std::unique_lock<std::mutex>& lock) {
    go_.wait(lock, [this] { return !stopped_; });
  }

  void Delay(std::unique_lock<std::mutex>& lock) {
    if (delay_.count() == 0) return;
    const auto delay = delay_;
    lock.unlock();
    std::this_thread::sleep_for(delay);
    lock.lock();
  }

  std::string State() const {
    std::ostringstream text;
    text << "flushes " << flushes_ << " writes " << writes_ << " reads " << reads_ << " dead " << dead_ << " kept "
         << kept_ << " lost " << lost_ << " event " << event_;
    return text.str();
  }

  const size_t bytes_;
  uint8_t* const durable_;
  uint8_t* const cached_;
  std::mutex mutex_;
  std::condition_variable go_;
  std::vector<bool> dirty_;          // by sector
  std::vector<uint64_t> unflushed_;  // the sectors that are dirty
  Range bad_reads_;
  Range bad_writes_;
  uint64_t full_at_ = UINT64_MAX;
  uint64_t failing_flushes_ = 0;
  uint64_t cut_in_ = 0;  // flushes until a cut; 0: none is planned
  bool cut_random_ = false;
  uint64_t cut_seed_ = 0;
  std::chrono::microseconds delay_{};
  bool stopped_ = false;
  bool dead_ = false;
  uint64_t flushes_ = 0;
  uint64_t writes_ = 0;
  uint64_t reads_ = 0;
  uint64_t kept_ = 0;
  uint64_t lost_ = 0;
  int64_t event_ = 0;
};

Device& TheDevice() { return *static_cast<Device*>(fuse_get_context()->private_data); }

int GetAttributes(const char* path, struct stat* to, fuse_file_info* /*file*/) {
  std::memset(to, 0, sizeof *to);
  if (std::strcmp(path, "/") == 0) {
    to->st_mode = S_IFDIR | 0755;
    to->st_nlink = 2;
    return 0;
  }
  if (std::strcmp(path, kImage) != 0) return -ENOENT;
  to->st_mode = S_IFREG | 0600;
  to->st_nlink = 1;
  to->st_size = static_cast<off_t>(TheDevice().bytes());
  return 0;
}

int Open(const char* /*path*/, fuse_file_info* file) {
  file->direct_io = 1;  // no page cache below the file system: a flush covers all that it has written
  return 0;
}

int Read(const char* /*path*/, char* to, size_t n, off_t offset, fuse_file_info* /*file*/) {
  return TheDevice().Read(to, n, static_cast<uint64_t>(offset));
}

int Write(const char* /*path*/, const char* from, size_t n, off_t offset, fuse_file_info* /*file*/) {
  return TheDevice().Write(from, n, static_cast<uint64_t>(offset));
}

int Sync(const char* /*path*/, int /*data_only*/, fuse_file_info* /*file*/) { return TheDevice().Flush(); }

int Truncate(const char* /*path*/, off_t /*size*/, fuse_file_info* /*file*/) {
  return 0;
}  // mkfs asks; the size is fixed

}  // namespace

int main(int argc, char** argv) {
  const size_t mebibytes = argc == 3 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (mebibytes == 0) {
    std::fprintf(stderr, "usage: fbd MEBIBYTES MOUNTPOINT\n");
    return 2;
  }
  Device device(mebibytes << 20);
  std::thread([&device] {
    for (std::string line; std::getline(std::cin, line);) std::cout << device.Command(line) << std::endl;
    _exit(0);  // whoever gave the commands is gone: the kernel fails what is still asked of the device
  }).detach();

  fuse_operations operations{};
  operations.getattr = GetAttributes;
  operations.open = Open;
  operations.read = Read;
  operations.write = Write;
  operations.fsync = Sync;
  operations.truncate = Truncate;
  char foreground[] = "-f";
  char threads[] = "-omax_threads=16";  // more than the loop driver has requests under way
  char* arguments[] = {argv[0], foreground, threads, argv[2], nullptr};
  return fuse_main(4, arguments, &operations, &device);
}
