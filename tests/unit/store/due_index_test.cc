// Goal: the index of waiting messages gives each of them once, in the order of their times, whatever lies in memory and in runs, whatever is taken back, and
// after any restart; its files prove themselves, and the log makes up for them.
// Method: a store on a simulated machine; the index with room for few entries, so that a test of some thousand has many runs and merges.
#include "store/due_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/file.h"
#include "core/sim/world.h"
#include "core/sync.h"
#include "store/due_record.h"
#include "tests/unit/store/store_fixture.h"

namespace store {
namespace {

constexpr int32_t kQueue = 0;

DueIndexOptions SmallIndex() {
  DueIndexOptions options;
  options.directory = "data/log";
  options.queue_id = kQueue;
  options.memory_entries = 500;
  options.replay_bytes = 64 << 10;
  return options;
}

/// A store and the index of what waits in it.
struct Opened {
  OpenStore files;
  std::unique_ptr<DueIndex> index;
};

core::Task<absl::StatusOr<Opened>> OpenIndex(DueIndexOptions options = SmallIndex()) {
  Opened opened;
  CO_ASSIGN_OR_RETURN(opened.files, co_await OpenIn("data", SmallOptions()));
  CO_ASSIGN_OR_RETURN(opened.index,
                      co_await DueIndex::Open(std::move(options), *opened.files.meta, *opened.files.store));
  co_return opened;
}

core::Task<absl::Status> CloseIndex(Opened& opened) {
  CO_RETURN_IF_ERROR(co_await opened.index->Close());
  co_return co_await CloseBoth(opened.files);
}

std::string DueText(core::WallMillis due) {
  return core::StrCat(kPropertyDueTime, std::string_view("\x01", 1), due, std::string_view("\x02", 1));
}

core::Task<absl::StatusOr<DueEntry>> Wait(Opened& opened, core::WallMillis due, std::string body) {
  const std::string properties = DueText(due);
  MessageDraft draft = DraftOf(kDueTopic, kQueue, body);
  draft.properties = properties;
  draft.prepared_transaction_offset = MakeDueLink(0);
  CO_ASSIGN_OR_RETURN(BegunAppend begun, co_await opened.files.store->BeginAppendInTurn(draft));
  const DueEntry entry{due, begun.record.position, begun.record.bytes, begun.record.crc};
  opened.index->Insert(entry);
  if (begun.pending != nullptr) CO_RETURN_IF_ERROR(co_await opened.files.store->EndAppend(std::move(begun)));
  co_return entry;
}

core::Task<absl::Status> DeliverOne(Opened& opened, const DueEntry& entry) {
  const absl::StatusOr<core::Slice> bytes = co_await opened.files.store->ReadRecord(entry.record());
  CO_RETURN_IF_ERROR(bytes.status());
  const absl::StatusOr<RecordView> record = ParseRecord(bytes->bytes());
  CO_RETURN_IF_ERROR(record.status());
  const std::string body(reinterpret_cast<const char*>(record->body.data()), record->body.size());
  MessageDraft draft = DraftOf("T", 0, body);
  draft.prepared_transaction_offset = MakeDueLink(entry.position());
  CO_RETURN_IF_ERROR((co_await opened.files.store->Append({&draft, 1})).status());
  opened.index->Pop(entry);
  co_return absl::OkStatus();
}

core::Task<absl::Status> TakeBack(Opened& opened, const DueEntry& entry) {
  const std::string properties =
      DueText(entry.due) + core::StrCat(kPropertyTakesBack, std::string_view("\x01k\x02", 3));
  MessageDraft draft = DraftOf(kDueTopic, kQueue, "0");
  draft.properties = properties;
  draft.prepared_transaction_offset = MakeDueLink(entry.position());
  CO_RETURN_IF_ERROR((co_await opened.files.store->Append({&draft, 1})).status());
  opened.index->TakeBack(entry);
  co_return absl::OkStatus();
}

/// Delivers what is due, `most` messages at most; returns their times.
core::Task<absl::StatusOr<std::vector<core::WallMillis>>> DeliverDue(Opened& opened, core::WallMillis now,
                                                                     size_t most = SIZE_MAX) {
  std::vector<core::WallMillis> times;
  while (opened.index->NextDue() <= now && times.size() < most) {
    const core::Semaphore::Hold turn = co_await opened.index->turn().Take(1);
    CO_ASSIGN_OR_RETURN(const std::vector<DueIndex::Next> next, co_await opened.index->Peek(now, 50, 1 << 20));
    for (const DueIndex::Next& one : next) {
      if (!one.waits) {
        opened.index->Pop(one.entry);
        continue;
      }
      if (times.size() == most) break;
      CO_RETURN_IF_ERROR(co_await DeliverOne(opened, one.entry));
      times.push_back(one.entry.due);
    }
  }
  co_return times;
}

void InWorld(core::Task<absl::Status> (*main)(sim::Node*)) {
  sim::World world(7);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([main, &node] { return main(&node); });
  const absl::Status status = world.RunToEnd(node);
  EXPECT_TRUE(status.ok()) << status << world.Describe();
}

// Catches an order by anything but time, a run or memory that is forgotten, one delivered twice, a checkpoint that costs one.
core::Task<absl::Status> OrderMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  std::multiset<core::WallMillis> waiting;
  std::vector<core::WallMillis> got;
  for (int i = 0; i < 6000; ++i) {
    const auto due = static_cast<core::WallMillis>(1000 + core::Reactor::Current().RandomBits() % 100'000);
    CO_RETURN_IF_ERROR((co_await Wait(opened, due, absl::StrCat("m", i))).status());
    waiting.insert(due);
    if (opened.index->WantsCheckpoint()) CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
    if (i == 3000) {
      CO_ASSIGN_OR_RETURN(got, co_await DeliverDue(opened, 20'000));
      EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
    }
  }
  EXPECT_EQ(opened.index->waiting(), waiting.size() - got.size());
  EXPECT_GT(opened.index->runs(), 1U);
  EXPECT_LT(opened.index->runs(), 12U);
  CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
  CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());  // no checkpoint at the end: the log says the rest
  EXPECT_EQ(opened.index->waiting(), waiting.size() - got.size());
  CO_ASSIGN_OR_RETURN(const std::vector<core::WallMillis> rest, co_await DeliverDue(opened, 1'000'000));
  EXPECT_TRUE(std::is_sorted(rest.begin(), rest.end()));
  got.insert(got.end(), rest.begin(), rest.end());
  EXPECT_EQ(std::multiset<core::WallMillis>(got.begin(), got.end()), waiting);
  EXPECT_EQ(opened.index->waiting(), 0U);
  CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
  EXPECT_EQ(opened.index->runs(), 0U);
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, EachOnceInTheOrderOfTimes) { InWorld(OrderMain); }

// Catches what is taken back and comes all the same: from memory, from a run, after a restart, when only one of both was in a merge.
core::Task<absl::Status> TakeBackMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  std::map<uint64_t, DueEntry> waiting;
  for (int i = 0; i < 4000; ++i) {
    const auto due =
        static_cast<core::WallMillis>(1000 + core::Reactor::Current().RandomBits() % 1000);  // many share a time
    CO_ASSIGN_OR_RETURN(const DueEntry entry, co_await Wait(opened, due, absl::StrCat("m", i)));
    waiting[entry.position()] = entry;
    if (i % 3 == 0) {
      auto gone = waiting.lower_bound(core::Reactor::Current().RandomBits() % entry.position());
      const DueEntry taken = gone->second;
      CO_ASSIGN_OR_RETURN(const std::vector<DueEntry> found, co_await opened.index->Find(taken.due));
      EXPECT_TRUE(
          std::any_of(found.begin(), found.end(), [&](const DueEntry& other) { return other.SameMessage(taken); }));
      CO_RETURN_IF_ERROR(co_await TakeBack(opened, taken));
      waiting.erase(gone);
    }
    if (opened.index->WantsCheckpoint()) CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
    if (i % 1000 == 999) {
      if (i % 2000 == 999) CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
      CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
      CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());
      EXPECT_EQ(opened.index->waiting(), waiting.size());
    }
  }
  CO_ASSIGN_OR_RETURN(const std::vector<core::WallMillis> got, co_await DeliverDue(opened, 1'000'000));
  EXPECT_EQ(got.size(), waiting.size());
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, WhatIsTakenBackDoesNotCome) { InWorld(TakeBackMain); }

// Catches a scan that passes by what waits below a position, finds what does not, or tells a wrong lowest position.
core::Task<absl::Status> ScanMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  std::set<uint64_t> waiting;
  for (int i = 0; i < 3000; ++i) {
    const auto due = static_cast<core::WallMillis>(1000 + core::Reactor::Current().RandomBits() % 50);
    CO_ASSIGN_OR_RETURN(const DueEntry entry, co_await Wait(opened, due, absl::StrCat("m", i)));
    if (i % 7 == 0)
      CO_RETURN_IF_ERROR(co_await TakeBack(opened, entry));
    else
      waiting.insert(entry.position());
    if (opened.index->WantsCheckpoint()) CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
  }
  const uint64_t below = *std::next(waiting.begin(), 1000);
  DueScan scan{.below = below, .found = {}};
  std::set<uint64_t> found;
  while (!scan.done) {
    const core::Semaphore::Hold turn = co_await opened.index->turn().Take(1);
    CO_RETURN_IF_ERROR(co_await opened.index->ScanOn(scan));
    for (const DueEntry& entry : scan.found) EXPECT_TRUE(found.insert(entry.position()).second);
  }
  EXPECT_EQ(found, std::set<uint64_t>(waiting.begin(), waiting.find(below)));
  EXPECT_EQ(scan.lowest, below);
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, AScanFindsAllBelowAPosition) { InWorld(ScanMain); }

