#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/frame.h"

struct evp_mac_ctx_st;  // OpenSSL's

namespace net {

/// The fields of a signed request. Source: RocketMQ 5.3.3 SessionCredentials.
inline constexpr std::string_view kAccessKeyField = "AccessKey";
inline constexpr std::string_view kSignatureField = "Signature";

/// Signs requests with one secret, and checks what others have signed with it: the base64 of an HMAC-SHA1 over the values of all header fields in
/// the order of their names, but for the signature itself, and then the body. There is no time and no counter in it: who has seen a request can send it
/// again. Source: RocketMQ 5.3.3 AclClientRPCHook, AclUtils, AclSigner. One shard.
class Signer {
 public:
  explicit Signer(std::string_view secret);

  /// What the signature of `frame` must be. Names of fields are in the order of their UTF-8; Java's order differs beyond U+FFFF.
  std::string Sign(const Frame& frame) const { return SignFields(frame, {}); }
  /// Whether `frame`, as it came, carries that signature; takes as long for a wrong one as for a right one. Clients up to 4.9.3 add _UNIQUE_KEY_QUERY after they
  /// have signed: it may be in it or not.
  bool Fits(const Frame& frame) const;

 private:
  struct FreeMac {
    void operator()(evp_mac_ctx_st* mac) const;
  };
  std::string SignFields(const Frame& frame, std::string_view without) const;

  std::unique_ptr<evp_mac_ctx_st, FreeMac> mac_;
};

}  // namespace net
