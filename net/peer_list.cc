#include "net/peer_list.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/status.h"
#include "core/strings.h"

namespace net {
namespace {

constexpr std::string_view kPrivate[] = {"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                                         "169.254.0.0/16", "fc00::/7",      "fe80::/10"};
constexpr std::string_view kAny[] = {"0.0.0.0/0", "::/0"};
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

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool SameBits(const uint8_t* a, const uint8_t* b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (std::memcmp(a, b, whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

}  // namespace

absl::StatusOr<PeerList::Network> PeerList::ParseNetwork(std::string_view part) {
  const size_t slash = part.find('/');
  const absl::StatusOr<core::Endpoint> address = core::Endpoint::Parse(part.substr(0, slash), 0);
  int bits = address.ok() && address->ipv6 ? 128 : 32;
  bool good = address.ok();
  if (good && slash != std::string_view::npos) {
    const std::string_view digits = part.substr(slash + 1);
    int given = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    good = error == std::errc() && end == digits.data() + digits.size() && given >= 0 && given <= bits;
    bits = given;
  }
  if (!good) {
    return absl::InvalidArgumentError(
        core::StrCat("'", part, "' is no address, network (10.0.0.0/8), loopback, private or any"));
  }
  Network network{};
  Widen(*address, network.address);
  network.bits = bits + (address->ipv6 ? 0 : kIpv4Prefix);
  return network;
}

absl::StatusOr<PeerList> PeerList::Parse(std::string_view text) {
  PeerList list;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(";,"), text.size());
    const std::string_view part = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (part.empty() || part == "loopback") continue;
    std::vector<std::string_view> networks{part};
    if (part == "private") networks.assign(std::begin(kPrivate), std::end(kPrivate));
    if (part == "any") networks.assign(std::begin(kAny), std::end(kAny));
    for (const std::string_view one : networks) {
      ASSIGN_OR_RETURN(const Network network, ParseNetwork(one));
      list.networks_.push_back(network);
    }
  }
  return list;
}

bool PeerList::Contains(const core::Endpoint& peer) const {
  if (peer.IsLoopback()) return true;
  uint8_t address[16];
  Widen(peer, address);
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const Network& network) { return SameBits(address, network.address, network.bits); });
}

}  // namespace net
