#include "core/uring/uring_io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "core/assert.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/uring/file_mappings.h"
#include "core/uring/ring_limits.h"
#include "core/uring/ring_worker.h"
#include "core/uring/tags.h"

namespace core {

using uring::kTagMask;
using uring::Tag;
using uring::Tagged;
using uring::Untag;

namespace {

constexpr unsigned kDiskWorkersMax = 32;
// Messages and passwords are in these files: nobody else's to read.
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

socklen_t ToSockaddr(const Endpoint& endpoint, sockaddr_storage* storage) {
  std::memset(storage, 0, sizeof *storage);
  if (endpoint.ipv6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint.port);
    std::memcpy(&in6->sin6_addr, endpoint.address, 16);
    return sizeof *in6;
  }
  auto* in = reinterpret_cast<sockaddr_in*>(storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(endpoint.port);
  std::memcpy(&in->sin_addr, endpoint.address, 4);
  return sizeof *in;
}

Endpoint FromSockaddr(const sockaddr_storage& storage) {
  Endpoint endpoint;
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    endpoint.port = ntohs(in6.sin6_port);
    static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::memcmp(&in6.sin6_addr, kMapped, 12) == 0) {
      std::memcpy(endpoint.address, reinterpret_cast<const uint8_t*>(&in6.sin6_addr) + 12, 4);
      return endpoint;
    }
    endpoint.ipv6 = true;
    std::memcpy(endpoint.address, &in6.sin6_addr, 16);
  } else if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    endpoint.port = ntohs(in.sin_port);
    std::memcpy(endpoint.address, &in.sin_addr, 4);
  }
  return endpoint;
}

void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// A client that is gone without a word is noticed by the kernel: after 30 s in which it acknowledges or takes nothing of what was sent, or after 60 s
/// of silence when a question is not answered. What a listener has, its connections inherit. Not for connections that we open: the server at the
/// other end may make us wait for as long as it likes.
void SetDeadClientTimeouts(int fd) {
  const int on = 1;
  const int idle_seconds = 60;
  const int interval_seconds = 10;
  const int probes = 3;
  const unsigned unacknowledged_millis = 30'000;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_millis, sizeof unacknowledged_millis);
}

