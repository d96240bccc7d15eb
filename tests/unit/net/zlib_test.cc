#include "net/zlib.h"

#include <gtest/gtest.h>

namespace net {
namespace {

TEST(ZlibTest, WhatIsPackedUnpacks) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += static_cast<char>(i * 7 % 251);
  const auto unpacked = Inflate(Deflate(text), text.size());
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_EQ(*unpacked, text);
  EXPECT_EQ(*Inflate(Deflate(""), 0), "");
}

// A few KiB that unpack to gigabytes must not take more memory than the limit.
TEST(ZlibTest, ABombIsRefused) {
  const std::string packed = Deflate(std::string(8 << 20, 'a'));
  EXPECT_EQ(Inflate(packed, 1 << 20).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Inflate(packed, 8 << 20).ok());
}

TEST(ZlibTest, DamageAndCutsAreErrors) {
  std::string packed = Deflate("a text of some length, a text of some length");
  for (size_t length = 0; length < packed.size(); ++length) EXPECT_FALSE(Inflate(packed.substr(0, length), 100).ok());
  packed.back() ^= 1;
  EXPECT_FALSE(Inflate(packed, 100).ok());
  EXPECT_FALSE(Inflate("no stream", 100).ok());
}

// java.util.zip.CRC32 of "123456789" is 0xcbf43926; RocketMQ drops the sign bit.
TEST(ZlibTest, CrcIsJavasWithoutSign) { EXPECT_EQ(Crc32Masked("123456789"), 0x4bf43926); }

}  // namespace
}  // namespace net
