#include "net/frame_assembler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/strings.h"
#include "net/big_endian.h"

namespace net {

void FrameAssembler::Feed(core::Slice received) {
  CORE_ASSERT(received_.empty());
  received_ = std::move(received);
}

// The whole frame with its length field.
absl::StatusOr<size_t> FrameAssembler::FrameBytes(const std::byte* at) const {
  const int32_t length = ReadI32(reinterpret_cast<const char*>(at));
  if (length < 4) return absl::InvalidArgumentError(core::StrCat("frame with impossible length ", length));
  const size_t bytes = kLengthBytes + static_cast<size_t>(length);
  if (bytes > frame_bytes_max_) {
    return absl::InvalidArgumentError(
        core::StrCat("frame of ", bytes, " bytes; at most ", frame_bytes_max_, " are allowed"));
  }
  return bytes;
}

// Moves up to `count` received bytes behind those that are there.
void FrameAssembler::Gather(size_t count) {
  count = std::min(count, received_.size());
  if (count == 0) return;
  if (have_ + count > whole_.size()) {
    const size_t room = std::min(std::max({have_ + count, 2 * whole_.size(), kFirstBytes}), frame_bytes_max_);
    core::Slice larger = pool_.Allocate(room);
    if (have_ > 0) std::memcpy(larger.data(), whole_.data(), have_);
    whole_ = std::move(larger);
  }
  std::memcpy(whole_.data() + have_, received_.data(), count);
  have_ += count;
  received_.RemovePrefix(count);
}

void FrameAssembler::SkipRest() {
  CORE_ASSERT(have_ > kLengthBytes && skip_ == 0);
  skip_ = frame_bytes_ - have_;
  whole_ = core::Slice();
}

absl::StatusOr<std::optional<core::Slice>> FrameAssembler::Next() {
  if (skip_ > 0) {
    const size_t now = std::min(skip_, received_.size());
    received_.RemovePrefix(now);
    have_ += now;
    skip_ -= now;
    if (received_.empty()) received_ = core::Slice();
    if (skip_ > 0) return std::optional<core::Slice>();
    have_ = 0;
    return std::optional(core::Slice());
  }
  if (have_ == 0 && received_.size() >= kLengthBytes) {
    const absl::StatusOr<size_t> bytes = FrameBytes(received_.data());
    if (!bytes.ok()) return bytes.status();
    if (received_.size() >= *bytes) {
      core::Slice frame = received_.Sub(kLengthBytes, *bytes - kLengthBytes);
      received_.RemovePrefix(*bytes);
      if (received_.empty()) received_ = core::Slice();
      return std::optional(std::move(frame));
    }
  }
  if (have_ < kLengthBytes) Gather(kLengthBytes - have_);
  if (have_ >= kLengthBytes) {
    const absl::StatusOr<size_t> bytes = FrameBytes(whole_.data());
    if (!bytes.ok()) return bytes.status();
    frame_bytes_ = *bytes;
    Gather(*bytes - have_);
    if (have_ == *bytes) {
      core::Slice frame = whole_.Sub(kLengthBytes, *bytes - kLengthBytes);
      whole_ = core::Slice();
      have_ = 0;
      return std::optional(std::move(frame));
    }
  }
  received_ = core::Slice();
  return std::optional<core::Slice>();
}

}  // namespace net
