// Receipts of popped messages are text from the network: whatever comes, it is read as RocketMQ reads it or refused with what is wrong.
#include "broker/pop/receipt.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "broker/pop/offset_bits.h"

namespace broker {
namespace {

constexpr std::string_view kText = "7 1700000000000 60000 0 1 broker-a 3 9";

TEST(PopReceiptTest, ReadsWhatItWrites) {
  const absl::StatusOr<PopReceipt> receipt = PopReceipt::Parse(kText);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->start_offset, 7);
  EXPECT_EQ(receipt->pop_time, 1'700'000'000'000);
  EXPECT_EQ(receipt->invisible_time, 60'000);
  EXPECT_EQ(receipt->revive_queue, 0);
  EXPECT_EQ(receipt->topic_kind, '1');
  EXPECT_EQ(receipt->broker_name, "broker-a");
  EXPECT_EQ(receipt->queue_id, 3);
  EXPECT_EQ(receipt->queue_offset, 9);
  EXPECT_EQ(receipt->due(), 1'700'000'060'000);
  EXPECT_EQ(receipt->Text(), kText);
}

TEST(PopReceiptTest, ProxiesAppendFieldsAndOldClientsLeaveTwoOut) {
  EXPECT_TRUE(PopReceipt::Parse("7 1 2 0 0 b 3 9 12345").ok());
  EXPECT_TRUE(PopReceipt::Parse("7 1 2 999 0 b").ok());
}

TEST(PopReceiptTest, SaysWhatIsWrong) {
  struct Case {
    std::string_view text;
    std::string_view wrong;
  };
  for (const Case& one :
       {Case{"", "start offset"}, Case{"x", "start offset"}, Case{"-1 1 1 0 0 b", "start offset"},
        Case{"7", "pop time"}, Case{"7 1e3 1 0 0 b", "pop time"}, Case{"7  1 1 0 0 b", "pop time"},
        Case{"7 1 99999999999999999999 0 0 b", "invisible time"}, Case{"7 1 1 -1 0 b", "revive queue"},
        Case{"7 1 1 0", "kind of topic"}, Case{"7 1 1 0 0 ", "broker name"},
        Case{"7 1 1 0 0 b 4294967296 9", "queue id"}, Case{"7 1 1 0 0 b 3 ", "queue offset"}}) {
    const absl::StatusOr<PopReceipt> receipt = PopReceipt::Parse(one.text);
    ASSERT_FALSE(receipt.ok()) << one.text;
    EXPECT_NE(std::string(receipt.status().message()).find("has no " + std::string(one.wrong) + ":"), std::string::npos)
        << receipt.status();
  }
}

TEST(PopReceiptTest, ATimeBeyondAllTimeIsTheLast) {
  PopReceipt receipt;
  receipt.pop_time = 5;
  receipt.invisible_time = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(receipt.due(), std::numeric_limits<int64_t>::max());
}

// Whatever is done to a good one, it is taken whole or refused, and what is taken reads the same once it was written.
TEST(PopReceiptTest, AnyTextIsReadOrRefused) {
  std::mt19937_64 random(1);
  size_t taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text(kText);
    for (uint64_t edits = random() % 4; edits > 0; --edits) {
      const size_t at = random() % (text.size() + 1);
      switch (random() % 3) {
        case 0:
          text.insert(at, 1, " 0129-xf"[random() % 8]);
          break;
        case 1:
          text.erase(at, random() % 4);
          break;
        default:
          text.insert(at, 1, static_cast<char>(random()));
          break;
      }
    }
    const absl::StatusOr<PopReceipt> receipt = PopReceipt::Parse(text);
    if (!receipt.ok()) continue;
    ++taken;
    const std::string written = receipt->Text();
    const absl::StatusOr<PopReceipt> again = PopReceipt::Parse(written);
    ASSERT_TRUE(again.ok()) << text;
    ASSERT_EQ(again->Text(), written);
  }
  EXPECT_GT(taken, 40'000u);
}

TEST(PopReceiptTest, ListsOfAnAnswerAsClientsParseThem) {
  std::string starts;
  std::string offsets;
  std::string counts;
  AppendStartOffset(starts, '0', 0, 5);
  AppendStartOffset(starts, '1', 2, 0);
  const std::array<int64_t, 3> three = {5, 6, 9};
  AppendMessageOffsets(offsets, '0', 0, three);
  AppendMessageOffsets(offsets, '1', 2, std::span(three).first(1));
  AppendOrderCountOf(counts, '0', 4, 17, 2);
  AppendOrderCount(counts, '0', 4, 1);
  EXPECT_EQ(starts, "0 0 5;1 2 0");
  EXPECT_EQ(offsets, "0 0 5,6,9;1 2 5");
  EXPECT_EQ(counts, "0 qo4%17 2;0 4 1");
}

TEST(PopReceiptTest, KindsOfTopics) {
  EXPECT_EQ(PopRetryTopicOf("T", "g"), "%RETRY%g_T");
  EXPECT_EQ(PopTopicKind("T"), '0');
  EXPECT_EQ(PopTopicKind("%RETRY%g_T"), '1');
  EXPECT_EQ(PopTopicKind("%RETRY%g+T"), '2');
  EXPECT_EQ(PopRealTopic("T", "g", "0"), "T");
  EXPECT_EQ(PopRealTopic("T", "g", "1"), "%RETRY%g_T");
  EXPECT_EQ(PopRealTopic("T", "g", "2"), "%RETRY%g+T");
  EXPECT_EQ(PopRealTopic("T", "g", ""), std::nullopt);
}

TEST(OffsetBitsTest, AgreesWithASet) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    OffsetBits bits;
    std::vector<bool> set(300);
    for (int i = 0; i < 100; ++i) {
      const size_t number = random() % set.size();
      set[number] = random() % 3 != 0;
      if (set[number]) {
        bits.Set(number);
      } else {
        bits.Clear(number);
      }
    }
    const size_t end = random() % 320;
    if (round % 2 == 0) {
      bits.CutAt(end);
      for (size_t number = end; number < set.size(); ++number) set[number] = false;
    }
    size_t count = 0;
    std::optional<size_t> next = bits.Next(0);
    for (size_t number = 0; number < set.size(); ++number) {
      ASSERT_EQ(bits.Test(static_cast<int64_t>(number)), set[number]) << number;
      if (!set[number]) continue;
      ++count;
      ASSERT_EQ(next, number);
      next = bits.Next(number + 1);
    }
    EXPECT_EQ(next, std::nullopt);
    EXPECT_EQ(bits.count(), count);
    EXPECT_EQ(bits.empty(), count == 0);
    if (count > 0) {
      const std::optional<OffsetBits> read = OffsetBits::Parse(bits.Text());
      ASSERT_TRUE(read.has_value());
      EXPECT_TRUE(*read == bits);
    }
  }
  for (const std::string_view text : {"", "0", "10", "g", "1G", "-1"})
    EXPECT_EQ(OffsetBits::Parse(text), std::nullopt) << text;
}

}  // namespace
}  // namespace broker
