#include "net/signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "core/assert.h"

namespace net {
namespace {

constexpr std::string_view kUniqueKeyQueryField = "_UNIQUE_KEY_QUERY";
constexpr size_t kSha1Bytes = 20;
constexpr size_t kSha1Base64Bytes = 28;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// Found once: it stays for the life of the process.
EVP_MAC* Hmac() {
  static EVP_MAC* const hmac = [] {
    // Signatures are not a matter of the system's configuration, and a confined process may not read it.
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    return EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  }();
  return hmac;
}

/// Many short texts in few calls: a call costs more than what it is given here.
class Input {
 public:
  explicit Input(EVP_MAC_CTX* mac) : mac_(mac) {}
  void Add(std::string_view text) {
    if (text.size() > sizeof(held_) - size_) Flush();
    if (text.size() > sizeof(held_)) return Feed(text);
    std::memcpy(held_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  void Flush() {
    if (size_ > 0) Feed({held_, size_});
    size_ = 0;
  }

 private:
  void Feed(std::string_view text) { CORE_ASSERT(EVP_MAC_update(mac_, Bytes(text), text.size()) == 1); }
  EVP_MAC_CTX* const mac_;
  size_t size_ = 0;
  char held_[1024];
};

}  // namespace

void Signer::FreeMac::operator()(evp_mac_ctx_st* mac) const { EVP_MAC_CTX_free(mac); }

Signer::Signer(std::string_view secret) : mac_(EVP_MAC_CTX_new(Hmac())) {
  char digest[] = OSSL_DIGEST_NAME_SHA1;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  CORE_ASSERT(mac_ != nullptr && EVP_MAC_init(mac_.get(), Bytes(secret), secret.size(), params) == 1);
}

std::string Signer::SignFields(const Frame& frame, std::string_view without) const {
  absl::InlinedVector<const ExtField*, 32> fields;
  for (const ExtField& field : frame.fields) fields.push_back(&field);
  std::sort(fields.begin(), fields.end(), [](const ExtField* a, const ExtField* b) {
    const int order = a->name.compare(b->name);
    return order != 0 ? order < 0 : a < b;
  });
  CORE_ASSERT(EVP_MAC_init(mac_.get(), nullptr, 0, nullptr) == 1);  // begins anew with the same secret
  Input input(mac_.get());
  for (size_t i = 0; i < fields.size(); ++i) {
    const ExtField& field = *fields[i];
    if (i + 1 < fields.size() && fields[i + 1]->name == field.name) continue;  // of one given twice the last counts
    if (field.name != kSignatureField && (without.empty() || field.name != without)) input.Add(field.value);
  }
  input.Add(frame.body.text());
  input.Flush();
  unsigned char raw[kSha1Bytes];
  size_t raw_bytes = 0;
  CORE_ASSERT(EVP_MAC_final(mac_.get(), raw, &raw_bytes, sizeof(raw)) == 1 && raw_bytes == kSha1Bytes);
  char text[kSha1Base64Bytes + 1];
  const int text_bytes = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text), raw, kSha1Bytes);
  return std::string(text, static_cast<size_t>(text_bytes));
}

bool Signer::Fits(const Frame& frame) const {
  std::string_view given;
  if (!frame.Find(kSignatureField, &given) || given.size() != kSha1Base64Bytes) return false;
  if (const std::string right = SignFields(frame, {}); CRYPTO_memcmp(right.data(), given.data(), right.size()) == 0) return true;
  std::string_view added;
  if (!frame.Find(kUniqueKeyQueryField, &added)) return false;
  const std::string right = SignFields(frame, kUniqueKeyQueryField);
  return CRYPTO_memcmp(right.data(), given.data(), right.size()) == 0;
}

}  // namespace net
