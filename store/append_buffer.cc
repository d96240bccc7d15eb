#include "store/append_buffer.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "store/crc.h"
#include "store/log_options.h"

namespace store {
namespace {

/// Chunks kept ready: what is filled while a further one is prepared, several times over.
constexpr size_t kReadyChunks = 4;
constexpr size_t kChunkBytesMin = size_t{128} << 10;
constexpr size_t kChunksMin = 8;
constexpr absl::Duration kPrepareRetry = absl::Seconds(1);
constexpr absl::Duration kPresentInterval = absl::Seconds(1);

/// A word that the next process reads: the stores before it, in the program's order, are there when it is.
void StoreWord(std::byte* at, uint64_t value) {
  if constexpr (std::endian::native == std::endian::big) value = SwapBytes(value);
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(at)).store(value, std::memory_order_release);
}

void EncodeHeader(std::byte* at, const LogIdentity& log, uint32_t epoch, size_t chunks, size_t chunk_bytes) {
  StoreLittle<uint64_t>(at, kAppendMagic);
  StoreLittle<uint32_t>(at + 8, kAppendVersion);
  StoreLittle<uint32_t>(at + 12, log.log_number);
  StoreLittle<uint64_t>(at + 16, log.store_id.high);
  StoreLittle<uint64_t>(at + 24, log.store_id.low);
  StoreLittle<uint32_t>(at + 32, epoch);
  StoreLittle<uint32_t>(at + 36, static_cast<uint32_t>(chunks));
  StoreLittle<uint64_t>(at + 40, chunk_bytes);
  StoreLittle<uint32_t>(at + kAppendHeaderCrcOffset, Crc32c({at, kAppendHeaderCrcOffset}));
}

core::Task<absl::StatusOr<std::unique_ptr<core::FileMapping>>> MapNew(std::string path, size_t bytes) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true, .create = true}));
  absl::Status status = co_await file.Truncate(0);  // a start that was cut short may have left it
  if (status.ok()) status = co_await file.Allocate(bytes);
  std::unique_ptr<core::FileMapping> mapping;
  if (status.ok()) {
    absl::StatusOr<std::unique_ptr<core::FileMapping>> mapped = file.Map(bytes);
    status = mapped.status();
    if (mapped.ok()) mapping = std::move(mapped).value();
  }
  if (status.ok()) status = co_await core::Populate(*mapping, 0, kAppendChunksOffset);
  const absl::Status closed = co_await file.Close();
  CO_RETURN_IF_ERROR(status);
  CO_RETURN_IF_ERROR(closed);
  co_return mapping;
}

}  // namespace

std::string AppendBufferPath(const std::string& directory) { return directory + "/append"; }

core::Task<absl::StatusOr<AppendBuffer::Ref>> AppendBuffer::Create(std::string directory, LogIdentity log, uint32_t epoch, size_t bytes) {
  const size_t chunk_bytes = std::clamp(RoundDown(bytes / kChunksMin, kBlock), kChunkBytesMin, kBatchBytesMax);
  const size_t chunks = std::max<size_t>(std::min(bytes, kAppendBufferBytesMax) / chunk_bytes, 1);
  const std::string path = AppendBufferPath(directory);
  const std::string beside = path + ".new";
  absl::StatusOr<std::unique_ptr<core::FileMapping>> mapping = co_await MapNew(beside, kAppendChunksOffset + chunks * chunk_bytes);
  absl::Status status = mapping.status();
  if (status.ok()) {
    EncodeHeader((*mapping)->data(), log, epoch, chunks, chunk_bytes);
    status = co_await core::fs::Rename(beside, path);
  }
  if (!status.ok()) {
    (void)co_await core::fs::Remove(beside);  // it may take the room of a full disk
    co_return status;
  }
  co_return Ref(new AppendBuffer(std::move(mapping).value(), chunks, chunk_bytes));
}

