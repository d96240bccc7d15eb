#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "core/buffer.h"

namespace net {

/// Cuts a stream of received slices into frames. A frame that lies in one slice is a piece of it; one that spans slices is put together in a
/// buffer that grows with what has arrived, so that a claimed length costs nothing. Between calls no received slice is held.
class FrameAssembler {
 public:
  FrameAssembler(core::BufferPool& pool, size_t frame_bytes_max) : pool_(pool), frame_bytes_max_(frame_bytes_max) {}

  /// Adds what was received. All frames of the last slice must have been taken.
  void Feed(core::Slice received);
  /// The next frame without its length field, empty for one that was skipped; nullopt when more must arrive. kInvalidArgument for an impossible length.
  absl::StatusOr<std::optional<core::Slice>> Next();
  /// A frame has begun to arrive and is not complete.
  bool partial() const { return have_ > 0; }
  /// Bytes of it that are here.
  size_t have() const { return have_; }
  /// What is here of a partial frame, without its length field; empty for one that is skipped.
  std::span<const std::byte> begun() const {
    return skip_ > 0 || have_ <= kLengthBytes ? std::span<const std::byte>()
                                              : whole_.bytes().subspan(kLengthBytes, have_ - kLengthBytes);
  }
  /// How long it will be, without its length field; of one that is not empty so far.
  size_t announced() const { return frame_bytes_ - kLengthBytes; }
  /// Throws away what is here of a partial frame, of which more than the length field is here, and the rest as it comes.
  void SkipRest();
  /// Memory that it holds.
  size_t held_bytes() const { return whole_.block() == nullptr ? 0 : whole_.block()->size(); }
  /// Forgets everything. Between calls only.
  void Drop() {
    received_ = core::Slice();
    whole_ = core::Slice();
    have_ = 0;
    skip_ = 0;
  }

 private:
  static constexpr size_t kLengthBytes = 4;
  static constexpr size_t kFirstBytes = 1024;

  absl::StatusOr<size_t> FrameBytes(const std::byte* at) const;
  void Gather(size_t count);

  core::BufferPool& pool_;
  const size_t frame_bytes_max_;
  core::Slice received_;    // not yet cut
  core::Slice whole_;       // the frame being put together, its length field first
  size_t have_ = 0;         // bytes of it in `whole_`, or skipped
  size_t frame_bytes_ = 0;  // of it with its length field, once that is here
  size_t skip_ = 0;         // bytes of it that are still to be skipped
};

}  // namespace net
