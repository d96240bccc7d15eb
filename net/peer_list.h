#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io.h"
#include "net/ip_network.h"

namespace net {

/// A set of addresses, as an operator writes it: "loopback;private", "10.0.0.5;10.1.0.0/16;fd00::/8", "any". The machine itself (loopback) is always
/// in it. Immutable.
class PeerList {
 public:
  /// Loopback only.
  PeerList() = default;
  /// Parts with ';' or ',' between them: an address, a network ADDRESS/BITS, "loopback", "private" (RFC 1918, RFC 4193, link-local) or "any".
  /// kInvalidArgument names the part.
  static absl::StatusOr<PeerList> Parse(std::string_view text);

  bool Contains(const core::Endpoint& peer) const;

 private:
  std::vector<IpNetwork> networks_;
};

}  // namespace net
