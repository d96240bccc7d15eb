#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "core/buffer.h"
#include "net/answer_room.h"
#include "net/header.h"
#include "net/response_code.h"

namespace net {

/// The answer to a request, as a handler gives it; the connection encodes it in the serialization that the request used.
/// Header fields are kept as text in one inline buffer: no allocation for the usual ones.
class Reply {
 public:
  Reply() = default;
  explicit Reply(ResponseCode code) : code_(code) {}
  Reply(ResponseCode code, std::string remark) : code_(code), remark_(std::move(remark)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;

  /// Nothing is sent (RocketMQ answers some requests never).
  static Reply None() {
    Reply reply;
    reply.none_ = true;
    return reply;
  }

  ResponseCode code() const { return code_; }
  std::string_view remark() const { return remark_; }
  bool none() const { return none_; }
  void set_code(ResponseCode code) { code_ = code; }
  void set_remark(std::string remark) { remark_ = std::move(remark); }

  /// Adds one header field. `name` is a literal (kept by pointer); the value is copied.
  Reply& Add(std::string_view name, std::string_view value) {
    fields_.Add(name, value);
    return *this;
  }
  Reply& Add(std::string_view name, int64_t value) {
    fields_.Add(name, value);
    return *this;
  }
  /// Adds every field of a response header struct (header.h); absent optionals are left out.
  template <typename Header>
  Reply& AddHeader(const Header& header) {
    fields_.AddHeader(header);
    return *this;
  }

  /// The body is sent as it lies, part by part. Slices of this shard only.
  Reply& AddBody(core::Slice part) {
    if (!part.empty()) body_.push_back(std::move(part));
    return *this;
  }
  /// A body made as text (JSON).
  Reply& SetBody(std::string text) {
    body_text_ = std::move(text);
    return *this;
  }
  /// Bytes of another shard, and the block that stays in memory with them.
  struct ForeignPart {
    ForeignPart(std::string_view text, const void* whole, size_t whole_bytes)
        : bytes(text), block(whole), block_bytes(whole_bytes) {}
    explicit ForeignPart(const core::Slice& slice) : ForeignPart(slice.text(), slice.block(), slice.block()->size()) {}
    std::string_view bytes;
    const void* block;
    size_t block_bytes;
  };
  using ForeignParts = absl::InlinedVector<ForeignPart, 4>;
  /// Keeps `holder` alive until the bytes of `parts` are sent: how records of another shard (core::Foreign) are sent as they lie. When too much is
  /// kept so already (PinnedBlocks), they are copied and `holder` goes at once.
  template <typename Holder>
  Reply& SetForeignBody(Holder holder, ForeignParts parts) {
    holder_ = std::make_unique<TypedHolder<Holder>>(std::move(holder));
    foreign_parts_ = std::move(parts);
    return *this;
  }

  /// Gives `room` back once the answer is sent.
  Reply& KeepUntilSent(AnswerRoom room) {
    room_ = std::move(room);
    return *this;
  }
  AnswerRoom TakeRoom() { return std::move(room_); }

  const HeaderFields& fields() const { return fields_; }
  HeaderFields& fields() { return fields_; }

  /// Type-erased owner of foreign body parts; deleted on this shard when sent.
  class BodyHolder {
   public:
    virtual ~BodyHolder() = default;
  };
  const absl::InlinedVector<core::Slice, 4>& body() const { return body_; }
  const std::string& body_text() const { return body_text_; }
  /// Of all the parts: slices first, then text, then foreign parts; that is also the order in which they are sent.
  size_t body_bytes() const;
  const ForeignParts& foreign_parts() const { return foreign_parts_; }
  std::unique_ptr<BodyHolder> TakeHolder() { return std::move(holder_); }

 private:
  template <typename Holder>
  struct TypedHolder final : BodyHolder {
    explicit TypedHolder(Holder h) : holder(std::move(h)) {}
    Holder holder;
  };
  ResponseCode code_ = ResponseCode::kSuccess;
  bool none_ = false;
  std::string remark_;
  HeaderFields fields_;
  absl::InlinedVector<core::Slice, 4> body_;
  std::string body_text_;
  ForeignParts foreign_parts_;
  std::unique_ptr<BodyHolder> holder_;
  AnswerRoom room_;
};

}  // namespace net
