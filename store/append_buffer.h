#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/file_mapping.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/batch.h"

namespace store {

/// The memory in which an ASYNC_FLUSH log builds its batches: a mapped file on the data volume, DIRECTORY/append. A record that lies here
/// survives the death of the process from the moment on that Publish has counted it and said so, and it can be acknowledged before it is written to the log;
/// AppendRemains reads it after a crash. Made anew at each opening, removed when
/// the log is closed in order. All numbers little-endian:
///
///     block 0:     0 magic 8 | 8 version 4 | 12 log number 4 | 16 store id 16 | 32 epoch 4 | 36 chunks 4 | 40 chunk bytes 8 | 48 CRC32C of bytes 0..48 4
///                  the open batch: 128 its log position 8 | 136 where it begins in this file 8 | 144 header CRC of the batch before it 4 | zero 4
///                  | 152 records in the log before it 8 | 160 how many of its records count 8
///     from 4,096:  kAppendRowsMax rows of the record table of the open batch (batch.h)
///     then:        chunks, each a sequence of batches as they are written to the log; closed ones are proven by their headers
inline constexpr uint64_t kAppendMagic = 0x4450504147514D52;  // "RMQGAPPD"
inline constexpr uint32_t kAppendVersion = 1;
inline constexpr size_t kAppendHeaderCrcOffset = 48;
inline constexpr size_t kAppendOpenOffset = 128;
inline constexpr size_t kAppendCountOffset = kAppendOpenOffset + 32;
inline constexpr size_t kAppendRowsMax = 8192;
inline constexpr size_t kAppendRowsOffset = kBlock;
inline constexpr size_t kAppendChunksOffset = kAppendRowsOffset + kAppendRowsMax * kTableEntryBytes;
static_assert(kAppendChunksOffset % kBlock == 0);
/// More does not make a log faster.
inline constexpr size_t kAppendBufferBytesMax = size_t{1} << 30;

std::string AppendBufferPath(const std::string& directory);

class AppendBuffer final : public core::BlockOwner {
 public:
  /// Slices of chunks may outlive their owner's interest: the last of them frees the memory.
  struct Release {
    void operator()(AppendBuffer* buffer) const noexcept;
  };
  using Ref = std::unique_ptr<AppendBuffer, Release>;

  /// Replaces what an earlier run has left, which must have been taken over by now. `bytes` of chunks, rounded down to whole ones.
  static core::Task<absl::StatusOr<Ref>> Create(std::string directory, LogIdentity log, uint32_t epoch, size_t bytes);

  /// Memory for batches, whole and ready to be stored to; empty when there is none at the moment.
  core::Slice TakeChunk();
  size_t chunk_bytes() const { return chunk_bytes_; }
  size_t bytes() const { return chunk_bytes_ * blocks_.size(); }
  /// What is stored here is the file's.
  bool attached() const { return !mapping_->detached(); }
  /// All chunks are in use.
  bool scarce() const { return idle_.empty() && ready_.empty(); }

  struct OpenBatch {
    uint64_t position;
    uint32_t previous_crc;  // header CRC of the batch that it continues
    uint64_t records_before;
  };
  /// The batch that is filled from now on; it begins at `at`, in a chunk.
  void Begin(const OpenBatch& batch, const std::byte* at);
  void SetRow(size_t row, const TableEntry& entry);
  /// The first `rows` records of the open batch count. False: they may die with the process, as the file is lost.
  bool Publish(size_t rows);

  /// Keeps some chunks ready until Stop: what was used before may have been written back by the kernel, which then takes
  /// a page fault to store to it again. Such a fault goes through the file system's journal and can block.
  core::Task<void> PrepareChunks();
  /// While batches are begun, makes what lies ready or is being filled present again, once a second.
  core::Task<void> KeepPresent();
  void Stop();

  void Recycle(core::BufferBlock* block) noexcept override;

 private:
  explicit AppendBuffer(std::unique_ptr<core::FileMapping> mapping, size_t chunks, size_t chunk_bytes);
  ~AppendBuffer() = default;
  core::Task<absl::Status> Populate(const core::BufferBlock& block);

  std::unique_ptr<core::FileMapping> mapping_;
  const size_t chunk_bytes_;
  std::vector<std::unique_ptr<core::BufferBlock>> blocks_;
  std::vector<core::BufferBlock*> idle_;   // to be made ready
  std::vector<core::BufferBlock*> ready_;
  size_t out_ = 0;  // in use
  core::BufferBlock* filled_ = nullptr;  // taken last
  core::Notifier prepare_;
  core::Notifier begun_;
  bool in_use_ = false;  // a batch was begun since KeepPresent looked
  bool stopping_ = false;
  bool released_ = false;
};

}  // namespace store
