// Whatever happens to the files of a data folder: a start succeeds or is refused with a sentence, no damaged message is served, what is taken afterwards
// can be read, and another start finds the same. The input is a list of damages to a folder of 160 messages in several segments, one that was closed
// in order or one whose process died (first byte).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/sim/world.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "store/data_folder.h"
#include "store/manifest.h"
#include "store/record.h"
#include "store/segment.h"
#include "store/tools/verify.h"
#include "tests/fuzz/blocks.h"

namespace {

using core::Task;

constexpr int32_t kQueues = 2;
constexpr int kMessages = 160;
constexpr size_t kDamagesMax = 16;

void Demand(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  if (sim::World::Current() != nullptr) std::fprintf(stderr, "%s\n", sim::World::Current()->Describe().c_str());
  abort();
}

store::StoreOptions Small() {
  store::StoreOptions options;
  options.append_buffer_bytes = size_t{1} << 20;
  options.read_cache_bytes = size_t{1} << 20;
  return options;
}

/// What stands at an offset of a queue; sizes from nothing to several blocks.
std::string BodyAt(int32_t queue, int64_t offset) {
  return core::StrCat(
      queue, "/", offset,
      std::string(static_cast<size_t>((offset * 1237 + queue * 511) % 9000), 'a' + static_cast<char>(offset % 26)));
}

Task<absl::Status> AppendAt(store::ShardStore& store, int32_t queue, int64_t offset) {
  const std::string body = BodyAt(queue, offset);
  store::MessageDraft draft;
  draft.topic = "T";
  draft.queue_id = queue;
  draft.body = std::as_bytes(std::span(body.data(), body.size()));
  const absl::StatusOr<store::AppendResult> result = co_await store.Append({&draft, 1});
  CO_RETURN_IF_ERROR(result.status());
  Demand(result->first_queue_offset.value() == offset, "a message came to another offset than the next");
  co_return absl::OkStatus();
}

struct Opened {
  store::Manifest manifest;
  std::unique_ptr<store::DataFolder> folder;
};

Task<absl::StatusOr<Opened>> Open() {
  Opened opened;
  CO_ASSIGN_OR_RETURN(opened.manifest,
                      co_await store::Manifest::Open({.directory = "data", .segment_bytes = store::kSegmentBytesMin}));
  absl::StatusOr<std::unique_ptr<store::DataFolder>> folder =
      co_await store::DataFolder::Open("data", opened.manifest.content(), 0, Small());
  if (!folder.ok()) {
    (void)co_await opened.manifest.Close();
    co_return folder.status();
  }
  opened.folder = std::move(folder).value();
  co_return opened;
}

Task<absl::Status> Close(Opened& opened) {
  const absl::Status status = co_await opened.folder->Close();
  (void)co_await opened.manifest.Close();
  co_return status;
}

// --- The folder before the damage.

Task<absl::Status> Fill(bool in_order) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await Open());
  for (int i = 0; i < kMessages; ++i) {
    CO_RETURN_IF_ERROR(co_await AppendAt(opened.folder->store(), i % kQueues, i / kQueues));
    // Most of it is flushed and sealed, the last is in the append buffer only.
    if (i == kMessages * 9 / 10) co_await core::Sleep(absl::Seconds(1));
  }
  CO_RETURN_IF_ERROR(co_await opened.folder->meta().Commit({{store::MetaTable::kTopics, "T", "{}"}}));
  if (in_order) co_return co_await Close(opened);
  co_await core::Sleep(absl::Hours(1));  // until the kill
  co_return absl::OkStatus();
}

using Files = std::map<std::string, std::string>;

Files MakeFiles(bool in_order) {
  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  node.Start([&] { return Fill(in_order); });
  if (in_order) {
    const absl::Status status = world.RunToEnd(node);
    Demand(status.ok(), status.ToString());
  } else {
    world.RunFor(absl::Milliseconds(1100));
    node.Kill();
  }
  Files files;
  for (const std::string& path : node.disk().Files()) files[path] = node.disk().Content(path);
  return files;
}

