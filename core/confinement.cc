// Landlock's numbers are written out: the kernel headers of the distribution end at an older version of it than kernels have.
#include "core/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/strings.h"

namespace core {
namespace {

// --- struct landlock_ruleset_attr and the rights of ABI 7 (Linux 6.15).
struct Ruleset {
  uint64_t files = 0;
  uint64_t net = 0;
  uint64_t scoped = 0;
};
struct PortRule {
  uint64_t access = 0;
  uint64_t port = 0;
};
constexpr int kRulePathBeneath = 1;
constexpr int kRulePort = 2;
constexpr uint64_t kWriteFile = 1 << 1;
constexpr uint64_t kReadFile = 1 << 2;
constexpr uint64_t kReadFolder = 1 << 3;
constexpr uint64_t kRemoveFolder = 1 << 4;
constexpr uint64_t kRemoveFile = 1 << 5;
constexpr uint64_t kMakeFolder = 1 << 7;
constexpr uint64_t kMakeFile = 1 << 8;
constexpr uint64_t kMoveAcross = 1 << 13;
constexpr uint64_t kTruncate = 1 << 14;
constexpr uint64_t kBindTcp = 1 << 0;
constexpr uint64_t kConnectTcp = 1 << 1;
constexpr uint64_t kScopes = 0b11;  // abstract sockets, signals
/// How many rights to files there are, by ABI from 1 on: 2 added moves across folders, 3 truncation, 5 device ioctls.
constexpr std::array<int, 5> kFileRights = {13, 14, 15, 15, 16};

/// What a program needs to go on running: its own state, facts about the machine, time zones, chance. No libraries: those that it is linked with,
/// the unwinder's among them, are there already, names are resolved before, and later ones could not be executed (ConfineSystemCalls).
constexpr std::string_view kReadable[] = {"/proc/self",          "/sys/fs/cgroup", "/sys/devices/system/cpu",
                                          "/usr/share/zoneinfo", "/etc/localtime", "/dev/random",
                                          "/dev/urandom",        "/dev/null"};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

std::string Why(int error) { return std::strerror(error); }

void SyncFolder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

/// 0, or the errno. Each new folder's entry is synced: the server will find the folder there, and take its entry for durable.
int MakeFolders(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    const bool made = ::mkdir(folder.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return errno;
    // The last one in any case: a start that was killed may have made it just now.
    if (made || end == std::string::npos) {
      const size_t slash = folder.find_last_of('/', folder.size() - 1);
      SyncFolder(slash == std::string::npos ? "." : slash == 0 ? "/" : folder.substr(0, slash));
    }
    if (end == std::string::npos) return 0;
  }
}

/// 0, or the errno.
int AllowPath(int ruleset, const std::string& path, uint64_t rights) {
  const Descriptor at(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (at.get() < 0) return errno;
  struct stat status{};
  if (::fstat(at.get(), &status) != 0) return errno;
  if (!S_ISDIR(status.st_mode)) rights &= kReadFile | kWriteFile | kTruncate;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = at.get();
  return ::syscall(SYS_landlock_add_rule, ruleset, kRulePathBeneath, &rule, 0) == 0 ? 0 : errno;
}

int AllowPorts(int ruleset, const std::optional<std::vector<uint16_t>>& ports, uint64_t right) {
  for (const uint16_t port : ports.value_or(std::vector<uint16_t>())) {
    const PortRule rule{right, port};
    if (::syscall(SYS_landlock_add_rule, ruleset, kRulePort, &rule, 0) != 0) return errno;
  }
  return 0;
}

std::string Landlock(const ConfinementPlan& plan) {
  const auto abi =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (abi < 1) return StrCat("landlock off (not in this kernel: ", Why(errno), ")");
  Ruleset handled;
  handled.files = (uint64_t{1} << kFileRights[std::min<size_t>(static_cast<size_t>(abi), kFileRights.size()) - 1]) - 1;
  if (abi >= 4 && plan.bind_ports.has_value()) handled.net |= kBindTcp;
  if (abi >= 4 && plan.connect_ports.has_value()) handled.net |= kConnectTcp;
  if (abi >= 6) handled.scoped = kScopes;
  const Descriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (ruleset.get() < 0) return StrCat("landlock off (", Why(errno), ")");

  const uint64_t reading = kReadFile | kReadFolder;
  const uint64_t writing =
      (reading | kWriteFile | kRemoveFolder | kRemoveFile | kMakeFolder | kMakeFile | kMoveAcross | kTruncate) &
      handled.files;
  for (const std::string& folder : plan.writable) {
    int error = MakeFolders(folder);
    if (error == 0) error = AllowPath(ruleset.get(), folder, writing);
    if (error != 0) return StrCat("landlock off (", folder, ": ", Why(error), ")");
  }
  std::vector<std::string> readable = plan.readable;
  readable.insert(readable.end(), std::begin(kReadable), std::end(kReadable));
  for (const std::string& path : readable) {
    const int error = AllowPath(ruleset.get(), path, reading);
    if (error != 0 && error != ENOENT && error != EACCES) return StrCat("landlock off (", path, ": ", Why(error), ")");
  }
  int error = (handled.net & kBindTcp) != 0 ? AllowPorts(ruleset.get(), plan.bind_ports, kBindTcp) : 0;
  if (error == 0 && (handled.net & kConnectTcp) != 0) error = AllowPorts(ruleset.get(), plan.connect_ports, kConnectTcp);
  if (error != 0) return StrCat("landlock off (TCP ports: ", Why(error), ")");
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return StrCat("landlock off (", Why(errno), ")");
  return StrCat("landlock on (ABI ", abi, ": files", handled.net == 0 ? "" : ", TCP ports",
                handled.scoped == 0 ? "" : ", signals", ")");
}

}  // namespace

std::string ConfineFiles(const ConfinementPlan& plan) {
  const bool no_new_privs = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  if (!no_new_privs) return StrCat("no_new_privs off (", Why(errno), "), landlock off (needs no_new_privs)");
  return StrCat("no_new_privs on, ", Landlock(plan));
}

}  // namespace core
