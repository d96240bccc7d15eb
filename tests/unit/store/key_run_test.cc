// Goal: a file of keys proves itself, and a search in it finds all entries of a hash and no others, whatever the hashes are.
// Method: files written on a simulated disk, with hashes that are spread, met by many messages, or at the ends of what there is.
#include "store/key_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/sim/world.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/key_table.h"
#include "store/message_keys.h"

namespace store {
namespace {

const LogIdentity kLog{{1, 2}, 3};

KeyStretch Stretch() { return {.begin = 8192, .end = 1 << 20, .resume = 1 << 20, .time_min = 1, .time_max = 2}; }

core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> WriteRun(const std::vector<KeyEntry>& entries) {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories("data"));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyRunWriter> writer,
                      co_await KeyRunWriter::Create("data", kLog, Stretch()));
  for (const KeyEntry& entry : entries) {
    writer->Add(entry);
    if (writer->full()) CO_RETURN_IF_ERROR(co_await writer->Write());
  }
  co_return co_await writer->Finish();
}

/// Searches for each hash in `wanted` find what is in `entries`.
core::Task<absl::Status> ExpectFound(const std::vector<KeyEntry>& entries, const std::vector<uint64_t>& wanted) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyRun> run, co_await WriteRun(entries));
  EXPECT_EQ(run->entries(), entries.size());
  EXPECT_EQ(run->stretch().end, Stretch().end);
  for (const uint64_t hash : wanted) {
    CO_ASSIGN_OR_RETURN(KeyRun::Range range, co_await run->Find(hash));
    const auto less = [](const KeyEntry& a, const KeyEntry& b) { return a.hash < b.hash; };
    const auto [first, last] = std::equal_range(entries.begin(), entries.end(), KeyEntry{hash, {}}, less);
    EXPECT_EQ(range.end - range.begin, static_cast<uint64_t>(last - first)) << hash;
    if (first == last) continue;
    EXPECT_EQ(range.begin, static_cast<uint64_t>(first - entries.begin())) << hash;
    for (uint64_t number = range.begin; number < range.end; number += 1 + (range.end - range.begin) / 7) {
      CO_ASSIGN_OR_RETURN(const RecordRef record, co_await run->At(range, number));
      EXPECT_EQ(record.position, entries[number].record.position) << hash << " " << number;
    }
  }
  co_return co_await run->Close();
}

