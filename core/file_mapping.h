#pragma once

#include <atomic>
#include <cstddef>

namespace core {

/// The content of a file as memory, shared with the file until it dies (Io::MapFile); may outlive the open file. What is stored here is in
/// the file at once: it survives the death of the process at any instant. It does not survive a power cut, and nothing is said about what
/// such a cut leaves. Belongs to one shard.
class FileMapping {
 public:
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;
  virtual ~FileMapping() = default;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  /// The file system has failed under some of it, which is the process's own memory now: what is stored from now on may die with it.
  bool detached() const { return detached_.load(std::memory_order_acquire); }

 protected:
  FileMapping(std::byte* data, size_t size) : data_(data), size_(size) {}
  void Detach() { detached_.store(true, std::memory_order_release); }
  std::atomic<bool>& detached_flag() { return detached_; }

 private:
  std::byte* data_;
  size_t size_;
  std::atomic<bool> detached_{false};
};

}  // namespace core
