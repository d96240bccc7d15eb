#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/io.h"
#include "core/stop.h"
#include "core/sync.h"
#include "core/task.h"

namespace core {

/// A connected stream of one shard. One coroutine may receive and one may send at a time. Must be closed (awaited) before it dies.
class Socket final : private ReceiveSink {
 public:
  /// Takes over a connected socket of the current shard's Io.
  explicit Socket(SocketId id);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  static Task<absl::StatusOr<std::unique_ptr<Socket>>> Connect(Endpoint to, absl::Duration timeout);

  /// The next bytes in order (zero-copy: a piece of a receive buffer, as long as these are not scarce). An empty slice: the peer ended its side.
  /// kUnavailable when the connection broke or was shut down. Reception pauses while buffers of
  /// `kQueuedBytesMax` wait here.
  Task<absl::StatusOr<Slice>> Receive();
  /// Bytes are here already: Receive would not suspend.
  bool HasReceived() const { return !queue_.empty(); }
  Slice TakeReceived();

  /// Sends all the parts, in order; the memory must live until it returns.
  Task<absl::Status> Send(std::span<const Slice> parts);
  /// Ends both directions at once; waiting calls return kUnavailable. Any task of the shard may call it.
  void Shutdown();
  /// Shuts down, waits for what is under way, frees the socket.
  Task<void> Close();

  const Endpoint& peer() const { return peer_; }
  const Endpoint& local() const { return local_; }
  uint64_t bytes_received() const { return bytes_received_; }
  uint64_t bytes_sent() const { return bytes_sent_; }

  static constexpr size_t kQueuedBytesMax = size_t{256} << 10;
  /// Handed to the Io at a time at most: a send that is larger shows by bytes_sent that its peer reads.
  static constexpr size_t kSendBytesMax = size_t{256} << 10;

 private:
  void OnReceive(Slice bytes) noexcept override;
  void OnReceiveEnd(int32_t result) noexcept override;
  void Arm();

  Reactor& reactor_;
  SocketId id_;
  Endpoint peer_;
  Endpoint local_;
  std::deque<Slice> queue_;
  size_t queued_bytes_ = 0;
  bool armed_ = false;
  bool pausing_ = false;  // StopReceive under way because the queue is full
  bool ended_ = false;    // no more bytes will come; end_result_ says why
  bool shutdown_ = false;
  bool sending_ = false;
  int32_t end_result_ = 0;
  Notifier changed_;
  uint64_t bytes_received_ = 0;
  uint64_t bytes_sent_ = 0;
};

/// A listening socket of one shard.
class Listener final : private AcceptSink {
 public:
  static absl::StatusOr<std::unique_ptr<Listener>> Listen(const Endpoint& at, int backlog = 1024);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The next connection, which waits in the kernel until it is asked for; kCancelled once stopped or closed, kResourceExhausted when the process is
  /// out of descriptors (wait a little and call again).
  Task<absl::StatusOr<std::unique_ptr<Socket>>> Accept(StopToken stop);
  Task<void> Close();
  const Endpoint& local() const { return local_; }

 private:
  explicit Listener(SocketId id);
  void OnAccept(int32_t result, bool more) noexcept override;

  Reactor& reactor_;
  SocketId id_;
  Endpoint local_;
  std::deque<int32_t> accepted_;  // socket ids or negated errnos
  bool armed_ = false;
  bool closed_ = false;
  Notifier changed_;
};

}  // namespace core
