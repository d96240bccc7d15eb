#include "core/socket.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "core/assert.h"
#include "core/io_await.h"
#include "core/status.h"
#include "core/strings.h"

namespace core {
namespace {

constexpr size_t kSendPartsMax = 512;  // per call to the Io; below its limit of 1,024

}  // namespace

Socket::Socket(SocketId id)
    : reactor_(Reactor::Current()),
      id_(id),
      peer_(reactor_.io().PeerEndpoint(id)),
      local_(reactor_.io().LocalEndpoint(id)) {}

Socket::~Socket() { CORE_ASSERT(id_.value() < 0 || reactor_.abandoned()); }

namespace {

/// A connect under way. The Io can't take it back, so at a timeout it is left alone: it frees itself when the kernel gives up.
struct ConnectAttempt final : Completion {
  explicit ConnectAttempt(Reactor& r) : reactor(r) {}
  void OnComplete(int32_t value) noexcept override {
    result = value;
    if (!left) {
      completed = true;
      changed.NotifyAll();
    } else if (value >= 0 && !closing) {
      closing = true;
      reactor.io().CloseSocket(SocketId(value), *this);
    } else {
      delete this;
    }
  }
  /// Frees the attempt, or leaves it to free itself.
  static void Leave(ConnectAttempt* attempt) {
    if (attempt->completed || attempt->reactor.abandoned()) {
      delete attempt;
    } else {
      attempt->left = true;
    }
  }
  Reactor& reactor;
  Notifier changed;
  int32_t result = 0;
  bool completed = false;
  bool left = false;
  bool closing = false;
};

struct LeaveAttempt {
  void operator()(ConnectAttempt* attempt) const { ConnectAttempt::Leave(attempt); }
};

}  // namespace

Task<absl::StatusOr<std::unique_ptr<Socket>>> Socket::Connect(Endpoint to, absl::Duration timeout) {
  Reactor& reactor = Reactor::Current();
  const std::unique_ptr<ConnectAttempt, LeaveAttempt> attempt(new ConnectAttempt(reactor));
  const MonoTime deadline = reactor.now() + timeout;
  reactor.io().Connect(to, *attempt);
  while (!attempt->completed) {
    const WaitResult waited = co_await attempt->changed.Wait(deadline);
    if (waited == WaitResult::kTimeout && !attempt->completed) {
      co_return absl::DeadlineExceededError(
          StrCat("connect to ", to.Text(), ": no answer in ", absl::FormatDuration(timeout)));
    }
  }
  const int32_t result = attempt->result;
  if (result < 0) co_return ErrnoStatus(-result, StrCat("connect to ", to.Text()));
  co_return std::make_unique<Socket>(SocketId(result));
}

void Socket::Arm() {
  if (armed_ || ended_ || shutdown_) return;
  armed_ = true;
  pausing_ = false;
  reactor_.io().StartReceive(id_, *this);
}

Slice Socket::TakeReceived() {
  Slice bytes = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= bytes.block()->size();
  return bytes;
}

Task<absl::StatusOr<Slice>> Socket::Receive() {
  while (queue_.empty()) {
    if (ended_ || shutdown_) {
      if (end_result_ == 0 && !shutdown_) co_return Slice();
      co_return ErrnoStatus(end_result_ < 0 ? -end_result_ : ENOTCONN, StrCat("receive from ", peer_.Text()));
    }
    Arm();
    co_await changed_.Wait();
  }
  Slice bytes = TakeReceived();
  if (!pausing_ && queued_bytes_ < kQueuedBytesMax / 2) Arm();
  co_return bytes;
}

void Socket::OnReceive(Slice bytes) noexcept {
  bytes_received_ += bytes.size();
  // Whoever does not keep up must not pin receive buffers with a few bytes in each, and all together not most of them: a shard
  // without any receives nothing, from nobody.
  const bool sparse = !queue_.empty() && bytes.size() < bytes.block()->size() / 4;
  if (sparse || reactor_.received_blocks_scarce()) {
    bytes = reactor_.buffers().Copy(bytes.bytes());
  } else {
    bytes.block()->CountWhileHeld(reactor_.received_blocks_held());
  }
  queued_bytes_ += bytes.block()->size();
  queue_.push_back(std::move(bytes));
  if (queued_bytes_ >= kQueuedBytesMax && !pausing_) {
    pausing_ = true;
    reactor_.io().StopReceive(id_);
  }
  changed_.NotifyAll();
}

void Socket::OnReceiveEnd(int32_t result) noexcept {
  armed_ = false;
  // Paused by us, or out of receive buffers: the next Receive arms again.
  if ((result == -ECANCELED && pausing_ && !shutdown_) || result == -ENOBUFS) {
    pausing_ = false;
    if (result == -ENOBUFS && queue_.empty() && !shutdown_) Arm();
    changed_.NotifyAll();
    return;
  }
  ended_ = true;
  end_result_ = result;
  changed_.NotifyAll();
}

Task<absl::Status> Socket::Send(std::span<const Slice> parts) {
  CORE_ASSERT(!sending_);
  absl::InlinedVector<iovec, 16> vectors;
  for (const Slice& part : parts) {
    if (!part.empty()) vectors.push_back({part.data(), part.size()});
  }
  size_t first = 0;
  sending_ = true;
  while (first < vectors.size()) {
    if (shutdown_) {
      sending_ = false;
      changed_.NotifyAll();
      co_return absl::UnavailableError(StrCat("send to ", peer_.Text(), ": the connection is shut down"));
    }
    absl::InlinedVector<iovec, 16> now;
    size_t bytes = 0;
    for (size_t i = first; i < vectors.size() && now.size() < kSendPartsMax && bytes < kSendBytesMax; ++i) {
      // A large part in pieces: its peer shows that it reads by taking one after the other.
      now.push_back({vectors[i].iov_base, std::min(vectors[i].iov_len, kSendBytesMax - bytes)});
      bytes += now.back().iov_len;
    }
    IoCall call([&](Io& io, Completion& done) { io.Send(id_, now, done); });
    const int32_t result = co_await call;
    if (result < 0) {
      sending_ = false;
      changed_.NotifyAll();
      co_return ErrnoStatus(-result, StrCat("send to ", peer_.Text()));
    }
    size_t taken = static_cast<size_t>(result);
    bytes_sent_ += taken;
    while (taken > 0) {
      iovec& part = vectors[first];
      if (taken < part.iov_len) {
        part.iov_base = static_cast<char*>(part.iov_base) + taken;
        part.iov_len -= taken;
        break;
      }
      taken -= part.iov_len;
      ++first;
    }
  }
  sending_ = false;
  if (shutdown_) changed_.NotifyAll();
  co_return absl::OkStatus();
}

void Socket::Shutdown() {
  if (shutdown_) return;
  shutdown_ = true;
  reactor_.io().ShutdownSocket(id_);
  changed_.NotifyAll();
}

Task<void> Socket::Close() {
  if (id_.value() < 0) co_return;
  Shutdown();
  queue_.clear();  // first: an armed reception may wait for the buffers that lie here
  while (armed_ || sending_) co_await changed_.Wait();
  queue_.clear();
  const SocketId id = std::exchange(id_, SocketId(-1));
  IoCall call([&](Io& io, Completion& done) { io.CloseSocket(id, done); });
  co_await call;
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Listen(const Endpoint& at, int backlog) {
  ASSIGN_OR_RETURN(const SocketId id, Reactor::Current().io().Listen(at, backlog));
  return std::unique_ptr<Listener>(new Listener(id));
}

Listener::Listener(SocketId id) : reactor_(Reactor::Current()), id_(id), local_(reactor_.io().LocalEndpoint(id)) {}

Listener::~Listener() { CORE_ASSERT(id_.value() < 0 || reactor_.abandoned()); }

void Listener::OnAccept(int32_t result, bool more) noexcept {
  if (!more) armed_ = false;
  if (result != -ECANCELED) accepted_.push_back(result);
  changed_.NotifyAll();
}

Task<absl::StatusOr<std::unique_ptr<Socket>>> Listener::Accept(StopToken stop) {
  while (accepted_.empty()) {
    if (closed_ || stop.stop_requested())
      co_return absl::CancelledError(StrCat("no longer accepting at ", local_.Text()));
    if (!armed_) {
      armed_ = true;
      reactor_.io().StartAccept(id_, *this);
    }
    co_await changed_.Wait(stop);
  }
  const int32_t result = accepted_.front();
  accepted_.pop_front();
  if (result < 0) co_return ErrnoStatus(-result, StrCat("accept at ", local_.Text()));
  co_return std::make_unique<Socket>(SocketId(result));
}

Task<void> Listener::Close() {
  if (closed_) co_return;
  closed_ = true;
  changed_.NotifyAll();
  const SocketId id = std::exchange(id_, SocketId(-1));
  IoCall call([&](Io& io, Completion& done) { io.CloseSocket(id, done); });
  co_await call;
  CORE_ASSERT(!armed_);
  while (!accepted_.empty()) {
    const int32_t result = accepted_.front();
    accepted_.pop_front();
    if (result < 0) continue;
    IoCall close([&](Io& io, Completion& done) { io.CloseSocket(SocketId(result), done); });
    co_await close;
  }
}

}  // namespace core
