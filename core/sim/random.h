#pragma once

#include <cstdint>

#include "core/assert.h"

namespace sim {

/// The only source of chance in a simulated world: xoshiro256**, the same numbers for the same seed on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) {  // splitmix64, as the authors of xoshiro recommend for seeding
      seed += 0x9e3779b97f4a7c15;
      uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  uint64_t Bits() {
    const uint64_t result = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }
  /// 0 .. `bound` - 1.
  uint64_t Below(uint64_t bound) {
    CORE_ASSERT(bound > 0);
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Bits()) * bound) >> 64);
  }
  /// Both ends included.
  int64_t Between(int64_t low, int64_t high) {
    CORE_ASSERT(low <= high);
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  /// True once in `count` times; never for 0.
  bool OneIn(uint64_t count) { return count > 0 && Below(count) == 0; }
  /// An independent stream: what one part of the world draws does not shift what another part gets.
  Random Fork() { return Random(Bits()); }

 private:
  static uint64_t Rotate(uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }
  uint64_t state_[4];
};

}  // namespace sim
