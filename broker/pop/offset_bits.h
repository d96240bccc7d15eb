#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace broker {

/// A small set of numbers from 0 on, as bits: the messages of a batch, by their distance from its start.
class OffsetBits {
 public:
  /// No pop looks through more of a queue than this at once.
  static constexpr size_t kMax = 1 << 16;

  /// `number` is below kMax.
  void Set(size_t number) {
    if (number / 64 >= words_.size()) words_.resize(number / 64 + 1);
    words_[number / 64] |= uint64_t{1} << (number % 64);
  }
  void Clear(size_t number) {
    if (number / 64 >= words_.size()) return;
    words_[number / 64] &= ~(uint64_t{1} << (number % 64));
    while (!words_.empty() && words_.back() == 0) words_.pop_back();
  }
  bool Test(int64_t number) const {
    if (number < 0 || static_cast<uint64_t>(number) / 64 >= words_.size()) return false;
    return (words_[static_cast<size_t>(number) / 64] >> (static_cast<size_t>(number) % 64) & 1) != 0;
  }
  bool empty() const { return words_.empty(); }
  size_t count() const {
    size_t count = 0;
    for (const uint64_t word : words_) count += static_cast<size_t>(std::popcount(word));
    return count;
  }
  /// The lowest number that is at least `from`.
  std::optional<size_t> Next(size_t from) const {
    for (size_t word = from / 64; word < words_.size(); ++word) {
      const uint64_t rest = word == from / 64 ? words_[word] >> (from % 64) << (from % 64) : words_[word];
      if (rest != 0) return word * 64 + static_cast<size_t>(std::countr_zero(rest));
    }
    return std::nullopt;
  }
  /// Drops all numbers from `end` on.
  void CutAt(size_t end) {
    while (!words_.empty() && (words_.size() - 1) * 64 >= end) words_.pop_back();
    if (words_.size() * 64 > end) words_.back() &= (uint64_t{1} << (end % 64)) - 1;
    while (!words_.empty() && words_.back() == 0) words_.pop_back();
  }

  /// Hexadecimal, the lowest digit first; and back. nullopt for what is none, is empty or has more than kMax.
  std::string Text() const;
  static std::optional<OffsetBits> Parse(std::string_view text);
  friend bool operator==(const OffsetBits& a, const OffsetBits& b) { return a.words_ == b.words_; }

 private:
  absl::InlinedVector<uint64_t, 1> words_;  // the last one is not 0
};

}  // namespace broker