// Catches a damaged or missing run that is believed, or that costs messages.
core::Task<absl::Status> DamageMain(sim::Node*) {
  for (const bool missing : {false, true}) {
    CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
    const uint64_t before = opened.index->waiting();
    for (int i = 0; i < 2000; ++i) {
      CO_RETURN_IF_ERROR((co_await Wait(opened, 1000 + i, absl::StrCat("m", i))).status());
      if (opened.index->WantsCheckpoint()) CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
    }
    CO_ASSIGN_OR_RETURN(const std::vector<core::WallMillis> got, co_await DeliverDue(opened, 1'000'000, 300));
    CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
    CO_RETURN_IF_ERROR(co_await CloseIndex(opened));

    CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> files, co_await core::fs::List("data/log"));
    for (const core::DirectoryEntry& file : files) {
      if (!file.name.ends_with(kDueRunSuffix)) continue;
      const std::string path = absl::StrCat("data/log/", file.name);
      if (missing) {
        CO_RETURN_IF_ERROR(co_await core::fs::Remove(path));
      } else {
        CO_ASSIGN_OR_RETURN(core::File run, co_await core::File::Open(path, {.write = true}));
        const std::byte bad[8] = {};
        CO_RETURN_IF_ERROR(co_await run.WriteAt(kBlock + 100, bad, true));
        CO_RETURN_IF_ERROR(co_await run.Close());
      }
    }
    CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());
    EXPECT_EQ(opened.index->waiting(), before + 2000 - got.size());
    CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
  }
  co_return absl::OkStatus();
}
TEST(DueIndexTest, TheLogMakesUpForDamagedRuns) { InWorld(DamageMain); }

