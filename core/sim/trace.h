#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sim {

/// A quick 64-bit hash of bytes, the same in every process.
uint64_t HashBytes(std::span<const std::byte> bytes, uint64_t start = 0);
inline uint64_t HashText(std::string_view text, uint64_t start = 0) {
  return HashBytes(std::as_bytes(std::span(text.data(), text.size())), start);
}

/// The history of a world: a hash over all of it, and its last events for whoever looks at a failure.
class Trace {
 public:
  static constexpr size_t kKept = 200;
  static constexpr uint32_t kNoShard = UINT32_MAX;

  /// `what` is a literal. Everything given here becomes part of the hash, so nothing may depend on an address or on real time.
  void Note(int64_t at, const char* what, std::string_view node, uint32_t shard, uint64_t subject, int64_t result,
            std::string_view text = {});

  uint64_t hash() const { return hash_; }
  uint64_t count() const { return count_; }
  /// The last kKept events, one a line, oldest first.
  std::string Last() const;
  /// Gets every event as a line from now on: to find where two histories part.
  void set_listener(std::function<void(std::string)> listener) { listener_ = std::move(listener); }

 private:
  struct Entry {
    int64_t at = 0;
    const char* what = "";
    std::string node;
    uint32_t shard = 0;
    uint64_t subject = 0;
    int64_t result = 0;
    std::string text;
  };
  static std::string LineOf(const Entry& entry);
  std::function<void(std::string)> listener_;
  std::array<Entry, kKept> entries_;
  uint64_t count_ = 0;
  uint64_t hash_ = 0x52494e474d51;
};

}  // namespace sim
