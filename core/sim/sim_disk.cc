#include "core/sim/sim_disk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/sim/trace.h"

namespace sim {
namespace {

bool Possible(FaultKind kind, DiskOp op) {
  switch (kind) {
    case FaultKind::kError: return true;
    case FaultKind::kShort: return op == DiskOp::kRead;
    case FaultKind::kLost:
    case FaultKind::kMisdirected: return op == DiskOp::kWrite;
  }
  return false;
}

}  // namespace

const char* NameOf(DiskOp op) {
  switch (op) {
    case DiskOp::kOpen: return "open";
    case DiskOp::kRead: return "read";
    case DiskOp::kWrite: return "write";
    case DiskOp::kSync: return "sync";
    case DiskOp::kAllocate: return "allocate";
    case DiskOp::kTruncate: return "truncate";
    case DiskOp::kLock: return "lock";
    case DiskOp::kStat: return "stat";
    case DiskOp::kRename: return "rename";
    case DiskOp::kRemove: return "remove";
    case DiskOp::kMakeDirectory: return "mkdir";
    case DiskOp::kSyncDirectory: return "sync dir";
    case DiskOp::kList: return "list";
    case DiskOp::kSpace: return "space";
    case DiskOp::kClose: return "close file";
    case DiskOp::kMap: return "map";
    case DiskOp::kPopulate: return "populate";
  }
  return "?";
}

MappedMemory::MappedMemory(size_t size)
    : data(static_cast<std::byte*>(std::aligned_alloc(FileContent::kPageBytes, size))), bytes(size) {
  CORE_ASSERT(data != nullptr && size % FileContent::kPageBytes == 0);
}
MappedMemory::~MappedMemory() { std::free(data); }

SimDisk::SimDisk(Random random) : random_(random), root_(MakeInode(true, 0)) { root_->links = 1; }

InodeRef SimDisk::MakeInode(bool directory, core::WallMillis now) {
  auto inode = std::make_shared<Inode>();
  inode->number = ++next_number_;
  inode->directory = directory;
  inode->modified = now;
  return inode;
}

std::vector<std::string> SimDisk::Split(const std::string& path) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin < path.size();) {
    size_t end = path.find('/', begin);
    if (end == std::string::npos) end = path.size();
    const std::string name = path.substr(begin, end - begin);
    if (name == "..") {
      if (!names.empty()) names.pop_back();
    } else if (!name.empty() && name != ".") {
      names.push_back(name);
    }
    begin = end + 1;
  }
  return names;
}

InodeRef SimDisk::Walk(const std::vector<std::string>& names, size_t count) const {
  InodeRef at = root_;
  for (size_t i = 0; i < count; ++i) {
    const auto found = at->entries.find(names[i]);
    if (found == at->entries.end()) return nullptr;
    at = found->second;
  }
  return at;
}

InodeRef SimDisk::Find(const std::string& path) const {
  const std::vector<std::string> names = Split(path);
  return Walk(names, names.size());
}

int SimDisk::FindParent(const std::string& path, InodeRef* parent, std::string* name) const {
  const std::vector<std::string> names = Split(path);
  if (names.empty()) return -EEXIST;  // the root
  *parent = Walk(names, names.size() - 1);
  if (*parent == nullptr) return -ENOENT;
  if (!(*parent)->directory) return -ENOTDIR;
  *name = names.back();
  return 0;
}

void SimDisk::Recharge(Inode& inode) {
  const uint64_t bytes = inode.links > 0 || inode.opens > 0 ? inode.content.used_bytes() : 0;
  used_ = used_ - inode.charged_bytes + bytes;
  inode.charged_bytes = bytes;
}

