// Goal: slices count their block's references and memory goes back to the pool it came from.
#include "core/buffer.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <vector>

namespace core {
namespace {

// Catches a copy, move or cut that miscounts: memory would be freed twice or never.
TEST(BufferTest, TheBlockLivesUntilItsLastSliceIsGone) {
  BufferPool pool(1 << 20);
  Slice whole = pool.Copy(std::string_view("hello world"));
  EXPECT_GT(pool.bytes_out(), 0U);
  Slice part = whole.Sub(6, 5);
  Slice copy = part;
  Slice moved = std::move(part);
  EXPECT_EQ(whole.block()->references(), 3U);
  whole = Slice();
  moved = copy;
  EXPECT_EQ(moved.text(), "world");
  EXPECT_EQ(copy.block()->references(), 2U);
  moved = std::move(copy);
  EXPECT_EQ(moved.block()->references(), 1U);
  const Slice& self = moved;
  moved = self;
  EXPECT_EQ(moved.text(), "world");
  moved.RemovePrefix(1);
  moved.RemoveSuffix(1);
  EXPECT_EQ(moved.text(), "orl");
  moved = Slice();
  EXPECT_EQ(pool.bytes_out(), 0U);
}

// Catches a direct write from memory that the kernel refuses, and blocks too small for what was asked.
TEST(BufferTest, BlocksAreAlignedAndLargeEnough) {
  BufferPool pool(size_t{1} << 30);
  std::vector<Slice> slices;
  for (const size_t size : {size_t{1}, size_t{1024}, size_t{1025}, size_t{4096}, size_t{4097}, size_t{100'000}, size_t{32} << 20,
                            (size_t{32} << 20) + 1}) {
    slices.push_back(pool.Allocate(size));
    EXPECT_EQ(slices.back().size(), size);
    EXPECT_GE(slices.back().block()->size(), size);
    if (size >= 4096) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(slices.back().data()) % 4096, 0U) << size;
    }
    slices.back().data()[size - 1] = std::byte{1};
  }
}

// Catches a pool that keeps without limit, or that never reuses.
TEST(BufferTest, ThePoolKeepsUpToItsLimit) {
  BufferPool pool(64 * 1024);
  {
    std::vector<Slice> slices;
    for (int i = 0; i < 100; ++i) slices.push_back(pool.Allocate(4096));
    EXPECT_EQ(pool.bytes_out(), 100U * 4096);
  }
  EXPECT_EQ(pool.bytes_out(), 0U);
  EXPECT_EQ(pool.bytes_kept(), 64U * 1024);
  const Slice reused = pool.Allocate(4000);
  EXPECT_EQ(pool.bytes_kept(), 60U * 1024);
}

// Catches large blocks that are made anew for each request although the memory for them is there, and kept ones beyond what was given.
TEST(BufferTest, MoreIsKeptWhileLittleIsOut) {
  constexpr size_t kKiB = 1024;
  BufferPool pool(64 * kKiB, 1024 * kKiB);
  std::vector<Slice> slices;
  for (int i = 0; i < 16; ++i) slices.push_back(pool.Allocate(128 * kKiB));
  slices.resize(8);  // 1 MiB is out still
  EXPECT_EQ(pool.bytes_kept(), 0U);
  slices.resize(6);
  EXPECT_EQ(pool.bytes_kept(), 256 * kKiB);
  slices.clear();
  EXPECT_EQ(pool.bytes_kept(), 1024 * kKiB);
}

// Catches memory beyond what was given when what is out grows beside much that is kept.
TEST(BufferTest, WhatIsKeptGivesWayToWhatIsOut) {
  constexpr size_t kKiB = 1024;
  BufferPool pool(64 * kKiB, 1024 * kKiB);
  {
    std::vector<Slice> slices;
    for (int i = 0; i < 8; ++i) slices.push_back(pool.Allocate(128 * kKiB));
  }
  EXPECT_EQ(pool.bytes_kept(), 1024 * kKiB);
  std::vector<Slice> slices;
  for (int i = 0; i < 12; ++i) {
    slices.push_back(pool.Allocate(64 * kKiB));
    EXPECT_LE(pool.bytes_out() + pool.bytes_kept(), 1024 * kKiB);
  }
}

// Catches a pool that is full of blocks of a size that nobody asks for any more.
TEST(BufferTest, ASizeOutOfUseGivesWay) {
  constexpr size_t kKiB = 1024;
  BufferPool pool(1024 * kKiB);
  {
    std::vector<Slice> slices;
    for (int i = 0; i < 1024; ++i) slices.push_back(pool.Allocate(kKiB));
  }
  EXPECT_EQ(pool.bytes_kept(), 1024 * kKiB);
  for (int i = 0; i < 16; ++i) {
    std::vector<Slice> slices;
    for (int k = 0; k < 4; ++k) slices.push_back(pool.Allocate(128 * kKiB));
  }
  EXPECT_EQ(pool.bytes_kept(), 1024 * kKiB);
  const std::vector<Slice> large = {pool.Allocate(128 * kKiB), pool.Allocate(128 * kKiB), pool.Allocate(128 * kKiB), pool.Allocate(128 * kKiB)};
  EXPECT_EQ(pool.bytes_kept(), 512 * kKiB) << "they were not all reused";
}

TEST(BufferTest, ACopyOfNothingIsEmpty) {
  BufferPool pool(0);
  EXPECT_TRUE(pool.Copy(std::string_view()).empty());
  EXPECT_EQ(pool.bytes_out(), 0U);
}

}  // namespace
}  // namespace core
