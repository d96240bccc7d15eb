#include "net/peer_list.h"

#include <algorithm>

#include "core/strings.h"

namespace net {
namespace {

constexpr std::string_view kPrivate[] = {"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                                         "169.254.0.0/16", "fc00::/7",      "fe80::/10"};
constexpr std::string_view kAny[] = {"0.0.0.0/0", "::/0"};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

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
      const absl::StatusOr<IpNetwork> network = IpNetwork::Parse(one);
      if (!network.ok()) {
        return absl::InvalidArgumentError(
            core::StrCat("'", one, "' is no address, network (10.0.0.0/8), loopback, private or any"));
      }
      list.networks_.push_back(*network);
    }
  }
  return list;
}

bool PeerList::Contains(const core::Endpoint& peer) const {
  if (peer.IsLoopback()) return true;
  return std::any_of(networks_.begin(), networks_.end(), [&](const IpNetwork& network) { return network.Contains(peer); });
}

}  // namespace net
