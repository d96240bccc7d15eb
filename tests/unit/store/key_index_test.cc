// Goal: a query by key finds all messages that have it and that consumers may see, the newest first, and nothing else: whatever is in memory, in files, lost or
// damaged of the index.
// Method: simulated machines, small segments and a table of few entries, so that files are written and merged all the time.
#include "store/key_index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/hash.h"
#include "store/key_run.h"
#include "store/message_keys.h"
#include "tests/unit/store/key_fixture.h"

namespace store {
namespace {

constexpr int kGroups = 50;

StoreOptions KeyOptions() {
  StoreOptions options = SmallOptions();
  options.key_table_entries = 64;
  return options;
}

void InWorld(core::Task<absl::Status> (*main)(sim::Node* node)) {
  sim::World world(7);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([main, &node] { return main(&node); });
  const absl::Status status = world.RunToEnd(node, absl::Hours(2));
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

/// Message `i`: unique key "u<i>", and the keys "g<i % kGroups>" and "all".
core::Task<absl::Status> AppendNumbered(ShardStore& store, int first, int count, size_t body_bytes = 700) {
  for (int i = first; i < first + count; ++i) {
    const std::string properties =
        KeysText(absl::StrCat("u", i), absl::StrCat("g", i % kGroups, "  all g", i % kGroups));
    CO_RETURN_IF_ERROR(
        (co_await AppendKeyed(store, "T", i % 3, absl::StrCat(i, " ", std::string(body_bytes, '.')), properties))
            .status());
  }
  co_return absl::OkStatus();
}

int NumberOf(const std::string& body) { return std::atoi(body.c_str()); }

/// Of the messages [first, first + count) each is found by its own key, and by its group's.
core::Task<absl::Status> ExpectNumbered(ShardStore& store, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> one,
                        co_await FindBodies(store, QueryFor("T", absl::StrCat("u", i))));
    if (one.size() != 1 || NumberOf(one[0]) != i)
      co_return absl::InternalError(absl::StrCat("message ", i, " was found ", one.size(), " times"));
  }
  for (int group = 0; group < kGroups; ++group) {
    std::vector<int> wanted;
    for (int i = first + count - 1; i >= first && wanted.size() < 40; --i) {
      if (i % kGroups == group) wanted.push_back(i);
    }
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> found,
                        co_await FindBodies(store, QueryFor("T", absl::StrCat("g", group), 40)));
    std::vector<int> numbers;
    for (const std::string& body : found) numbers.push_back(NumberOf(body));
    if (numbers != wanted)
      co_return absl::InternalError(absl::StrCat("group ", group, ": ", numbers.size(), " of ", wanted.size()));
  }
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> newest, co_await FindBodies(store, QueryFor("T", "all", 5)));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(NumberOf(newest[static_cast<size_t>(i)]), first + count - 1 - i);
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::vector<std::string>>> KeyFiles() {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> files, co_await core::fs::List("data/log"));
  std::vector<std::string> paths;
  for (const core::DirectoryEntry& file : files) {
    if (file.name.ends_with(kKeyRunSuffix)) paths.push_back(absl::StrCat("data/log/", file.name));
  }
  std::sort(paths.begin(), paths.end());
  co_return paths;
}

// Catches a message that is found only once its batch is written, one that is found under another topic or key, and one that is found twice.
core::Task<absl::Status> AtOnceMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  ShardStore& store = *opened.store;
  for (int i = 0; i < 30; ++i) {
    CO_RETURN_IF_ERROR(co_await AppendNumbered(store, i, 1));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> found,
                        co_await FindBodies(store, QueryFor("T", absl::StrCat("u", i))));
    EXPECT_EQ(found.size(), 1U) << i;
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> all, co_await FindBodies(store, QueryFor("T", "all")));
    EXPECT_EQ(all.size(), static_cast<size_t>(i) + 1);
  }
  for (const auto& [topic, key] :
       std::map<std::string, std::string>{{"T", "u99"}, {"U", "u1"}, {"", "u1"}, {"Tu", "1"}, {"T#", "u1"}}) {
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> found, co_await FindBodies(store, QueryFor(topic, key)));
    EXPECT_TRUE(found.empty()) << topic << " " << key;
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, AMessageIsFoundAsSoonAsItIsStored) { InWorld(AtOnceMain); }