void SimDisk::Apply(Operation operation) {
  for (const Change& change : operation) {
    auto& entries = change.directory->entries;
    if (const auto old = entries.find(change.name); old != entries.end()) {
      const InodeRef gone = old->second;
      entries.erase(old);
      --gone->links;
      Recharge(*gone);
    }
    if (change.inode != nullptr) {
      entries[change.name] = change.inode;
      ++change.inode->links;
      Recharge(*change.inode);
    }
  }
  unstable_.push_back(std::move(operation));
}

void SimDisk::MakeStable(const Operation& operation) {
  for (const Change& change : operation) {
    if (change.inode == nullptr) change.directory->durable_entries.erase(change.name);
    else change.directory->durable_entries[change.name] = change.inode;
  }
}

int SimDisk::Open(const std::string& path, core::OpenOptions options, core::WallMillis now, InodeRef* inode) {
  *inode = Find(path);
  if (*inode == nullptr) {
    if (!options.create) return -ENOENT;
    InodeRef parent;
    std::string name;
    if (const int error = FindParent(path, &parent, &name); error != 0) return error;
    *inode = MakeInode(false, now);
    Apply({{parent, name, *inode}});
  } else {
    if (options.create && options.exclusive) return -EEXIST;
    if ((*inode)->directory && (options.write || options.create)) return -EISDIR;
  }
  ++(*inode)->opens;
  return 0;
}

void SimDisk::Close(const InodeRef& inode) {
  CORE_ASSERT(inode->opens > 0);
  --inode->opens;
  Recharge(*inode);
}

int SimDisk::Write(Inode& inode, uint64_t offset, std::span<const std::byte> bytes, bool durable, core::WallMillis now) {
  if (used_ + inode.content.NeededBytes(offset, bytes.size()) > capacity_) return -ENOSPC;
  inode.content.Write(offset, bytes, durable);
  inode.modified = now;
  Recharge(inode);
  return 0;
}

int SimDisk::Allocate(Inode& inode, uint64_t length) {
  if (used_ + inode.content.NeededBytes(0, length) > capacity_) return -ENOSPC;
  inode.content.Allocate(length);
  Recharge(inode);
  return 0;
}

int SimDisk::Truncate(Inode& inode, uint64_t length, core::WallMillis now) {
  inode.content.Truncate(length);
  inode.modified = now;
  Recharge(inode);
  return 0;
}

std::shared_ptr<MappedMemory> SimDisk::Map(Inode& inode, size_t bytes) {
  if (inode.mapped != nullptr || bytes > inode.content.size()) return nullptr;
  inode.mapped = std::make_shared<MappedMemory>(bytes);
  inode.content.Read(0, {inode.mapped->data, bytes});
  return inode.mapped;
}

void SimDisk::Capture(Inode& inode, core::WallMillis now) {
  if (inode.mapped == nullptr) return;
  std::array<std::byte, FileContent::kPageBytes> seen;
  for (size_t at = 0; at < inode.mapped->bytes; at += seen.size()) {
    const std::span<const std::byte> page(inode.mapped->data + at, seen.size());
    inode.content.Read(at, seen);
    if (std::memcmp(seen.data(), page.data(), page.size()) == 0) continue;
    inode.content.Write(at, page, false);
    inode.modified = now;
  }
  Recharge(inode);
}

int SimDisk::Stat(const std::string& path, core::FileInfo* info) const {
  const InodeRef inode = Find(path);
  if (inode == nullptr) return -ENOENT;
  *info = {inode->directory, inode->directory ? FileContent::kPageBytes : inode->content.size(), inode->modified};
  return 0;
}

int SimDisk::Rename(const std::string& from, const std::string& to) {
  const InodeRef inode = Find(from);
  if (inode == nullptr) return -ENOENT;
  InodeRef from_parent, to_parent;
  std::string from_name, to_name;
  if (const int error = FindParent(from, &from_parent, &from_name); error != 0) return error;
  if (const int error = FindParent(to, &to_parent, &to_name); error != 0) return error;
  const InodeRef target = Find(to);
  if (target == inode) return 0;
  if (target != nullptr) {
    if (target->directory != inode->directory) return target->directory ? -EISDIR : -ENOTDIR;
    if (target->directory && !target->entries.empty()) return -ENOTEMPTY;
  }
  Apply({{from_parent, from_name, nullptr}, {to_parent, to_name, inode}});
  return 0;
}