// --- Damage.

class Input {
 public:
  explicit Input(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  uint64_t Number(size_t bytes) {
    uint64_t number = 0;
    for (const uint8_t byte : Take(bytes)) number = number << 8 | byte;
    return number;
  }
  std::span<const uint8_t> Take(size_t bytes) {
    const std::span<const uint8_t> taken = bytes_.first(std::min(bytes, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const uint8_t> bytes_;
};

void MendAt(const std::string& path, std::string& content, size_t at) {
  const std::span<std::byte> all = std::as_writable_bytes(std::span(content.data(), content.size()));
  const size_t begin = at / store::kBlock * store::kBlock;
  const std::span<std::byte> block = all.subspan(begin);
  if (path.ends_with(".idx")) {
    begin == 0 ? fuzz::MendIndexHeader(block) : fuzz::MendIndexPage(block);
  } else if (path.ends_with("/append") || path.ends_with("/flushed")) {
    begin == 0 || path.ends_with("/flushed") ? fuzz::MendMark(block) : fuzz::MendBatch(block);
  } else if (path.find("/log-") != std::string::npos) {
    begin == 0 ? fuzz::MendSegmentHeader(block) : fuzz::MendBatch(block);
  } else if (path.ends_with("/meta.mark")) {
    fuzz::MendMeta(all);
  } else if (path.ends_with("/meta.log") && all.size() > store::kMetaHeaderBytes) {
    fuzz::MendMeta(all.subspan(store::kMetaHeaderBytes));
  }
}

/// True: a checksum was put right, so that anything may be served.
bool DamageOnce(Input& input, Files& files) {
  const uint64_t what = input.Number(1) % 8;
  auto file = std::next(files.begin(), static_cast<ptrdiff_t>(input.Number(1) % files.size()));
  std::string& content = file->second;
  const size_t used = content.find_last_not_of('\0') + 1;
  const size_t at = used == 0 ? 0 : input.Number(3) % used;
  switch (what) {
    case 0:
    case 1: {
      const std::span<const uint8_t> bytes = input.Take(input.Number(1));
      for (size_t i = 0; i < bytes.size() && at + i < content.size(); ++i)
        content[at + i] = static_cast<char>(bytes[i]);
      if (what == 0 || content.empty()) return false;
      MendAt(file->first, content, at);
      return true;
    }
    case 2:
      if (!content.empty()) content[at] = static_cast<char>(content[at] ^ (1 << (input.Number(1) & 7)));
      return false;
    case 3: {  // a block to where another belongs, maybe in another file
      auto from = std::next(files.begin(), static_cast<ptrdiff_t>(input.Number(1) % files.size()));
      const std::string block =
          from->second.substr(std::min(from->second.size(), input.Number(1) * store::kBlock), store::kBlock);
      const size_t to = at / store::kBlock * store::kBlock;
      std::copy_n(block.begin(), std::min(block.size(), content.size() - to),
                  content.begin() + static_cast<ptrdiff_t>(to));
      return false;
    }
    case 4:
      content.resize(at);
      return false;
    case 5: {
      const size_t bytes = std::min<size_t>(input.Number(2), content.size() - at);
      std::fill_n(content.begin() + static_cast<ptrdiff_t>(at), bytes, '\0');
      return false;
    }
    case 6:
      if (files.size() > 1) files.erase(file);
      return false;
    default:
      content.append(input.Number(2), '\0');
      return false;
  }
}

void Put(sim::SimDisk& disk, const std::string& path, const std::string& content) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    (void)disk.MakeDirectory(path.substr(0, slash), 0);
  }
  sim::InodeRef inode;
  Demand(disk.Open(path, {.write = true, .create = true}, 0, &inode) == 0, "can't write " + path);
  (void)disk.Truncate(*inode, content.size(), 0);
  for (size_t at = 0; at < content.size(); at += store::kBlock) {
    const std::span<const char> block = std::span(content).subspan(at, std::min(store::kBlock, content.size() - at));
    if (std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) continue;
    (void)disk.Write(*inode, at, std::as_bytes(block), /*durable=*/true, 0);
  }
  disk.Close(inode);
}

// --- The start after it.

using Served = std::map<std::pair<int32_t, int64_t>, std::string>;

void TakeRecords(int32_t queue, std::span<const std::byte> bytes, bool mended, Served& served) {
  while (!bytes.empty()) {
    const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes);
    Demand(record.ok(), "what was served is no record");
    std::string body(reinterpret_cast<const char*>(record->body.data()), record->body.size());
    const int64_t offset = record->queue_offset.value();
    if (!mended) {
      Demand(record->BodyIntact() && record->topic == "T" && record->queue_id == queue && body == BodyAt(queue, offset),
             core::StrCat("queue ", queue, " offset ", offset, ": served what was not sent there"));
    }
    served[{queue, offset}] = std::move(body);
    bytes = bytes.subspan(record->bytes);
  }
}

Task<Served> ReadAll(store::ShardStore& store, bool mended) {
  Served served;
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    int64_t next = store.MinOffset({"T", queue}).value();
    int steps = 0;
    while (next < store.MaxOffset({"T", queue}).value() && ++steps < 10 * kMessages) {
      store::FetchRequest request;
      request.queue = {"T", queue};
      request.from = core::LogicalOffset(next);
      const store::FetchResult found = co_await store.Fetch(std::move(request));
      Demand(found.next.value() > next, "a reader makes no progress");
      next = found.next.value();
      for (const core::Slice& part : found.parts) TakeRecords(queue, part.bytes(), mended, served);
    }
  }
  co_return served;
}

