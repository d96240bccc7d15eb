#include "core/strings.h"
#include "net/big_endian.h"
#include "net/frame_header.h"

// The ROCKETMQ header encoding. Source: RocketMQ 5.3.3 RocketMQSerializable.

namespace net {

namespace {

constexpr size_t kFixedBytes = 21;  // code, language, version, opaque, flag, length of the remark, length of the fields

/// Takes texts with a length before them from a span; total: never reads beyond it.
class Reader {
 public:
  Reader(const char* at, size_t left) : at_(at), left_(left) {}
  size_t left() const { return left_; }
  bool TakeLength16(size_t& length) {
    if (left_ < 2) return false;
    length = ReadU16(at_);
    Skip(2);
    return true;
  }
  bool TakeLength32(size_t& length) {
    if (left_ < 4) return false;
    length = ReadU32(at_);
    Skip(4);
    return length <= INT32_MAX;
  }
  bool TakeText(size_t length, std::string_view& text) {
    if (left_ < length) return false;
    text = {at_, length};
    Skip(length);
    return true;
  }

 private:
  void Skip(size_t count) {
    at_ += count;
    left_ -= count;
  }
  const char* at_;
  size_t left_;
};

absl::Status Broken(std::string_view what) { return absl::InvalidArgumentError(core::StrCat("binary header: ", what)); }

}  // namespace

absl::Status DecodeBinaryHeader(const char* begin, size_t size, Frame& frame) {
  if (size < kFixedBytes) return Broken(core::StrCat(size, " bytes are too few"));
  frame.code = static_cast<int16_t>(ReadU16(begin));
  frame.language = static_cast<uint8_t>(begin[2]);
  if (LanguageName(frame.language) == LanguageName(kLanguageOther)) frame.language = kLanguageOther;
  frame.version = static_cast<int16_t>(ReadU16(begin + 3));
  frame.opaque = ReadI32(begin + 5);
  frame.flag = ReadI32(begin + 9);
  Reader reader(begin + 13, size - 13);
  size_t length = 0;
  if (!reader.TakeLength32(length) || !reader.TakeText(length, frame.remark)) return Broken("remark beyond its end");
  size_t fields_bytes = 0;
  if (!reader.TakeLength32(fields_bytes) || fields_bytes != reader.left())
    return Broken("fields do not end where it ends");
  while (reader.left() > 0) {
    ExtField field;
    if (!reader.TakeLength16(length) || length > INT16_MAX || !reader.TakeText(length, field.name)) {
      return Broken("field name beyond its end");
    }
    if (!reader.TakeLength32(length) || !reader.TakeText(length, field.value))
      return Broken("field value beyond its end");
    if (field.value.empty()) continue;  // Java reads it as null
    if (frame.fields.size() >= Frame::kFieldsMax) return Broken("more fields than any request has");
    frame.fields.push_back(field);
  }
  return absl::OkStatus();
}

}  // namespace net
