#include "bench/null_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/frame_scan.h"
#include "bench/frame_template.h"

namespace bench {
namespace {

constexpr size_t kReceiveBytes = size_t{1} << 20;
constexpr int32_t kPullMessage = 11;
constexpr int32_t kPullNotFoundCode = 19;

/// The answer to any request: a send's and an offset's fields at once.
std::string AnswerTo(std::string_view request) {
  const int32_t code = NumberAfter(request, "\"code\":", -1) == kPullMessage ? kPullNotFoundCode : 0;
  const std::string header = absl::StrCat(
      R"({"code":)", code, R"(,"extFields":{"queueId":"0","msgId":"7F00000100002A9F0000000000000000","queueOffset":"0","offset":"0"},)",
      R"("flag":1,"language":"JAVA","opaque":)", NumberAfter(request, "\"opaque\":", 0), R"(,"serializeTypeCurrentRPC":"JSON","version":479})");
  return FrameOf(header, "");
}

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// False: it has ended.
  bool Receive(std::vector<char>& room) {
    const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (got < 0) return true;
    std::string_view bytes(room.data(), static_cast<size_t>(got));
    if (partial_.empty()) {
      bytes.remove_prefix(TakeFrames(bytes));
      partial_ = bytes;
    } else {
      partial_ += bytes;
      partial_.erase(0, TakeFrames(partial_));
    }
    return Send();
  }
  bool Send() {
    while (!answers_.empty()) {
      const ssize_t sent = ::send(fd_, answers_.data(), answers_.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      answers_.erase(0, static_cast<size_t>(sent));
    }
    return true;
  }
  bool waits_to_send() const { return !answers_.empty(); }

 private:
  size_t TakeFrames(std::string_view bytes) {
    return ForEachFrame(std::as_bytes(std::span(bytes.data(), bytes.size())),
                        [this](std::string_view header, std::span<const std::byte>) { answers_ += AnswerTo(header); });
  }

  const int fd_;
  std::string partial_;  // the beginning of a frame whose rest has not arrived
  std::string answers_;  // not sent yet
};

int Fail(const char* what) {
  std::fprintf(stderr, "ringmq bench null: %s: %s\n", what, std::strerror(errno));
  return 1;
}

int Listen(uint16_t port, uint16_t* bound) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || ::bind(fd, generic, length) != 0 || ::listen(fd, 1024) != 0 || ::getsockname(fd, generic, &length) != 0) return -1;
  *bound = ntohs(address.sin_port);
  return fd;
}

void Watch(int epoll, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

int RunNullServer(uint16_t port) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int stop = ::signalfd(-1, &signals, SFD_CLOEXEC);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const int listener = Listen(port, &port);
  if (listener < 0) return Fail("can't listen");
  if (stop < 0 || epoll < 0) return Fail("can't start");
  Watch(epoll, EPOLL_CTL_ADD, stop, EPOLLIN);
  Watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
  std::printf("The null server listens on 127.0.0.1:%u\n", port);
  std::fflush(stdout);

  std::vector<char> room(kReceiveBytes);
  std::unordered_map<int, std::unique_ptr<Connection>> connections;
  for (;;) {
    epoll_event events[64];
    const int count = ::epoll_wait(epoll, events, 64, -1);
    if (count < 0 && errno != EINTR) return Fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop) return 0;
      if (fd == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0) continue;
        const int on = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[accepted] = std::make_unique<Connection>(accepted);
        Watch(epoll, EPOLL_CTL_ADD, accepted, EPOLLIN);
        continue;
      }
      Connection& connection = *connections.at(fd);
      const bool waited = connection.waits_to_send();
      bool open = true;
      if ((events[i].events & EPOLLOUT) != 0) open = connection.Send();
      if (open && (events[i].events & ~EPOLLOUT) != 0) open = connection.Receive(room);
      if (!open) {
        connections.erase(fd);
      } else if (waited != connection.waits_to_send()) {
        Watch(epoll, EPOLL_CTL_MOD, fd, connection.waits_to_send() ? EPOLLIN | EPOLLOUT : EPOLLIN);
      }
    }
  }
}

}  // namespace bench
