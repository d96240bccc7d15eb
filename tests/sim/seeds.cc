#include "tests/sim/seeds.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "core/strings.h"
#include "tests/sim/commit.h"

namespace sim {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

uint64_t FirstSeed() { return FromEnvironment("RINGMQ_SIM_FIRST", 1); }

uint64_t SeedCount(uint64_t otherwise) { return FromEnvironment("RINGMQ_SIM_SEEDS", otherwise); }

std::string Again(uint64_t number, std::string_view counted) {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  return core::StrCat("built from ", kCommit, "\nagain: RINGMQ_SIM_FIRST=", number, " ", counted, "=1 ",
                      std::filesystem::proximate(program_invocation_name).string(), " --gtest_filter=",
                      test == nullptr ? "*" : core::StrCat(test->test_suite_name(), ".", test->name()), "\n");
}

}  // namespace sim