int SimDisk::Remove(const std::string& path) {
  const InodeRef inode = Find(path);
  if (inode == nullptr) return -ENOENT;
  if (inode->directory) return -EISDIR;  // unlink(2)
  InodeRef parent;
  std::string name;
  if (const int error = FindParent(path, &parent, &name); error != 0) return error;
  Apply({{parent, name, nullptr}});
  return 0;
}

int SimDisk::MakeDirectory(const std::string& path, core::WallMillis now) {
  InodeRef parent;
  std::string name;
  if (const int error = FindParent(path, &parent, &name); error != 0) return error;
  if (parent->entries.contains(name)) return -EEXIST;
  Apply({{parent, name, MakeInode(true, now)}});
  return 0;
}

int SimDisk::SyncDirectory(const std::string& path) {
  const InodeRef directory = Find(path);
  if (directory == nullptr) return -ENOENT;
  if (!directory->directory) return -ENOTDIR;
  // A rename between two directories is stable as one, and with it what happened before in the other one.
  std::vector<const Inode*> synced = {directory.get()};
  const auto touches = [&](const Change& change) {
    return std::find(synced.begin(), synced.end(), change.directory.get()) != synced.end();
  };
  std::vector<bool> stable(unstable_.size());
  for (size_t i = unstable_.size(); i-- > 0;) {
    if (!std::any_of(unstable_[i].begin(), unstable_[i].end(), touches)) continue;
    stable[i] = true;
    for (const Change& change : unstable_[i]) synced.push_back(change.directory.get());
  }
  std::vector<Operation> rest;
  for (size_t i = 0; i < unstable_.size(); ++i) {
    if (stable[i]) MakeStable(unstable_[i]);
    else rest.push_back(std::move(unstable_[i]));
  }
  unstable_ = std::move(rest);
  return 0;
}

int SimDisk::List(const std::string& path, std::vector<core::DirectoryEntry>* entries) const {
  const InodeRef directory = Find(path);
  if (directory == nullptr) return -ENOENT;
  if (!directory->directory) return -ENOTDIR;
  for (const auto& [name, inode] : directory->entries) entries->push_back({name, inode->directory});
  return 0;
}

core::SpaceInfo SimDisk::Space() const { return {capacity_, used_ < capacity_ ? capacity_ - used_ : 0}; }

void SimDisk::CutDirectory(const InodeRef& directory) {
  directory->entries = directory->durable_entries;
  for (const auto& [name, inode] : directory->entries) {
    ++inode->links;
    if (inode->directory) {
      CutDirectory(inode);
      continue;
    }
    inode->opens = 0;
    inode->content.CutPower(static_cast<CutMode>(random_.Below(4)), random_);
    inode->charged_bytes = 0;
    Recharge(*inode);
  }
}

void SimDisk::CutPower() {
  // Of each directory's changes a prefix was written: how long, chance decides at each change.
  const uint64_t stop_one_in = 1 + random_.Below(4);
  std::vector<const Inode*> stopped;
  for (const Operation& operation : unstable_) {
    const bool lost = std::any_of(operation.begin(), operation.end(), [&](const Change& change) {
      return std::find(stopped.begin(), stopped.end(), change.directory.get()) != stopped.end();
    });
    if (!lost && !random_.OneIn(stop_one_in)) {
      MakeStable(operation);
      continue;
    }
    for (const Change& change : operation) stopped.push_back(change.directory.get());
  }
  const auto unlink = [](const std::string&, const InodeRef& inode) { inode->links = 0; };
  ForEach(root_, "", unlink);
  for (const Operation& operation : unstable_) {
    for (const Change& change : operation) {
      if (change.inode != nullptr) change.inode->links = 0;
    }
  }
  unstable_.clear();
  used_ = 0;
  CutDirectory(root_);
}

