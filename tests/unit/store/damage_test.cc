// Goal: damage costs what it hits and no more: nothing damaged is served, the rest is, offsets are never given out twice. A failed write or
// flush ends the acknowledgements at once, a full disk only while it is full.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/scope.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/batch.h"
#include "store/tags_code.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr int kMessages = 60;

core::Task<void> AppendThird(ShardStore& store, int first, int* failed) {
  for (int i = 0; i < kMessages / 3; ++i) {
    if (!(co_await AppendOne(store, "T", first % 2, absl::StrCat("message ", first + i * 3, std::string(700, '.'))))
             .ok())
      ++*failed;
  }
}

core::Task<absl::Status> FillMain() {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  core::Scope writers;
  int failed = 0;
  for (int w = 0; w < 3; ++w) writers.Spawn(AppendThird(*opened.store, w, &failed));
  co_await writers.Join();
  EXPECT_EQ(failed, 0);
  co_return co_await CloseBoth(opened);
}

struct Readable {
  int messages = 0;
  std::set<std::string> bodies;
  int64_t max[2] = {};
  uint64_t damaged = 0;
};

/// Reads both queues to their end, over whatever is missing.
core::Task<absl::Status> ReadAll(ShardStore& store, Readable* out) {
  for (int q = 0; q < 2; ++q) {
    int64_t next = store.MinOffset({"T", q}).value();
    out->max[q] = store.MaxOffset({"T", q}).value();
    while (next < out->max[q]) {
      const FetchResult result = co_await FetchFrom(store, "T", q, next);
      if (result.next.value() <= next) co_return absl::InternalError("a reader makes no progress");
      next = result.next.value();
      for (std::string& body : BodiesOf(result)) {
        ++out->messages;
        out->bodies.insert(std::move(body));
      }
    }
  }
  out->damaged = store.Stats().damaged_records;
  co_return absl::OkStatus();
}

core::Task<absl::Status> ReadMain(Readable* out) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  const absl::Status read = co_await ReadAll(*opened.store, out);
  const absl::Status closed = co_await CloseBoth(opened);
  co_return read.ok() ? closed : read;
}

