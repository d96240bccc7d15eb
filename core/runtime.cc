#include "core/runtime.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <fstream>
#include <latch>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include "core/log.h"
#include "core/scope.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/uring/uring_io.h"

namespace core {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The folder of this process's cgroup for `controller` (v1), or of the unified hierarchy when empty.
std::string CgroupFolder(std::string_view controller) {
  std::istringstream lines(ReadText("/proc/self/cgroup"));
  std::string line;
  while (std::getline(lines, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controller.empty() ? names.empty()
                           : ("," + names + ",").find(StrCat(",", controller, ",")) != std::string::npos) {
      return controller.empty() ? StrCat("/sys/fs/cgroup", path) : StrCat("/sys/fs/cgroup/", controller, path);
    }
  }
  return "";
}

double CpuQuota() {
  const std::string unified = CgroupFolder("");
  if (!unified.empty()) {
    std::istringstream text(ReadText(unified + "/cpu.max"));
    double quota = 0;
    double period = 0;
    if (text >> quota >> period && period > 0) return quota / period;
  }
  const std::string cpu = CgroupFolder("cpu");
  if (!cpu.empty()) {
    std::istringstream quota_text(ReadText(cpu + "/cpu.cfs_quota_us"));
    std::istringstream period_text(ReadText(cpu + "/cpu.cfs_period_us"));
    double quota = -1;
    double period = 0;
    if (quota_text >> quota && period_text >> period && quota > 0 && period > 0) return quota / period;
  }
  return 0;
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  return cpus;
}

/// A descriptor for each connection, file and ring: below this a broker refuses clients in ordinary use.
constexpr rlim_t kDescriptorsMin = 1024;

absl::Status RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "read RLIMIT_NOFILE");
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur < kDescriptorsMin) {
    return absl::FailedPreconditionError(StrCat("RLIMIT_NOFILE allows only ", limit.rlim_cur,
                                                " open files and connections; raise it to ", uint64_t{kDescriptorsMin},
                                                " or more with: ulimit -n 65536 (systemd: LimitNOFILE=65536)"));
  }
  return absl::OkStatus();
}

void BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

/// The first processors, which serve most interrupts, are left free where there are more than shards.
void Pin(size_t shard, size_t shards, const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  const size_t first = cpus.size() > shards ? cpus.size() - shards : 0;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpus[(first + shard) % cpus.size()], &set);
  // A hint: a container may forbid it, and the shard runs all the same.
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

Task<void> RunMain(std::function<Task<absl::Status>()>& main, absl::Status& result, Reactor& reactor) {
  result = co_await main();
  reactor.Stop();
}

/// One shard's thread from its ring to its end.
class ShardThread {
 public:
  ShardThread(ShardId shard, const RuntimeOptions& options, UringGroup& group, Mailboxes& mailboxes)
      : shard_(shard), options_(options), group_(group), mailboxes_(mailboxes) {}

  /// On the shard's own thread.
  absl::Status Open() {
    UringOptions uring;
    uring.receive_buffers = options_.receive_buffers;
    uring.receive_buffer_bytes = options_.receive_buffer_bytes;
    ASSIGN_OR_RETURN(io_, UringIo::Create(shard_, group_, uring));
    ReactorOptions reactor = options_.reactor;
    reactor.received_blocks_max = options_.receive_buffers / 2;  // the other half goes round, whatever is held
    reactor_.emplace(shard_, *io_, mailboxes_, reactor);
    return absl::OkStatus();
  }
  Reactor& reactor() { return *reactor_; }
  UringIo& io() { return *io_; }
  /// What was still under way to this shard when all stopped: values coming home to be freed.
  void DrainMailbox() {
    if (!reactor_) return;
    Reactor::Enter enter(*reactor_);
    mailboxes_.FlushWakes(shard_, [](ShardId) {});
    mailboxes_.Receive(shard_);
  }
  void Close() {
    reactor_.reset();
    io_.reset();
  }
  absl::Status status;

 private:
  const ShardId shard_;
  const RuntimeOptions& options_;
  UringGroup& group_;
  Mailboxes& mailboxes_;
  std::unique_ptr<UringIo> io_;
  std::optional<Reactor> reactor_;
};

}  // namespace

size_t DefaultShardCount() {
  size_t processors = AllowedCpus().size();
  const double quota = CpuQuota();
  if (quota > 0) processors = std::min(processors, static_cast<size_t>(std::ceil(quota)));
  return processors > 2 ? processors - 1 : 1;
}

uint64_t MemoryLimitBytes() {
  uint64_t limit = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  for (const std::string& path :
       {CgroupFolder("") + "/memory.max", CgroupFolder("memory") + "/memory.limit_in_bytes"}) {
    std::istringstream text(ReadText(path));
    uint64_t bytes = 0;
    if (text >> bytes && bytes > 0) limit = std::min(limit, bytes);
  }
  return limit;
}

absl::Status CheckMachine() {
  RETURN_IF_ERROR(RaiseDescriptorLimit());
  return UringIo::Check();
}

absl::Status RunShards(const RuntimeOptions& options, std::function<Task<absl::Status>()> main) {
  CORE_ASSERT(options.shards > 0);
  BlockSignals();
  const std::vector<int> cpus = AllowedCpus();
  UringGroup group(options.shards);
  Mailboxes mailboxes(options.shards);
  std::vector<std::unique_ptr<ShardThread>> shards;
  for (size_t i = 0; i < options.shards; ++i) {
    shards.push_back(std::make_unique<ShardThread>(ShardId(static_cast<uint32_t>(i)), options, group, mailboxes));
  }
  std::latch opened(static_cast<std::ptrdiff_t>(options.shards));
  std::latch stopped(static_cast<std::ptrdiff_t>(options.shards));
  std::latch drained(static_cast<std::ptrdiff_t>(options.shards));
  const auto all_open = [&] {
    return std::all_of(shards.begin(), shards.end(), [](const auto& shard) { return shard->status.ok(); });
  };

  std::vector<std::thread> threads;
  for (size_t i = 1; i < options.shards; ++i) {
    threads.emplace_back([&, i] {
      if (options.pin_threads) Pin(i, options.shards, cpus);
      ShardThread& shard = *shards[i];
      shard.status = shard.Open();
      opened.arrive_and_wait();
      if (all_open()) shard.reactor().Run();
      stopped.arrive_and_wait();  // nobody's ring closes while another may still wake it
      shard.DrainMailbox();
      drained.arrive_and_wait();
      shard.Close();
    });
  }

  if (options.pin_threads) Pin(0, options.shards, cpus);
  ShardThread& first = *shards[0];
  first.status = first.Open();
  opened.arrive_and_wait();
  absl::Status result;
  if (all_open()) {
    {
      Scope scope;
      {
        Reactor::Enter enter(first.reactor());
        scope.Spawn(RunMain(main, result, first.reactor()));
      }
      first.reactor().Run();
      Reactor::Enter enter(first.reactor());
      CORE_ASSERT(scope.running() == 0);
    }
    for (size_t i = 1; i < options.shards; ++i) {
      shards[i]->reactor().Stop();
      first.io().Wake(ShardId(static_cast<uint32_t>(i)));
    }
    first.io().Poll(first.io().Now());
  } else {
    for (const auto& shard : shards) {
      if (result.ok()) result = shard->status;
    }
  }
  stopped.arrive_and_wait();
  first.DrainMailbox();
  drained.arrive_and_wait();
  first.Close();
  for (std::thread& thread : threads) thread.join();
  return result;
}

}  // namespace core
