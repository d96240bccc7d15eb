#include "net/frame_encoder.h"

#include <charconv>

#include "core/assert.h"
#include "net/big_endian.h"
#include "net/json_text.h"
#include "net/small_copy.h"

namespace net {

namespace {

constexpr size_t kJsonFrameBytes = 160;  // names, braces and the largest numbers
constexpr size_t kJsonFieldBytes = 6;    // quotes, colon, comma
constexpr size_t kJsonEscapeFactor = 6;  // a control character becomes \u00xx
constexpr size_t kBinaryFixedBytes = 21;

class Writer {
 public:
  explicit Writer(char* out) : out_(out) {}
  char* at() const { return out_; }
  void Raw(std::string_view text) {
    SmallCopy(out_, text.data(), text.size());
    out_ += text.size();
  }
  void Raw(char c) { *out_++ = c; }
  void Number(int32_t value) { out_ = std::to_chars(out_, out_ + 12, value).ptr; }
  void Quoted(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    *out_++ = '"';
    const char* at = text.data();
    const char* const end = at + text.size();
    while (true) {
      const char* const special = FindToEscape(at, end);
      Raw({at, static_cast<size_t>(special - at)});
      if (special == end) break;
      const auto byte = static_cast<unsigned char>(*special);
      if (byte < 0x20) {
        Raw("\\u00");
        *out_++ = kHex[byte >> 4];
        *out_++ = kHex[byte & 15];
      } else {
        *out_++ = '\\';
        *out_++ = *special;
      }
      at = special + 1;
    }
    *out_++ = '"';
  }
  void U8(uint32_t value) { out_ = WriteU8(out_, value); }
  void U16(uint32_t value) { out_ = WriteU16(out_, value); }
  void U32(uint32_t value) { out_ = WriteU32(out_, value); }
  void I32(int32_t value) { out_ = WriteU32(out_, static_cast<uint32_t>(value)); }
  void U32Size(size_t value) { out_ = WriteU32(out_, static_cast<uint32_t>(value)); }

 private:
  char* out_;
};

bool FitsBinary(const FrameHead& head) { return head.code >= INT16_MIN && head.code <= INT16_MAX; }

// Members in fastjson's order: by name.
void WriteJson(Writer& out, const FrameHead& head) {
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

void WriteBinary(Writer& out, const FrameHead& head) {
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
  return 8 + kJsonFrameBytes + count * kJsonFieldBytes + (names + text) * kJsonEscapeFactor;
}

char* EncodeFrameHead(char* out, const FrameHead& head, size_t body_bytes) {
  static_assert(kBinaryFixedBytes < kJsonFrameBytes);
  Writer writer(out + 8);
  const bool json = head.serialize_type == SerializeType::kJson || !FitsBinary(head);
  if (json) {
    WriteJson(writer, head);
  } else {
    WriteBinary(writer, head);
  }
  const auto header_bytes = static_cast<size_t>(writer.at() - out - 8);
  CORE_ASSERT(header_bytes < (size_t{1} << 24));
  const auto type = static_cast<uint32_t>(json ? SerializeType::kJson : SerializeType::kRocketMq);
  WriteU32(out, static_cast<uint32_t>(4 + header_bytes + body_bytes));
  WriteU32(out + 4, type << 24 | static_cast<uint32_t>(header_bytes));
  return writer.at();
}

}  // namespace net
