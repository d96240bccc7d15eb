// The disk half of SimIo: each operation takes effect on the SimDisk at its end, after a random time.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/sim/sim_io.h"
#include "core/status.h"

namespace sim {

/// Of a process that may be dead by the time it goes: then the inode has let go of the memory.
class SimIo::Mapping final : public core::FileMapping {
 public:
  Mapping(SimIo& io, InodeRef inode, std::shared_ptr<MappedMemory> memory, std::string path)
      : FileMapping(memory->data, memory->bytes), io_(io), inode_(std::move(inode)), memory_(std::move(memory)), path_(std::move(path)) {}
  ~Mapping() override {
    if (inode_->mapped != memory_) return;
    io_.machine_.disk.Capture(*inode_, io_.WallNow());
    inode_->mapped = nullptr;
    std::erase(io_.mapped_, inode_);
  }
  const InodeRef& inode() const { return inode_; }
  const std::string& path() const { return path_; }

 private:
  SimIo& io_;
  InodeRef inode_;
  std::shared_ptr<MappedMemory> memory_;
  std::string path_;
};

SimIo::OpenedFile& SimIo::FileOf(core::FileId file) {
  const auto found = files_.find(file.value());
  CORE_ASSERT(found != files_.end());  // closed, or never was
  return *found->second;
}

int64_t SimIo::Latency(const Operation& operation) {
  int64_t nanos = 0;
  switch (operation.op) {
    case DiskOp::kRead:
    case DiskOp::kWrite:
      nanos = random_.Between(15 * kMicrosecond, 90 * kMicrosecond) + static_cast<int64_t>(operation.bytes);  // 1 GB/s
      break;
    case DiskOp::kSync:
    case DiskOp::kSyncDirectory:
      nanos = random_.Between(50 * kMicrosecond, 600 * kMicrosecond);
      break;
    default:
      nanos = random_.Between(5 * kMicrosecond, 60 * kMicrosecond);
  }
  if (operation.durable) nanos += random_.Between(10 * kMicrosecond, 100 * kMicrosecond);
  // A slow disk is slow throughout; its rare delays are those of any disk.
  const int64_t usual = static_cast<int64_t>(static_cast<double>(nanos) * machine_.disk.slowdown());
  int64_t delay = random_.OneIn(100) ? nanos * 9 : 0;
  if (random_.OneIn(3000)) delay += random_.Between(kMillisecond, 30 * kMillisecond);
  return usual + delay;
}

void SimIo::Start(Operation operation) {
  const uint64_t number = ++next_operation_;
  if (!dead_) {
    operation.fault = machine_.disk.FaultFor(operation.op, operation.path);
    clock_.After(Latency(operation), process_, [this, number] { Finish(number); });
  }
  operations_[number] = std::make_unique<Operation>(std::move(operation));
}

void SimIo::Finish(uint64_t number) {
  const auto found = operations_.find(number);
  CORE_ASSERT(found != operations_.end());
  if (const int64_t until = machine_.disk.stopped_until(); clock_.now < until) {
    clock_.After(until - clock_.now + random_.Between(0, kMillisecond), process_, [this, number] { Finish(number); });
    return;
  }
  const std::unique_ptr<Operation> operation = std::move(found->second);
  operations_.erase(found);
  int32_t result = 0;
  if (operation->fault.has_value()) {
    result = GoWrong(*operation);
  } else if (operation->op == DiskOp::kWrite && operation->changes) {
    result = WriteNow(*operation, operation->bytes, operation->durable);
  } else {
    result = operation->apply();
  }
  if (operation->fault.has_value() || result == -ENOSPC) machine_.disk.NoteFailure(operation->op);
  clock_.Note(NameOf(operation->op), machine_.name, shard_.value(), operation->offset, result, operation->path);
  Complete(*operation->done, result);
}

int32_t SimIo::GoWrong(Operation& operation) {
  if (operation.op == DiskOp::kWrite && !operation.changes) return operation.apply();  // refused anyway
  switch (operation.fault->kind) {
    case FaultKind::kShort:
      return std::min(operation.apply(), static_cast<int32_t>(core::kDirectBlock));
    case FaultKind::kLost:
    case FaultKind::kMisdirected:
      return GoAstray(operation);
    case FaultKind::kError:
      break;
  }
  // A write that failed may have reached the device in part; a sync that failed has given up what it should have saved.
  if (operation.op == DiskOp::kWrite) WriteNow(operation, random_.Below(operation.bytes + 1), false);
  if (operation.op == DiskOp::kSync) operation.inode->content.FailSync(operation.mark);
  return -operation.fault->error;
}

int32_t SimIo::GoAstray(Operation& operation) {
  Astray astray{operation.path, operation.offset, operation.bytes};
  if (operation.fault->kind == FaultKind::kMisdirected) {
    astray.instead = machine_.disk.Elsewhere(*operation.inode, operation.offset, operation.bytes);
  }
  const int64_t to = astray.instead.has_value() ? static_cast<int64_t>(*astray.instead) : -1;
  clock_.Note("astray", machine_.name, shard_.value(), astray.offset, to, astray.path);
  machine_.disk.NoteAstray(astray);
  if (!astray.instead.has_value()) return 0;
  operation.offset = *astray.instead;
  return WriteNow(operation, operation.bytes, operation.durable);
}

int32_t SimIo::WriteNow(const Operation& operation, size_t bytes_max, bool durable) {
  size_t length_max = operation.bytes;
  if (bytes_max < length_max) {  // a sector is never torn
    const uint64_t end = (operation.offset + bytes_max) / FileContent::kSectorBytes * FileContent::kSectorBytes;
    length_max = end > operation.offset ? static_cast<size_t>(end - operation.offset) : 0;
  }
  std::vector<std::byte> bytes(length_max);
  size_t filled = 0;
  for (const iovec& part : operation.parts) {
    const size_t length = std::min(part.iov_len, bytes.size() - filled);
    if (length > 0) std::memcpy(bytes.data() + filled, part.iov_base, length);
    filled += length;
  }
  clock_.Note("bytes", machine_.name, shard_.value(), HashBytes(bytes), static_cast<int64_t>(bytes.size()));
  const bool saved = durable && !machine_.disk.LiesAbout(operation.path);
  return machine_.disk.Write(*operation.inode, operation.offset, bytes, saved, WallNow());
}

void SimIo::DieOnDisk() {
  for (const auto& [number, operation] : operations_) {
    if (!operation->changes) continue;
    const uint64_t fate = random_.Below(4);
    clock_.Note("dies", machine_.name, shard_.value(), fate, 0, operation->path);
    if (operation->fault.has_value() || fate == 0) continue;
    if (operation->op == DiskOp::kWrite) {
      WriteNow(*operation, fate == 1 ? random_.Below(operation->bytes + 1) : operation->bytes, false);
    } else {
      operation->apply();
    }
  }
  for (const auto& [id, file] : files_) machine_.disk.Close(file->inode);
  files_.clear();
  for (const InodeRef& inode : mapped_) {
    machine_.disk.Capture(*inode, WallNow());
    inode->mapped = nullptr;
  }
  mapped_.clear();
}

void SimIo::OpenFile(const std::string& path, core::OpenOptions options, core::Completion& done) {
  Start({.op = DiskOp::kOpen, .path = path, .done = &done, .apply = [this, path, options]() -> int32_t {
           auto file = std::make_unique<OpenedFile>();
           const int error = machine_.disk.Open(path, options, WallNow(), &file->inode);
           if (error != 0) return error;
           file->path = path;
           file->direct = options.direct;
           file->write = options.write;
           const int32_t id = next_descriptor_++;
           files_[id] = std::move(file);
           return id;
         }});
}

void SimIo::CloseFile(core::FileId id, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  const InodeRef inode = file.inode;
  if (inode->locked_by == (process_ << 32) + static_cast<uint64_t>(id.value())) inode->locked_by = 0;
  std::string path = file.path;
  files_.erase(id.value());  // at once: whoever uses it after this has a bug
  Start({.op = DiskOp::kClose, .path = std::move(path), .done = &done, .apply = [this, inode] {
           machine_.disk.Close(inode);
           return 0;
         }});
}

bool SimIo::DirectOk(const OpenedFile& file, uint64_t offset, std::span<const iovec> parts) const {
  if (!file.direct) return true;
  return offset % core::kDirectBlock == 0 && std::all_of(parts.begin(), parts.end(), [](const iovec& part) {
           return part.iov_len % core::kDirectBlock == 0 &&
                  reinterpret_cast<uintptr_t>(part.iov_base) % core::kDirectBlock == 0;
         });
}

void SimIo::ReadFile(core::FileId id, std::span<std::byte> into, uint64_t offset, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  const iovec part{into.data(), into.size()};
  const bool aligned = DirectOk(file, offset, std::span(&part, 1));
  // A read may end early, as the kernel's may.
  if (into.size() > core::kDirectBlock && random_.OneIn(100)) {
    into = into.first(core::kDirectBlock * (1 + random_.Below(into.size() / core::kDirectBlock)));
  }
  Start({.op = DiskOp::kRead, .path = file.path, .done = &done, .apply = [this, aligned, into, offset, inode = file.inode]() -> int32_t {
           if (inode->directory) return -EISDIR;
           if (!aligned) return -EINVAL;
           machine_.disk.Capture(*inode, WallNow());
           return static_cast<int32_t>(inode->content.Read(offset, into));
         },
         .bytes = into.size(), .offset = offset});
}

void SimIo::WriteFile(core::FileId id, std::span<const iovec> from, uint64_t offset, bool durable, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  CORE_ASSERT(from.size() <= 1024);
  size_t bytes = 0;
  for (const iovec& part : from) bytes += part.iov_len;
  const int refused = !file.write ? -EBADF : !DirectOk(file, offset, from) ? -EINVAL : 0;
  Start({.op = DiskOp::kWrite, .path = file.path, .done = &done, .apply = [refused] { return refused; },
         .changes = refused == 0, .bytes = bytes, .inode = file.inode, .parts = {from.begin(), from.end()}, .offset = offset,
         .durable = durable});
}

void SimIo::SyncFile(core::FileId id, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  const uint64_t mark = file.inode->content.BeginSync();
  Start({.op = DiskOp::kSync, .path = file.path, .done = &done, .apply = [this, inode = file.inode, mark, path = file.path] {
           if (!machine_.disk.LiesAbout(path)) inode->content.EndSync(mark);
           return 0;
         },
         .changes = true, .inode = file.inode, .mark = mark});
}

void SimIo::AllocateFile(core::FileId id, uint64_t length, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  Start({.op = DiskOp::kAllocate, .path = file.path, .done = &done, .apply = [this, inode = file.inode, length] {
           return machine_.disk.Allocate(*inode, length);
         },
         .changes = true, .offset = length});
}

void SimIo::TruncateFile(core::FileId id, uint64_t length, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  Start({.op = DiskOp::kTruncate, .path = file.path, .done = &done, .apply = [this, inode = file.inode, length] {
           return machine_.disk.Truncate(*inode, length, WallNow());
         },
         .changes = true, .offset = length});
}

absl::StatusOr<std::unique_ptr<core::FileMapping>> SimIo::MapFile(core::FileId id, size_t bytes) {
  const OpenedFile& file = FileOf(id);
  if (const auto fault = machine_.disk.FaultFor(DiskOp::kMap, file.path)) {
    machine_.disk.NoteFailure(DiskOp::kMap);
    return core::ErrnoStatus(fault->error, "map the file");
  }
  std::shared_ptr<MappedMemory> memory = file.write ? machine_.disk.Map(*file.inode, bytes) : nullptr;
  if (memory == nullptr) return core::ErrnoStatus(EACCES, "map the file");
  mapped_.push_back(file.inode);
  return std::make_unique<Mapping>(*this, file.inode, std::move(memory), file.path);
}

void SimIo::PopulateMapping(core::FileMapping& mapping, size_t, size_t bytes, core::Completion& done) {
  const auto& mapped = static_cast<Mapping&>(mapping);
  // Now and then the kernel writes the dirty pages of a mapped file back: a state that a power cut may leave.
  const bool writes_back = random_.OneIn(4);
  Start({.op = DiskOp::kPopulate, .path = mapped.path(), .done = &done, .apply = [this, writes_back, inode = mapped.inode()] {
           if (writes_back) machine_.disk.Capture(*inode, WallNow());
           return 0;
         },
         .bytes = bytes});
}

void SimIo::LockFile(core::FileId id, core::Completion& done) {
  const OpenedFile& file = FileOf(id);
  const uint64_t owner = (process_ << 32) + static_cast<uint64_t>(id.value());
  Start({.op = DiskOp::kLock, .path = file.path, .done = &done, .apply = [inode = file.inode, owner] {
           if (inode->locked_by != 0 && inode->locked_by != owner) return -EAGAIN;
           inode->locked_by = owner;
           return 0;
         }});
}

void SimIo::StatFile(const std::string& path, core::FileInfo* info, core::Completion& done) {
  Start({.op = DiskOp::kStat, .path = path, .done = &done,
         .apply = [this, path, info] { return machine_.disk.Stat(path, info); }});
}

void SimIo::RenameFile(const std::string& from, const std::string& to, core::Completion& done) {
  Start({.op = DiskOp::kRename, .path = to, .done = &done,
         .apply = [this, from, to] { return machine_.disk.Rename(from, to); }, .changes = true});
}

void SimIo::RemoveFile(const std::string& path, core::Completion& done) {
  Start({.op = DiskOp::kRemove, .path = path, .done = &done, .apply = [this, path] { return machine_.disk.Remove(path); },
         .changes = true});
}

void SimIo::MakeDirectory(const std::string& path, core::Completion& done) {
  Start({.op = DiskOp::kMakeDirectory, .path = path, .done = &done,
         .apply = [this, path] { return machine_.disk.MakeDirectory(path, WallNow()); }, .changes = true});
}

void SimIo::SyncDirectory(const std::string& path, core::Completion& done) {
  Start({.op = DiskOp::kSyncDirectory, .path = path, .done = &done,
         .apply = [this, path] { return machine_.disk.SyncDirectory(path); }, .changes = true});
}

void SimIo::ListDirectory(const std::string& path, std::vector<core::DirectoryEntry>* entries, core::Completion& done) {
  Start({.op = DiskOp::kList, .path = path, .done = &done,
         .apply = [this, path, entries] { return machine_.disk.List(path, entries); }});
}

void SimIo::SpaceOf(const std::string& path, core::SpaceInfo* space, core::Completion& done) {
  Start({.op = DiskOp::kSpace, .path = path, .done = &done, .apply = [this, path, space] {
           if (machine_.disk.Find(path) == nullptr) return -ENOENT;
           *space = machine_.disk.Space();
           return 0;
         }});
}

}  // namespace sim