// Catches messages that are forgotten because the disk refused to read the log once: at a start, and when the index is made anew.
core::Task<absl::Status> RefusedMain(sim::Node* node) {
  for (const bool restart : {false, true}) {
    for (const bool anew : {false, true}) {
      CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
      const uint64_t waiting = opened.index->waiting() + 20;
      for (int i = 0; i < 20; ++i) CO_RETURN_IF_ERROR((co_await Wait(opened, 1000 + i, absl::StrCat("m", i))).status());
      if (anew) CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
      CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
      CO_ASSIGN_OR_RETURN(opened.files, co_await OpenIn("data", SmallOptions()));
      node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = ".log", .times = UINT64_MAX});
      if (anew) node->disk().Inject({.op = sim::DiskOp::kRead, .path_contains = ".due", .times = UINT64_MAX});
      CO_ASSIGN_OR_RETURN(opened.index, co_await DueIndex::Open(SmallIndex(), *opened.files.meta, *opened.files.store));
      EXPECT_LT(opened.index->waiting(), waiting);
      CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
      if (restart) {
        CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
        node->disk().ClearFaults();
        CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());
      } else {
        node->disk().ClearFaults();
        (void)co_await core::Sleep(absl::Seconds(3));
        EXPECT_TRUE(opened.index->WantsCheckpoint());
        CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
      }
      EXPECT_EQ(opened.index->waiting(), waiting);
      CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
    }
  }
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  CO_ASSIGN_OR_RETURN(const std::vector<core::WallMillis> times, co_await DeliverDue(opened, 10'000));
  EXPECT_EQ(times.size(), 80U);
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, WhatTheDiskRefusedIsReadAgain) { InWorld(RefusedMain); }

// Catches a file of the log that is missing and keeps the index from what lies behind it.
core::Task<absl::Status> HoleMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  std::vector<uint64_t> positions;
  for (int i = 0; i < 200; ++i) {
    CO_ASSIGN_OR_RETURN(const DueEntry entry, co_await Wait(opened, 1000 + i, std::string(4000, 'm')));
    positions.push_back(entry.position());
  }
  CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
  CO_RETURN_IF_ERROR(co_await core::fs::Remove(SegmentPath("data/log", kSegmentBytesMin)));
  CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());
  const auto gone = std::count_if(positions.begin(), positions.end(),
                                  [](uint64_t position) { return position / kSegmentBytesMin == 1; });
  EXPECT_GT(gone, 10);
  EXPECT_EQ(opened.index->waiting(), 200U - static_cast<uint64_t>(gone));
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, AMissingFileOfTheLogCostsWhatItHeld) { InWorld(HoleMain); }

