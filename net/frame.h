#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"

namespace net {

/// How a header is written; the top byte of the header mark. Source: RocketMQ 5.3.3 SerializeType.
enum class SerializeType : uint8_t { kJson = 0, kRocketMq = 1 };

inline constexpr int32_t kFlagResponse = 1;
inline constexpr int32_t kFlagOneway = 2;
/// MQVersion ordinal of V5_3_3, which every frame of ours carries.
inline constexpr int32_t kOurVersion = 479;
/// A whole frame with its 4 length bytes. Source: NettyDecoder, com.rocketmq.remoting.frameMaxLength.
inline constexpr size_t kFrameBytesMax = size_t{16} << 20;
/// Java allows 16 MiB of header; no real one passes 64 KiB.
inline constexpr size_t kHeaderBytesMax = size_t{64} << 10;

struct ExtField {
  std::string_view name;
  std::string_view value;
};

/// A decoded frame. All text points into `bytes` or `scratch` and lives as long as the Frame. Unknown fields are kept; of a name
/// given twice the last counts. Move-only by use; one shard.
struct Frame {
  int32_t code = 0;
  int32_t language = 0;  // wire.md section 2; unknown names are OTHER (7)
  int32_t version = 0;
  int32_t opaque = 0;
  int32_t flag = 0;
  SerializeType serialize_type = SerializeType::kJson;
  std::string_view remark;
  absl::InlinedVector<ExtField, 24> fields;
  core::Slice body;
  core::Slice bytes;    // the frame without its length field
  core::Slice scratch;  // text that had to be unescaped

  bool is_response() const { return (flag & kFlagResponse) != 0; }
  bool is_oneway() const { return (flag & kFlagOneway) != 0; }
  /// The last field of that name; false when there is none.
  bool Find(std::string_view name, std::string_view* value) const;
};

/// Decodes a frame (without its length field, in one piece). kInvalidArgument says what is wrong where; a connection that sent
/// such a frame can't go on. Allocates nothing for a header without escapes and with at most 24 fields.
absl::StatusOr<Frame> DecodeFrame(core::Slice bytes, core::BufferPool& pool);

}  // namespace net
