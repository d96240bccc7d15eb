#include "net/signature.h"

// The digest itself, whose state is copied as it lies: OpenSSL's EVP_MAC allocates some for each request, which costs four times what there is to compute. Still there in OpenSSL 3, for
// programs that say so.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "net/request_code.h"
#include "net/small_copy.h"

namespace net {
namespace {

constexpr std::string_view kUniqueKeyQueryField = "_UNIQUE_KEY_QUERY";
// Of HMAC. Source: RFC 2104.
constexpr unsigned char kInnerPad = 0x36;
constexpr unsigned char kOuterPad = 0x5c;

/// The digest after one block: the secret, each byte of it XORed with `pad`.
SHA_CTX AfterSecret(const unsigned char (&secret)[SHA_CBLOCK], unsigned char pad) {
  unsigned char block[SHA_CBLOCK];
  for (size_t i = 0; i < sizeof(block); ++i) block[i] = secret[i] ^ pad;
  SHA_CTX digest;
  SHA1_Init(&digest);
  SHA1_Update(&digest, block, sizeof(block));
  OPENSSL_cleanse(block, sizeof(block));
  return digest;
}

/// The first bytes of a name, as a number that compares like them.
uint64_t BeginOf(std::string_view name) {
  uint64_t begin = 0;
  SmallCopy(reinterpret_cast<char*>(&begin), name.data(), std::min(name.size(), sizeof(begin)));
  return std::endian::native == std::endian::little ? __builtin_bswap64(begin) : begin;
}

struct NamedField {
  uint64_t begin;  // of its name: nearly always enough to tell it from others
  const ExtField* field;

  friend bool operator<(const NamedField& a, const NamedField& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    const int order = a.field->name.compare(b.field->name);
    return order != 0 ? order < 0 : a.field < b.field;  // of one given twice in the order in which they came
  }
};

/// Many short texts in few calls.
class Input {
 public:
  explicit Input(SHA_CTX& digest) : digest_(digest) {}
  void Add(std::string_view text) {
    if (text.empty()) return;  // it may point nowhere
    if (text.size() > sizeof(held_) - size_) Flush();
    if (text.size() > sizeof(held_)) {
      SHA1_Update(&digest_, text.data(), text.size());
      return;
    }
    std::memcpy(held_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  void Flush() {
    SHA1_Update(&digest_, held_, size_);
    size_ = 0;
  }

 private:
  SHA_CTX& digest_;
  size_t size_ = 0;
  char held_[512];
};

}  // namespace

struct Signer::State {
  SHA_CTX inner;
  SHA_CTX outer;
  ~State() { OPENSSL_cleanse(this, sizeof(*this)); }
};

Signer::Signer(std::string_view secret) {
  unsigned char block[SHA_CBLOCK] = {};
  if (secret.size() > sizeof(block)) {
    SHA1(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), block);
  } else {
    std::memcpy(block, secret.data(), secret.size());
  }
  state_ = std::make_unique<const State>(AfterSecret(block, kInnerPad), AfterSecret(block, kOuterPad));
  OPENSSL_cleanse(block, sizeof(block));
}

Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;
Signer::~Signer() = default;

Signer::Text Signer::SignFields(const Frame& frame, std::string_view without) const {
  absl::InlinedVector<NamedField, 32> fields;
  for (const ExtField& field : frame.fields) fields.push_back({BeginOf(field.name), &field});
  std::sort(fields.begin(), fields.end());
  SHA_CTX inner = state_->inner;
  Input input(inner);
  for (size_t i = 0; i < fields.size(); ++i) {
    const ExtField& field = *fields[i].field;
    if (i + 1 < fields.size() && fields[i + 1].field->name == field.name) continue;  // of one given twice the last counts
    if (field.name != kSignatureField && (without.empty() || field.name != without)) input.Add(field.value);
  }
  input.Add(frame.body.text());
  input.Flush();
  unsigned char raw[SHA_DIGEST_LENGTH];
  SHA1_Final(raw, &inner);
  SHA_CTX outer = state_->outer;
  SHA1_Update(&outer, raw, sizeof(raw));
  SHA1_Final(raw, &outer);
  Text text;
  unsigned char encoded[text.size() + 1];  // with a zero
  EVP_EncodeBlock(encoded, raw, sizeof(raw));
  std::memcpy(text.data(), encoded, text.size());
  return text;
}

bool Signer::Fits(const Frame& frame) const {
  std::string_view given;
  if (!frame.Find(kSignatureField, &given) || given.size() != std::tuple_size_v<Text>) return false;
  if (const Text right = SignFields(frame, {}); CRYPTO_memcmp(right.data(), given.data(), right.size()) == 0) return true;
  std::string_view added;
  if (frame.code != static_cast<int32_t>(RequestCode::kQueryMessage) || !frame.Find(kUniqueKeyQueryField, &added)) return false;
  const Text right = SignFields(frame, kUniqueKeyQueryField);
  return CRYPTO_memcmp(right.data(), given.data(), right.size()) == 0;
}

}  // namespace net