void SimDisk::DropLocks() {
  ForEach(root_, "", [](const std::string&, const InodeRef& inode) { inode->locked_by = 0; });
}

std::optional<DiskFault> SimDisk::FaultFor(DiskOp op, std::string_view path) {
  ++operations_;
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->op.has_value() && *fault->op != op) continue;
    if (!Possible(fault->kind, op) || path.find(fault->path_contains) == std::string_view::npos) continue;
    if (fault->skip > 0) {
      --fault->skip;
      continue;
    }
    DiskFault happens = *fault;
    if (--fault->times == 0) faults_.erase(fault);
    ++faults_happened_;
    return happens;
  }
  return std::nullopt;
}

std::optional<uint64_t> SimDisk::Elsewhere(const Inode& inode, uint64_t offset, uint64_t bytes) {
  const uint64_t within = offset % FileContent::kPageBytes;
  if (inode.content.size() < within + bytes) return std::nullopt;
  const uint64_t places = (inode.content.size() - within - bytes) / FileContent::kPageBytes + 1;
  const uint64_t place = random_.Below(places) * FileContent::kPageBytes + within;
  return place == offset ? std::nullopt : std::optional(place);
}

template <typename Fn>
void SimDisk::ForEach(const InodeRef& directory, const std::string& path, const Fn& fn) {
  for (const auto& [name, inode] : directory->entries) {
    const std::string whole = path + "/" + name;
    fn(whole, inode);
    if (inode->directory) ForEach(inode, whole, fn);
  }
}

std::vector<std::string> SimDisk::Files() const {
  std::vector<std::string> files;
  ForEach(root_, "", [&](const std::string& path, const InodeRef& inode) {
    if (!inode->directory) files.push_back(path);
  });
  return files;
}

std::string SimDisk::Content(const std::string& path) const {
  const InodeRef inode = Find(path);
  CORE_ASSERT(inode != nullptr && !inode->directory);
  std::string content(inode->content.size(), '\0');
  inode->content.Read(0, std::as_writable_bytes(std::span(content.data(), content.size())));
  return content;
}

void SimDisk::FlipBit(const std::string& path, uint64_t offset, int bit) {
  const InodeRef inode = Find(path);
  CORE_ASSERT(inode != nullptr && !inode->directory);
  inode->content.FlipBit(offset, bit);
}

DiskImage SimDisk::Save() const {
  DiskImage image;
  ForEach(root_, "", [&](const std::string& path, const InodeRef& inode) {
    if (inode->directory) image.directories.push_back(path);
    else image.files.emplace(path, inode->content).first->second.Settle();
  });
  return image;
}

void SimDisk::Load(const DiskImage& image) {
  const auto closed = [](const std::string&, const InodeRef& inode) { CORE_ASSERT(inode->opens == 0 && inode->mapped == nullptr); };
  ForEach(root_, "", closed);
  root_ = MakeInode(true, 0);
  root_->links = 1;
  unstable_.clear();
  used_ = 0;
  for (const std::string& path : image.directories) {
    const int error = MakeDirectory(path, 0);
    CORE_ASSERT(error == 0);
  }
  for (const auto& [path, content] : image.files) {
    InodeRef inode;
    const int error = Open(path, {.write = true, .create = true}, 0, &inode);
    CORE_ASSERT(error == 0);
    inode->content = content;
    Close(inode);
  }
  for (const Operation& operation : unstable_) MakeStable(operation);
  unstable_.clear();
}

uint64_t SimDisk::Hash() const {
  uint64_t hash = 0;
  for (const std::string& path : Files()) hash = HashText(Content(path), HashText(path, hash));
  return hash;
}

}  // namespace sim
