#pragma once

#include <liburing.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/uring/blocking_worker.h"
#include "core/uring/receive_buffers.h"

namespace core {

/// The rings of one process, so that a shard can wake another. Filled by each shard before the shards begin.
struct UringGroup {
  explicit UringGroup(size_t shards) : ring_fds(shards) {
    for (auto& fd : ring_fds) fd.store(-1);
  }
  std::vector<std::atomic<int>> ring_fds;
};

struct UringOptions {
  uint32_t submission_entries = 1024;
  uint32_t completion_entries = 16384;
  uint32_t receive_buffers = 512;  // a power of two
  uint32_t receive_buffer_bytes = 32 * 1024;
};

/// The Io on one io_uring of the kernel. Made and used on its shard's thread (IORING_SETUP_SINGLE_ISSUER).
class UringIo final : public Io {
 public:
  /// Whether this kernel and container let us use io_uring as we do; the error says what to change, with the command.
  static absl::Status Check();
  static absl::StatusOr<std::unique_ptr<UringIo>> Create(ShardId shard, UringGroup& group, const UringOptions& options);
  ~UringIo() override;

  MonoTime Now() override;
  WallMillis WallNow() override;
  uint64_t RandomBits() override;
  absl::Duration ProcessCpu() override;
  IoCounters Counters() const override { return counters_; }

  void OpenFile(const std::string& path, OpenOptions options, Completion& done) override;
  void CloseFile(FileId file, Completion& done) override;
  void ReadFile(FileId file, std::span<std::byte> into, uint64_t offset, Completion& done) override;
  void WriteFile(FileId file, std::span<const iovec> from, uint64_t offset, bool durable, Completion& done) override;
  void SyncFile(FileId file, Completion& done) override;
  void AllocateFile(FileId file, uint64_t length, Completion& done) override;
  void TruncateFile(FileId file, uint64_t length, Completion& done) override;
  absl::StatusOr<std::unique_ptr<FileMapping>> MapFile(FileId file, size_t bytes) override;
  void PopulateMapping(FileMapping& mapping, size_t offset, size_t bytes, Completion& done) override;
  void LockFile(FileId file, Completion& done) override;
  void StatFile(const std::string& path, FileInfo* info, Completion& done) override;
  void RenameFile(const std::string& from, const std::string& to, Completion& done) override;
  void RemoveFile(const std::string& path, Completion& done) override;
  void MakeDirectory(const std::string& path, Completion& done) override;
  void SyncDirectory(const std::string& path, Completion& done) override;
  void ListDirectory(const std::string& path, std::vector<DirectoryEntry>* entries, Completion& done) override;
  void SpaceOf(const std::string& path, SpaceInfo* space, Completion& done) override;

  absl::StatusOr<SocketId> Listen(const Endpoint& at, int backlog) override;
  void StartAccept(SocketId listener, AcceptSink& sink) override;
  void Connect(const Endpoint& to, Completion& done) override;
  Endpoint LocalEndpoint(SocketId socket) override;
  Endpoint PeerEndpoint(SocketId socket) override;
  void StartReceive(SocketId socket, ReceiveSink& sink) override;
  void StopReceive(SocketId socket) override;
  void Send(SocketId socket, std::span<const iovec> from, Completion& done) override;
  void ShutdownSocket(SocketId socket) override;
  void CloseSocket(SocketId socket, Completion& done) override;

  void WaitSignal(Completion& done) override;
  void CancelWaitSignal() override;

  void Poll(MonoTime until) override;
  bool Ready() const override;
  void Wake(ShardId target) override;

 private:
  /// Completions that it tells when it is entered.
  bool KernelHasWork() const;
  struct SocketState;
  struct WriteOp;
  struct SendOp;
  struct ConnectOp;
  struct OpenOp;
  struct SignalOp;
  struct RingWorker;

  UringIo(ShardId shard, UringGroup& group);
  absl::Status Init(const UringOptions& options);
  io_uring_sqe* NextSqe();
  void CountEnter(int submitted);
  void Dispatch(const io_uring_cqe& cqe);
  void OnReceiveCqe(SocketState& state, const io_uring_cqe& cqe);
  void OnAcceptCqe(SocketState& state, const io_uring_cqe& cqe);
  void ArmReceive(SocketState& state);
  void Defer(Completion& done, int32_t result) { deferred_.push_back({&done, result}); }
  void RunDeferred();
  void ResumeStarved();
  void RunOn(std::unique_ptr<RingWorker>& worker, Completion& done, std::function<int32_t()> call);
  void Arm(RingWorker& worker);
  SocketState& StateOf(SocketId socket);

  struct Deferred {
    Completion* done;
    int32_t result;
  };

  const ShardId shard_;
  UringGroup& group_;
  io_uring ring_{};
  bool ring_ready_ = false;
  std::unique_ptr<ReceiveBuffers> receive_buffers_;
  std::vector<std::unique_ptr<SocketState>> sockets_;  // by descriptor
  std::vector<SocketState*> starved_;                  // want to receive, no buffer was free
  std::vector<SocketState*> ended_;                    // whose sink must hear of an end that the kernel does not report
  std::vector<Deferred> deferred_;
  std::vector<Deferred> running_deferred_;
  IoCounters counters_;
  std::vector<std::unique_ptr<SendOp>> free_sends_;
  std::unique_ptr<SignalOp> signal_;
  std::unique_ptr<RingWorker> worker_;           // for calls that io_uring does not have
  std::unique_ptr<RingWorker> populate_worker_;  // for PopulateMapping: does not wait for the other's
  uint64_t random_[4] = {};
};

}  // namespace core
