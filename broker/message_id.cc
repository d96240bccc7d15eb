#include "broker/message_id.h"

#include <array>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace broker {

namespace {

constexpr char kDigits[] = "0123456789ABCDEF";
// The two digits of each byte.
constexpr std::array<std::array<char, 2>, 256> kHex = [] {
  std::array<std::array<char, 2>, 256> hex{};
  for (size_t byte = 0; byte < hex.size(); ++byte) hex[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
  return hex;
}();

}  // namespace

void MessageId::AppendByte(uint8_t byte) {
  std::memcpy(text_ + size_, kHex[byte].data(), 2);
  size_ += 2;
}

void MessageId::AppendNumber(uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) AppendByte(static_cast<uint8_t>(value >> shift));
}

MessageId MessageId::OfRecord(const core::Endpoint& store_host, core::PhysicalOffset position) {
  MessageId id;
  const int address_bytes = store_host.ipv6 ? 16 : 4;
  for (int i = 0; i < address_bytes; ++i) id.AppendByte(store_host.address[i]);
  id.AppendNumber(store_host.port, 4);
  id.AppendNumber(static_cast<uint64_t>(position.value()), 8);
  return id;
}

std::optional<core::PhysicalOffset> MessageId::PositionIn(std::string_view text) {
  if (text.size() != 32 && text.size() != 56) return std::nullopt;
  uint64_t value = 0;  // of the last 16 digits: those before are shifted out
  for (const char digit : text) {
    const char* const at = std::char_traits<char>::find(kDigits, 16, absl::ascii_toupper(static_cast<unsigned char>(digit)));
    if (at == nullptr) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(at - kDigits);
  }
  return core::PhysicalOffset(static_cast<int64_t>(value));
}

// Layout (source: RocketMQ 5.3.3 MessageClientIDSetter): ip 4 or 16, process 2, class loader 4, milliseconds since the month began 4, counter 2.
// The process and the class loader only tell makers of keys apart, which is what our salt does.
MessageId UniqueKeys::Next(const core::Endpoint& host, core::WallMillis now) {
  if (now < month_begin_ || now >= month_end_) {
    const absl::TimeZone utc = absl::UTCTimeZone();
    const absl::CivilMonth month = absl::ToCivilMonth(absl::FromUnixMillis(now), utc);
    month_begin_ = absl::ToUnixMillis(absl::FromCivil(month, utc));
    month_end_ = absl::ToUnixMillis(absl::FromCivil(month + 1, utc));
  }
  MessageId id;
  const int address_bytes = host.ipv6 ? 16 : 4;
  for (int i = 0; i < address_bytes; ++i) id.AppendByte(host.address[i]);
  id.AppendNumber(salt_ & 0xffff, 2);
  id.AppendNumber((salt_ >> 16) & 0xffffffff, 4);
  id.AppendNumber(static_cast<uint64_t>(now - month_begin_), 4);
  id.AppendNumber(counter_++, 2);
  return id;
}

}  // namespace broker
