// Goal: whatever 512-byte sectors a power cut leaves of the last writes, recovery ends the log at its last whole batch: nothing of a message in
// part, nothing acknowledged missing, nothing taken for damage; and what lay in the file before, valid batches of other places and other logs
// among it, never comes back.
// Method: a log with SYNC_FLUSH is brought to a point at which messages are under way; the disk is then made to hold any mixture of the sectors
// before and after, recovered, read, written to, and recovered again. RINGMQ_SIM_STATES says how many states; with 65,536 of them or
// more all subsets of the last 8 KiB are among them. One state again: RINGMQ_SIM_FIRST=STATE RINGMQ_SIM_STATES=1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/io_await.h"
#include "core/scope.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "store/segment.h"
#include "tests/sim/small_store.h"

namespace store {
namespace {

constexpr size_t kSector = sim::FileContent::kSectorBytes;

StoreOptions Synced() {
  StoreOptions options;
  options.durability = Durability::kSynced;
  options.append_buffer_bytes = size_t{1} << 20;
  return options;
}

/// What is under way when the power goes: messages by size; each inner list is sent at once, and its batch is the next one's predecessor.
using Tail = std::vector<std::vector<size_t>>;
const Tail kTails[] = {
    {{7000}},                 // two blocks
    {{300, 900, 5000, 600}},  // two blocks with several messages
    {{200}, {34'000}},        // two writes at once
    {{1000}, {20'000, 20'000}, {70'000}},
    {{18'000}},
};

struct Course {
  Told told = {};
  int before = 0;            // messages before the tail
  size_t message_bytes = 0;  // of each of them
  Tail tail = {};
  uint32_t log_number = 0;
  bool ready = false;
  bool go = false;
};

core::Task<void> SendTail(ShardStore& store, Told& told, std::string name, size_t bytes) {
  (void)co_await Send(store, told, "T", BodyOf(name, bytes), Durability::kSynced);
}

core::Task<absl::Status> FillMain(Course* course) {
  CO_ASSIGN_OR_RETURN(SmallStore opened, co_await OpenSmall(Synced(), course->log_number, 2));
  for (int i = 0; i < course->before; ++i) {
    const std::string topic = i % 3 == 0 ? "U" : "T";
    CO_RETURN_IF_ERROR(co_await Send(opened.log(), course->told, topic,
                                     BodyOf(core::StrCat("m", i), course->message_bytes), Durability::kSynced));
  }
  course->ready = true;
  while (!course->go) {
    core::Sleep pause(absl::Microseconds(50));
    (void)co_await pause;
  }
  core::Scope scope;
  for (size_t write = 0; write < course->tail.size(); ++write) {
    for (size_t i = 0; i < course->tail[write].size(); ++i) {
      scope.Spawn(SendTail(opened.log(), course->told, core::StrCat("tail", write, ".", i), course->tail[write][i]));
    }
    co_await core::Yield();
    core::Sleep tick(absl::Nanoseconds(100));
    (void)co_await tick;
  }
  co_await scope.Join();
  co_return co_await CloseSmall(opened);
}

/// The disk before the tail was written and after, and where in which file it lies.
struct Base {
  sim::DiskImage before;
  sim::DiskImage after;
  Told told;  // before the tail, with the bodies of the tail as sent
  std::string file;
  uint64_t begin = 0;  // bytes of the file
  uint64_t end = 0;
};

std::string FileOf(const sim::FileContent& content) {
  std::string bytes(content.size(), '\0');
  content.Read(0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  return bytes;
}

Base MakeBase(Course course, uint64_t seed) {
  Base base;
  sim::World world(seed);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&course] { return FillMain(&course); });
  if (!world.RunUntil([&] { return course.ready; }, absl::Minutes(1))) ADD_FAILURE() << world.Describe();
  base.before = node.disk().Save();
  base.told = course.told;
  course.go = true;
  const absl::Status status = world.RunToEnd(node);
  if (!status.ok()) ADD_FAILURE() << status << world.Describe();
  base.told.sent = course.told.sent;
  base.after = node.disk().Save();
  uint64_t position = UINT64_MAX;
  for (const auto& [place, message] : course.told.acknowledged) {
    if (!base.told.acknowledged.contains(place)) position = std::min(position, message.position);
  }
  if (position == UINT64_MAX) {
    ADD_FAILURE() << "nothing of the tail was acknowledged";
    return base;
  }
  base.begin = (position - kBatchHeaderBytes) % kSegmentBytesMin;
  base.file =
      SegmentPath(core::StrCat("/data/log-", course.log_number), position / kSegmentBytesMin * kSegmentBytesMin);
  const std::string old = FileOf(base.before.files.at(base.file)), now = FileOf(base.after.files.at(base.file));
  EXPECT_EQ(old.compare(0, base.begin, now, 0, base.begin), 0)
      << "the tail does not begin where its first message lies";
  base.end = RoundUp(now.find_last_not_of('\0') + 1, kBlock);
  return base;
}

struct Reading {
  const Told* told;
  Told* more;  // what is sent in this run is noted here
  Seen seen = {};
  uint32_t log_number = 0;
};

core::Task<absl::Status> CheckMain(Reading* reading) {
  CO_ASSIGN_OR_RETURN(SmallStore opened, co_await OpenSmall(Synced(), reading->log_number));
  absl::Status status = co_await ReadEverything(opened.log(), *reading->told, reading->seen);
  if (status.ok() && reading->more != nullptr) {
    status = co_await Send(opened.log(), *reading->more, "T", BodyOf("later", 3000), Durability::kSynced);
    if (status.ok())
      status = co_await Send(opened.log(), *reading->more, "U", BodyOf("later, too", 200), Durability::kSynced);
  }
  const absl::Status closed = co_await CloseSmall(opened);
  co_return status.ok() ? closed : status;
}

/// Recovers, reads, writes and recovers again; what is wrong, or nothing.
std::string Judge(sim::World& world, sim::Node& node, const Told& told, uint32_t log_number) {
  Told known = told;
  for (int run = 0; run < 2; ++run) {
    Reading reading{.told = &known, .more = run == 0 ? &known : nullptr, .log_number = log_number};
    const Told before = known;
    node.Start([&reading] { return CheckMain(&reading); });
    const absl::Status status = world.RunToEnd(node);
    if (!status.ok()) return core::StrCat("run ", run, ": ", status.ToString(), "\n");
    std::string wrong = Lines(Contradictions(known, reading.seen));
    for (const Place& place : MissingFrom(before, reading.seen))
      wrong += core::StrCat("lost: ", place.first, " ", place.second, "\n");
    size_t all = 0;
    for (const auto& [topic, range] : reading.seen.ranges) all += static_cast<size_t>(range.second - range.first);
    if (all != reading.seen.messages.size())
      wrong += core::StrCat(all, " offsets and ", reading.seen.messages.size(), " messages\n");
    if (reading.seen.damaged_records + reading.seen.damaged_bytes > 0) wrong += "a crash was taken for damage\n";
    if (!wrong.empty()) return core::StrCat("run ", run, ":\n", wrong);
    // Of the messages under way those that are there now stay.
    for (const auto& [place, body] : reading.seen.messages)
      known.acknowledged.try_emplace(place, Told::Message{body, 0, 0, true});
  }
  return "";
}

/// Which sectors of the tail have been written, in the state with this number.
std::vector<bool> SectorsOf(uint64_t state, size_t count) {
  sim::Random random(state);
  std::vector<bool> written(count, true);
  const uint64_t chance = random.Below(4);  // the others: all there, half of them, most, few
  for (size_t i = 0; i < count && chance > 0; ++i)
    written[i] = chance == 1 ? random.OneIn(2) : chance == 2 ? !random.OneIn(8) : random.OneIn(8);
  if (count <= 16 || state % 2 == 0) {  // the last 8 KiB: each of the 65,536 subsets once before any comes again
    const uint64_t subset = (state / 2 * 40'503 + 7) & 0xFFFF;
    for (size_t i = 0; i < std::min<size_t>(count, 16); ++i) written[count - 1 - i] = (subset >> i & 1) != 0;
  }
  return written;
}

void WriteSectors(sim::SimDisk& disk, const std::string& path, uint64_t begin, const std::string& from,
                  const std::vector<bool>& written) {
  sim::FileContent& content = disk.Find(path)->content;
  for (size_t i = 0; i < written.size(); ++i) {
    const uint64_t at = begin + i * kSector;
    if (written[i]) content.Write(at, std::as_bytes(std::span(from.data() + at, kSector)), true);
  }
}

TEST(TornTailTest, AnyMixtureOfSectorsEndsAtTheLastWholeBatch) {
  size_t whole = 0, states = 0;
  const uint64_t first = FirstState(), end = first + StateCount();
  for (size_t tail = 0; tail < std::size(kTails); ++tail) {
    const Base base = MakeBase({.before = 12, .message_bytes = 700 * (tail + 1), .tail = kTails[tail]}, tail + 1);
    ASSERT_FALSE(testing::Test::HasFailure());
    const std::string after = FileOf(base.after.files.at(base.file));
    const size_t sectors = (base.end - base.begin) / kSector;
    for (uint64_t state = first + (tail + std::size(kTails) - first % std::size(kTails)) % std::size(kTails);
         state < end; state += std::size(kTails)) {
      const std::vector<bool> written = SectorsOf(state / std::size(kTails), sectors);
      whole += std::find(written.begin(), written.end(), false) == written.end() ? 1 : 0;
      ++states;
      sim::World world(state);
      sim::Node& node = world.AddNode("node", 1);
      node.disk().Load(base.before);
      WriteSectors(node.disk(), base.file, base.begin, after, written);
      const std::string wrong = Judge(world, node, base.told, 0);
      ASSERT_EQ(wrong, "") << AgainState(state) << "tail " << tail << ", sectors " << testing::PrintToString(written)
                           << world.Describe();
    }
  }
  std::printf("%zu torn tails, %zu of them whole\n", states, whole);
}

/// A file of `log_number` of another history with as much in it as a segment holds.
std::string StaleFile(uint64_t seed, uint32_t log_number, uint64_t segment) {
  Course course{.before = 60, .message_bytes = 9000, .tail = {{500}}, .log_number = log_number};
  const Base base = MakeBase(std::move(course), seed);
  const std::string name = SegmentPath(core::StrCat("/data/log-", log_number), segment * kSegmentBytesMin);
  return base.after.files.contains(name) ? FileOf(base.after.files.at(name)) : "";
}

// Catches recovery that goes on with valid batches of an older use of the file: the log's own, at another position then, those of another log of the
// same store, of another store.
TEST(TornTailTest, WhatLayInAFileBeforeDoesNotComeBack) {
  constexpr uint64_t kSeed = 77;
  const uint64_t first = FirstState(), count = std::max<uint64_t>(StateCount() / 2, 1);
  size_t recycled = 0, torn = 0;
  for (size_t tail = 0; tail < std::size(kTails); ++tail) {
    const Base base = MakeBase({.before = 36, .message_bytes = 9000, .tail = kTails[tail]}, kSeed);
    ASSERT_FALSE(testing::Test::HasFailure());
    const std::string after = FileOf(base.after.files.at(base.file));
    ASSERT_TRUE(base.file.ends_with("/00000000000000262144.log")) << base.file;
    const std::vector<std::string> stale = {
        FileOf(base.after.files.at("/data/log-0/00000000000000000000.log")),  // recycled
        StaleFile(kSeed, 1, 1),      // another log of this store, for the same position
        StaleFile(kSeed + 1, 0, 1),  // another store's, the same log and position
    };
    for (const std::string& file : stale) ASSERT_EQ(file.size(), kSegmentBytesMin);
    for (uint64_t state = first + tail; state < first + count; state += std::size(kTails)) {
      sim::World world(state);
      sim::Random& random = world.random();
      sim::Node& node = world.AddNode("node", 1);
      node.disk().Load(base.before);
      const std::string& old = stale[random.Below(stale.size())];
      sim::FileContent& content = node.disk().Find(base.file)->content;
      // The old blocks from where the log ends, from a place of their own or from the same place of the file.
      const uint64_t begin = base.begin + (random.OneIn(4) ? kBlock * random.Below(8) : 0);
      const uint64_t from = random.OneIn(2) ? begin : kBlock * (1 + random.Below(20));
      const size_t bytes = std::min(old.size() - from, kSegmentBytesMin - begin);
      content.Write(begin, std::as_bytes(std::span(old.data() + from, bytes)), true);
      ++recycled;
      if (random.OneIn(2)) {
        ++torn;
        WriteSectors(node.disk(), base.file, base.begin, after, SectorsOf(state, (base.end - base.begin) / kSector));
      }
      const std::string wrong = Judge(world, node, base.told, 0);
      ASSERT_EQ(wrong, "") << AgainState(state) << "tail " << tail << world.Describe();
    }
  }
  std::printf("%zu files with old blocks, %zu of them with a torn tail on top\n", recycled, torn);
}

}  // namespace
}  // namespace store