// Catches the first message that waits, at the begin of a block, being taken for the begin of a batch, and with it all behind it being passed by.
core::Task<absl::Status> AlignedMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  ShardStore& log = *opened.files.store;
  // Both in one batch, which begins with its header; the first one fills its block.
  const MessageDraft small = DraftOf("T", 0, "");
  const std::string body(2 * kBlock - kBatchHeaderBytes - RecordBytes(small), '.');
  const MessageDraft filler = DraftOf("T", 0, body);
  CO_ASSIGN_OR_RETURN(BegunAppend first, co_await log.BeginAppendInTurn(filler));
  const std::string properties = DueText(1000);
  MessageDraft draft = DraftOf(kDueTopic, kQueue, "aligned");
  draft.properties = properties;
  draft.prepared_transaction_offset = MakeDueLink(0);
  CO_ASSIGN_OR_RETURN(BegunAppend begun, co_await log.BeginAppendInTurn(draft));
  EXPECT_EQ(begun.record.position % kBlock, 0U);
  opened.index->Insert({1000, begun.record.position, begun.record.bytes, begun.record.crc});
  if (first.pending != nullptr) CO_RETURN_IF_ERROR(co_await log.EndAppend(std::move(first)));
  if (begun.pending != nullptr) CO_RETURN_IF_ERROR(co_await log.EndAppend(std::move(begun)));
  CO_RETURN_IF_ERROR((co_await Wait(opened, 2000, "behind it")).status());
  CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
  CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());
  EXPECT_EQ(opened.index->waiting(), 2U);
  EXPECT_EQ(opened.index->NextDue(), 1000);
  CO_ASSIGN_OR_RETURN(const std::vector<core::WallMillis> times, co_await DeliverDue(opened, 10'000));
  EXPECT_EQ(times.size(), 2U);
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, TheFirstThatWaitsMayBeginABlock) { InWorld(AlignedMain); }

// Catches a start that reads a log from which nothing waits, and one that does not find the first that waits behind the checkpoint.
core::Task<absl::Status> IdleMain(sim::Node*) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await OpenIndex());
  for (int i = 0; i < 300; ++i)
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.files.store, "T", 0, std::string(4000, '.'))).status());
  EXPECT_FALSE(opened.index->WantsCheckpoint());
  CO_RETURN_IF_ERROR((co_await Wait(opened, 5, "a")).status());
  CO_RETURN_IF_ERROR((co_await DeliverDue(opened, 10)).status());
  for (int i = 0; i < 100; ++i)
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.files.store, "T", 0, std::string(4000, '.'))).status());
  EXPECT_TRUE(opened.index->WantsCheckpoint());
  CO_RETURN_IF_ERROR(co_await opened.index->Checkpoint());
  for (int i = 0; i < 300; ++i)
    CO_RETURN_IF_ERROR((co_await AppendOne(*opened.files.store, "T", 0, std::string(4000, '.'))).status());
  EXPECT_FALSE(opened.index->WantsCheckpoint());
  CO_RETURN_IF_ERROR((co_await Wait(opened, 7, "b")).status());
  CO_RETURN_IF_ERROR(co_await CloseIndex(opened));
  CO_ASSIGN_OR_RETURN(opened, co_await OpenIndex());
  EXPECT_EQ(opened.index->waiting(), 1U);
  EXPECT_EQ(opened.index->NextDue(), 7);
  co_return co_await CloseIndex(opened);
}
TEST(DueIndexTest, WhatHasNothingWaitingPaysNothing) { InWorld(IdleMain); }

