#include "main/compatibility.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace ringmq {
namespace {

// The page is checked in for readers; the handlers decide what it says. Tests run in the root of the sources.
TEST(CompatibilityTest, ThePageSaysWhatTheServersAnswer) {
  const absl::StatusOr<HandledCodes> handled = FindHandledCodes();
  ASSERT_TRUE(handled.ok()) << handled.status();
  std::ifstream file("docs/COMPATIBILITY.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), CompatibilityPage(*handled)) << "run: ringmq compatibility > docs/COMPATIBILITY.md";
}

TEST(CompatibilityTest, WhatEveryClientNeedsIsAnswered) {
  const absl::StatusOr<HandledCodes> handled = FindHandledCodes();
  ASSERT_TRUE(handled.ok()) << handled.status();
  for (const int32_t code : {10, 310, 320, 11, 14, 15, 30, 31, 29, 38, 34, 35, 41, 42, 33}) {
    EXPECT_TRUE(handled->broker.contains(code)) << code;
  }
  for (const int32_t code : {105, 103, 104, 322, 106, 206, 100, 101, 102, 219, 216, 205, 327}) {
    EXPECT_TRUE(handled->nameserver.contains(code)) << code;
  }
}

}  // namespace
}  // namespace ringmq
