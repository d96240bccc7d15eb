#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sim {

/// The number that this variable of the environment has, else `otherwise`.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);
/// The first seed, or state of a disk: RINGMQ_SIM_FIRST, else 1.
uint64_t FirstSeed();
/// How many seeds: RINGMQ_SIM_SEEDS, else `otherwise`.
uint64_t SeedCount(uint64_t otherwise);

/// What belongs to each failure: the commit that the running test was built from, and the command that runs this one seed or state of it again. `counted` is
/// the variable that says how many there are.
std::string Again(uint64_t number, std::string_view counted = "RINGMQ_SIM_SEEDS");

}  // namespace sim
