#include "net/ip_network.h"

#include <charconv>
#include <cstring>
#include <string>

#include "core/strings.h"

namespace net {
namespace {

constexpr int kIpv4Prefix = 96;  // bits of ::ffff:0:0

void Widen(const core::Endpoint& endpoint, uint8_t (&out)[16]) {
  if (endpoint.ipv6) {
    std::memcpy(out, endpoint.address, 16);
    return;
  }
  std::memset(out, 0, 10);
  out[10] = out[11] = 0xff;
  std::memcpy(out + 12, endpoint.address, 4);
}

bool SameBits(const uint8_t* a, const uint8_t* b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (std::memcmp(a, b, whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

}  // namespace

absl::StatusOr<IpNetwork> IpNetwork::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const absl::StatusOr<core::Endpoint> address = core::Endpoint::Parse(text.substr(0, slash), 0);
  int bits = address.ok() && address->ipv6 ? 128 : 32;
  bool good = address.ok();
  if (good && slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    int given = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    good = error == std::errc() && end == digits.data() + digits.size() && given >= 0 && given <= bits;
    bits = given;
  }
  if (!good) return absl::InvalidArgumentError(core::StrCat("'", text, "' is no address and no network (10.0.0.0/8)"));
  IpNetwork network;
  Widen(*address, network.address_);
  network.bits_ = bits + (address->ipv6 ? 0 : kIpv4Prefix);
  return network;
}

bool IpNetwork::Contains(const core::Endpoint& peer) const {
  uint8_t address[16];
  Widen(peer, address);
  return SameBits(address, address_, bits_);
}

}  // namespace net