core::Task<absl::Status> SearchMain() {
  for (const size_t spread : {size_t{0}, size_t{1}, size_t{169}, size_t{170}, size_t{171}, size_t{60'000}}) {
    for (const size_t popular : {size_t{0}, size_t{4'000}, size_t{30'000}}) {
      std::vector<KeyEntry> entries;
      std::vector<uint64_t> wanted = {0, 1, UINT64_MAX - 1, UINT64_MAX};
      for (size_t i = 0; i < spread; ++i)
        entries.push_back({core::Reactor::Current().RandomBits(), {8192 + i, 100, 1}});
      for (size_t i = 0; i < 60 && i < spread; ++i) {
        wanted.push_back(entries[i * spread / 60].hash);
        wanted.push_back(wanted.back() + 1);
      }
      for (const uint64_t hash : {uint64_t{0}, uint64_t{1} << 62, UINT64_MAX}) {
        if (popular == 0) break;
        wanted.push_back(hash);
        for (size_t i = 0; i < popular; ++i) entries.push_back({hash, {100'000 + i, 100, 1}});
      }
      std::sort(entries.begin(), entries.end());
      CO_RETURN_IF_ERROR(co_await ExpectFound(entries, wanted));
    }
  }
  co_return absl::OkStatus();
}
TEST(KeyRunTest, AnyHashIsFound) {
  const absl::Status status = sim::RunInWorld(3, 1, SearchMain);
  EXPECT_TRUE(status.ok()) << status;
}

core::Task<absl::Status> SortMain() {
  for (int round = 0; round < 6; ++round) {
    KeyTable table(50'000);
    std::vector<KeyEntry> wanted;
    for (uint64_t i = 0; !table.full(); ++i) {
      uint64_t hash = core::Reactor::Current().RandomBits();
      if (round > 0 && hash % 2 == 0) hash = uint64_t{42} << 48;  // one that many messages share
      if (round > 1 && hash % 3 == 0)
        hash = (uint64_t{42} << 48) + 1 + i % static_cast<uint64_t>(round);  // and some beside it
      table.Add(hash, {i, 100, 1});
      wanted.push_back({hash, {i, 100, 1}});
    }
    EXPECT_EQ(table.Find(wanted[5].hash).empty(), false);
    co_await table.Sort();
    std::sort(wanted.begin(), wanted.end());
    size_t at = 0;
    for (size_t part = 0; part < KeyTable::kParts; ++part) {
      for (const KeyEntry& entry : table.part(part)) {
        if (entry.hash != wanted[at].hash || entry.record.position != wanted[at].record.position)
          co_return absl::InternalError(core::StrCat("entry ", at, " in round ", round));
        ++at;
      }
    }
    EXPECT_EQ(at, wanted.size());
  }
  co_return absl::OkStatus();
}
TEST(KeyTableTest, IsSortedWhateverTheHashesAre) {
  const absl::Status status = sim::RunInWorld(4, 1, SortMain);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(KeyRunTest, HeadersProveThemselves) {
  std::vector<std::byte> block(kBlock);
  const KeyRunHeader written{.stretch = {.begin = 8192,
                                         .end = 20480,
                                         .resume = 16384,
                                         .time_min = 5,
                                         .time_max = 9,
                                         .in_order = false,
                                         .unreadable = true},
                             .entries = 171};
  EncodeKeyRunHeader(kLog, written, block);
  const absl::StatusOr<KeyRunHeader> header = ParseKeyRunHeader(block, kLog, 8192);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->stretch.end, 20480U);
  EXPECT_EQ(header->stretch.resume, 16384U);
  EXPECT_EQ(header->stretch.time_min, 5);
  EXPECT_EQ(header->stretch.time_max, 9);
  EXPECT_FALSE(header->stretch.in_order);
  EXPECT_TRUE(header->stretch.unreadable);
  EXPECT_EQ(header->entries, 171U);
  EXPECT_FALSE(ParseKeyRunHeader(block, kLog, 4096).ok());
  EXPECT_FALSE(ParseKeyRunHeader(block, {{1, 2}, 4}, 8192).ok());
  EXPECT_FALSE(ParseKeyRunHeader(block, {{1, 3}, 3}, 8192).ok());
  for (size_t at = 0; at < 88; ++at) {
    block[at] ^= std::byte{1};
    EXPECT_FALSE(ParseKeyRunHeader(block, kLog, 8192).ok()) << at;
    block[at] ^= std::byte{1};
  }
}

// Catches a page that the disk wrote to the place of another log's, or that an earlier, shorter file of the same name had there.
TEST(KeyRunTest, PagesBelongToOneFile) {
  std::vector<std::byte> block(kBlock);
  const std::vector<KeyEntry> entries = {{5, {8192, 100, 1}}, {6, {8292, 100, 2}}};
  EncodeRunPage<KeyEntry>(KeyPageMark(kLog, 8192, 20480), 2, entries, block);
  std::vector<KeyEntry> parsed;
  EXPECT_TRUE(ParseRunPage(block, KeyPageMark(kLog, 8192, 20480), 2, parsed).ok());
  EXPECT_EQ(parsed.size(), 2U);
  for (const uint32_t other : {KeyPageMark(kLog, 4096, 20480), KeyPageMark(kLog, 8192, 20481),
                               KeyPageMark({{1, 2}, 4}, 8192, 20480), KeyPageMark({{1, 3}, 3}, 8192, 20480)})
    EXPECT_FALSE(ParseRunPage(block, other, 2, parsed).ok()) << other;
  EXPECT_FALSE(ParseRunPage(block, KeyPageMark(kLog, 8192, 20480), 3, parsed).ok());
}

std::vector<std::string> KeysOf(std::string_view properties) {
  std::vector<std::string> keys;
  ForEachKey(properties, [&](std::string_view key) { keys.emplace_back(key); });
  return keys;
}

// Catches keys that RocketMQ would see and this does not, or the other way round.
TEST(MessageKeysTest, KeysAreAsRocketMqSeesThem) {
  EXPECT_EQ(KeysOf("KEYS\x01"
                   "a b\x02UNIQ_KEY\x01"
                   "u\x02"),
            (std::vector<std::string>{"u", "a", "b"}));
  EXPECT_EQ(KeysOf("KEYS\x01 a  b \x02"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(KeysOf("KEYS\x01"
                   "a\x02KEYS\x01"
                   "b"),
            (std::vector<std::string>{"b"}));
  EXPECT_EQ(KeysOf("UNIQ_KEY\x01"
                   "a\x02UNIQ_KEY\x01"
                   "b\x02"),
            (std::vector<std::string>{"b"}));
  EXPECT_EQ(KeysOf("MY_KEYS\x01"
                   "a\x02KEYSX\x01"
                   "b\x02KEYS\x02KEYS\x01\x02"),
            std::vector<std::string>{});
  EXPECT_EQ(KeysOf(""), std::vector<std::string>{});
}

// Catches a change of what files are searched by.
TEST(MessageKeysTest, HashesNeverChange) {
  EXPECT_EQ(HashText(KeySeed({1, 2}, "Topic1"), "order-4711"), 15831093704241922152U);
  EXPECT_NE(HashText(KeySeed({1, 3}, "Topic1"), "order-4711"), HashText(KeySeed({1, 2}, "Topic1"), "order-4711"));
  EXPECT_NE(HashText(KeySeed({1, 2}, "Topic"), "1order-4711"), HashText(KeySeed({1, 2}, "Topic1"), "order-4711"));
}

}  // namespace
}  // namespace store
