#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io.h"
#include "core/sim/clockwork.h"
#include "core/sim/sim_network.h"

namespace sim {

/// The Io of one shard of a simulated process. What is started here completes after a random virtual time, is collected, and is
/// reported by the next Poll, which never blocks: the world runs the shard again when there is something to do.
class SimIo final : public core::Io, public NetworkPort {
 public:
  /// `wake(shard)` tells the world that a shard of this process has work.
  SimIo(Clockwork& clock, Machine& machine, SimNetwork& network, uint64_t process, core::ShardId shard, Random random,
        std::function<void(core::ShardId)> wake);
  SimIo(const SimIo&) = delete;
  SimIo& operator=(const SimIo&) = delete;
  ~SimIo() override;

  core::MonoTime Now() override { return {clock_.now + machine_.mono_offset}; }
  core::WallMillis WallNow() override;
  uint64_t RandomBits() override { return random_.Bits(); }
  absl::Duration ProcessCpu() override { return absl::Nanoseconds(cpu_nanos_); }

  void OpenFile(const std::string& path, core::OpenOptions options, core::Completion& done) override;
  void CloseFile(core::FileId file, core::Completion& done) override;
  void ReadFile(core::FileId file, std::span<std::byte> into, uint64_t offset, core::Completion& done) override;
  void WriteFile(core::FileId file, std::span<const iovec> from, uint64_t offset, bool durable,
                 core::Completion& done) override;
  void SyncFile(core::FileId file, core::Completion& done) override;
  void AllocateFile(core::FileId file, uint64_t length, core::Completion& done) override;
  void TruncateFile(core::FileId file, uint64_t length, core::Completion& done) override;
  absl::StatusOr<std::unique_ptr<core::FileMapping>> MapFile(core::FileId file, size_t bytes) override;
  void PopulateMapping(core::FileMapping& mapping, size_t offset, size_t bytes, core::Completion& done) override;
  void LockFile(core::FileId file, core::Completion& done) override;
  void StatFile(const std::string& path, core::FileInfo* info, core::Completion& done) override;
  void RenameFile(const std::string& from, const std::string& to, core::Completion& done) override;
  void RemoveFile(const std::string& path, core::Completion& done) override;
  void MakeDirectory(const std::string& path, core::Completion& done) override;
  void SyncDirectory(const std::string& path, core::Completion& done) override;
  void ListDirectory(const std::string& path, std::vector<core::DirectoryEntry>* entries, core::Completion& done) override;
  void SpaceOf(const std::string& path, core::SpaceInfo* space, core::Completion& done) override;

  absl::StatusOr<core::SocketId> Listen(const core::Endpoint& at, int backlog) override;
  void StartAccept(core::SocketId listener, core::AcceptSink& sink) override;
  void Connect(const core::Endpoint& to, core::Completion& done) override;
  core::Endpoint LocalEndpoint(core::SocketId socket) override;
  core::Endpoint PeerEndpoint(core::SocketId socket) override;
  void StartReceive(core::SocketId socket, core::ReceiveSink& sink) override;
  void StopReceive(core::SocketId socket) override;
  void Send(core::SocketId socket, std::span<const iovec> from, core::Completion& done) override;
  void ShutdownSocket(core::SocketId socket) override;
  void CloseSocket(core::SocketId socket, core::Completion& done) override;

  void WaitSignal(core::Completion& done) override;
  void CancelWaitSignal() override;

  void Poll(core::MonoTime until) override;
  void Wake(core::ShardId target) override { wake_(target); }

  // --- NetworkPort.
  uint64_t process() const override { return process_; }
  Machine& machine() override { return machine_; }
  int32_t Adopt(std::shared_ptr<Connection> connection, int side) override;
  void SocketReady(int32_t socket) override;
  void Complete(core::Completion& done, int32_t result) override;

  // --- For the process that owns it.
  bool HasDue() const { return !due_.empty(); }
  void Signal(int number);
  void AddCpu(int64_t nanos) { cpu_nanos_ += nanos; }
  /// The process is dead: of the disk operations under way some still take effect, some in part, some not at all. Reads the
  /// buffers that were handed over, so it comes before anything of the process is freed.
  void DieOnDisk();
  /// Completes everything with -ECANCELED, so that what frees itself at its completion does. After DieOnDisk.
  void CancelAll();

 private:
  struct OpenedFile {
    InodeRef inode;
    std::string path;
    bool direct = false;
    bool write = false;
  };
  struct Socket;
  class Mapping;
  /// A disk operation under way.
  struct Operation {
    DiskOp op;
    std::string path;
    core::Completion* done;
    std::function<int32_t()> apply;  // takes effect; the result
    bool changes = false;            // may take effect although the process dies
    size_t bytes = 0;                // for the time it takes
    std::optional<DiskFault> fault = {};  // what happens to it
    // kWrite and kSync:
    InodeRef inode = nullptr;
    std::vector<iovec> parts = {};
    uint64_t offset = 0;
    bool durable = false;
    uint64_t mark = 0;
  };
  struct Due {
    core::Completion* done = nullptr;
    core::AcceptSink* unarmed = nullptr;  // a closed listener's
    int32_t result = 0;                   // with neither: a socket that has something
  };

  OpenedFile& FileOf(core::FileId file);
  Socket& SocketOf(core::SocketId socket);
  void Start(Operation operation);
  void Finish(uint64_t number);
  int64_t Latency(const Operation& operation);
  /// Writes the first `bytes_max` bytes.
  int32_t WriteNow(const Operation& operation, size_t bytes_max, bool durable);
  int32_t GoWrong(Operation& operation);
  int32_t GoAstray(Operation& operation);
  bool DirectOk(const OpenedFile& file, uint64_t offset, std::span<const iovec> parts) const;
  void DeliverTo(int32_t socket);
  void DeliverConnections(int32_t socket);
  void DeliverBytes(int32_t socket);

  Clockwork& clock_;
  Machine& machine_;
  SimNetwork& network_;
  const uint64_t process_;
  const core::ShardId shard_;
  Random random_;
  std::function<void(core::ShardId)> wake_;
  bool dead_ = false;
  int64_t cpu_nanos_ = 0;

  std::map<uint64_t, std::unique_ptr<Operation>> operations_;  // on the disk, under way
  uint64_t next_operation_ = 0;
  std::map<int32_t, std::unique_ptr<OpenedFile>> files_;
  std::vector<InodeRef> mapped_;
  std::map<int32_t, std::unique_ptr<Socket>> sockets_;
  int32_t next_descriptor_ = 3;
  std::vector<core::Completion*> connecting_;
  std::vector<core::Completion*> closing_;
  std::vector<Due> due_;
  core::Completion* signal_waiter_ = nullptr;
  std::vector<int> signals_;
};

}  // namespace sim