int64_t NanosOf(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

/// What is known of one socket, found by its descriptor.
struct alignas(8) UringIo::SocketState {
  int fd = -1;
  ReceiveSink* receiver = nullptr;  // while armed
  bool starved = false;             // armed in our eyes, waiting for a buffer before the kernel hears of it
  bool stop_wanted = false;         // the next end of the kernel's reception is final, whatever its cause
  AcceptSink* acceptor = nullptr;   // while armed
  Completion* closing = nullptr;    // a listener's close, waiting for the accept's end
  int32_t end_result = 0;           // for `ended_`
};

/// A write in whole: goes on after a short one.
struct alignas(8) UringIo::WriteOp final : Completion {
  UringIo* io = nullptr;
  int fd = -1;
  uint64_t offset = 0;
  int rw_flags = 0;
  std::vector<iovec> parts;
  size_t first = 0;
  int32_t total = 0;
  Completion* done = nullptr;

  void Start() {
    io_uring_sqe* sqe = io->NextSqe();
    io_uring_prep_writev2(sqe, fd, parts.data() + first, static_cast<unsigned>(parts.size() - first), offset, rw_flags);
    // Starting a write can block, O_DIRECT and durable or not: the file's time goes through the file system's journal, and waits there for a
    // commit under way, as long as the disk takes for it. A shard must not.
    io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
    sqe->user_data = Tagged(static_cast<Completion*>(this), Tag::kCompletion);
  }
  void OnComplete(int32_t result) noexcept override {
    if (result > 0) {
      offset += static_cast<uint64_t>(result);
      total += result;
      auto taken = static_cast<size_t>(result);
      while (first < parts.size() && taken >= parts[first].iov_len) taken -= parts[first++].iov_len;
      if (first < parts.size()) {
        parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + taken;
        parts[first].iov_len -= taken;
        Start();
        return;
      }
      result = total;
    } else if (result == 0) {
      result = -EIO;
    }
    Completion* finished = done;
    delete this;
    finished->OnComplete(result);
  }
};

struct alignas(8) UringIo::SendOp {
  msghdr message{};
  Completion* done = nullptr;
};

struct alignas(8) UringIo::ConnectOp final : Completion {
  UringIo* io = nullptr;
  int fd = -1;
  sockaddr_storage address{};
  Completion* done = nullptr;

  void OnComplete(int32_t result) noexcept override {
    if (result < 0) {
      ::close(fd);
    } else {
      SetNoDelay(fd);
      io->StateOf(SocketId(fd));
      result = fd;
    }
    Completion* finished = done;
    delete this;
    finished->OnComplete(result);
  }
};

/// An open that falls back to buffered I/O where the file system has no O_DIRECT, and lets the kernel note the time of reads where the file is
/// another user's. Otherwise it does not: noting it goes through the file system's journal, which can block whoever starts a read.
struct alignas(8) UringIo::OpenOp final : Completion {
  UringIo* io = nullptr;
  const std::string* path = nullptr;
  int flags = 0;
  Completion* done = nullptr;

  void Start() {
    io_uring_sqe* sqe = io->NextSqe();
    io_uring_prep_openat(sqe, AT_FDCWD, path->c_str(), flags, kFileMode);
    sqe->user_data = Tagged(static_cast<Completion*>(this), Tag::kCompletion);
  }
  void OnComplete(int32_t result) noexcept override {
    if (result == -EINVAL && (flags & O_DIRECT) != 0) {
      flags &= ~O_DIRECT;
      Start();
      return;
    }
    if (result == -EPERM && (flags & O_NOATIME) != 0) {
      flags &= ~O_NOATIME;
      Start();
      return;
    }
    Completion* finished = done;
    delete this;
    finished->OnComplete(result);
  }
};

struct alignas(8) UringIo::SignalOp final : Completion {
  UringIo* io = nullptr;
  int fd = -1;
  signalfd_siginfo info{};
  Completion* done = nullptr;

  ~SignalOp() {
    if (fd >= 0) ::close(fd);
  }
  void OnComplete(int32_t result) noexcept override {
    if (done == nullptr) return;
    Completion* finished = std::exchange(done, nullptr);
    finished->OnComplete(result == static_cast<int32_t>(sizeof info) ? static_cast<int32_t>(info.ssi_signo)
                                                                      : (result < 0 ? result : -EIO));
  }
};

UringIo::UringIo(ShardId shard, UringGroup& group) : shard_(shard), group_(group) {}

absl::StatusOr<std::unique_ptr<UringIo>> UringIo::Create(ShardId shard, UringGroup& group, const UringOptions& options) {
  std::unique_ptr<UringIo> io(new UringIo(shard, group));
  const absl::Status status = io->Init(options);
  if (!status.ok()) return status;
  return io;
}

absl::Status UringIo::Init(const UringOptions& options) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
  params.cq_entries = options.completion_entries;
  const int result = io_uring_queue_init_params(options.submission_entries, &ring_, &params);
  if (result < 0) return ErrnoStatus(-result, "set up io_uring");
  ring_ready_ = true;
  io_uring_register_ring_fd(&ring_);  // one lookup less a call; optional
  // Enough that writes which a stopped disk holds up leave some for what can go on; optional as well.
  unsigned workers[2] = {kDiskWorkersMax, 0};
  io_uring_register_iowq_max_workers(&ring_, workers);
  receive_buffers_ = std::make_unique<ReceiveBuffers>();
  RETURN_IF_ERROR(receive_buffers_->Register(ring_, options.receive_buffers, options.receive_buffer_bytes));
  RETURN_IF_ERROR(uring::LimitAndEnable(ring_));
  if (::getrandom(random_, sizeof random_, 0) != static_cast<ssize_t>(sizeof random_)) {
    return ErrnoStatus(errno, "read random numbers from the kernel");
  }
  group_.ring_fds[shard_.value()].store(ring_.ring_fd, std::memory_order_release);
  return absl::OkStatus();
}

