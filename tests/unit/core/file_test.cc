// Goal: files behave alike on the real machine and on the simulated one, so that what is proven there holds here.
#include "core/file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/reactor.h"
#include "core/status.h"
#include "tests/unit/core/on_both.h"

namespace core {
namespace {

// Catches short reads that are taken for the whole, and an end of the file that is taken for an error.
Task<absl::Status> ReadWriteMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder));
  CO_ASSIGN_OR_RETURN(File file, co_await File::Open(folder + "/a", {.write = true, .create = true, .exclusive = true}));
  std::string text(300'000, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  const std::string first = text.substr(0, 1000);
  const std::string second = text.substr(1000, 200'000);
  const std::string third = text.substr(201'000);
  const std::vector<iovec> parts = {{const_cast<char*>(first.data()), first.size()},
                                    {const_cast<char*>(second.data()), second.size()},
                                    {const_cast<char*>(third.data()), third.size()}};
  CO_RETURN_IF_ERROR(co_await file.WritePartsAt(5, parts, false));
  std::string back(text.size() + 100, '?');
  const std::span<std::byte> into = std::as_writable_bytes(std::span(back.data(), back.size()));
  CO_ASSIGN_OR_RETURN(const size_t bytes, co_await file.ReadAt(5, into));
  EXPECT_EQ(bytes, text.size());
  EXPECT_EQ(back.substr(0, bytes), text);
  const absl::Status beyond = co_await file.ReadExactlyAt(5, into);
  EXPECT_EQ(beyond.code(), absl::StatusCode::kOutOfRange);
  std::string hole(5, '?');
  CO_RETURN_IF_ERROR(co_await file.ReadExactlyAt(0, std::as_writable_bytes(std::span(hole.data(), hole.size()))));
  EXPECT_EQ(hole, std::string(5, '\0'));
  CO_RETURN_IF_ERROR(co_await file.Sync());

  CO_RETURN_IF_ERROR(co_await file.Truncate(10));
  CO_RETURN_IF_ERROR(co_await file.Allocate(4096));
  CO_ASSIGN_OR_RETURN(const FileInfo info, co_await fs::Stat(folder + "/a"));
  EXPECT_EQ(info.bytes, 4096U);
  EXPECT_FALSE(info.directory);
  std::string grown(4096, '?');
  CO_RETURN_IF_ERROR(co_await file.ReadExactlyAt(0, std::as_writable_bytes(std::span(grown.data(), grown.size()))));
  EXPECT_EQ(grown, std::string(5, '\0') + text.substr(0, 5) + std::string(4086, '\0'));
  CO_RETURN_IF_ERROR(co_await file.Close());
  co_return absl::OkStatus();
}
TEST(FileTest, ReadsBackWhatWasWritten) { OnBoth(1, ReadWriteMain); }

// Catches a mapping whose stores a reader of the file does not see, or that dies with the open file.
Task<absl::Status> MapMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder));
  CO_ASSIGN_OR_RETURN(File file, co_await File::Open(folder + "/mapped", {.write = true, .create = true}));
  CO_RETURN_IF_ERROR(co_await file.Allocate(3 * 4096));
  std::string text = "stored before";
  CO_RETURN_IF_ERROR(co_await file.WriteAt(4096, std::as_bytes(std::span(text.data(), text.size())), false));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<FileMapping> mapping, file.Map(2 * 4096));
  CO_RETURN_IF_ERROR(co_await file.Close());
  CO_RETURN_IF_ERROR(co_await Populate(*mapping, 0, 2 * 4096));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapping->data()) + 4096, text.size()), text);
  text = "stored here";
  std::memcpy(mapping->data() + 8000, text.data(), text.size());
  CO_ASSIGN_OR_RETURN(const std::string content, co_await fs::ReadWhole(folder + "/mapped", 1 << 20));
  EXPECT_EQ(content.substr(8000, text.size()), text);
  EXPECT_FALSE(mapping->detached());
  co_return absl::OkStatus();
}
TEST(FileTest, AMappingIsTheFile) { OnBoth(2, MapMain); }