// --- The files.

const LogIdentity kLog{{1, 2}, 3};

TEST(DueRunTest, HeadersAndPagesProveThemselves) {
  std::vector<std::byte> block(kBlock);
  const DueRunName name{kLog, DueKind::kLater, 5};
  const std::vector<DueRunName> others = {
      {kLog, DueKind::kHalf, 5}, {kLog, DueKind::kLater, 6}, {{{1, 2}, 4}, DueKind::kLater, 5}, {{{1, 3}, 3}, DueKind::kLater, 5}};
  EncodeDueRunHeader(name, {.entries = 171, .taken_back = 1, .lowest_position = 4224}, block);
  const absl::StatusOr<DueRunHeader> header = ParseDueRunHeader(block, name);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->entries, 171U);
  EXPECT_EQ(header->lowest_position, 4224U);
  for (const DueRunName& other : others) EXPECT_FALSE(ParseDueRunHeader(block, other).ok()) << other.number;
  block[41] ^= std::byte{1};
  EXPECT_FALSE(ParseDueRunHeader(block, name).ok());

  const std::vector<DueEntry> entries = {{-5, 1, 2, 3}, {7, DueEntry::kTakenBack | 9, 0, 0}};
  EncodeRunPage<DueEntry>(name.PageMark(), 2, entries, block);
  std::vector<DueEntry> parsed;
  ASSERT_TRUE(ParseRunPage(block, name.PageMark(), 2, parsed).ok());
  ASSERT_EQ(parsed.size(), 2U);
  EXPECT_EQ(parsed[0].due, -5);
  EXPECT_TRUE(parsed[1].taken_back());
  EXPECT_EQ(parsed[1].position(), 9U);
  EXPECT_FALSE(ParseRunPage(block, name.PageMark(), 3, parsed).ok());
  // Catches a page that the disk wrote to the place of another file's.
  for (const DueRunName& other : others) EXPECT_FALSE(ParseRunPage(block, other.PageMark(), 2, parsed).ok()) << other.number;
  for (const size_t at : {size_t{4}, size_t{20}, kBlock - 1}) {
    block[at] ^= std::byte{16};
    EXPECT_FALSE(ParseRunPage(block, name.PageMark(), 2, parsed).ok()) << at;
    block[at] ^= std::byte{16};
  }
}

