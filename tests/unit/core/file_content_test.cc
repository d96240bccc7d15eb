// Goal: the simulated file keeps its two states apart; what it gets wrong here, every test on it would believe.
#include "core/sim/file_content.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

namespace sim {
namespace {

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
std::string Whole(const FileContent& content) {
  std::string text(content.size(), '?');
  text.resize(content.Read(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
  return text;
}
std::string Sector(char fill) { return std::string(FileContent::kSectorBytes, fill); }

// Catches a durable write that also saves what was written around it.
TEST(FileContentTest, ADurableWriteSavesItsOwnBytesOnly) {
  Random random(1);
  FileContent content;
  content.Write(0, BytesOf(Sector('a') + Sector('b') + Sector('c')), false);
  content.Write(FileContent::kSectorBytes, BytesOf(Sector('B')), true);
  EXPECT_EQ(Whole(content), Sector('a') + Sector('B') + Sector('c'));
  content.CutPower(CutMode::kNothing, random);
  EXPECT_EQ(Whole(content), Sector('\0') + Sector('B') + Sector('\0'));
}

// Catches a sync that covers what was written after it had begun.
TEST(FileContentTest, ASyncCoversWhatWasWrittenBeforeIt) {
  Random random(1);
  FileContent content;
  content.Write(0, BytesOf(Sector('a')), false);
  const uint64_t mark = content.BeginSync();
  content.Write(0, BytesOf(Sector('b')), false);
  content.Write(5000, BytesOf("late"), false);
  content.EndSync(mark);
  EXPECT_FALSE(content.clean());
  content.CutPower(CutMode::kNothing, random);
  EXPECT_EQ(Whole(content), Sector('a'));
  EXPECT_TRUE(content.clean());
}

// Catches a cut that invents bytes, tears within a sector, or always decides the same way.
TEST(FileContentTest, ACutLeavesAnyMixOfWholeSectors) {
  std::set<std::string> states;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    FileContent content;
    content.Write(0, BytesOf(Sector('a') + Sector('b')), true);
    content.Write(0, BytesOf(Sector('A') + Sector('B')), false);
    content.CutPower(CutMode::kSectors, random);
    states.insert(Whole(content));
  }
  EXPECT_EQ(states, std::set<std::string>({Sector('a') + Sector('b'), Sector('A') + Sector('b'), Sector('a') + Sector('B'),
                                           Sector('A') + Sector('B')}));
}

// Catches a prefix with a hole in it: a later write that survives an earlier one.
TEST(FileContentTest, APrefixCutKeepsNoWriteAfterALostOne) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    FileContent content;
    content.Allocate(16 * 4096);
    content.EndSync(content.BeginSync());
    for (uint64_t i = 0; i < 16; ++i) content.Write(i * 4096, BytesOf(Sector(static_cast<char>('a' + i))), false);
    content.CutPower(CutMode::kPrefix, random);
    const std::string left = Whole(content);
    bool lost = false;
    for (uint64_t i = 0; i < 16; ++i) {
      const bool there = left[i * 4096] != '\0';
      EXPECT_FALSE(lost && there) << "seed " << seed;
      lost = lost || !there;
    }
  }
}

// Catches bytes that come back from beyond an end that was moved, and sizes that a cut makes up.
TEST(FileContentTest, TruncatedBytesReadAsZeros) {
  Random random(1);
  FileContent content;
  content.Write(0, BytesOf(std::string(10'000, 'x')), true);
  content.Truncate(100);
  content.Truncate(9000);
  EXPECT_EQ(Whole(content), std::string(100, 'x') + std::string(8900, '\0'));
  FileContent other = content;
  content.CutPower(CutMode::kNothing, random);
  EXPECT_EQ(Whole(content), std::string(10'000, 'x'));
  other.EndSync(other.BeginSync());
  other.CutPower(CutMode::kNothing, random);
  EXPECT_EQ(Whole(other), std::string(100, 'x') + std::string(8900, '\0'));
}

// Catches space that is counted twice or never given back.
TEST(FileContentTest, SpaceIsCountedInPages) {
  FileContent content;
  EXPECT_EQ(content.NeededBytes(0, 1), 4096U);
  content.Write(0, BytesOf("x"), false);
  EXPECT_EQ(content.used_bytes(), 4096U);
  EXPECT_EQ(content.NeededBytes(0, 4097), 4096U);
  content.Allocate(10'000);
  EXPECT_EQ(content.used_bytes(), 3U * 4096);
  content.Write(20 * 4096, BytesOf("x"), true);
  EXPECT_EQ(content.used_bytes(), 4U * 4096);
  content.Allocate(30 * 4096);
  EXPECT_EQ(content.used_bytes(), 30U * 4096);
  content.Truncate(1);
  EXPECT_EQ(content.used_bytes(), 4096U);
}

// Catches a flip that a sync or a cut undoes: damage at rest stays.
TEST(FileContentTest, AFlippedBitStays) {
  Random random(1);
  FileContent content;
  content.Write(0, BytesOf("abc"), true);
  content.Write(0, BytesOf("abd"), false);
  content.FlipBit(1, 0);
  EXPECT_EQ(Whole(content), "acd");
  content.CutPower(CutMode::kNothing, random);
  EXPECT_EQ(Whole(content), "acc");
}

}  // namespace
}  // namespace sim