TEST(DamageTest, AFlippedBitInTheLogCostsOneMessageAtMost) {
  const std::string path = "data/log/00000000000000000000.log";
  int hit = 0;
  for (uint64_t at = 0; at < 90'000; at += 997) {
    SCOPED_TRACE(absl::StrCat("byte ", at));
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    node.Start(FillMain);
    ASSERT_TRUE(world.RunToEnd(node).ok());
    node.disk().FlipBit(path, at, static_cast<int>(at % 8));
    Readable first;
    node.Start([&first] { return ReadMain(&first); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_GE(first.messages, kMessages - 1);
    EXPECT_EQ(first.bodies.size(), static_cast<size_t>(first.messages));
    // Where a bit in the record table leaves open which queue has lost a message, each that may have leaves one offset out.
    EXPECT_GE(first.max[0], kMessages / 3 * 2) << "an offset would be given out again";
    EXPECT_LE(first.max[0], kMessages / 3 * 2 + 1);
    EXPECT_GE(first.max[1], kMessages / 3) << "an offset would be given out again";
    EXPECT_LE(first.max[1], kMessages / 3 + 1);
    if (first.messages < kMessages) {
      ++hit;
      EXPECT_EQ(first.damaged, 1U);
    }
    // The same after another restart.
    Readable second;
    node.Start([&second] { return ReadMain(&second); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    EXPECT_EQ(second.bodies, first.bodies);
    EXPECT_EQ(second.max[0], first.max[0]);
  }
  EXPECT_GT(hit, 20);
}

core::Task<absl::Status> FillManyMain(int messages) {
  StoreOptions options = SmallOptions();
  options.append_buffer_bytes = size_t{1} << 20;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  for (int i = 0; i < messages; ++i)
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, absl::StrCat(i, std::string(1500, '.')))).status());
  core::Sleep pause(absl::Seconds(1));
  (void)co_await pause;
  co_return co_await CloseBoth(opened);
}

TEST(DamageTest, FlipsInSealedSegmentsAndIndexesAreFoundWhenRead) {
  std::vector<std::string> files;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    sim::World world(seed);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillManyMain(1000); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    files.clear();
    for (const std::string& file : node.disk().Files()) {
      if (file.find(".idx") != std::string::npos ||
          (seed % 2 == 0 && file.find(".log") != std::string::npos && file.find("meta") == std::string::npos))
        files.push_back(file);
    }
    ASSERT_GT(files.size(), 3U);
    const std::string file = files[world.random().Below(files.size())];
    const uint64_t size = node.disk().Content(file).size();
    const uint64_t at = world.random().Below(size);
    node.disk().FlipBit(file, at, static_cast<int>(world.random().Below(8)));
    Readable read;
    node.Start([&read] { return ReadMain(&read); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << file << " at " << at << ": " << status << world.Describe();
    EXPECT_EQ(read.max[0], 1000);
    EXPECT_EQ(static_cast<size_t>(read.messages), read.bodies.size());
    // What a damaged page of an index lists is found in the log; anything else costs one message at most.
    EXPECT_GE(read.messages, file.find(".idx") != std::string::npos ? 1000 : 999) << file << " at " << at;
  }
}

/// The batches at the beginning of the first segment of a log.
std::vector<BatchHeader> BatchesOf(const std::string& log) {
  const auto bytes = std::as_bytes(std::span(log));
  std::vector<BatchHeader> batches;
  for (uint64_t at = kBlock; at + kBlock <= bytes.size(); at += batches.back().bytes) {
    const absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes.subspan(at, kBatchHeaderBytes), {}, at);
    if (!header.ok()) break;
    batches.push_back(*header);
  }
  return batches;
}

core::Task<absl::Status> AppendAndWaitMain(bool* ready) {
  StoreOptions options = SmallOptions();
  options.durability = Durability::kSynced;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  for (int i = 0; i < 5; ++i)
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, absl::StrCat("later ", i))).status());
  *ready = true;
  core::Sleep pause(absl::Hours(1));
  (void)co_await pause;
  co_return co_await CloseBoth(opened);
}

// Where a log was closed, nothing lies behind its end that was acknowledged: catches a start that is refused because that can't be read. And one that still takes the
// log for closed when a later run was killed, and cuts off what that has acknowledged.
TEST(DamageTest, ABlockThatCantBeReadBehindTheEndOfAClosedLogIsNoLoss) {
  const std::string path = "data/log/00000000000000000000.log";
  for (const bool killed_later : {false, true}) {
    SCOPED_TRACE(killed_later);
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    node.Start(FillMain);
    ASSERT_TRUE(world.RunToEnd(node).ok());
    const BatchHeader last = BatchesOf(node.disk().Content(path)).back();
    const uint64_t end = last.position + last.bytes;
    ASSERT_GT(end, 2 * kBlock);
    if (killed_later) {
      bool ready = false;
      node.Start([&ready] { return AppendAndWaitMain(&ready); });
      ASSERT_TRUE(world.RunUntil([&] { return ready; }, absl::Minutes(1))) << world.Describe();
      node.Kill();
    }
    // The header, then all that follows in one piece, then that block by block.
    node.disk().Inject({.op = sim::DiskOp::kRead, .path_contains = "/log/0", .skip = 1, .times = 1});
    node.disk().Inject({.op = sim::DiskOp::kRead, .path_contains = "/log/0", .skip = 1 + end / kBlock - 1, .times = 1});
    Readable read;
    node.Start([&read] { return ReadMain(&read); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_EQ(node.disk().faults_happened(), 2U);
    EXPECT_EQ(read.messages, kMessages + (killed_later ? 5 : 0));
    if (!killed_later) EXPECT_EQ(read.damaged, 0U);
  }
}

/// Where the tags code of each record's row lies in the first segment of a log, by queue offset.
std::vector<uint64_t> PlacesOfTagsCodes(const std::string& log) {
  std::vector<uint64_t> places;
  for (const BatchHeader& batch : BatchesOf(log)) {
    for (uint32_t i = 0; i < batch.record_count; ++i) {
      places.push_back(batch.position + TableOffset(batch.payload_bytes) + (i + 1) * kTableEntryBytes -
                       sizeof(int64_t));
    }
  }
  return places;
}

constexpr std::string_view kTagged = "TAGS\x01TagA\x02";

core::Task<absl::Status> FillTaggedMain(int messages) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  for (int i = 0; i < messages; ++i) {
    const std::string body = absl::StrCat(i, std::string(1500, '.'));
    MessageDraft draft = DraftOf("T", 0, body, TagsCodeOf(kTagged));
    draft.properties = kTagged;
    CO_RETURN_IF_ERROR((co_await opened.store->Append({&draft, 1})).status());
  }
  core::Sleep pause(absl::Seconds(1));  // what is full is sealed
  (void)co_await pause;
  co_return co_await CloseBoth(opened);
}

core::Task<absl::Status> CountTaggedMain(int* found) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  for (int64_t next = 0; next < opened.store->MaxOffset({"T", 0}).value();) {
    FetchRequest request;
    request.queue = {"T", 0};
    request.from = core::LogicalOffset(next);
    request.filter.codes = {TagsCodeOf(kTagged)};
    const FetchResult result = co_await opened.store->Fetch(std::move(request));
    *found += static_cast<int>(BodiesOf(result).size());
    next = result.next.value();
  }
  co_return co_await CloseBoth(opened);
}

