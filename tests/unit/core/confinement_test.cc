// Goal: what a confined process can't do any more, tried by a child that confines itself and then misbehaves, with system calls and through a ring
// that has no limits of its own. A kernel without Landlock or seccomp skips what it can't show, and says so.
#include "core/confinement.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

namespace core {
namespace {

class ConfinementTest : public testing::Test {
 protected:
  ConfinementTest() {
    char folder[] = "/tmp/ringmq-confinement-XXXXXX";
    root_ = mkdtemp(folder);
    std::ofstream(root_ + "/secret") << "s";
    plan_.writable = {root_ + "/data"};
    plan_.bind_ports.emplace();
    plan_.connect_ports.emplace();
  }
  ~ConfinementTest() override {
    const std::string command = "rm -rf " + root_;
    if (std::system(command.c_str()) != 0) ADD_FAILURE() << "left behind: " << root_;
  }

  /// What `act` prints in a child; "exit N" when the child did not end in order.
  static std::string InChild(const std::function<std::string()>& act) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
      const std::string said = act();
      const ssize_t wrote = write(ends[1], said.data(), said.size());
      _exit(wrote == static_cast<ssize_t>(said.size()) ? 0 : 9);
    }
    close(ends[1]);
    std::string text;
    char piece[4096];
    for (ssize_t got = read(ends[0], piece, sizeof piece); got > 0; got = read(ends[0], piece, sizeof piece)) {
      text.append(piece, static_cast<size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "status " + std::to_string(status);
    return text;
  }

  /// 0 or the errno of an open.
  static int TryOpen(const std::string& path, int flags) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    close(fd);
    return 0;
  }
  static int TryOpenThroughRing(io_uring& ring, const std::string& path, int flags) {
    io_uring_prep_openat(io_uring_get_sqe(&ring), AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0644);
    io_uring_submit(&ring);
    io_uring_cqe* done = nullptr;
    if (io_uring_wait_cqe(&ring, &done) != 0) return -1;
    const int result = done->res;
    io_uring_cqe_seen(&ring, done);
    return result < 0 ? -result : 0;
  }
  static std::string Numbers(std::initializer_list<int> numbers) {
    std::string text;
    for (const int number : numbers) text += (text.empty() ? "" : " ") + std::to_string(number);
    return text;
  }

  std::string root_;
  ConfinementPlan plan_;
};

TEST_F(ConfinementTest, FilesOutsideTheDataFolderAreOutOfReach) {
  const std::string said = InChild([this] {
    const std::string on = ConfineFiles(plan_);
    if (on.find("landlock on") == std::string::npos) return on;
    io_uring ring{};
    if (io_uring_queue_init(4, &ring, 0) != 0) return std::string("no ring");
    const std::string data = root_ + "/data";
    return Numbers({TryOpen(data + "/ours", O_RDWR | O_CREAT),
                    TryOpenThroughRing(ring, data + "/ours2", O_RDWR | O_CREAT),
                    TryOpen(root_ + "/elsewhere", O_RDWR | O_CREAT),
                    TryOpenThroughRing(ring, root_ + "/elsewhere", O_RDWR | O_CREAT),
                    TryOpen(root_ + "/secret", O_RDONLY), TryOpenThroughRing(ring, root_ + "/secret", O_RDONLY),
                    TryOpen("/etc/passwd", O_RDONLY), TryOpen("/proc/self/status", O_RDONLY)});
  });
  if (said.find("landlock off") != std::string::npos) GTEST_SKIP() << said;
  EXPECT_EQ(said, Numbers({0, 0, EACCES, EACCES, EACCES, EACCES, EACCES, 0}));
}

// Catches libraries that stay readable although none can be loaded, and an end of threads or an exception that needs one.
TEST_F(ConfinementTest, NoLibraryCanBeReadAndNoneIsNeeded) {
  const std::string said = InChild([this] {
    const std::string on = ConfineFiles(plan_) + ", " + ConfineSystemCalls();
    if (on.find("landlock on") == std::string::npos) return "skip: " + on;
    pthread_t thread{};
    void* result = nullptr;
    const auto leaves = [](void* value) -> void* { pthread_exit(value); };  // unwinds its stack
    const int started = pthread_create(&thread, nullptr, leaves, &result);
    const int joined = started == 0 ? pthread_join(thread, &result) : started;
    int caught = 1;
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception&) {
      caught = 0;
    }
    return Numbers({TryOpen("/usr/lib", O_RDONLY | O_DIRECTORY), joined, caught});
  });
  if (said.starts_with("skip")) GTEST_SKIP() << said;
  EXPECT_EQ(said, Numbers({EACCES, 0, 0}));
}