/// Another key of 16 bytes with the same hash: each 8 bytes are mixed into what was before, so the second can make up for the first.
std::string CollidingKey(uint64_t seed, std::string_view key) {
  const auto word = [key](size_t at) {
    uint64_t value = 0;
    std::memcpy(&value, key.data() + at, sizeof(value));
    return value;
  };
  const auto legal = [](std::string_view text) { return text.find_first_of(std::string_view("\0\x01\x02 ", 4)) == std::string_view::npos; };
  const uint64_t begin = seed ^ (key.size() * 0xff51afd7ed558ccdULL);
  for (uint64_t other = word(0) + 1;; ++other) {
    const uint64_t second = MixHash(begin ^ word(0)) ^ word(8) ^ MixHash(begin ^ other);
    std::string text(16, '\0');
    std::memcpy(text.data(), &other, sizeof(other));
    std::memcpy(text.data() + sizeof(other), &second, sizeof(second));
    if (legal(text)) return text;
  }
}

// Catches an answer by the hash alone.
core::Task<absl::Status> CollisionMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  ShardStore& store = *opened.store;
  const uint64_t seed = KeySeed(KeyOptions().store_id, "T");
  const std::string key = "order-0000004711";
  const std::string other = CollidingKey(seed, key);
  EXPECT_NE(key, other);
  EXPECT_EQ(HashText(seed, key), HashText(seed, other));
  CO_RETURN_IF_ERROR((co_await AppendKeyed(store, "T", 0, "the one", KeysText("", key))).status());
  CO_RETURN_IF_ERROR((co_await AppendKeyed(store, "T", 0, "the other", KeysText("", other))).status());
  CO_RETURN_IF_ERROR(co_await AppendNumbered(store, 0, 200));  // so that they are in files, too
  for (int round = 0; round < 2; ++round) {
    for (const auto& [wanted, body] : std::map<std::string, std::string>{{key, "the one"}, {other, "the other"}}) {
      CO_ASSIGN_OR_RETURN(const std::vector<std::string> found, co_await FindBodies(store, QueryFor("T", wanted)));
      EXPECT_EQ(found, std::vector<std::string>{body});
    }
    co_await core::Sleep(absl::Seconds(2));
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, KeysWithTheSameHashAreToldApart) { InWorld(CollisionMain); }

// Catches an index that reads from the log what it has just had in its hands.
core::Task<absl::Status> AsAppendedMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  ShardStore& store = *opened.store;
  for (int i = 0; i < 15; ++i) {  // together fewer keys than the table has room for
    CO_RETURN_IF_ERROR(co_await AppendNumbered(store, i, 1));
    co_await core::Sleep(absl::Milliseconds(20));  // so that its batch is closed
  }
  EXPECT_LE(store.Stats().key_entered_late, 1U) << "the first batch begins before the index knows where";
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, AMessageIsEnteredAsItIsStored) { InWorld(AsAppendedMain); }

// Catches files that miss a key, a merge that loses one, and a restart that does not read again what was in memory.
core::Task<absl::Status> ManyMain(sim::Node*) {
  constexpr int kEach = 400;
  for (int round = 0; round < 4; ++round) {
    CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
    CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, round * kEach, kEach));
    CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, (round + 1) * kEach));
    EXPECT_EQ(opened.store->Stats().key_bytes_missing, 0U);
    EXPECT_EQ(opened.store->Stats().key_files_damaged, 0U);
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  }
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, 4 * kEach));
  (void)co_await core::Sleep(absl::Seconds(10));
  const StoreStats stats = opened.store->Stats();
  EXPECT_GT(stats.segments, 4U);
  // Full segments have few files each.
  EXPECT_LE(stats.key_files, 4 * stats.segments + 12);
  CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, 4 * kEach));
  EXPECT_EQ(opened.store->Stats().key_bytes_missing, 0U);
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, FilesHaveWhatMemoryHad) { InWorld(ManyMain); }

// Catches a file that is missing, cut short or damaged anywhere and costs a message, or is believed.
core::Task<absl::Status> DamageMain(sim::Node*) {
  constexpr int kMessages = 900;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 0, kMessages));
  CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, kMessages));
  (void)co_await core::Sleep(absl::Seconds(10));
  for (const char* const how : {"missing", "short", "header", "page"}) {
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> paths, co_await KeyFiles());
    EXPECT_GE(paths.size(), 3U);
    for (const std::string& path : paths) {
      if (how == std::string_view("missing")) {
        CO_RETURN_IF_ERROR(co_await core::fs::Remove(path));
        continue;
      }
      CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true}));
      const std::byte bad[8] = {std::byte{1}, std::byte{2}};
      const bool header = how == std::string_view("header");
      if (how == std::string_view("short"))
        CO_RETURN_IF_ERROR(co_await file.Truncate(kBlock));
      else
        CO_RETURN_IF_ERROR(co_await file.WriteAt(header ? 40 : kBlock + 400, bad, true));
      CO_RETURN_IF_ERROR(co_await file.Close());
    }
    CO_ASSIGN_OR_RETURN(opened, co_await OpenIn("data", KeyOptions()));
    CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, kMessages));
    if (how == std::string_view("missing"))
      EXPECT_EQ(opened.store->Stats().key_files_damaged, 0U);
    else
      EXPECT_GE(opened.store->Stats().key_files_damaged, 3U) << how;
    (void)co_await core::Sleep(absl::Seconds(10));
    EXPECT_EQ(opened.store->Stats().key_bytes_missing, 0U) << how;
    CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, kMessages));
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, TheLogMakesUpForDamagedFiles) { InWorld(DamageMain); }

