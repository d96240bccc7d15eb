#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"

namespace net {

class HeaderShapes;  // net/header_shapes.h

/// How a header is written; the top byte of the header mark. Source: RocketMQ 5.3.3 SerializeType.
enum class SerializeType : uint8_t { kJson = 0, kRocketMq = 1 };

inline constexpr int32_t kFlagResponse = 1;
inline constexpr int32_t kFlagOneway = 2;
/// MQVersion ordinal of V5_3_3, which every frame of ours carries.
inline constexpr int32_t kOurVersion = 479;
/// A whole frame with its 4 length bytes. Source: NettyDecoder, com.rocketmq.remoting.frameMaxLength.
inline constexpr size_t kFrameBytesMax = size_t{16} << 20;
/// Java allows 16 MiB of header. Properties are at most 32,767 bytes, up to six times that when each is escaped; one that is somewhat too long
/// should still be told so instead of losing its connection.
inline constexpr size_t kHeaderBytesMax = size_t{256} << 10;
/// How the header is written, and its bytes: what a frame begins with.
inline constexpr size_t kMarkBytes = 4;
/// Ordinals of RocketMQ 5.3.3 LanguageCode that we care for.
inline constexpr int32_t kLanguageJava = 0;
inline constexpr int32_t kLanguageOther = 7;

struct ExtField {
  std::string_view name;
  std::string_view value;
};

/// A decoded frame. All text points into `bytes` and lives as long as the Frame. Unknown fields are kept; of a name given twice the last
/// counts. Move-only by use; one shard.
struct Frame {
  /// Ten times what any request has: a header with more is broken, as each takes more memory than it may have bytes.
  static constexpr size_t kFieldsMax = 512;

  Frame() {}  // NOLINT(modernize-use-equals-default): with a default one, Frame() would fill the room for fields with zeros first

  int32_t code = 0;
  int32_t language = kLanguageJava;  // RocketMQ 5.3.3 LanguageCode; unknown names are OTHER
  int32_t version = 0;
  int32_t opaque = 0;
  int32_t flag = 0;
  SerializeType serialize_type = SerializeType::kJson;
  std::string_view remark;
  absl::InlinedVector<ExtField, 24> fields;
  core::Slice body;
  bool admitted = false;  // the access policy has let it pass (Router)
  core::Slice bytes;  // the frame without its length field; a JSON header in it was unescaped where it lay

  bool is_response() const { return (flag & kFlagResponse) != 0; }
  bool is_oneway() const { return (flag & kFlagOneway) != 0; }
  /// The last field of that name; false when there is none.
  bool Find(std::string_view name, std::string_view* value) const;
  /// Lets go of the memory in which remark, fields and body lie; the rest stays.
  void Release() {
    remark = {};
    fields.clear();
    body = core::Slice();
    bytes = core::Slice();
  }
};

/// "JAVA", "GO", ...: a legal name for every number.
std::string_view LanguageName(int32_t language);
/// The ordinal of a name in any case; OTHER for unknown ones.
int32_t LanguageOf(std::string_view name);

/// Bytes of the mark and the header of a frame of `frame_bytes` (without its length field) that begins with these, at least kMarkBytes. kInvalidArgument
/// for what cannot be.
absl::StatusOr<size_t> HeadBytes(const std::byte* begin, size_t frame_bytes);

/// Decodes a frame (without its length field, in one piece) and takes its bytes, in which it unescapes text. kInvalidArgument says what is wrong
/// where; a connection that sent such a frame can't go on. Allocates nothing for a header with at most 24 fields.
/// With `shapes` headers like those before cost less.
absl::StatusOr<Frame> DecodeFrame(core::Slice bytes, HeaderShapes* shapes = nullptr);

}  // namespace net