// Catches a search that is off at the borders of pages, and one that reads its way through the file each time: whoever ends transactions that never were would keep
// the disk busy with it.
core::Task<absl::Status> SearchMain(sim::Node* node) {
  constexpr uint64_t kPages = 300;
  constexpr uint64_t kEntries = kPages * kRunPageEntries - 7;
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories("data"));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<DueRunWriter> writer, co_await DueRunWriter::Create("data", {kLog, DueKind::kLater, 1}));
  for (uint64_t i = 0; i < kEntries; ++i) {
    if (writer->full()) CO_RETURN_IF_ERROR(co_await writer->Write());
    writer->Add({.due = static_cast<core::WallMillis>(3 * i), .place = i});
  }
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<DueRun> run, co_await writer->Finish());
  const auto search = [&](uint64_t number) -> core::Task<absl::Status> {
    for (const int before : {0, 1}) {
      const auto due = static_cast<core::WallMillis>(3 * number) - before;
      CO_ASSIGN_OR_RETURN(const uint64_t found, co_await run->LowerBound({.due = due}));
      EXPECT_EQ(found, number) << due;
    }
    co_return absl::OkStatus();
  };
  for (uint64_t page = 0; page < kPages; ++page) {
    CO_RETURN_IF_ERROR(co_await search(page * kRunPageEntries));
    CO_RETURN_IF_ERROR(co_await search(std::min(page * kRunPageEntries + kRunPageEntries - 1, kEntries - 1)));
  }
  CO_ASSIGN_OR_RETURN(const uint64_t behind, co_await run->LowerBound({.due = 3 * kEntries}));
  EXPECT_EQ(behind, kEntries);
  const uint64_t before = node->disk().operations();
  constexpr uint64_t kSearches = 50;
  for (uint64_t i = 0; i < kSearches; ++i) {
    CO_RETURN_IF_ERROR(co_await search(core::Reactor::Current().RandomBits() % kEntries));
  }
  EXPECT_LE(node->disk().operations() - before, 2 * kSearches);
  co_return co_await run->Close();
}
TEST(DueRunTest, ASearchReadsOnePage) { InWorld(SearchMain); }

// A link that is taken to another log points at some other record there: messages would be delivered again, or not at all.
TEST(DueRecordTest, ALinkStaysInItsLog) {
  for (const int64_t offset : {MakeDueLink(4224), int64_t{4224}, int64_t{0}}) {
    MessageDraft draft = DraftOf("T", 3, "body");
    draft.prepared_transaction_offset = offset;
    draft.reconsume_times = 7;
    draft.born_host.ipv6 = true;
    std::vector<std::byte> record(RecordBytes(draft));
    EncodeRecord(draft, {.queue_offset = core::LogicalOffset(5), .position = core::PhysicalOffset(9), .store_timestamp = 11}, record.data());
    ClearDueLink(record);
    const absl::StatusOr<RecordView> view = ParseRecord(record);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->prepared_transaction_offset, offset < 0 ? 0 : offset);
    EXPECT_EQ(view->reconsume_times, 7);
    EXPECT_EQ(view->store_timestamp, 11);
    EXPECT_EQ(view->body.size(), 4U);
    EXPECT_TRUE(view->BodyIntact());
  }
  std::vector<std::byte> nonsense(100, std::byte{0xFF});
  ClearDueLink(nonsense);
  EXPECT_EQ(nonsense, std::vector<std::byte>(100, std::byte{0xFF}));
}

TEST(DueRecordTest, OnlyOwnLinksCount) {
  std::string properties =
      "TIMER_OUT_MS\x01"
      "77\x02";
  RecordView record;
  record.topic = kDueTopic;
  record.properties = properties;
  EXPECT_EQ(ReadDueEvent({record, {}}).kind, DueEvent::Kind::kNone) << "RocketMQ's own record";
  record.prepared_transaction_offset = MakeDueLink(0);
  EXPECT_EQ(ReadDueEvent({record, {}}).kind, DueEvent::Kind::kWaits);
  EXPECT_EQ(ReadDueEvent({record, {}}).due, 77);
  record.prepared_transaction_offset = MakeDueLink((uint64_t{1} << 48) - 1);
  EXPECT_EQ(ReadDueEvent({record, {}}).replaced, (uint64_t{1} << 48) - 1);
  properties += "TIMER_DEL_UNIQKEY\x01k\x02";
  record.properties = properties;
  EXPECT_EQ(ReadDueEvent({record, {}}).kind, DueEvent::Kind::kTakenBack);
  properties =
      "TIMER_OUT_MS\x01"
      "7x\x02";
  record.properties = properties;
  EXPECT_EQ(ReadDueEvent({record, {}}).kind, DueEvent::Kind::kNone);
  record.topic = "T";
  EXPECT_EQ(ReadDueEvent({record, {}}).kind, DueEvent::Kind::kDelivered);
  record.prepared_transaction_offset = 4224;  // a transaction's
  EXPECT_EQ(ReadDueEvent({record, {}}).kind, DueEvent::Kind::kNone);
}

}  // namespace
}  // namespace store
