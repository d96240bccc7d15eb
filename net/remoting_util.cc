#include "net/remoting_util.h"

#include <cstring>

#include "core/assert.h"
#include "core/strings.h"
#include "net/big_endian.h"

namespace net {

namespace {

// totalSize, magic, bodyCRC, flag, bodyLength before the body; propertiesLength before the properties.
constexpr size_t kBeforeBody = 20;
constexpr size_t kPropertiesLength = 2;

absl::Status BadBatch(size_t index, std::string_view what) {
  return absl::InvalidArgumentError(core::StrCat("message ", index, " of the batch: ", what));
}

bool ReadHex(std::string_view text, uint8_t* out) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    *out++ = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace

absl::Status BatchReader::Next(BatchMessage& message) {
  CORE_ASSERT(!left_.empty());
  const size_t index = index_++;
  if (left_.size() < kBeforeBody + kPropertiesLength)
    return BadBatch(index, core::StrCat("only ", left_.size(), " bytes are left"));
  const char* const at = left_.data();
  const size_t total = ReadU32(at);
  const size_t body_bytes = ReadU32(at + 16);
  if (total > left_.size())
    return BadBatch(index, core::StrCat("size ", total, " is more than what is left, ", left_.size()));
  if (total < kBeforeBody + kPropertiesLength || body_bytes > total - kBeforeBody - kPropertiesLength) {
    return BadBatch(index, core::StrCat("a body of ", body_bytes, " bytes in a size of ", total));
  }
  const size_t properties_bytes = ReadU16(at + kBeforeBody + body_bytes);
  if (properties_bytes > INT16_MAX || kBeforeBody + body_bytes + kPropertiesLength + properties_bytes != total) {
    return BadBatch(index, core::StrCat("properties of ", properties_bytes, " bytes do not end where it ends"));
  }
  message.flag = ReadI32(at + 12);
  message.body = left_.substr(kBeforeBody, body_bytes);
  message.properties = left_.substr(kBeforeBody + body_bytes + kPropertiesLength, properties_bytes);
  left_.remove_prefix(total);
  return absl::OkStatus();
}

void AppendBatchMessage(std::string& out, const BatchMessage& message) {
  CORE_ASSERT(message.properties.size() <= INT16_MAX);
  const size_t total = kBeforeBody + message.body.size() + kPropertiesLength + message.properties.size();
  const size_t begin = out.size();
  out.resize(begin + total);
  char* at = out.data() + begin;
  at = WriteU32(at, static_cast<uint32_t>(total));
  at = WriteU32(at, 0);  // magic and CRC: the broker's business
  at = WriteU32(at, 0);
  at = WriteU32(at, static_cast<uint32_t>(message.flag));
  at = WriteU32(at, static_cast<uint32_t>(message.body.size()));
  if (!message.body.empty()) std::memcpy(at, message.body.data(), message.body.size());
  at = WriteU16(at + message.body.size(), static_cast<uint32_t>(message.properties.size()));
  if (!message.properties.empty()) std::memcpy(at, message.properties.data(), message.properties.size());
}

absl::StatusOr<OffsetMessageId> DecodeOffsetMessageId(std::string_view text) {
  constexpr size_t kIpv4Digits = 32;
  constexpr size_t kIpv6Digits = 56;
  uint8_t bytes[kIpv6Digits / 2];
  if ((text.size() != kIpv4Digits && text.size() != kIpv6Digits) || !ReadHex(text, bytes)) {
    return absl::InvalidArgumentError(core::StrCat("no offset message id: ", text.substr(0, 64)));
  }
  OffsetMessageId id;
  id.store_host.ipv6 = text.size() == kIpv6Digits;
  const size_t address_bytes = id.store_host.ipv6 ? 16 : 4;
  std::memcpy(id.store_host.address, bytes, address_bytes);
  const char* const rest = reinterpret_cast<const char*>(bytes) + address_bytes;
  const uint32_t port = ReadU32(rest);
  if (port > UINT16_MAX) return absl::InvalidArgumentError(core::StrCat("offset message id with port ", port));
  id.store_host.port = static_cast<uint16_t>(port);
  id.position = core::PhysicalOffset(static_cast<int64_t>(ReadU64(rest + 4)));
  return id;
}

}  // namespace net
