#include "net/frame_encoder.h"

#include "core/assert.h"
#include "net/big_endian.h"
#include "net/frame_writer.h"

namespace net {

namespace {

constexpr size_t kJsonFrameBytes = 160;  // names, braces and the largest numbers
constexpr size_t kJsonFieldBytes = 6;    // quotes, colon, comma
constexpr size_t kBinaryFixedBytes = 21;

bool FitsBinary(const FrameHead& head) { return head.code >= INT16_MIN && head.code <= INT16_MAX; }

// Members in fastjson's order: by name.
void WriteJson(FrameWriter& out, const FrameHead& head) {
  out.Raw("{\"code\":");
  out.Number(head.code);
  if (head.fields != nullptr && !head.fields->entries().empty()) {
    out.Raw(",\"extFields\":{");
    bool first = true;
    for (const HeaderFields::Entry& entry : head.fields->entries()) {
      if (!first) out.Raw(',');
      first = false;
      // A literal of ours: nothing in it is to be escaped.
      out.Raw('"');
      out.Raw(entry.name);
      out.Raw("\":");
      out.Quoted(head.fields->ValueOf(entry));
    }
    out.Raw('}');
  }
  out.Raw(",\"flag\":");
  out.Number(head.flag);
  out.Raw(",\"language\":\"JAVA\",\"opaque\":");
  out.Number(head.opaque);
  if (!head.remark.empty()) {
    out.Raw(",\"remark\":");
    out.Quoted(head.remark);
  }
  out.Raw(",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
  out.Number(kOurVersion);
  out.Raw('}');
}

void WriteBinary(FrameWriter& out, const FrameHead& head) {
  out.U16(static_cast<uint16_t>(head.code));
  out.U8(static_cast<uint32_t>(kLanguageJava));
  out.U16(static_cast<uint32_t>(kOurVersion));
  out.I32(head.opaque);
  out.I32(head.flag);
  out.U32Size(head.remark.size());
  out.Raw(head.remark);
  char* const length_at = out.at();
  out.U32(0);
  if (head.fields == nullptr) return;
  for (const HeaderFields::Entry& entry : head.fields->entries()) {
    const std::string_view value = head.fields->ValueOf(entry);
    out.U16(static_cast<uint16_t>(entry.name.size()));
    out.Raw(entry.name);
    out.U32Size(value.size());
    out.Raw(value);
  }
  WriteU32(length_at, static_cast<uint32_t>(out.at() - length_at - 4));
}

}  // namespace

size_t EncodedHeadBound(const FrameHead& head) {
  size_t text = head.remark.size();
  size_t names = 0;
  size_t count = 0;
  if (head.fields != nullptr) {
    text += head.fields->value_bytes();
    count = head.fields->entries().size();
    for (const HeaderFields::Entry& entry : head.fields->entries()) names += entry.name.size();
  }
  return kFramePrefixBytes + kJsonFrameBytes + count * kJsonFieldBytes + (names + text) * kJsonEscapeFactor;
}

char* EncodeFrameHead(char* out, const FrameHead& head, size_t body_bytes) {
  static_assert(kBinaryFixedBytes < kJsonFrameBytes);
  FrameWriter writer(out + kFramePrefixBytes);
  const bool json = head.serialize_type == SerializeType::kJson || !FitsBinary(head);
  if (json) {
    WriteJson(writer, head);
  } else {
    WriteBinary(writer, head);
  }
  WriteFramePrefix(out, writer.at(), json ? SerializeType::kJson : SerializeType::kRocketMq, body_bytes);
  return writer.at();
}

}  // namespace net
