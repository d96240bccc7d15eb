#include "core/sim/trace.h"

#include <cstring>

#include "absl/strings/str_format.h"
#include "core/strings.h"

namespace sim {
namespace {

uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xd1b54a32d192ed03);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t start) {
  uint64_t hash = Mix(start, bytes.size());
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    hash = Mix(hash, word);
    bytes = bytes.subspan(8);
  }
  uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  return Mix(hash, rest);
}

void Trace::Note(int64_t at, const char* what, std::string_view node, uint32_t shard, uint64_t subject, int64_t result,
                 std::string_view text) {
  uint64_t hash = HashText(what, hash_);
  hash = HashText(node, hash);
  hash = Mix(hash, static_cast<uint64_t>(at));
  hash = Mix(hash, shard);
  hash = Mix(hash, subject);
  hash = Mix(hash, static_cast<uint64_t>(result));
  if (!text.empty()) hash = HashText(text, hash);
  hash_ = hash;
  Entry& entry = entries_[count_ % kKept];
  ++count_;
  entry.at = at;
  entry.what = what;
  entry.node.assign(node);
  entry.shard = shard;
  entry.subject = subject;
  entry.result = result;
  entry.text.assign(text);
  if (listener_) listener_(LineOf(entry));
}

std::string Trace::LineOf(const Entry& entry) {
  std::string who = entry.node;
  if (entry.shard != kNoShard) who += core::StrCat("/", entry.shard);
  return absl::StrFormat("%12.6f ms %-14s %-16s %16x %11d %s\n", static_cast<double>(entry.at) / 1e6, who, entry.what,
                         entry.subject, entry.result, entry.text);
}

std::string Trace::Last() const {
  std::string all;
  for (uint64_t i = count_ > kKept ? count_ - kKept : 0; i < count_; ++i) all += LineOf(entries_[i % kKept]);
  return all;
}

}  // namespace sim
