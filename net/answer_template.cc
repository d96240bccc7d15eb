#include "net/answer_template.h"

#include <algorithm>

#include "core/assert.h"
#include "core/strings.h"
#include "net/frame_writer.h"

namespace net {

namespace {

constexpr size_t kNumberBytes = 12;

std::string JsonText(std::string_view text) {
  std::string escaped(text.size() * kJsonEscapeFactor, '\0');
  FrameWriter writer(escaped.data());
  writer.Escaped(text);
  escaped.resize(static_cast<size_t>(writer.at() - escaped.data()));
  return escaped;
}

template <typename Fn>
std::string BinaryText(size_t bytes_max, Fn&& write) {
  std::string text(bytes_max, '\0');
  FrameWriter writer(text.data());
  write(writer);
  text.resize(static_cast<size_t>(writer.at() - text.data()));
  return text;
}

std::string BinaryName(std::string_view name) {
  return BinaryText(2 + name.size(), [&](FrameWriter& out) {
    out.U16(static_cast<uint32_t>(name.size()));
    out.Raw(name);
  });
}

}  // namespace

AnswerTemplate::AnswerTemplate(int32_t code, std::initializer_list<Constant> constants, std::initializer_list<std::string_view> names) {
  CORE_ASSERT(names.size() > 0);
  std::string json = core::StrCat("{\"code\":", code, ",\"extFields\":{");
  std::string binary;
  for (const auto& [name, value] : constants) {
    json += core::StrCat("\"", name, "\":\"", JsonText(value), "\",");
    binary += BinaryName(name);
    binary += BinaryText(4 + value.size(), [&](FrameWriter& out) {
      out.U32Size(value.size());
      out.Raw(value);
    });
  }
  for (const std::string_view name : names) {
    json_.push_back(core::StrCat(json, "\"", name, "\":\""));
    binary_.push_back(binary + BinaryName(name));
    json = "\",";
    binary.clear();
  }
  json_opaque_ = core::StrCat("\"},\"flag\":", kFlagResponse, ",\"language\":\"JAVA\",\"opaque\":");
  json_end_ = core::StrCat(",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":", kOurVersion, "}");
  binary_begin_ = BinaryText(5, [&](FrameWriter& out) {
    out.U16(static_cast<uint16_t>(code));
    out.U8(static_cast<uint32_t>(kLanguageJava));
    out.U16(static_cast<uint32_t>(kOurVersion));
  });
  binary_flag_ = BinaryText(8, [&](FrameWriter& out) {
    out.I32(kFlagResponse);
    out.U32Size(0);  // of the remark
  });

  size_t json_bytes = json_opaque_.size() + json_end_.size() + kNumberBytes;
  size_t binary_bytes = binary_begin_.size() + binary_flag_.size() + 8;
  for (const std::string& piece : json_) json_bytes += piece.size();
  for (const std::string& piece : binary_) binary_bytes += piece.size() + 4;
  fixed_bytes_max_ = kFramePrefixBytes + std::max(json_bytes, binary_bytes);
}

size_t AnswerTemplate::Bound(std::span<const Value> values) const {
  size_t bytes = fixed_bytes_max_;
  for (const Value& value : values) bytes += value.text.size() * (value.plain ? 1 : kJsonEscapeFactor);
  return bytes;
}

char* AnswerTemplate::Write(char* out, SerializeType type, int32_t opaque, std::span<const Value> values) const {
  CORE_ASSERT(values.size() == json_.size());
  FrameWriter writer(out + kFramePrefixBytes);
  if (type == SerializeType::kJson) {
    for (size_t i = 0; i < values.size(); ++i) {
      writer.Raw(json_[i]);
      if (values[i].plain) {
        writer.Raw(values[i].text);
      } else {
        writer.Escaped(values[i].text);
      }
    }
    writer.Raw(json_opaque_);
    writer.Number(opaque);
    writer.Raw(json_end_);
  } else {
    writer.Raw(binary_begin_);
    writer.I32(opaque);
    writer.Raw(binary_flag_);
    char* const length_at = writer.at();
    writer.U32(0);
    for (size_t i = 0; i < values.size(); ++i) {
      writer.Raw(binary_[i]);
      writer.U32Size(values[i].text.size());
      writer.Raw(values[i].text);
    }
    WriteU32(length_at, static_cast<uint32_t>(writer.at() - length_at - 4));
  }
  WriteFramePrefix(out, writer.at(), type, 0);
  return writer.at();
}

}  // namespace net