AppendBuffer::AppendBuffer(std::unique_ptr<core::FileMapping> mapping, size_t chunks, size_t chunk_bytes)
    : mapping_(std::move(mapping)), chunk_bytes_(chunk_bytes) {
  for (size_t i = 0; i < chunks; ++i) {
    blocks_.push_back(std::make_unique<core::BufferBlock>(*this, mapping_->data() + kAppendChunksOffset + i * chunk_bytes, chunk_bytes));
  }
  for (size_t i = chunks; i-- > 0;) idle_.push_back(blocks_[i].get());
}

void AppendBuffer::Release::operator()(AppendBuffer* buffer) const noexcept {
  buffer->released_ = true;
  if (buffer->out_ == 0) delete buffer;
}

void AppendBuffer::Recycle(core::BufferBlock* block) noexcept {
  --out_;
  if (released_) {
    if (out_ == 0) delete this;
    return;
  }
  idle_.push_back(block);
  prepare_.NotifyAll();
}

core::Slice AppendBuffer::TakeChunk() {
  if (ready_.empty() || !attached()) return {};
  core::BufferBlock* block = ready_.back();
  ready_.pop_back();
  filled_ = block;
  ++out_;
  prepare_.NotifyAll();
  return {block, block->data(), block->size()};
}

void AppendBuffer::Begin(const OpenBatch& batch, const std::byte* at) {
  if (!std::exchange(in_use_, true)) begun_.NotifyAll();
  std::byte* open = mapping_->data() + kAppendOpenOffset;
  StoreWord(mapping_->data() + kAppendCountOffset, 0);  // first: what follows never goes with the count of another batch
  StoreWord(open, batch.position);
  StoreWord(open + 8, static_cast<uint64_t>(at - mapping_->data()));
  StoreWord(open + 16, batch.previous_crc);
  StoreWord(open + 24, batch.records_before);
}

void AppendBuffer::SetRow(size_t row, const TableEntry& entry) {
  StoreTableEntry(mapping_->data() + kAppendRowsOffset + row * kTableEntryBytes, entry);
}

bool AppendBuffer::Publish(size_t rows) {
  // Records that are not the file's must not be counted there.
  if (!attached()) return false;
  StoreWord(mapping_->data() + kAppendCountOffset, rows);
  return attached();
}

core::Task<void> AppendBuffer::PrepareChunks() {
  bool failed = false;
  while (!stopping_) {
    if (ready_.size() >= kReadyChunks || idle_.empty()) {
      (void)co_await prepare_.Wait();
      continue;
    }
    core::BufferBlock* block = idle_.back();
    idle_.pop_back();
    const absl::Status status = co_await Populate(*block);
    if (status.ok()) {
      failed = false;
      ready_.push_back(block);
      continue;
    }
    // Until it works again messages are acknowledged when the log has them, which is slower and as safe.
    idle_.push_back(block);
    if (!std::exchange(failed, true)) core::LogError("the append buffer can't be used: ", status.ToString());
    (void)co_await prepare_.Wait(core::Reactor::Current().now() + kPrepareRetry);
  }
}

core::Task<absl::Status> AppendBuffer::Populate(const core::BufferBlock& block) {
  co_return co_await core::Populate(*mapping_, static_cast<size_t>(block.data() - mapping_->data()), block.size());
}

core::Task<void> AppendBuffer::KeepPresent() {
  while (!stopping_) {
    if (!in_use_) {
      (void)co_await begun_.Wait();
      continue;
    }
    const core::MonoTime due = core::Reactor::Current().now() + kPresentInterval;
    while (!stopping_ && core::Reactor::Current().now() < due) (void)co_await begun_.Wait(due);
    in_use_ = false;
    std::vector<core::BufferBlock*> blocks = ready_;
    if (filled_ != nullptr) blocks.push_back(filled_);
    // Where that fails, storing will find out: FileMapping::detached.
    (void)co_await core::Populate(*mapping_, 0, kAppendChunksOffset);
    for (const core::BufferBlock* block : blocks) (void)co_await Populate(*block);
  }
}

void AppendBuffer::Stop() {
  stopping_ = true;
  prepare_.NotifyAll();
  begun_.NotifyAll();
}

}  // namespace store
