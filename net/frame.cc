#include "net/frame.h"

#include <array>
#include <utility>

#include "core/strings.h"
#include "net/big_endian.h"
#include "net/frame_header.h"

namespace net {

namespace {

constexpr std::array<std::string_view, 14> kLanguages = {"JAVA",   "CPP",  "DOTNET", "PYTHON", "DELPHI",
                                                         "ERLANG", "RUBY", "OTHER",  "HTTP",   "GO",
                                                         "PHP",    "OMS",  "RUST",   "NODE_JS"};

bool SameName(std::string_view given, std::string_view upper) {
  if (given.size() != upper.size()) return false;
  for (size_t i = 0; i < given.size(); ++i) {
    const char c = given[i];
    if ((c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c) != upper[i]) return false;
  }
  return true;
}

}  // namespace

std::string_view LanguageName(int32_t language) {
  if (language < 0 || static_cast<size_t>(language) >= kLanguages.size()) language = kLanguageOther;
  return kLanguages[static_cast<size_t>(language)];
}

int32_t LanguageOf(std::string_view name) {
  for (size_t i = 0; i < kLanguages.size(); ++i) {
    if (SameName(name, kLanguages[i])) return static_cast<int32_t>(i);
  }
  return kLanguageOther;
}

bool Frame::Find(std::string_view name, std::string_view* value) const {
  for (size_t i = fields.size(); i-- > 0;) {
    if (fields[i].name != name) continue;
    *value = fields[i].value;
    return true;
  }
  return false;
}

absl::StatusOr<size_t> HeadBytes(const std::byte* begin, size_t frame_bytes) {
  const uint32_t mark = ReadU32(reinterpret_cast<const char*>(begin));
  const uint32_t type = mark >> 24;
  const size_t header_bytes = mark & 0xFFFFFF;
  if (type > static_cast<uint32_t>(SerializeType::kRocketMq)) {
    return absl::InvalidArgumentError(core::StrCat("frame with unknown serialize type ", type));
  }
  if (header_bytes > frame_bytes - kMarkBytes) {
    return absl::InvalidArgumentError(
        core::StrCat("frame of ", frame_bytes, " bytes with a header of ", header_bytes, " bytes"));
  }
  if (header_bytes > kHeaderBytesMax) {
    return absl::InvalidArgumentError(
        core::StrCat("header of ", header_bytes, " bytes; at most ", kHeaderBytesMax, " are allowed"));
  }
  return kMarkBytes + header_bytes;
}

absl::StatusOr<Frame> DecodeFrame(core::Slice bytes, HeaderShapes* shapes) {
  if (bytes.size() < kMarkBytes) {
    return absl::InvalidArgumentError(core::StrCat("frame of ", bytes.size(), " bytes: too short for its header mark"));
  }
  const absl::StatusOr<size_t> body_at = HeadBytes(bytes.data(), bytes.size());
  if (!body_at.ok()) return body_at.status();
  char* const header = reinterpret_cast<char*>(bytes.data()) + kMarkBytes;
  const size_t header_bytes = *body_at - kMarkBytes;
  absl::StatusOr<Frame> result(absl::in_place);
  Frame& frame = *result;
  frame.serialize_type = static_cast<SerializeType>(bytes.data()[0]);
  const absl::Status status = frame.serialize_type == SerializeType::kJson
                                  ? DecodeJsonHeader(header, header_bytes, frame, shapes)
                                  : DecodeBinaryHeader(header, header_bytes, frame);
  if (!status.ok()) return status;
  if (*body_at < bytes.size()) frame.body = bytes.Sub(*body_at, bytes.size() - *body_at);
  frame.bytes = std::move(bytes);
  return result;
}

}  // namespace net