// Catches a recovery that takes the tags code from a row which nothing proves.
TEST(DamageTest, ABitInATagsCodeHidesNoMessageFromThoseWhoWantItsTag) {
  const std::string path = "data/log/00000000000000000000.log";
  for (size_t i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillTaggedMain(20); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    const std::vector<uint64_t> places = PlacesOfTagsCodes(node.disk().Content(path));
    ASSERT_EQ(places.size(), 20U);
    node.disk().FlipBit(path, places[i] + i % 8, static_cast<int>(i % 8));
    int found = 0;
    node.Start([&found] { return CountTaggedMain(&found); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_EQ(found, 20);
  }
}

// The same where the queue index is read from the log again, as its own page is damaged. Catches one that believes a row's queue, offset or tags code.
TEST(DamageTest, ADamagedIndexIsMadeAnewFromRecordsAndNotFromDamagedRows) {
  const std::string path = "data/log/00000000000000000000.log";
  for (const uint64_t before_tags_code : {16U, 8U, 0U}) {  // the queue's hash, the queue offset, the tags code
    SCOPED_TRACE(before_tags_code);
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillTaggedMain(400); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    const std::vector<uint64_t> places = PlacesOfTagsCodes(node.disk().Content(path));
    ASSERT_GT(places.size(), 100U);
    node.disk().FlipBit(path, places[50] - before_tags_code, 0);
    node.disk().FlipBit("data/log/00000000000000000000.idx", kBlock + 100, 0);
    int found = 0;
    node.Start([&found] { return CountTaggedMain(&found); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_EQ(found, 400);
  }
}

/// The files of the log, the oldest first, as RemoveMain takes them.
std::vector<std::string> SegmentFiles(sim::Node& node) {
  std::vector<std::string> files;
  for (const std::string& file : node.disk().Files()) {
    if (file.find("/log/0") != std::string::npos && file.ends_with(".log")) files.push_back(file.substr(1));
  }
  std::sort(files.begin(), files.end());
  return files;
}

core::Task<absl::Status> RemoveMain(std::string path) { co_return co_await core::fs::Remove(path); }

/// Three messages of U, each in a batch of its own, amid some of T.
core::Task<absl::Status> FillAmidMain(int messages_after) {
  StoreOptions options = SmallOptions();
  options.durability = Durability::kSynced;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  for (int i = 0; i < 8 + messages_after; ++i) {
    CO_RETURN_IF_ERROR(
        (co_await AppendOne(*opened.store, i >= 5 && i < 8 ? "U" : "T", 0, absl::StrCat(i, std::string(1500, '.'))))
            .status());
  }
  core::Sleep pause(absl::Seconds(1));  // what is full is sealed
  (void)co_await pause;
  co_return co_await CloseBoth(opened);
}

core::Task<absl::Status> EndOfUMain(int64_t* end) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  *end = opened.store->MaxOffset({"U", 0}).value();
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "W", 0, "another")).status());
  co_return co_await CloseBoth(opened);
}

