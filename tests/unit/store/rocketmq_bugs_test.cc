// Goal: what went wrong in RocketMQ's store does not here. Each test names the issue of apache/rocketmq that it is about.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "core/sim/world.h"
#include "core/sync.h"
#include "store/batch.h"
#include "store/crc.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr int kQueues = 2;

std::string BodyOf(int number) { return absl::StrCat("message ", number, " ", std::string(3000, 'x')); }

/// Messages [first, first + count), by turns in the queues of topic T.
core::Task<absl::Status> AppendMany(ShardStore& store, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    CO_ASSIGN_OR_RETURN(const AppendResult result, co_await AppendOne(store, "T", i % kQueues, BodyOf(i)));
    EXPECT_EQ(result.first_queue_offset.value(), i / kQueues);
    if (i % 16 == 15) co_await core::Sleep(absl::Milliseconds(1));
  }
  co_return absl::OkStatus();
}

/// Fills a store and goes on for ever, for who kills it.
core::Task<absl::Status> FillAndWait(int count, bool* filled) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  CO_RETURN_IF_ERROR(co_await AppendMany(*opened.store, 0, count));
  *filled = true;
  co_await core::Sleep(absl::Hours(1));
  co_return co_await CloseBoth(opened);
}

core::Task<absl::Status> FillAndClose(int count) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  CO_RETURN_IF_ERROR(co_await AppendMany(*opened.store, 0, count));
  co_await core::Sleep(absl::Seconds(1));  // what is full is sealed
  co_return co_await CloseBoth(opened);
}

/// Every one of `count` messages is in its place, and the next one comes behind them.
core::Task<absl::Status> ExpectAll(int count) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  for (int queue = 0; queue < kQueues; ++queue) {
    EXPECT_EQ(opened.store->MinOffset({"T", queue}).value(), 0);
    int64_t next = 0;
    while (next < opened.store->MaxOffset({"T", queue}).value()) {
      const FetchResult found = co_await FetchFrom(*opened.store, "T", queue, next);
      for (const std::string& body : BodiesOf(found))
        EXPECT_EQ(body, BodyOf(static_cast<int>(next++) * kQueues + queue));
      if (found.parts.empty()) break;
    }
    EXPECT_EQ(next, count / kQueues) << "queue " << queue;
  }
  EXPECT_EQ(opened.store->Stats().damaged_records, 0U);
  CO_RETURN_IF_ERROR(co_await AppendMany(*opened.store, count, kQueues));
  co_return co_await CloseBoth(opened);
}

