#include "net/output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"

namespace net {
namespace {

/// Large copies are made in pieces: a block is a power of two, and one that is nearly twice as large as what is in it would be held for nothing.
constexpr size_t kCopyPieceBytes = size_t{128} << 10;

}  // namespace

// Room for `bytes` behind what was committed; Commit says how many were used.
char* Output::Reserve(size_t bytes) {
  if (open_.block() != nullptr && open_.block()->references() == 1) open_used_ = 0;  // all of it was sent
  if (open_.size() - open_used_ < bytes) {
    open_ = pool_.Allocate(std::max(bytes, kOpenBytes));
    open_used_ = 0;
  }
  return reinterpret_cast<char*>(open_.data()) + open_used_;
}

void Output::Commit(const char* end) {
  std::byte* const begin = open_.data() + open_used_;
  const auto bytes = static_cast<size_t>(reinterpret_cast<const std::byte*>(end) - begin);
  open_used_ += bytes;
  gathered_.bytes += bytes;
  if (!gathered_.parts.empty()) {
    core::Slice& last = gathered_.parts.back();
    if (last.block() == open_.block() && last.data() + last.size() == begin) {
      last = core::Slice(open_.block(), last.data(), last.size() + bytes);
      return;
    }
  }
  gathered_.parts.emplace_back(open_.block(), begin, bytes);
}

void Output::AppendPart(core::Slice part) {
  gathered_.bytes += part.size();
  gathered_.parts.push_back(std::move(part));
}

void Output::AppendText(std::string_view text) {
  if (text.empty()) return;
  if (text.size() > kCopyBytesMax) {
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), kCopyPieceBytes))) {
      AppendPart(pool_.Copy(text.substr(0, kCopyPieceBytes)));
    }
    return;
  }
  char* const at = Reserve(text.size());
  std::memcpy(at, text.data(), text.size());
  Commit(at + text.size());
}

// True when it is sent as it lies, so that its holder must stay.
bool Output::AppendForeign(const Reply::ForeignPart& part) {
  if (part.bytes.empty()) return false;
  // Neighbours mostly lie in one block: it is counted once for all of them.
  if (gathered_.pinned.empty() || gathered_.pinned.back() != part.block) {
    if (!pinned_.Pin(part.block, part.block_bytes)) {
      AppendText(part.bytes);
      return false;
    }
    gathered_.pinned.push_back(part.block);
  }
  // Nothing is written through it: a send only reads.
  AppendPart(
      core::Slice(nullptr, reinterpret_cast<std::byte*>(const_cast<char*>(part.bytes.data())), part.bytes.size()));
  return true;
}

void Output::Hold(size_t bytes) {
  gathered_.held_bytes += bytes;
  held_.used += bytes;
}

void Output::Release(Batch& batch) {
  for (const void* block : batch.pinned) pinned_.Unpin(block);
  held_.used -= batch.held_bytes;
  batch.pinned.clear();
  batch.parts.clear();
  batch.holders.clear();
  batch.rooms.clear();
  batch.bytes = batch.held_bytes = 0;
}

void Output::Drop() {
  Release(gathered_);
  Release(sending_);
  open_ = core::Slice();
  open_used_ = 0;
}

Output::~Output() { Drop(); }

void Output::AppendFrame(const FrameHead& head, core::Slice body) {
  const bool copy = body.size() <= kCopyBytesMax;
  const size_t before = gathered_.bytes;
  char* at = Reserve(EncodedHeadBound(head) + (copy ? body.size() : 0));
  at = EncodeFrameHead(at, head, body.size());
  if (copy && !body.empty()) {
    std::memcpy(at, body.data(), body.size());
    at += body.size();
  }
  Commit(at);
  if (!copy) AppendPart(std::move(body));
  Hold(gathered_.bytes - before);
}

void Output::AppendAnswer(const AnswerTemplate& answer, SerializeType serialize_type, int32_t opaque, std::span<const AnswerTemplate::Value> values) {
  const size_t before = gathered_.bytes;
  Commit(answer.Write(Reserve(answer.Bound(values)), serialize_type, opaque, values));
  Hold(gathered_.bytes - before);
}

void Output::AppendReply(Reply reply, SerializeType serialize_type, int32_t opaque) {
  FrameHead head;
  head.serialize_type = serialize_type;
  head.code = static_cast<int32_t>(reply.code());
  head.opaque = opaque;
  head.flag = kFlagResponse;
  head.remark = reply.remark();
  head.fields = &reply.fields();
  const size_t body_bytes = reply.body_bytes();
  const size_t before = gathered_.bytes;
  size_t as_it_lies = 0;
  char* const at = Reserve(EncodedHeadBound(head) + kCopyBytesMax);
  Commit(EncodeFrameHead(at, head, body_bytes));
  if (body_bytes == 0) {
    Hold(gathered_.bytes - before);
    return;
  }
  const bool copy = body_bytes <= kCopyBytesMax;
  for (const core::Slice& part : reply.body()) {
    if (copy) {
      AppendText(part.text());
    } else {
      AppendPart(part);
    }
  }
  AppendText(reply.body_text());
  for (const Reply::ForeignPart& part : reply.foreign_parts()) {
    if (copy) {
      AppendText(part.bytes);
    } else if (AppendForeign(part)) {
      as_it_lies += part.bytes.size();
    }
  }
  if (as_it_lies > 0) {
    std::unique_ptr<Reply::BodyHolder> holder = reply.TakeHolder();
    if (holder != nullptr) gathered_.holders.push_back(std::move(holder));
  }
  if (AnswerRoom room = reply.TakeRoom(); room) {
    gathered_.rooms.push_back(std::move(room));
  } else {
    Hold(gathered_.bytes - before - as_it_lies);
  }
}

std::span<const core::Slice> Output::BeginBatch() {
  CORE_ASSERT(sending_.parts.empty());
  std::swap(gathered_, sending_);
  return sending_.parts;
}

void Output::EndBatch() {
  Release(sending_);
  if (empty()) Drop();  // an idle connection holds no memory
}

}  // namespace net
