#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/io.h"

namespace net {

/// An address, or a network of them. IPv4 and its mapped form (::ffff:10.0.0.1) are the same. Immutable.
class IpNetwork {
 public:
  /// "10.0.0.5", "10.1.0.0/16", "fd00::/8". kInvalidArgument for anything else.
  static absl::StatusOr<IpNetwork> Parse(std::string_view text);
  bool Contains(const core::Endpoint& peer) const;

 private:
  uint8_t address_[16] = {};  // IPv4 as ::ffff:a.b.c.d
  int bits_ = 0;
};

}  // namespace net