// Catches an error without the path in it, and errors that a caller could mistake for one another.
Task<absl::Status> ErrorsMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder));
  const absl::StatusOr<File> missing = co_await File::Open(folder + "/missing", {.write = true});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(ToStd(missing.status().message()).find(folder + "/missing"), std::string_view::npos);
  const absl::StatusOr<File> nowhere = co_await File::Open(folder + "/no/where", {.write = true, .create = true});
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kNotFound);
  CO_RETURN_IF_ERROR(co_await fs::ReplaceWhole(folder + "/there", "x"));
  const absl::StatusOr<File> there = co_await File::Open(folder + "/there", {.write = true, .create = true, .exclusive = true});
  EXPECT_EQ(there.status().code(), absl::StatusCode::kAlreadyExists);
  const absl::Status gone = co_await fs::Remove(folder + "/missing");
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  const absl::Status rename = co_await fs::Rename(folder + "/missing", folder + "/there");
  EXPECT_EQ(rename.code(), absl::StatusCode::kNotFound);
  const absl::StatusOr<std::vector<DirectoryEntry>> list = co_await fs::List(folder + "/missing");
  EXPECT_EQ(list.status().code(), absl::StatusCode::kNotFound);
  const absl::Status sync = co_await fs::SyncDirectory(folder + "/missing");
  EXPECT_EQ(sync.code(), absl::StatusCode::kNotFound);
  const absl::StatusOr<FileInfo> stat = co_await fs::Stat(folder + "/missing");
  EXPECT_EQ(stat.status().code(), absl::StatusCode::kNotFound);
  co_return absl::OkStatus();
}
TEST(FileTest, ErrorsSayWhatAndWhere) { OnBoth(1, ErrorsMain); }

// Catches directories that are listed wrongly, replaced files that keep their old bytes, a rename that leaves the old name.
Task<absl::Status> NamesMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder + "/a/b/c"));
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder + "/a/b/c"));
  CO_RETURN_IF_ERROR(co_await fs::ReplaceWhole(folder + "/a/long", "a long text"));
  CO_RETURN_IF_ERROR(co_await fs::ReplaceWhole(folder + "/a/long", "short"));
  CO_ASSIGN_OR_RETURN(const std::string content, co_await fs::ReadWhole(folder + "/a/long", 5));
  EXPECT_EQ(content, "short");
  const absl::StatusOr<std::string> larger = co_await fs::ReadWhole(folder + "/a/long", 4);
  EXPECT_EQ(larger.status().code(), absl::StatusCode::kResourceExhausted);
  CO_RETURN_IF_ERROR(co_await fs::Rename(folder + "/a/long", folder + "/a/other"));
  CO_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, co_await fs::List(folder + "/a"));
  EXPECT_EQ(entries.size(), 2U);
  if (entries.size() == 2) {
    EXPECT_EQ(entries[0].name, "b");
    EXPECT_TRUE(entries[0].directory);
    EXPECT_EQ(entries[1].name, "other");
    EXPECT_FALSE(entries[1].directory);
  }
  CO_RETURN_IF_ERROR(co_await fs::Remove(folder + "/a/other"));
  const absl::StatusOr<FileInfo> removed = co_await fs::Stat(folder + "/a/other");
  EXPECT_EQ(removed.status().code(), absl::StatusCode::kNotFound);
  CO_ASSIGN_OR_RETURN(const SpaceInfo space, co_await fs::Space(folder));
  EXPECT_GE(space.total_bytes, space.free_bytes);
  EXPECT_GT(space.total_bytes, 0U);
  co_return absl::OkStatus();
}
TEST(FileTest, NamesAreMadeListedReplacedAndRemoved) { OnBoth(1, NamesMain); }