UringIo::~UringIo() {
  populate_worker_.reset();
  worker_.reset();
  for (const auto& state : sockets_) {
    if (state != nullptr && state->fd >= 0) ::close(state->fd);
  }
  receive_buffers_.reset();
  if (ring_ready_) io_uring_queue_exit(&ring_);
}

MonoTime UringIo::Now() { return {NanosOf(CLOCK_MONOTONIC)}; }
WallMillis UringIo::WallNow() { return NanosOf(CLOCK_REALTIME) / 1'000'000; }
absl::Duration UringIo::ProcessCpu() { return absl::Nanoseconds(NanosOf(CLOCK_PROCESS_CPUTIME_ID)); }

uint64_t UringIo::RandomBits() {
  // xoshiro256**: Blackman and Vigna, 2018.
  const uint64_t result = std::rotl(random_[1] * 5, 7) * 9;
  const uint64_t shifted = random_[1] << 17;
  random_[2] ^= random_[0];
  random_[3] ^= random_[1];
  random_[1] ^= random_[2];
  random_[0] ^= random_[3];
  random_[2] ^= shifted;
  random_[3] = std::rotl(random_[3], 45);
  return result;
}

void UringIo::CountEnter(int submitted) {
  ++counters_.enters;
  if (submitted > 0) counters_.submissions += static_cast<uint64_t>(submitted);
}

io_uring_sqe* UringIo::NextSqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    // The queue is full: hand over what is there. Nothing completes before Poll looks.
    const int result = io_uring_submit(&ring_);
    CORE_ASSERT(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY);
    CountEnter(result);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void UringIo::OpenFile(const std::string& path, OpenOptions options, Completion& done) {
  auto* op = new OpenOp;
  op->io = this;
  op->path = &path;
  op->flags = O_CLOEXEC | O_NOATIME | (options.write ? O_RDWR : O_RDONLY) | (options.create ? O_CREAT : 0) |
              (options.exclusive ? O_EXCL : 0) | (options.direct ? O_DIRECT : 0);
  op->done = &done;
  op->Start();
}

void UringIo::CloseFile(FileId file, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_close(sqe, file.value());
  io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);  // the last close of a removed file frees its blocks, through the journal
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

