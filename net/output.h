#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/budget.h"
#include "core/buffer.h"
#include "net/answer_room.h"
#include "net/answer_template.h"
#include "net/frame_encoder.h"
#include "net/pinned_blocks.h"
#include "net/reply.h"

namespace net {

/// What waits to be sent on one connection, in order: the heads of many frames back to back in one pooled block, small bodies copied behind them,
/// larger ones as they lie. One batch is being sent while the next one is gathered.
class Output {
 public:
  /// `pinned` and `held` are those of the shard's connections together: blocks that are sent as they lie, and bytes of all else for which no room
  /// was taken (AnswerRoom).
  Output(core::BufferPool& pool, PinnedBlocks& pinned, core::Budget& held)
      : pool_(pool), pinned_(pinned), held_(held) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  /// A response with the reply's body.
  void AppendReply(Reply reply, SerializeType serialize_type, int32_t opaque);
  /// Any frame with one body.
  void AppendFrame(const FrameHead& head, core::Slice body);
  void AppendAnswer(const AnswerTemplate& answer, SerializeType serialize_type, int32_t opaque, std::span<const AnswerTemplate::Value> values);

  /// Nothing is waiting (a batch may be under way).
  bool empty() const { return gathered_.parts.empty(); }
  /// Bytes waiting and under way.
  size_t bytes() const { return gathered_.bytes + sending_.bytes; }
  /// Those among them that count for `held`.
  size_t held_bytes() const { return gathered_.held_bytes + sending_.held_bytes; }

  /// Takes what waits as the batch to be sent; valid until EndBatch. One at a time.
  std::span<const core::Slice> BeginBatch();
  void EndBatch();
  /// Lets go of all of it; nothing may be under way.
  void Drop();

 private:
  struct Batch {
    std::vector<core::Slice> parts;
    std::vector<std::unique_ptr<Reply::BodyHolder>> holders;  // keep alive what slices without a block point to
    std::vector<const void*> pinned;                          // the blocks of these
    std::vector<AnswerRoom> rooms;                            // given back when it is sent
    size_t bytes = 0;
    size_t held_bytes = 0;
  };
  static constexpr size_t kOpenBytes = size_t{16} << 10;
  // Up to here a copy is cheaper than a part of its own.
  static constexpr size_t kCopyBytesMax = 512;

  char* Reserve(size_t bytes);
  void Commit(const char* end);
  void AppendPart(core::Slice part);
  void AppendText(std::string_view text);
  bool AppendForeign(const Reply::ForeignPart& part);
  void Hold(size_t bytes);
  void Release(Batch& batch);

  core::BufferPool& pool_;
  PinnedBlocks& pinned_;
  core::Budget& held_;
  core::Slice open_;  // the block into which heads and small bodies go
  size_t open_used_ = 0;
  Batch gathered_;
  Batch sending_;
};

}  // namespace net
