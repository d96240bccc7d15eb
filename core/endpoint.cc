#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include "core/io.h"
#include "core/strings.h"

namespace core {

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(StrCat("'", text, "' has no port: write ADDRESS:PORT"));
  }
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return absl::InvalidArgumentError(StrCat("'", text, "' has no port between 0 and 65535 after its last colon"));
  }
  return Parse(text.substr(0, colon), port);
}

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view host, uint16_t port) {
  Endpoint endpoint;
  endpoint.port = port;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string text(host);
  if (inet_pton(AF_INET, text.c_str(), endpoint.address) == 1) return endpoint;
  endpoint.ipv6 = true;
  if (inet_pton(AF_INET6, text.c_str(), endpoint.address) == 1) return endpoint;
  return absl::InvalidArgumentError(StrCat("'", host, "' is not an IPv4 or IPv6 address"));
}

std::string Endpoint::HostText() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, text, sizeof text);
  return text;
}

std::string Endpoint::Text() const { return ipv6 ? StrCat("[", HostText(), "]:", port) : StrCat(HostText(), ":", port); }

bool Endpoint::IsLoopback() const {
  if (!ipv6) return address[0] == 127;
  static constexpr uint8_t kLoopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  static constexpr uint8_t kMappedLoopback[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
  return std::memcmp(address, kLoopback, 16) == 0 || std::memcmp(address, kMappedLoopback, 13) == 0;
}

bool Endpoint::IsAny() const {
  static constexpr uint8_t kZero[16] = {};
  return std::memcmp(address, kZero, ipv6 ? 16 : 4) == 0;
}

}  // namespace core