void UringIo::ReadFile(FileId file, std::span<std::byte> into, uint64_t offset, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_read(sqe, file.value(), into.data(), static_cast<unsigned>(std::min<size_t>(into.size(), 1 << 30)), offset);
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

void UringIo::WriteFile(FileId file, std::span<const iovec> from, uint64_t offset, bool durable, Completion& done) {
  auto* op = new WriteOp;
  op->io = this;
  op->fd = file.value();
  op->offset = offset;
  op->rw_flags = durable ? RWF_DSYNC : 0;
  op->parts.assign(from.begin(), from.end());
  op->done = &done;
  op->Start();
}

void UringIo::SyncFile(FileId file, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_fsync(sqe, file.value(), IORING_FSYNC_DATASYNC);
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

void UringIo::AllocateFile(FileId file, uint64_t length, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_fallocate(sqe, file.value(), 0, 0, static_cast<off_t>(length));
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

absl::StatusOr<std::unique_ptr<FileMapping>> UringIo::MapFile(FileId file, size_t bytes) { return MapDescriptor(file.value(), bytes); }

void UringIo::RenameFile(const std::string& from, const std::string& to, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_renameat(sqe, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0);
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

void UringIo::RemoveFile(const std::string& path, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_unlinkat(sqe, AT_FDCWD, path.c_str(), 0);
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

void UringIo::MakeDirectory(const std::string& path, Completion& done) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_mkdirat(sqe, AT_FDCWD, path.c_str(), kFolderMode);
  sqe->user_data = Tagged(&done, Tag::kCompletion);
}

UringIo::SocketState& UringIo::StateOf(SocketId socket) {
  const auto index = static_cast<size_t>(socket.value());
  if (index >= sockets_.size()) sockets_.resize(index + 64);
  if (sockets_[index] == nullptr) sockets_[index] = std::make_unique<SocketState>();
  sockets_[index]->fd = socket.value();
  return *sockets_[index];
}

/// What binding to `address` alone says: 0, or EADDRINUSE when anyone listens there.
static int ErrorOfExclusiveBind(const sockaddr_storage& address, socklen_t length) {
  const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections of the past do not count
  const int error = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

absl::StatusOr<SocketId> UringIo::Listen(const Endpoint& at, int backlog) {
  const int fd = ::socket(at.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "make a socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  SetDeadClientTimeouts(fd);
  sockaddr_storage address;
  const socklen_t length = ToSockaddr(at, &address);
  // SO_REUSEPORT would let another process of this user share the port, and half of the clients would reach the wrong one. Shard 0
  // listens before the others: it asks without.
  int error = shard_ == ShardId(0) && at.port != 0 ? ErrorOfExclusiveBind(address, length) : 0;
  if (error == 0 && (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 || ::listen(fd, backlog) != 0)) {
    error = errno;
  }
  if (error != 0) {
    ::close(fd);
    return ErrnoStatus(error, StrCat("listen on ", at.Text()));
  }
  StateOf(SocketId(fd));
  return SocketId(fd);
}

void UringIo::StartAccept(SocketId listener, AcceptSink& sink) {
  SocketState& state = StateOf(listener);
  CORE_ASSERT(state.acceptor == nullptr);
  state.acceptor = &sink;
  // One at a time: a multishot accept takes all there are, however few are wanted, and they would wait here without a bound.
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_accept(sqe, state.fd, nullptr, nullptr, SOCK_CLOEXEC);
  sqe->user_data = Tagged(&state, Tag::kAccept);
}

void UringIo::OnAcceptCqe(SocketState& state, const io_uring_cqe& cqe) {
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  AcceptSink* sink = state.acceptor;
  if (cqe.res >= 0) {
    SetNoDelay(cqe.res);
    StateOf(SocketId(cqe.res));
  }
  if (!more) state.acceptor = nullptr;
  const bool closing = !more && state.closing != nullptr;
  sink->OnAccept(cqe.res, more);
  if (closing) {
    ::close(std::exchange(state.fd, -1));
    Defer(*std::exchange(state.closing, nullptr), 0);
  }
}

void UringIo::Connect(const Endpoint& to, Completion& done) {
  const int fd = ::socket(to.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    Defer(done, -errno);
    return;
  }
  auto* op = new ConnectOp;
  op->io = this;
  op->fd = fd;
  op->done = &done;
  const socklen_t length = ToSockaddr(to, &op->address);
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_connect(sqe, fd, reinterpret_cast<const sockaddr*>(&op->address), length);
  sqe->user_data = Tagged(static_cast<Completion*>(op), Tag::kCompletion);
}

Endpoint UringIo::LocalEndpoint(SocketId socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.value(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return FromSockaddr(address);
}

Endpoint UringIo::PeerEndpoint(SocketId socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket.value(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return FromSockaddr(address);
}

void UringIo::ArmReceive(SocketState& state) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_recv_multishot(sqe, state.fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = ReceiveBuffers::kGroup;
  sqe->user_data = Tagged(&state, Tag::kReceive);
}

void UringIo::StartReceive(SocketId socket, ReceiveSink& sink) {
  SocketState& state = StateOf(socket);
  CORE_ASSERT(state.receiver == nullptr);
  state.receiver = &sink;
  state.stop_wanted = false;
  ArmReceive(state);
}

void UringIo::OnReceiveCqe(SocketState& state, const io_uring_cqe& cqe) {
  ReceiveSink* sink = state.receiver;
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if (cqe.res > 0) {
    CORE_ASSERT((cqe.flags & IORING_CQE_F_BUFFER) != 0);
    const auto index = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    const bool ends = !more && state.stop_wanted;
    if (ends) {
      state.receiver = nullptr;
    } else if (!more) {
      ArmReceive(state);
    }
    sink->OnReceive(receive_buffers_->Take(index, static_cast<size_t>(cqe.res)));
    if (ends) sink->OnReceiveEnd(-ECANCELED);
    return;
  }
  if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
    // An end of stream may have picked a buffer; taking and dropping it gives it back.
    receive_buffers_->Take(static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT), 0);
  }
  if (more) return;
  if (cqe.res == -ENOBUFS && !state.stop_wanted) {
    state.starved = true;
    starved_.push_back(&state);
    receive_buffers_->Starved();
    return;
  }
  state.receiver = nullptr;
  sink->OnReceiveEnd(cqe.res == -ENOBUFS ? -ECANCELED : cqe.res);
}

void UringIo::ResumeStarved() {
  for (SocketState* state : std::exchange(starved_, {})) {
    if (!state->starved) continue;
    state->starved = false;
    ArmReceive(*state);
  }
}

void UringIo::StopReceive(SocketId socket) {
  SocketState& state = StateOf(socket);
  if (state.receiver == nullptr) return;
  if (state.starved) {
    state.starved = false;
    state.end_result = -ECANCELED;
    ended_.push_back(&state);
    return;
  }
  state.stop_wanted = true;
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_cancel64(sqe, Tagged(&state, Tag::kReceive), 0);
  sqe->user_data = Tagged(nullptr, Tag::kIgnore);
}

void UringIo::Send(SocketId socket, std::span<const iovec> from, Completion& done) {
  std::unique_ptr<SendOp> op;
  if (free_sends_.empty()) {
    op = std::make_unique<SendOp>();
  } else {
    op = std::move(free_sends_.back());
    free_sends_.pop_back();
  }
  op->message = {};
  op->message.msg_iov = const_cast<iovec*>(from.data());
  op->message.msg_iovlen = from.size();
  op->done = &done;
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_sendmsg(sqe, socket.value(), &op->message, MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = Tagged(op.release(), Tag::kSend);
}

void UringIo::ShutdownSocket(SocketId socket) {
  SocketState& state = StateOf(socket);
  if (state.starved) {
    // The kernel does not know of this reception, so it can't report its end.
    state.starved = false;
    state.end_result = 0;
    ended_.push_back(&state);
  }
  // Without a free buffer the kernel would report that, not the end, and the reception would wait for a buffer for ever.
  state.stop_wanted = true;
  if (::shutdown(state.fd, SHUT_RDWR) != 0 && state.receiver != nullptr) {
    // Not connected any more: make sure that an armed reception ends.
    StopReceive(socket);
  }
}

void UringIo::CloseSocket(SocketId socket, Completion& done) {
  SocketState& state = StateOf(socket);
  CORE_ASSERT(state.receiver == nullptr && state.closing == nullptr);
  if (state.acceptor != nullptr) {
    state.closing = &done;
    io_uring_sqe* sqe = NextSqe();
    io_uring_prep_cancel64(sqe, Tagged(&state, Tag::kAccept), 0);
    sqe->user_data = Tagged(nullptr, Tag::kIgnore);
    return;
  }
  // Closing a shut-down stream does not block, and doing it here keeps descriptor and state in step.
  ::close(std::exchange(state.fd, -1));
  Defer(done, 0);
}

void UringIo::WaitSignal(Completion& done) {
  if (signal_ == nullptr) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signal_ = std::make_unique<SignalOp>();
    signal_->io = this;
    signal_->fd = ::signalfd(-1, &set, SFD_CLOEXEC);
    CORE_ASSERT(signal_->fd >= 0);
  }
  CORE_ASSERT(signal_->done == nullptr);
  signal_->done = &done;
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_read(sqe, signal_->fd, &signal_->info, sizeof signal_->info, 0);
  sqe->user_data = Tagged(static_cast<Completion*>(signal_.get()), Tag::kCompletion);
}

void UringIo::CancelWaitSignal() {
  if (signal_ == nullptr || signal_->done == nullptr) return;
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_cancel64(sqe, Tagged(static_cast<Completion*>(signal_.get()), Tag::kCompletion), 0);
  sqe->user_data = Tagged(nullptr, Tag::kIgnore);
}

void UringIo::Wake(ShardId target) {
  const int fd = group_.ring_fds[target.value()].load(std::memory_order_acquire);
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_msg_ring(sqe, fd, 0, Tagged(nullptr, Tag::kIgnore), 0);
  sqe->user_data = Tagged(nullptr, Tag::kIgnore);
}

void UringIo::Dispatch(const io_uring_cqe& cqe) {
  switch (static_cast<Tag>(cqe.user_data & kTagMask)) {
    case Tag::kCompletion:
      Untag<Completion>(cqe.user_data)->OnComplete(cqe.res);
      return;
    case Tag::kReceive:
      OnReceiveCqe(*Untag<SocketState>(cqe.user_data), cqe);
      return;
    case Tag::kAccept:
      OnAcceptCqe(*Untag<SocketState>(cqe.user_data), cqe);
      return;
    case Tag::kSend: {
      std::unique_ptr<SendOp> op(Untag<SendOp>(cqe.user_data));
      Completion* done = op->done;
      free_sends_.push_back(std::move(op));
      done->OnComplete(cqe.res);
      return;
    }
    case Tag::kIgnore:
      return;
  }
}

void UringIo::RunDeferred() {
  running_deferred_.swap(deferred_);
  for (const Deferred& item : running_deferred_) item.done->OnComplete(item.result);
  running_deferred_.clear();
  for (SocketState* state : std::exchange(ended_, {})) {
    ReceiveSink* sink = std::exchange(state->receiver, nullptr);
    if (sink != nullptr) sink->OnReceiveEnd(state->end_result);
  }
}

bool UringIo::KernelHasWork() const {
  constexpr unsigned kWork = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
  return (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & kWork) != 0;
}

bool UringIo::Ready() const {
  return !deferred_.empty() || !ended_.empty() || io_uring_cq_ready(&ring_) > 0 || KernelHasWork();
}

void UringIo::Poll(MonoTime until) {
  receive_buffers_->Publish();
  if (!starved_.empty() && receive_buffers_->free() > 0) ResumeStarved();
  const bool wait = deferred_.empty() && ended_.empty() && io_uring_cq_ready(&ring_) == 0;
  int result = 0;
  bool entered = true;
  if (wait && until == MonoTime::Max()) {
    result = io_uring_submit_and_wait(&ring_, 1);
  } else {
    int64_t nanos = 0;
    if (wait) nanos = until.nanos - NanosOf(CLOCK_MONOTONIC);
    if (nanos > 0) {
      __kernel_timespec timeout{.tv_sec = nanos / 1'000'000'000, .tv_nsec = nanos % 1'000'000'000};
      io_uring_cqe* first = nullptr;
      result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
    } else if (io_uring_sq_ready(&ring_) > 0 || KernelHasWork()) {
      // Deferred task work runs only when events are asked for.
      result = io_uring_submit_and_get_events(&ring_);
    } else {
      entered = false;
    }
  }
  CORE_ASSERT(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY);
  if (entered) CountEnter(result);
  RunDeferred();
  unsigned head = 0;
  unsigned seen = 0;
  const io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    // Copied, and the place given back late: a handler may submit, never reap.
    const io_uring_cqe copy = *cqe;
    Dispatch(copy);
    ++seen;
  }
  counters_.completions += seen;
  if (seen > 0) io_uring_cq_advance(&ring_, seen);
}

}  // namespace core
