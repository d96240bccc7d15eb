#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "net/frame.h"

namespace net {

/// The fields of a signed request. Source: RocketMQ 5.3.3 SessionCredentials.
inline constexpr std::string_view kAccessKeyField = "AccessKey";
inline constexpr std::string_view kSignatureField = "Signature";

/// Signs requests with one secret, and checks what others have signed with it: the base64 of an HMAC-SHA1 over the values of all header fields in
/// the order of their names, but for the signature itself, and then the body. The code, the names of fields and where a value ends are not signed, and there is no time and no
/// counter: who has seen a request can send it again, or another of the same values. Source: RocketMQ 5.3.3 AclClientRPCHook, AclUtils, AclSigner. One shard.
class Signer {
 public:
  explicit Signer(std::string_view secret);
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;
  ~Signer();

  /// What the signature of `frame` must be. Names of fields are in the order of their UTF-8; Java's order differs beyond U+FFFF.
  std::string Sign(const Frame& frame) const {
    const Text text = SignFields(frame, {});
    return std::string(text.data(), text.size());
  }
  /// Whether `frame`, as it came, carries that signature; takes as long for a wrong one as for a right one. Clients up to 4.9.3 add _UNIQUE_KEY_QUERY to a
  /// QUERY_MESSAGE after they have signed: there it may be in it or not.
  bool Fits(const Frame& frame) const;

 private:
  struct State;  // of the digest, after the secret
  using Text = std::array<char, 28>;
  Text SignFields(const Frame& frame, std::string_view without) const;

  std::unique_ptr<const State> state_;
};

}  // namespace net