// Catches a time range that lets a message in or out by a millisecond.
core::Task<absl::Status> TimeMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  std::vector<core::WallMillis> times;
  for (int i = 0; i < 300; ++i) {
    CO_ASSIGN_OR_RETURN(
        const AppendResult appended,
        co_await AppendKeyed(*opened.store, "T", 0, absl::StrCat(i, std::string(2000, '.')), KeysText("", "k")));
    times.push_back(appended.store_timestamp);
    (void)co_await core::Sleep(absl::Milliseconds(static_cast<int64_t>(core::Reactor::Current().RandomBits() % 3)));
  }
  for (int round = 0; round < 200; ++round) {
    const core::WallMillis first =
        times[core::Reactor::Current().RandomBits() % times.size()] + static_cast<int64_t>(round % 3) - 1;
    const core::WallMillis last = first + static_cast<int64_t>(core::Reactor::Current().RandomBits() % 40) - 1;
    KeyQuery query = QueryFor("T", "k", 10);
    query.begin = first;
    query.end = last;
    std::vector<int> wanted;
    for (int i = 299; i >= 0 && wanted.size() < 10; --i) {
      if (times[static_cast<size_t>(i)] >= first && times[static_cast<size_t>(i)] <= last) wanted.push_back(i);
    }
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> found, co_await FindBodies(*opened.store, query));
    std::vector<int> numbers;
    for (const std::string& body : found) numbers.push_back(NumberOf(body));
    EXPECT_EQ(numbers, wanted) << first << " to " << last;
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, TimesAreExact) { InWorld(TimeMain); }

// Catches messages of a deleted topic, and those of a new one of the same name that are taken for such.
core::Task<absl::Status> DroppedMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  for (int round = 0; round < 3; ++round) {
    CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 0, 400));
    CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, 400));
    CO_RETURN_IF_ERROR(co_await opened.store->DropTopic("T"));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> none, co_await FindBodies(*opened.store, QueryFor("T", "all")));
    EXPECT_TRUE(none.empty());
    CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 5, 1));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> one, co_await FindBodies(*opened.store, QueryFor("T", "all")));
    EXPECT_EQ(one.size(), 1U);
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
    CO_ASSIGN_OR_RETURN(opened, co_await OpenIn("data", KeyOptions()));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> again, co_await FindBodies(*opened.store, QueryFor("T", "u5")));
    EXPECT_EQ(again.size(), 1U);
    CO_RETURN_IF_ERROR(co_await opened.store->DropTopic("T"));
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, DeletedTopicsAreNotFound) { InWorld(DroppedMain); }

// Catches files that stay when their segments have expired, and messages of these that are looked for.
core::Task<absl::Status> ExpiredMain(sim::Node*) {
  StoreOptions options = KeyOptions();
  options.reserved_time = absl::Hours(1);
  options.delete_when_hours = {};
  for (int hour = 0; hour < 24; ++hour) options.delete_when_hours.push_back(hour);
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 0, 1500));
  CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, 1500));
  (void)co_await core::Sleep(absl::Minutes(80));
  EXPECT_EQ(opened.store->Stats().segments, 1U);
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> left, co_await KeyFiles());
  for (const std::string& path : left)
    EXPECT_GE(path, KeyRunPath("data/log", opened.store->Stats().log_begin - kBlock));
  const int64_t min = opened.store->MinOffset({"T", 0}).value();
  EXPECT_GT(min, 100);
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> gone, co_await FindBodies(*opened.store, QueryFor("T", "u0")));
  EXPECT_TRUE(gone.empty());
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> there, co_await FindBodies(*opened.store, QueryFor("T", "u1499")));
  EXPECT_EQ(there.size(), 1U);
  EXPECT_EQ(opened.store->Stats().damaged_records, 0U);
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, FilesGoWithTheirSegments) { InWorld(ExpiredMain); }