void Expect(sim::World& world, sim::Node& node, int count) {
  node.Start([count] { return ExpectAll(count); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

void FillAndKill(sim::World& world, sim::Node& node, int count) {
  bool filled = false;
  node.Start([count, &filled] { return FillAndWait(count, &filled); });
  ASSERT_TRUE(world.RunUntil([&] { return filled; }, absl::Minutes(1)));
  node.Kill();
}

// #467, #501: after a crash messages were in the commit log that no consume queue knew.
TEST(RocketMqBugsTest, Issue467WhatIsInTheLogIsInItsQueueAfterACrash) {
  for (const int count : {2, 40, 200}) {
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    FillAndKill(world, node, count);
    Expect(world, node, count);
  }
}

// #1434: after a crash only the last file was indexed again, not the one before it that was not done yet.
TEST(RocketMqBugsTest, Issue1434EverySegmentWithoutAnIndexIsIndexedAgain) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.disk().Inject({.op = sim::DiskOp::kOpen, .path_contains = ".idx", .times = 1000});  // none can be sealed
  FillAndKill(world, node, 400);
  size_t segments = 0;
  for (const std::string& file : node.disk().Files()) {
    segments += file.find("/log/0") != std::string::npos && file.ends_with(".log") ? 1 : 0;
    EXPECT_FALSE(file.ends_with(".idx")) << file;
  }
  ASSERT_GE(segments, 3U);
  node.disk().ClearFaults();
  Expect(world, node, 400);
}

// #678: the checkpoint was ahead of the index: what the index had lost was never made again.
TEST(RocketMqBugsTest, Issue678AnIndexThatIsGoneOrCutShortIsMadeAgain) {
  for (const bool gone : {true, false}) {
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillAndClose(400); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    int indexes = 0;
    for (const std::string& file : node.disk().Files()) {
      if (!file.ends_with(".idx")) continue;
      ++indexes;
      if (gone) {
        ASSERT_EQ(node.disk().Remove(file), 0);
      } else {
        ASSERT_EQ(node.disk().Truncate(*node.disk().Find(file), 4096 + 100, 0), 0);
      }
    }
    ASSERT_GE(indexes, 2);
    Expect(world, node, 400);
  }
}

struct OneQueue {
  int served = 0;
  uint64_t damaged = 0;
};
core::Task<absl::Status> CountMain(OneQueue* out) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  int64_t next = 0;
  const int64_t end = opened.store->MaxOffset({"T", 0}).value();
  while (next < end) {
    const FetchResult found = co_await FetchFrom(*opened.store, "T", 0, next);
    for (const core::Slice& part : found.parts) {
      std::span<const std::byte> rest = part.bytes();
      while (!rest.empty()) {
        const absl::StatusOr<RecordView> record = ParseRecord(rest);
        if (!record.ok()) co_return record.status();
        EXPECT_EQ(record->properties, std::string_view("KEYS\x01k\x02", 7));
        ++out->served;
        rest = rest.subspan(record->bytes);
      }
    }
    if (found.next.value() <= next) co_return absl::InternalError("a reader makes no progress");
    next = found.next.value();
  }
  out->damaged = opened.store->Stats().damaged_records;
  co_return co_await CloseBoth(opened);
}

// #7437: only the body has a CRC; torn or damaged properties were served.
TEST(RocketMqBugsTest, Issue7437DamagedPropertiesAreNotServed) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillAndClose(20); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  const std::string path = "data/log/00000000000000000000.log";
  const size_t at = node.disk().Content(path).find(std::string_view("KEYS\x01k\x02", 7));
  ASSERT_NE(at, std::string::npos);
  node.disk().FlipBit(path, at + 5, 0);
  OneQueue seen;
  node.Start([&seen] { return CountMain(&seen); });
  const absl::Status status = world.RunToEnd(node);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen.served, 9);
  EXPECT_EQ(seen.damaged, 1U);
}

/// A record of which four bytes of the body were chosen so that its CRC32C is 0. The checksum is an affine function of them.
std::vector<std::byte> RecordWithChecksumZero() {
  const auto record_with = [](uint32_t chosen) {
    std::string body(8, '.');
    std::memcpy(body.data(), &chosen, sizeof(chosen));
    const MessageDraft draft = DraftOf("T", 0, body);
    std::vector<std::byte> record(RecordBytes(draft));
    EncodeRecord(draft, {core::LogicalOffset(0), MakePhysicalOffset(3, 4096 + kBatchHeaderBytes), 5}, record.data());
    return record;
  };
  const uint32_t base = Crc32c(record_with(0));
  std::vector<std::pair<uint32_t, uint32_t>> rows;  // what a combination of bits changes, the combination
  for (int bit = 0; bit < 32; ++bit) {
    uint32_t effect = Crc32c(record_with(uint32_t{1} << bit)) ^ base;
    uint32_t bits = uint32_t{1} << bit;
    for (const auto& [other, combination] : rows) {
      if ((effect ^ other) < effect) {
        effect ^= other;
        bits ^= combination;
      }
    }
    if (effect != 0) rows.emplace_back(effect, bits);
    std::sort(rows.rbegin(), rows.rend());
  }
  uint32_t left = base;
  uint32_t chosen = 0;
  for (const auto& [effect, bits] : rows) {
    if ((left ^ effect) < left) {
      left ^= effect;
      chosen ^= bits;
    }
  }
  return record_with(chosen);
}