Task<absl::Status> Look(bool mended, Served* served) {
  (void)co_await store::tools::VerifyFolder("data");
  CO_ASSIGN_OR_RETURN(Opened opened, co_await Open());
  *served = co_await ReadAll(opened.folder->store(), mended);
  co_return co_await Close(opened);
}

/// A message to each queue after the start, and both starts find the same.
Task<absl::Status> LookAgain(bool mended, const Served* before) {
  CO_ASSIGN_OR_RETURN(Opened opened, co_await Open());
  const Served served = co_await ReadAll(opened.folder->store(), mended);
  if (!mended)
    Demand(served == *before,
           core::StrCat(before->size(), " messages at the first start, ", served.size(), " at the second"));
  for (int32_t queue = 0; queue < kQueues; ++queue) {
    const int64_t next = opened.folder->store().MaxOffset({"T", queue}).value();
    if (next < 0 || next > INT32_MAX) continue;  // a checksum put right over nonsense
    const absl::Status taken = co_await AppendAt(opened.folder->store(), queue, next);
    if (!mended) Demand(taken.ok(), taken.ToString());
  }
  co_return co_await Close(opened);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static const Files kClosed = MakeFiles(true);
  static const Files kKilled = MakeFiles(false);
  Files files = (data[0] & 1) != 0 ? kClosed : kKilled;
  Input input(std::span(data + 1, size - 1));
  bool mended = false;
  for (size_t i = 0; i < kDamagesMax && !input.empty(); ++i) mended |= DamageOnce(input, files);

  sim::World world(1);
  sim::Node& node = world.AddNode("node", 1);
  for (const auto& [path, content] : files) Put(node.disk(), path, content);
  Served served;
  node.Start([&] { return Look(mended, &served); });
  const absl::Status first = world.RunToEnd(node, absl::Minutes(10));
  Demand(!absl::IsDeadlineExceeded(first), "the start does not end");
  if (!first.ok()) return 0;
  node.Start([&] { return LookAgain(mended, &served); });
  const absl::Status second = world.RunToEnd(node, absl::Minutes(10));
  Demand(mended || second.ok(), second.ToString());
  return 0;
}
