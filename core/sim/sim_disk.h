#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io.h"
#include "core/sim/file_content.h"
#include "core/sim/random.h"

namespace sim {

/// Operations that a fault can be asked for.
enum class DiskOp {
  kOpen, kRead, kWrite, kSync, kAllocate, kTruncate, kLock, kStat, kRename, kRemove, kMakeDirectory, kSyncDirectory, kList,
  kSpace, kClose, kMap, kPopulate,
};
const char* NameOf(DiskOp op);

/// How an operation goes wrong.
enum class FaultKind {
  kError,        // it fails; of a write a part may have happened
  kShort,        // a read of more than one block ends after the first
  kLost,         // a write says that it is done, durably if asked so, and nothing was written
  kMisdirected,  // a write says so and has gone to another block of its file
};

/// Operations that go wrong: of those that match, `skip` pass, then it happens to `times`.
struct DiskFault {
  std::optional<DiskOp> op = {};   // any that `kind` can happen to when empty
  std::string path_contains = {};  // any when empty
  uint64_t skip = 0;
  uint64_t times = 1;
  FaultKind kind = FaultKind::kError;
  int error = 5;  // EIO; for kError
};

/// A write that went astray, for who judges what it may have cost.
struct Astray {
  std::string path;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::optional<uint64_t> instead = {};  // where it went; lost when empty
};

/// The memory of a mapped file: what a process stores there reaches the file's content when SimDisk looks.
struct MappedMemory {
  explicit MappedMemory(size_t size);
  ~MappedMemory();
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;
  std::byte* data;
  size_t bytes;
};

/// One thing on the disk: a file or a directory. Directories have two states as files do: entries as seen, entries as stable.
struct Inode {
  uint64_t number = 0;
  bool directory = false;
  FileContent content;
  std::map<std::string, std::shared_ptr<Inode>> entries;
  std::map<std::string, std::shared_ptr<Inode>> durable_entries;
  core::WallMillis modified = 0;
  uint64_t locked_by = 0;  // the open file that holds the lock
  uint32_t links = 0;
  uint32_t opens = 0;
  uint64_t charged_bytes = 0;
  std::shared_ptr<MappedMemory> mapped;  // while a living process maps it
};
using InodeRef = std::shared_ptr<Inode>;

/// All that a disk holds, on stable storage: to begin many worlds at one place.
struct DiskImage {
  std::vector<std::string> directories;  // parents first
  std::map<std::string, FileContent> files;
};

/// The file system of one machine. Every operation takes effect at once; SimIo adds the time that it takes. Results are 0 or a negated
/// errno. A new, renamed or removed name is stable once its directory was synced, and not before: fsync of the file does not do it.
class SimDisk {
 public:
  explicit SimDisk(Random random);

  int Open(const std::string& path, core::OpenOptions options, core::WallMillis now, InodeRef* inode);
  void Close(const InodeRef& inode);
  /// -ENOSPC writes nothing.
  int Write(Inode& inode, uint64_t offset, std::span<const std::byte> bytes, bool durable, core::WallMillis now);
  int Allocate(Inode& inode, uint64_t length);
  int Truncate(Inode& inode, uint64_t length, core::WallMillis now);
  /// The first `bytes` of the file as memory; null when the file is shorter or mapped already.
  std::shared_ptr<MappedMemory> Map(Inode& inode, size_t bytes);
  /// Takes what was stored in the mapped memory into the file's content: as written, not as stable.
  void Capture(Inode& inode, core::WallMillis now);
  int Stat(const std::string& path, core::FileInfo* info) const;
  int Rename(const std::string& from, const std::string& to);
  int Remove(const std::string& path);
  int MakeDirectory(const std::string& path, core::WallMillis now);
  int SyncDirectory(const std::string& path);
  int List(const std::string& path, std::vector<core::DirectoryEntry>* entries) const;
  core::SpaceInfo Space() const;