int64_t EndOfU(sim::World& world, sim::Node& node) {
  int64_t end = -1;
  node.Start([&end] { return EndOfUMain(&end); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
  return end;
}

// Catches offsets of a queue given out again because nothing of it is left that says its name, and ends that move on at each start.
TEST(DamageTest, AQueueThatHasLostAllOfItsMessagesGoesOnBehindThem) {
  const std::string path = "data/log/00000000000000000000.log";
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillAmidMain(5); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  const std::vector<BatchHeader> batches = BatchesOf(node.disk().Content(path));
  ASSERT_EQ(batches.size(), 14U);  // an end marker is the first
  for (size_t i = 6; i < 9; ++i) {
    node.disk().FlipBit(path, batches[i].position + 40, 0);
    node.disk().FlipBit(path, batches[i].position + batches[i].bytes - kBatchHeaderBytes + 40, 0);
  }
  EXPECT_EQ(EndOfU(world, node), 3);
  EXPECT_EQ(EndOfU(world, node), 3);
}

// The same with the whole file gone, beside others that are sealed.
TEST(DamageTest, AQueueWhoseOnlySegmentIsGoneGoesOnWhereItWas) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillAmidMain(300); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  for (const char* suffix : {".log", ".idx"}) {
    node.Start([suffix] { return RemoveMain(absl::StrCat("data/log/00000000000000000000", suffix)); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
  }
  EXPECT_EQ(EndOfU(world, node), 3);
  EXPECT_EQ(EndOfU(world, node), 3);
}

// Catches a start that goes on at an older end of the log, and gives out offsets again, because nothing behind it speaks of more.
TEST(DamageTest, ALogWhoseNewestFileIsGoneIsRefused) {
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed);
    sim::World world(11);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillManyMain(1000); });
    if (killed) {
      world.RunFor(absl::Milliseconds(500));
      node.Kill();
    } else {
      ASSERT_TRUE(world.RunToEnd(node).ok());
    }
    // The newest file may have been made in advance: without it nothing is lost.
    absl::Status opened;
    for (int i = 0; i < 2 && opened.ok(); ++i) {
      const std::string newest = SegmentFiles(node).back();
      node.Start([&newest] { return RemoveMain(newest); });
      ASSERT_TRUE(world.RunToEnd(node).ok());
      Readable read;
      node.Start([&read] { return ReadMain(&read); });
      opened = world.RunToEnd(node);
      if (opened.ok()) EXPECT_EQ(read.max[0], 1000);
    }
    EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss) << opened;
  }
}

constexpr int kNearlyASegment = 130;

core::Task<absl::Status> FillNearlyASegmentMain() {
  StoreOptions options = SmallOptions();
  options.durability = Durability::kAsync;  // kSynced leaves its first segment early
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  for (int i = 0; i < kNearlyASegment; ++i) {
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, absl::StrCat(i, std::string(1500, '.')))).status());
  }
  core::Sleep pause(absl::Hours(1));
  (void)co_await pause;
  co_return co_await CloseBoth(opened);
}

core::Task<absl::Status> StatsMain(StoreStats* stats, int64_t* end) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  *stats = opened.store->Stats();
  *end = opened.store->MaxOffset({"T", 0}).value();
  co_return co_await CloseBoth(opened);
}

std::string OldestFile(sim::Node& node) {
  const std::vector<std::string> files = SegmentFiles(node);
  return files.empty() ? "" : files.front();
}

