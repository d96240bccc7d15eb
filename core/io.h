#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/file_mapping.h"
#include "core/time.h"
#include "core/types.h"

namespace core {

/// An open file or socket of one shard's Io. Never crosses shards.
using FileId = StrongInt<struct FileIdTag, int32_t>;
using SocketId = StrongInt<struct SocketIdTag, int32_t>;

/// Where a one-shot operation reports its end. The object and every buffer handed over with it must live until then;
/// an operation given to the Io is always completed exactly once (maybe with -ECANCELED), from Io::Poll, never
/// from within the call that started it.
class Completion {
 public:
  /// `result` is >= 0 (bytes, a descriptor, ...) or a negated errno.
  virtual void OnComplete(int32_t result) noexcept = 0;

 protected:
  ~Completion() = default;
};

/// Takes connections while a listener is armed.
class AcceptSink {
 public:
  /// `result` is a SocketId's value or a negated errno. `more` false: the listener must be armed again.
  virtual void OnAccept(int32_t result, bool more) noexcept = 0;

 protected:
  ~AcceptSink() = default;
};

/// Takes the bytes of a socket while reception is armed.
class ReceiveSink {
 public:
  /// Bytes that arrived, in order; the slice's memory belongs to the sink until it lets go of it.
  virtual void OnReceive(Slice bytes) noexcept = 0;
  /// Reception ended and is no longer armed: 0 the peer closed, -ECANCELED after StopReceive, -ENOBUFS the receive
  /// buffers are all in use (arm again later), else a negated errno.
  virtual void OnReceiveEnd(int32_t result) noexcept = 0;

 protected:
  ~ReceiveSink() = default;
};

/// An IPv4 or IPv6 address with a port.
struct Endpoint {
  bool ipv6 = false;
  uint8_t address[16] = {};  // network order; the first 4 for IPv4
  uint16_t port = 0;

  /// "127.0.0.1:9876", "[::1]:9876", "0.0.0.0:10911". No names: whoever resolves them does it off the shard.
  static absl::StatusOr<Endpoint> Parse(std::string_view text);
  /// The address part alone and the port apart.
  static absl::StatusOr<Endpoint> Parse(std::string_view host, uint16_t port);
  std::string HostText() const;
  std::string Text() const;
  bool IsLoopback() const;
  bool IsAny() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct OpenOptions {
  bool write = false;
  bool create = false;
  bool exclusive = false;  // with create: an existing file is -EEXIST
  bool direct = false;     // O_DIRECT where the file system has it; offsets, sizes and memory then in whole kDirectBlock
};
/// The alignment of direct reads and writes: memory, file offset and length.
inline constexpr size_t kDirectBlock = 4096;

struct FileInfo {
  bool directory = false;
  uint64_t bytes = 0;
  WallMillis modified = 0;
};
struct DirectoryEntry {
  std::string name;
  bool directory = false;
};
struct SpaceInfo {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;  // available to this user
};

/// What an Io has done since it was made.
struct IoCounters {
  uint64_t submissions = 0;  // operations handed to the kernel
  uint64_t completions = 0;
  uint64_t enters = 0;  // calls of the kernel for both
};

/// The seam: everything nondeterministic that one shard can reach. Two implementations: UringIo on the kernel, SimIo on
/// a simulated machine. Called by the owning shard only, except Wake. Application code uses the coroutine classes
/// above it (File, Socket, Sleep, ...), never Io itself.
class Io {
 public:
  virtual ~Io() = default;

  // --- Time and chance.
  virtual MonoTime Now() = 0;
  virtual WallMillis WallNow() = 0;
  virtual uint64_t RandomBits() = 0;
  /// CPU time used by this process, all threads. For statistics.
  virtual absl::Duration ProcessCpu() = 0;
  /// All zero where there is no kernel.
  virtual IoCounters Counters() const { return {}; }