// #9121: a CRC that happens to be 0 was taken for "there is none".
TEST(RocketMqBugsTest, Issue9121AChecksumOfZeroIsAChecksum) {
  const std::vector<std::byte> record = RecordWithChecksumZero();
  ASSERT_EQ(Crc32c(record), 0U);
  const LogIdentity log{{1, 2}, 3};
  BatchHeader header{.position = 4096, .payload_bytes = static_cast<uint32_t>(record.size())};
  const TableEntry row{.bytes = header.payload_bytes, .crc = 0, .queue_hash = 7, .queue_offset = 0, .tags_code = 0};
  std::vector<std::byte> batch(BatchBytes(record.size(), 1));
  std::copy(record.begin(), record.end(), batch.begin() + kBatchHeaderBytes);
  EncodeBatch(log, header, {&row, 1}, batch);
  EXPECT_TRUE(BatchView(header, batch).Intact());
  batch[kBatchHeaderBytes + 60] ^= std::byte{1};
  EXPECT_FALSE(BatchView(header, batch).Intact());

  // Four bytes whose CRC32 is 0, as a body: whole, and not with a bit turned.
  const std::string body("\x9d\x0a\xd9\x6d", 4);
  ASSERT_EQ(Crc32(std::as_bytes(std::span(body.data(), body.size()))), 0U);
  const MessageDraft draft = DraftOf("T", 0, body);
  std::vector<std::byte> bytes(RecordBytes(draft));
  EncodeRecord(draft, {core::LogicalOffset(0), core::PhysicalOffset(0), 5}, bytes.data());
  absl::StatusOr<RecordView> view = ParseRecord(bytes);
  ASSERT_TRUE(view.ok());
  EXPECT_TRUE(view->BodyIntact());
  const auto in_record = static_cast<size_t>(view->body.data() - bytes.data());
  bytes[in_record] ^= std::byte{1};
  view = ParseRecord(bytes);
  ASSERT_TRUE(view.ok());
  EXPECT_FALSE(view->BodyIntact());
}

// #10017: what an older file had left behind the end of the log passed for its continuation at recovery.
TEST(RocketMqBugsTest, Issue10017WhatLiesBehindTheEndFromEarlierDoesNotCount) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  FillAndKill(world, node, 20);
  Expect(world, node, 20);  // adds two
  const std::string path = "data/log/00000000000000000000.log";
  const std::string before = node.disk().Content(path);
  const size_t end = (before.find_last_not_of('\0') / kBlock + 1) * kBlock;
  // All that was ever written, once more behind the end: whole batches of this very log.
  ASSERT_LE(2 * end - kBlock, before.size());
  const std::string_view old = std::string_view(before).substr(kBlock, end - kBlock);
  ASSERT_EQ(node.disk().Write(*node.disk().Find(path), end, std::as_bytes(std::span(old.data(), old.size())), true, 0),
            0);
  Expect(world, node, 22);
}

core::Task<absl::Status> AppendOver(int first, int count) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  CO_RETURN_IF_ERROR(co_await AppendMany(*opened.store, first, count));
  // By time a message is found whose time is not before; what is asked for need not be sorted.
  const core::LogicalOffset found =
      co_await opened.store->OffsetByTime({"T", 0}, core::Reactor::Current().wall_now(), false);
  EXPECT_LE(found.value(), opened.store->MaxOffset({"T", 0}).value());
  co_return co_await CloseBoth(opened);
}

// #9455: the wall clock jumped, and messages were taken for expired, or not found.
TEST(RocketMqBugsTest, Issue9455AJumpOfTheClockCostsNothing) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  int count = 0;
  for (const absl::Duration jump : {absl::Hours(30 * 24), -absl::Hours(60 * 24), absl::Hours(20 * 365 * 24)}) {
    node.Start([count] { return AppendOver(count, 20); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    count += 20;
    node.JumpWallClock(jump);
    Expect(world, node, count);
    count += kQueues;
  }
}

}  // namespace
}  // namespace store