// Catches a log that takes its oldest file for expired, and is empty without a word, when it is gone: nothing but a segment made in advance is left.
TEST(DamageTest, ALogWhoseOldestFileIsGoneSaysSoAndGivesOutNoOffsetAgain) {
  sim::World world(12);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(FillNearlyASegmentMain);
  world.RunFor(absl::Seconds(10));
  node.Kill();
  const std::string oldest = OldestFile(node);
  node.Start([&oldest] { return RemoveMain(oldest); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  ASSERT_NE(OldestFile(node), "");
  int64_t first_end = 0;
  for (const bool again : {false, true}) {
    StoreStats stats;
    int64_t end = 0;
    node.Start([&stats, &end] { return StatsMain(&stats, &end); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_GE(stats.damaged_bytes, uint64_t{256} << 10);
    EXPECT_GE(end, kNearlyASegment);
    if (again) EXPECT_EQ(end, first_end);
    first_end = end;
  }
}

// The same beside others, of which the records before them are known.
TEST(DamageTest, AnOldestFileThatIsGoneLeavesNoMoreOffsetsOutThanItHad) {
  sim::World world(11);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillManyMain(1000); });
  world.RunFor(absl::Milliseconds(500));
  node.Kill();
  const std::string oldest = OldestFile(node);
  node.Start([&oldest] { return RemoveMain(oldest); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  for (int i = 0; i < 2; ++i) {
    StoreStats stats;
    int64_t end = 0;
    node.Start([&stats, &end] { return StatsMain(&stats, &end); });
    const absl::Status status = world.RunToEnd(node);
    ASSERT_TRUE(status.ok()) << status << world.Describe();
    EXPECT_GT(stats.damaged_bytes, 0U);
    EXPECT_EQ(end, 1000);
  }
}

// Catches offsets given out again when the file in which the log ended is gone and the one that was made in advance, behind it, is not.
TEST(DamageTest, WhicheverFileOfALogIsGoneNoOffsetIsGivenOutAgain) {
  constexpr int kMany = 1060;  // more than half of the last segment: the one behind it is made in advance
  for (size_t which = 0;; ++which) {
    SCOPED_TRACE(which);
    sim::World world(13);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([] { return FillManyMain(kMany); });
    if (which % 2 == 0) {
      world.RunFor(absl::Milliseconds(500));
      node.Kill();
    } else {
      ASSERT_TRUE(world.RunToEnd(node).ok());
    }
    const std::vector<std::string> files = SegmentFiles(node);
    ASSERT_GT(files.size(), 3U);
    if (which / 2 >= files.size()) break;
    node.Start([&files, which] { return RemoveMain(files[which / 2]); });
    ASSERT_TRUE(world.RunToEnd(node).ok());
    int64_t first_end = 0;
    for (const bool again : {false, true}) {
      StoreStats stats;
      int64_t end = 0;
      node.Start([&stats, &end] { return StatsMain(&stats, &end); });
      const absl::Status status = world.RunToEnd(node);
      if (which / 2 + 1 == files.size() && absl::IsDataLoss(status)) break;  // no file behind it says that it was there
      ASSERT_TRUE(status.ok()) << status << world.Describe();
      EXPECT_GE(end, kMany);
      if (again) EXPECT_EQ(end, first_end);
      first_end = end;
    }
  }
}

core::Task<absl::Status> FenceMain(sim::Node* node, sim::DiskOp op, Durability durability) {
  StoreOptions options = SmallOptions();
  options.durability = durability;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  CO_RETURN_IF_ERROR((co_await AppendOne(*opened.store, "T", 0, "before")).status());
  core::Sleep pause(absl::Seconds(1));
  (void)co_await pause;
  node->disk().Inject({.op = op, .path_contains = ".log"});
  const MessageDraft draft = DraftOf("T", 0, "during");
  const absl::StatusOr<AppendResult> during = co_await opened.store->Append({&draft, 1}, Durability::kSynced);
  EXPECT_EQ(during.status().code(), absl::StatusCode::kDeadlineExceeded) << during.status();
  EXPECT_EQ((co_await AppendOne(*opened.store, "T", 0, "after")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(opened.store->Stats().failure.empty());
  const FetchResult read = co_await FetchFrom(*opened.store, "T", 0, 0);
  EXPECT_EQ(BodiesOf(read), std::vector<std::string>{"before"});
  EXPECT_EQ(read.max.value(), 1);
  (void)co_await CloseBoth(opened);
  co_return absl::OkStatus();
}

TEST(DamageTest, AFailedWriteOrFlushFencesTheLog) {
  const std::pair<sim::DiskOp, Durability> cases[] = {{sim::DiskOp::kWrite, Durability::kAsync},
                                                      {sim::DiskOp::kWrite, Durability::kSynced},
                                                      {sim::DiskOp::kSync, Durability::kAsync}};
  for (const auto& one : cases) {
    sim::World world(9);
    sim::Node& node = world.AddNode("node", 1);
    node.Start([&node, &one] { return FenceMain(&node, one.first, one.second); });
    const absl::Status status = world.RunToEnd(node);
    EXPECT_TRUE(status.ok()) << status << world.Describe();
  }
}

core::Task<absl::Status> FullDiskMain(sim::Node* node) {
  StoreOptions options = SmallOptions();
  options.disk_used_ratio_refuse = 1.1;  // so that the files themselves meet the end of the disk
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  node->disk().set_capacity(node->disk().used_bytes() + 2 * kSegmentBytesMin);
  int stored = 0;
  absl::Status status;
  while (stored < 2000) {
    status = (co_await AppendOne(*opened.store, "T", 0, absl::StrCat(stored, std::string(1500, '.')))).status();
    if (!status.ok()) break;
    ++stored;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_GT(stored, 50);
  node->disk().set_capacity(uint64_t{1} << 30);
  core::Sleep pause(absl::Seconds(5));
  (void)co_await pause;
  for (int i = 0; i < 200; ++i, ++stored) {
    CO_RETURN_IF_ERROR(
        (co_await AppendOne(*opened.store, "T", 0, absl::StrCat(stored, std::string(1500, '.')))).status());
  }
  EXPECT_EQ(opened.store->MaxOffset({"T", 0}).value(), stored);
  Readable read;
  CO_RETURN_IF_ERROR(co_await ReadAll(*opened.store, &read));
  EXPECT_EQ(read.messages, stored);
  co_return co_await CloseBoth(opened);
}

TEST(DamageTest, AFullDiskRefusesAndRecoversByItself) {
  sim::World world(10);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&node] { return FullDiskMain(&node); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

/// Appends until something fails; what was acknowledged goes to `acknowledged`, also across runs.
core::Task<absl::Status> ReadWithOneFailureMain(sim::Node* node, Readable* out) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  node->disk().Inject(
      {.op = sim::DiskOp::kRead, .path_contains = ".log"});  // the window; the block of the record is read then
  const absl::Status read = co_await ReadAll(*opened.store, out);
  const absl::Status closed = co_await CloseBoth(opened);
  co_return read.ok() ? closed : read;
}

TEST(DamageTest, AFailedReadOfAWindowCostsNoMessageBesideTheBadBlock) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([] { return FillMain(); });
  ASSERT_TRUE(world.RunToEnd(node).ok());
  Readable read;
  node.Start([&] { return ReadWithOneFailureMain(&node, &read); });
  const absl::Status status = world.RunToEnd(node);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read.messages, kMessages);
  EXPECT_EQ(read.damaged, 0u);
}

core::Task<absl::Status> LeaveSegmentBehindMain(uint64_t* unreadable) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  *unreadable = opened.store->Stats().damaged_bytes;
  for (int i = 0; i < kMessages; ++i) {
    CO_RETURN_IF_ERROR(
        (co_await AppendOne(*opened.store, "T", 0, absl::StrCat("more ", i, std::string(5000, '.')))).status());
  }
  EXPECT_GT(opened.store->Stats().segments, 1U);
  core::Sleep sealing(absl::Seconds(1));
  (void)co_await sealing;
  co_return co_await CloseBoth(opened);
}

// What the disk refused at one start may be whole: catches an index of the full segment that was written without the messages in there, and hides them
// from then on.
TEST(DamageTest, WhatCouldNotBeReadAtOneStartIsThereAtTheNext) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start(FillMain);
  ASSERT_TRUE(world.RunToEnd(node).ok());
  Readable read;
  node.Start([&read] { return ReadMain(&read); });  // the append buffer has none of it any more
  ASSERT_TRUE(world.RunToEnd(node).ok());
  ASSERT_EQ(std::exchange(read, {}).messages, kMessages);
  const std::vector<BatchHeader> batches = BatchesOf(node.disk().Content("data/log/00000000000000000000.log"));
  const auto batch =
      std::find_if(batches.begin(), batches.end(), [](const BatchHeader& header) { return header.record_count > 0; });
  ASSERT_NE(batch, batches.end());
  // The header, then all that follows in one piece, then the block of that batch.
  node.disk().Inject({.op = sim::DiskOp::kRead, .path_contains = "/log/0", .skip = 1, .times = 1});
  node.disk().Inject(
      {.op = sim::DiskOp::kRead, .path_contains = "/log/0", .skip = batch->position / kBlock, .times = 1});
  uint64_t unreadable = 0;
  node.Start([&unreadable] { return LeaveSegmentBehindMain(&unreadable); });
  const absl::Status filled = world.RunToEnd(node);
  ASSERT_TRUE(filled.ok()) << filled << world.Describe();
  ASSERT_EQ(unreadable, kBlock);
  node.Start([&read] { return ReadMain(&read); });
  const absl::Status status = world.RunToEnd(node);
  ASSERT_TRUE(status.ok()) << status << world.Describe();
  EXPECT_EQ(read.messages, 2 * kMessages);
  EXPECT_EQ(read.damaged, 0U);
}

core::Task<absl::Status> AppendUntilFaultMain(std::vector<std::string>* acknowledged, Durability durability) {
  StoreOptions options = SmallOptions();
  options.durability = durability;
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", options));
  absl::Status status;
  for (int i = 0; i < 300 && status.ok(); ++i) {
    const std::string body = absl::StrCat(acknowledged->size(), ".", i, std::string(2000, '.'));
    status = (co_await AppendOne(*opened.store, "T", 0, body)).status();
    if (status.ok()) acknowledged->push_back(body);
    if (i % 50 == 0 && status.ok()) status = co_await opened.store->DropTopic("other");
  }
  (void)co_await CloseBoth(opened);
  co_return absl::OkStatus();
}

core::Task<absl::Status> ExpectAllMain(const std::vector<std::string>* acknowledged) {
  CO_ASSIGN_OR_RETURN(OpenStore opened, co_await OpenIn("data", SmallOptions()));
  Readable read;
  absl::Status status = co_await ReadAll(*opened.store, &read);
  for (const std::string& body : *acknowledged) {
    if (!read.bodies.contains(body)) status = absl::InternalError(core::StrCat("lost: ", body.substr(0, 20)));
  }
  const absl::Status closed = co_await CloseBoth(opened);
  co_return status.ok() ? closed : status;
}

TEST(DamageTest, EachFailingOperationLosesNothingAcknowledged) {
  for (const Durability durability : {Durability::kAsync, Durability::kSynced}) {
    for (uint64_t n = 0; n < 900; n += n < 40 ? 1 : 31) {
      SCOPED_TRACE(absl::StrCat("operation ", n, durability == Durability::kSynced ? " synced" : " async"));
      sim::World world(n + 1);
      sim::Node& node = world.AddNode("node", 1);
      node.disk().Inject({.skip = n, .error = n % 3 == 0 ? ENOSPC : EIO});
      std::vector<std::string> acknowledged;
      node.Start([&] { return AppendUntilFaultMain(&acknowledged, durability); });
      (void)world.RunToEnd(node);
      node.disk().ClearFaults();
      // A process kill keeps what was written; of the synced log also a power cut.
      durability == Durability::kSynced ? node.CutPower() : node.Kill();
      node.Start([&] { return ExpectAllMain(&acknowledged); });
      const absl::Status status = world.RunToEnd(node);
      ASSERT_TRUE(status.ok()) << status << world.Describe();
    }
  }
}

}  // namespace
}  // namespace store