  /// Every write, name and size that was not synced is kept or lost by chance; each file and directory by itself.
  void CutPower();
  /// The process that held them is dead.
  void DropLocks();

  // --- Faults.
  void Inject(DiskFault fault) { faults_.push_back(std::move(fault)); }
  void ClearFaults() { faults_.clear(); }
  /// Counts the operation; what must happen to it, if anything.
  std::optional<DiskFault> FaultFor(DiskOp op, std::string_view path);
  /// Where a misdirected write of `bytes` to `offset` goes; empty: the file has no other place for it, it is lost.
  std::optional<uint64_t> Elsewhere(const Inode& inode, uint64_t offset, uint64_t bytes);
  void NoteAstray(Astray astray) { astray_.push_back(std::move(astray)); }
  const std::vector<Astray>& astray() const { return astray_; }
  /// Called when an operation fails, or writes less than it says: because of a fault, or for want of room.
  void set_on_failure(std::function<void(DiskOp)> listener) { on_failure_ = std::move(listener); }
  void NoteFailure(DiskOp op) const {
    if (on_failure_) on_failure_(op);
  }
  /// How often an injected fault has happened.
  uint64_t faults_happened() const { return faults_happened_; }
  /// Operations asked for so far: for sweeps that fail the n-th.
  uint64_t operations() const { return operations_; }
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  uint64_t used_bytes() const { return used_; }
  /// Every operation takes this many times as long.
  void set_slowdown(double factor) { slowdown_ = factor; }
  double slowdown() const { return slowdown_; }
  /// Nothing that is under way or begins ends before this moment of the world's time.
  void set_stopped_until(int64_t until) { stopped_until_ = until; }
  int64_t stopped_until() const { return stopped_until_; }
  /// A device that says it has stored what it has not: durable writes and syncs of files whose path contains `about` ("/": of all) report
  /// success and save nothing. For the proof that a test would notice.
  void set_lies(std::string about) { lies_about_ = std::move(about); }
  bool LiesAbout(std::string_view path) const {
    return !lies_about_.empty() && (lies_about_ == "/" || path.find(lies_about_) != std::string_view::npos);
  }

  // --- What a test sees and does behind the machine's back.
  /// Null when there is none.
  InodeRef Find(const std::string& path) const;
  /// All files with their whole paths, sorted.
  std::vector<std::string> Files() const;
  std::string Content(const std::string& path) const;
  void FlipBit(const std::string& path, uint64_t offset, int bit);
  /// What is seen now, as if all of it had been synced.
  DiskImage Save() const;
  /// Replaces everything. No process may run on the machine.
  void Load(const DiskImage& image);
  /// A hash over names and contents as they are seen.
  uint64_t Hash() const;

 private:
  struct Change {
    InodeRef directory;
    std::string name;
    InodeRef inode;  // null: the name goes
  };
  using Operation = std::vector<Change>;  // stable together or not at all

  static std::vector<std::string> Split(const std::string& path);
  InodeRef Walk(const std::vector<std::string>& names, size_t count) const;
  int FindParent(const std::string& path, InodeRef* parent, std::string* name) const;
  InodeRef MakeInode(bool directory, core::WallMillis now);
  void Apply(Operation operation);
  static void MakeStable(const Operation& operation);
  void Recharge(Inode& inode);
  void CutDirectory(const InodeRef& directory);
  template <typename Fn>
  static void ForEach(const InodeRef& directory, const std::string& path, const Fn& fn);

  Random random_;
  InodeRef root_;
  std::vector<Operation> unstable_;  // in order
  std::vector<DiskFault> faults_;
  uint64_t operations_ = 0;
  uint64_t next_number_ = 0;
  uint64_t capacity_ = uint64_t{64} << 30;
  uint64_t used_ = 0;
  double slowdown_ = 1;
  int64_t stopped_until_ = 0;
  uint64_t faults_happened_ = 0;
  std::vector<Astray> astray_;
  std::string lies_about_;
  std::function<void(DiskOp)> on_failure_;
};

}  // namespace sim