  // --- Files. Paths are relative to the working directory or absolute; each call completes with 0 unless said.
  virtual void OpenFile(const std::string& path, OpenOptions options, Completion& done) = 0;  // a FileId's value
  virtual void CloseFile(FileId file, Completion& done) = 0;
  virtual void ReadFile(FileId file, std::span<std::byte> into, uint64_t offset, Completion& done) = 0;  // bytes; 0 at end
  /// Writes all of `from` (at most 1,024 parts), or fails. `durable`: on stable storage before completion (RWF_DSYNC).
  virtual void WriteFile(FileId file, std::span<const iovec> from, uint64_t offset, bool durable, Completion& done) = 0;
  /// Data (and the size needed to read it back) of all completed writes is on stable storage.
  virtual void SyncFile(FileId file, Completion& done) = 0;
  /// Space for [0, length) is reserved, the size becomes at least `length`; new bytes read as zero.
  virtual void AllocateFile(FileId file, uint64_t length, Completion& done) = 0;
  virtual void TruncateFile(FileId file, uint64_t length, Completion& done) = 0;
  /// The first `bytes` of an open file, which reach no further than its end, as memory.
  virtual absl::StatusOr<std::unique_ptr<FileMapping>> MapFile(FileId file, size_t bytes) = 0;
  /// Makes [offset, offset + bytes) of a mapping present and writable, so that storing there does not wait for anything; not on the
  /// shard's thread. The mapping must live until then.
  virtual void PopulateMapping(FileMapping& mapping, size_t offset, size_t bytes, Completion& done) = 0;
  /// Exclusive advisory lock held until the file is closed or the process dies; -EAGAIN when another process has it.
  virtual void LockFile(FileId file, Completion& done) = 0;
  virtual void StatFile(const std::string& path, FileInfo* info, Completion& done) = 0;
  virtual void RenameFile(const std::string& from, const std::string& to, Completion& done) = 0;  // replaces `to`
  virtual void RemoveFile(const std::string& path, Completion& done) = 0;
  virtual void MakeDirectory(const std::string& path, Completion& done) = 0;  // -EEXIST if there
  virtual void SyncDirectory(const std::string& path, Completion& done) = 0;
  virtual void ListDirectory(const std::string& path, std::vector<DirectoryEntry>* entries, Completion& done) = 0;
  virtual void SpaceOf(const std::string& path, SpaceInfo* space, Completion& done) = 0;

  // --- Sockets (TCP streams).
  /// Binds and listens at once; port 0 picks one (see LocalEndpoint). SO_REUSEPORT, so that each shard can listen.
  virtual absl::StatusOr<SocketId> Listen(const Endpoint& at, int backlog) = 0;
  virtual void StartAccept(SocketId listener, AcceptSink& sink) = 0;
  virtual void Connect(const Endpoint& to, Completion& done) = 0;  // a SocketId's value
  virtual Endpoint LocalEndpoint(SocketId socket) = 0;
  virtual Endpoint PeerEndpoint(SocketId socket) = 0;
  virtual void StartReceive(SocketId socket, ReceiveSink& sink) = 0;
  /// Ends reception; the sink still gets what was under way and then OnReceiveEnd. No-op when not armed.
  virtual void StopReceive(SocketId socket) = 0;
  /// Sends some or all of `from` (at most 1,024 parts); completes with the bytes taken. One at a time per socket.
  virtual void Send(SocketId socket, std::span<const iovec> from, Completion& done) = 0;
  /// Both directions end: armed reception ends, a send under way fails, the peer sees the end.
  virtual void ShutdownSocket(SocketId socket) = 0;
  /// Frees the id. Nothing may be armed or under way on it, but for an accept, which ends with OnAccept(-ECANCELED, false)
  /// before `done`.
  virtual void CloseSocket(SocketId socket, Completion& done) = 0;

  // --- Signals of the process (SIGINT, SIGTERM; on shard 0 only): completes with the signal's number.
  virtual void WaitSignal(Completion& done) = 0;
  virtual void CancelWaitSignal() = 0;  // ends it with -ECANCELED

  // --- The loop.
  /// Hands over what was started and reports what has completed. Blocks until something completes, until `until`, or until
  /// Wake; does not block when `until` <= Now().
  virtual void Poll(MonoTime until) = 0;
  /// Something has come that a Poll would report. Cheap: asks no kernel.
  virtual bool Ready() const { return false; }
  /// Makes `target`'s Poll return. The calling shard's Io is `this`.
  virtual void Wake(ShardId target) = 0;
};

}  // namespace core
