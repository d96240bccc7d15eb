#pragma once

namespace store {

/// Ways in which a broker can be broken on purpose, to prove that the tests would notice: `meson setup -Dmutant=NAME`, which release
/// builds refuse. tests/mutants/run.py builds each and demands that the tests fail. Only store/ and main/ are compiled with the choice, so
/// that a mutant shares everything else with other builds: nobody else includes this.
enum class Mutant : int {
  kNone = 0,
  kAckBeforeFlush = 1,
  kIgnoreFlushErrors = 2,
  kSkipCrcOnRead = 3,
  kReuseOffsets = 4,
  kDropLastBatch = 5,
  kSwapMessages = 6,
  kTruncateAtBadCrc = 7,
};

#ifndef RINGMQ_MUTANT
#define RINGMQ_MUTANT 0
#define RINGMQ_MUTANT_NAME ""
#endif
inline constexpr Mutant kMutant = static_cast<Mutant>(RINGMQ_MUTANT);

}  // namespace store
