#include "net/frame_assembler.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/net/test_util.h"

namespace net {
namespace {

std::string Framed(std::string_view content) {
  return BigEndian32(static_cast<uint32_t>(content.size())) + std::string(content);
}

TEST(FrameAssembler, AFrameInOneSliceIsNotCopied) {
  FrameAssembler assembler(TestPool(), 1024);
  const core::Slice received = TestPool().Copy(Framed("first") + Framed("second"));
  assembler.Feed(received);
  const auto first = assembler.Next();
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->data(), received.data() + 4);
  EXPECT_EQ((*first)->text(), "first");
  const auto second = assembler.Next();
  EXPECT_EQ((**second).block(), received.block());
  EXPECT_FALSE(assembler.Next()->has_value());
  EXPECT_FALSE(assembler.partial());
}

/// The frames of `stream`, which arrives in pieces of random lengths, at most `most`. Calls `after` when the frames of a piece have been taken.
template <typename Fn>
std::vector<std::string> FramesInPieces(FrameAssembler& assembler, std::string_view stream, std::mt19937& random, size_t most, Fn after) {
  std::vector<std::string> got;
  while (!stream.empty()) {
    const size_t count = std::min<size_t>(1 + random() % most, stream.size());
    assembler.Feed(TestPool().Copy(stream.substr(0, count)));
    stream.remove_prefix(count);
    while (true) {
      const auto frame = assembler.Next();
      EXPECT_TRUE(frame.ok()) << frame.status();
      if (!frame.ok()) return got;
      if (!frame->has_value()) break;
      got.emplace_back((*frame)->text());
    }
    after();
  }
  return got;
}

// However the stream is cut, the frames are the same.
TEST(FrameAssembler, CutsDoNotMatter) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> sent;
    std::string stream;
    for (int i = 0; i < 20; ++i) {
      sent.push_back(std::string(4 + random() % (i % 5 == 0 ? 9000 : 60), static_cast<char>('a' + i)));
      stream += Framed(sent.back());
    }
    FrameAssembler assembler(TestPool(), 10000);
    EXPECT_EQ(FramesInPieces(assembler, stream, random, round % 3 == 0 ? 7 : 3000, [] {}), sent);
    EXPECT_FALSE(assembler.partial());
  }
}

// Catches a frame that is cut in the middle of one that was skipped, and one that is skipped but keeps its memory.
TEST(FrameAssembler, TheRestOfAFrameCanBeSkipped) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::string> kept;
    std::string stream;
    for (int i = 0; i < 20; ++i) {
      const bool large = i % 3 == 0;  // these are skipped, unless they come as a whole
      const std::string frame(large ? 5000 + random() % 4000 : 4 + random() % 60, static_cast<char>('a' + i));
      if (!large) kept.push_back(frame);
      stream += Framed(frame);
    }
    FrameAssembler assembler(TestPool(), 10000);
    std::vector<std::string> got;
    int skipped = 0;
    const auto skip_large = [&assembler] {
      if (assembler.begun().empty() || assembler.announced() < 5000) return;
      assembler.SkipRest();
      EXPECT_EQ(assembler.held_bytes(), 0U);
      EXPECT_TRUE(assembler.partial());
      EXPECT_TRUE(assembler.begun().empty());
    };
    for (std::string& frame : FramesInPieces(assembler, stream, random, round % 3 == 0 ? 7 : 3000, skip_large)) {
      if (frame.empty()) ++skipped;
      else got.push_back(std::move(frame));
    }
    EXPECT_EQ(got, kept);
    EXPECT_EQ(skipped, 7);
    EXPECT_FALSE(assembler.partial());
  }
}

// A received buffer is one of few: what waits for the rest of its frame must not hold it.
TEST(FrameAssembler, AnIncompleteFrameHoldsNoReceivedSlice) {
  FrameAssembler assembler(TestPool(), 1024);
  const core::Slice received = TestPool().Copy(Framed("whole") + Framed("cut off").substr(0, 6));
  assembler.Feed(received);
  ASSERT_TRUE(assembler.Next()->has_value());
  EXPECT_FALSE(assembler.Next()->has_value());
  EXPECT_TRUE(assembler.partial());
  EXPECT_EQ(received.block()->references(), 1u);
}

TEST(FrameAssembler, AClaimedLengthCostsNothing) {
  FrameAssembler assembler(TestPool(), size_t{16} << 20);
  const size_t before = TestPool().bytes_out();
  assembler.Feed(TestPool().Copy(BigEndian32(16 << 20 >> 1)));
  EXPECT_FALSE(assembler.Next()->has_value());
  EXPECT_LE(TestPool().bytes_out() - before, 4096u);
}

TEST(FrameAssembler, RefusesImpossibleLengths) {
  for (const uint32_t length : {0u, 3u, 1021u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu, 0x16030100u}) {
    for (const bool in_pieces : {false, true}) {
      FrameAssembler assembler(TestPool(), 1024);
      std::string bytes = BigEndian32(length);
      if (in_pieces) {
        assembler.Feed(TestPool().Copy(std::string_view(bytes).substr(0, 3)));
        ASSERT_FALSE(assembler.Next()->has_value());
        bytes.erase(0, 3);
      }
      assembler.Feed(TestPool().Copy(bytes));
      EXPECT_EQ(assembler.Next().status().code(), absl::StatusCode::kInvalidArgument) << length;
    }
  }
  FrameAssembler assembler(TestPool(), 1024);
  assembler.Feed(TestPool().Copy(BigEndian32(1020)));
  EXPECT_TRUE(assembler.Next().ok());
}

}  // namespace
}  // namespace net