TEST_F(ConfinementTest, WhatIsListedCanBeReadAndNotWritten) {
  plan_.readable = {root_ + "/secret", root_ + "/not-there"};
  const std::string said = InChild([this] {
    const std::string on = ConfineFiles(plan_);
    if (on.find("landlock on") == std::string::npos) return on;
    return Numbers({TryOpen(root_ + "/secret", O_RDONLY), TryOpen(root_ + "/secret", O_RDWR)});
  });
  if (said.find("landlock off") != std::string::npos) GTEST_SKIP() << said;
  EXPECT_EQ(said, Numbers({0, EACCES}));
}

TEST_F(ConfinementTest, OtherPortsAreOutOfReach) {
  plan_.bind_ports = std::vector<uint16_t>{0};  // any free one, here
  const std::string said = InChild([this] {
    const std::string on = ConfineFiles(plan_);
    if (on.find("TCP ports") == std::string::npos) return "skip: " + on;
    const auto attempt = [](uint16_t port, auto call) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      at.sin_port = htons(port);
      const int result = call(fd, reinterpret_cast<const sockaddr*>(&at), socklen_t{sizeof at}) == 0 ? 0 : errno;
      close(fd);
      return result;
    };
    return Numbers({attempt(0, bind), attempt(47111, bind), attempt(9, connect)});
  });
  if (said.starts_with("skip")) GTEST_SKIP() << said;
  EXPECT_EQ(said, Numbers({0, EACCES, EACCES}));
}

TEST_F(ConfinementTest, AFolderThatCantBeMadeIsSaid) {
  plan_.writable = {root_ + "/secret/data"};
  const std::string said = InChild([this] { return ConfineFiles(plan_); });
  EXPECT_NE(said.find("landlock off (" + root_ + "/secret/data: Not a directory)"), std::string::npos) << said;
}

TEST_F(ConfinementTest, ProcessesTracesMountsAndRingsAreRefusedAndThreadsAreNot) {
  const std::string said = InChild([this] {
    const std::string files = ConfineFiles(plan_);
    if (files.find("no_new_privs on") == std::string::npos) return "skip: " + files;
    const std::string calls = ConfineSystemCalls();
    if (calls != "seccomp on") return "skip: " + calls;
    const auto failed = [](bool well) { return well ? 0 : errno; };
    const pid_t forked = fork();
    if (forked == 0) _exit(0);
    const int fork_error = failed(forked > 0);
    char* const arguments[] = {nullptr};
    const int exec_error = failed(execve("/bin/true", arguments, arguments) == 0);
    const int trace_error = failed(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
    const int mount_error = failed(mount("none", "/tmp", "tmpfs", 0, nullptr) == 0);
    const int identity_error = failed(setuid(getuid()) == 0);
    const int unix_error = failed(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    const int inet_error = failed(socket(AF_INET6, SOCK_STREAM, 0) >= 0);
    const int code_error =
        failed(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    const int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);
    const int shared_code_error = failed(shmat(segment, nullptr, SHM_EXEC) != reinterpret_cast<void*>(-1));
    shmctl(segment, IPC_RMID, nullptr);
    io_uring ring{};
    const int ring_error = -io_uring_queue_init(4, &ring, 0);
    int in_thread = 0;
    std::thread([&] { in_thread = failed(socket(AF_UNIX, SOCK_STREAM, 0) >= 0); }).join();
    return Numbers({fork_error, exec_error, trace_error, mount_error, identity_error, unix_error, inet_error,
                    code_error, shared_code_error, ring_error, in_thread});
  });
  if (said.starts_with("skip")) GTEST_SKIP() << said;
  EXPECT_EQ(said, Numbers({EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, 0, EPERM, EPERM, EPERM, EPERM}));
}

// The filter is for all threads, also for those that were there before it.
TEST_F(ConfinementTest, ThreadsThatWereThereAreTakenAlong) {
  const std::string said = InChild([this] {
    const std::string files = ConfineFiles(plan_);
    int before_error = -1;
    std::string calls;
    int ends[2];
    if (pipe(ends) != 0) return std::string("no pipe");
    std::thread before([&] {
      char go = 0;
      if (read(ends[0], &go, 1) == 1) before_error = socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
    });
    calls = ConfineSystemCalls();
    const ssize_t wrote = write(ends[1], "x", 1);
    before.join();
    if (calls != "seccomp on") return "skip: " + calls;
    return Numbers({static_cast<int>(wrote), before_error});
  });
  if (said.starts_with("skip")) GTEST_SKIP() << said;
  EXPECT_EQ(said, Numbers({1, EPERM}));
}

}  // namespace
}  // namespace core