// Catches an answer that is larger than asked for, or that hides that there is more.
core::Task<absl::Status> BytesMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 0, 40, 10'000));
  KeyQuery query = QueryFor("T", "all");
  query.bytes_max = 35'000;
  CO_ASSIGN_OR_RETURN(const KeyQueryResult some, co_await opened.store->FindByKey(query));
  EXPECT_EQ(some.messages.size(), 3U);
  EXPECT_TRUE(some.cut);
  query.bytes_max = 1;
  CO_ASSIGN_OR_RETURN(const KeyQueryResult one, co_await opened.store->FindByKey(query));
  EXPECT_EQ(one.messages.size(), 1U);
  EXPECT_TRUE(one.cut);
  query.messages_max = 1;
  CO_ASSIGN_OR_RETURN(const KeyQueryResult enough, co_await opened.store->FindByKey(query));
  EXPECT_FALSE(enough.cut);
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, AnAnswerHasABound) { InWorld(BytesMain); }

// Catches one message whose keys are too many for the table, and a batch of such.
core::Task<absl::Status> ManyKeysMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  std::vector<std::string> properties;
  std::vector<MessageDraft> drafts;
  for (int message = 0; message < 5; ++message) {
    std::string keys;
    for (int i = 0; i < 3000; ++i) absl::StrAppend(&keys, i == 0 ? "" : " ", i * 5 + message);
    properties.push_back(KeysText("", keys));
  }
  for (const std::string& text : properties) {
    drafts.push_back(DraftOf("T", 0, "many"));
    drafts.back().properties = text;
  }
  CO_RETURN_IF_ERROR((co_await opened.store->Append(drafts)).status());
  for (int round = 0; round < 2; ++round) {
    for (int key = 0; key < 15'000; key += 37) {
      CO_ASSIGN_OR_RETURN(const std::vector<std::string> found,
                          co_await FindBodies(*opened.store, QueryFor("T", absl::StrCat(key))));
      EXPECT_EQ(found.size(), 1U) << key;
    }
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
    CO_ASSIGN_OR_RETURN(opened, co_await OpenIn("data", KeyOptions()));
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, AMessageMayHaveMoreKeysThanTheTable) { InWorld(ManyKeysMain); }

// Catches an answer that lacks messages while the disk refuses the log or a file of the index, and one that lacks them ever after.
core::Task<absl::Status> RefusedMain(sim::Node* node) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", KeyOptions()));
  CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 0, 900));
  (void)co_await core::Sleep(absl::Seconds(10));
  for (const bool files_gone : {false, true}) {
    CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
    if (files_gone) {
      CO_ASSIGN_OR_RETURN(const std::vector<std::string> paths, co_await KeyFiles());
      for (const std::string& path : paths) CO_RETURN_IF_ERROR(co_await core::fs::Remove(path));
    }
    CO_ASSIGN_OR_RETURN(opened, co_await OpenIn("data", KeyOptions()));
    node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = ".keys", .times = UINT64_MAX});
    node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = ".log", .times = UINT64_MAX});
    const absl::Status refused = (co_await FindBodies(*opened.store, QueryFor("T", "u1"))).status();
    EXPECT_FALSE(refused.ok());
    node->disk().ClearFaults();
    (void)co_await core::Sleep(absl::Seconds(30));
    CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, 900));
  }
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, WhatTheDiskRefusesIsNotTakenForNothing) { InWorld(RefusedMain); }

core::Task<absl::Status> OffMain(sim::Node*) {
  StoreOptions off = KeyOptions();
  off.key_index = false;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", off));
  CO_RETURN_IF_ERROR(co_await AppendNumbered(*opened.store, 0, 700));
  EXPECT_TRUE(absl::IsFailedPrecondition((co_await opened.store->FindByKey(QueryFor("T", "u1"))).status()));
  CO_RETURN_IF_ERROR(co_await CloseBoth(opened));
  CO_ASSIGN_OR_RETURN(const std::vector<std::string> files, co_await KeyFiles());
  EXPECT_TRUE(files.empty());
  CO_ASSIGN_OR_RETURN(opened, co_await OpenIn("data", KeyOptions()));
  CO_RETURN_IF_ERROR(co_await ExpectNumbered(*opened.store, 0, 700));
  co_return co_await CloseBoth(opened);
}
TEST(KeyIndexTest, WhatWasStoredWithoutItIsFoundOnceItIsOn) { InWorld(OffMain); }

}  // namespace
}  // namespace store