// Catches a lock that two hold, and one that outlives its file.
Task<absl::Status> LockMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder));
  CO_ASSIGN_OR_RETURN(File first, co_await File::Open(folder + "/lock", {.write = true, .create = true}));
  CO_ASSIGN_OR_RETURN(File second, co_await File::Open(folder + "/lock", {.write = true}));
  CO_RETURN_IF_ERROR(co_await first.Lock());
  const absl::Status refused = co_await second.Lock();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  CO_RETURN_IF_ERROR(co_await first.Close());
  CO_RETURN_IF_ERROR(co_await second.Lock());
  CO_RETURN_IF_ERROR(co_await second.Close());
  co_return absl::OkStatus();
}
TEST(FileTest, ALockIsHeldByOneUntilItCloses) { OnBoth(1, LockMain); }

// Catches direct I/O that leaves the aligned world only on the real disk.
Task<absl::Status> DirectMain(std::string folder) {
  CO_RETURN_IF_ERROR(co_await fs::MakeDirectories(folder));
  CO_ASSIGN_OR_RETURN(File file, co_await File::Open(folder + "/direct", {.write = true, .create = true, .direct = true}));
  CO_RETURN_IF_ERROR(co_await file.Allocate(64 * 1024));
  Slice block = Reactor::Current().buffers().Allocate(2 * kDirectBlock);
  std::fill(block.data(), block.data() + block.size(), std::byte{7});
  CO_RETURN_IF_ERROR(co_await file.WriteAt(kDirectBlock, block.bytes(), true));
  Slice back = Reactor::Current().buffers().Allocate(16 * kDirectBlock);
  CO_ASSIGN_OR_RETURN(const size_t bytes, co_await file.ReadAt(0, {back.data(), back.size()}));
  EXPECT_EQ(bytes, 64U * 1024);
  EXPECT_EQ(back.data()[kDirectBlock - 1], std::byte{0});
  EXPECT_EQ(back.data()[kDirectBlock], std::byte{7});
  EXPECT_EQ(back.data()[3 * kDirectBlock], std::byte{0});
  CO_RETURN_IF_ERROR(co_await file.Close());
  co_return absl::OkStatus();
}
TEST(FileTest, DirectBlocksComeBack) { OnBoth(1, DirectMain); }

// Catches a simulated disk on which a misaligned direct write works: the real one refuses it.
TEST(FileTest, TheSimulatedDiskRefusesMisalignedDirectWrites) {
  OnSim(1, [](std::string) -> Task<absl::Status> {
    CO_ASSIGN_OR_RETURN(File file, co_await File::Open("a", {.write = true, .create = true, .direct = true}));
    Slice block = Reactor::Current().buffers().Allocate(2 * kDirectBlock);
    std::fill(block.data(), block.data() + block.size(), std::byte{7});
    const absl::Status offset = co_await file.WriteAt(512, block.bytes(), false);
    const absl::Status length = co_await file.WriteAt(0, block.Sub(0, 100).bytes(), false);
    const absl::Status memory = co_await file.WriteAt(0, block.Sub(512, kDirectBlock).bytes(), false);
    EXPECT_FALSE(offset.ok() || length.ok() || memory.ok());
    co_return co_await file.Close();
  }, 1);
}

// Catches an error of the disk that is swallowed on its way up, for each operation in turn.
TEST(FileTest, EveryFailingOperationIsReported) {
  for (uint64_t nth = 0;; ++nth) {
    sim::World world(1);
    sim::Node& node = world.AddNode("node", 1);
    node.disk().Inject({.skip = nth, .error = 5});
    node.Start([] { return fs::ReplaceWhole("a", "content"); });
    const absl::Status status = world.RunToEnd(node);
    if (node.disk().operations() <= nth) {
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(nth, 7U);  // open, truncate, write, sync, close, rename, sync of the directory
      break;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << nth << ": " << status;
  }
}

}  // namespace
}  // namespace core
