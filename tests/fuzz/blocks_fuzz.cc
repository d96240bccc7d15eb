// Any block of a data folder is read or refused. A checksum lets no input of a fuzzer through, so each input is looked at twice: as it is, and with
// its checksum put right, which leads to what lies behind. The first byte chooses the kind of block.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/batch.h"
#include "store/crc.h"
#include "store/due_row.h"
#include "store/due_run.h"
#include "store/index_page.h"
#include "store/key_run.h"
#include "store/manifest.h"
#include "store/mark_file.h"
#include "store/message_keys.h"
#include "store/meta_file.h"
#include "store/sealed_index.h"
#include "store/segment.h"
#include "store/tools/overview.h"
#include "tests/fuzz/blocks.h"

namespace {

using fuzz::Bytes;

constexpr store::LogIdentity kLog{.store_id = {.high = 0x1111111111111111, .low = 0x2222222222222222}, .log_number = 3};

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes Block(std::span<const std::byte> bytes) {
  Bytes block(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), store::kBlock)));
  block.resize(store::kBlock);
  return block;
}

/// The header at the beginning of `bytes`, and all that it says of the rest.
void CheckBatch(std::span<const std::byte> bytes) {
  if (bytes.size() < store::kBatchHeaderBytes) return;
  const uint64_t position = store::LoadLittle<uint64_t>(bytes.data() + 32);
  const absl::StatusOr<store::BatchHeader> header = store::ParseBatchHeader(bytes, kLog, position);
  (void)store::ParseBatchTrailer(bytes, kLog, bytes.size());
  if (!header.ok() || header->bytes > (size_t{1} << 20)) return;
  if (header->bytes % store::kBlock != 0) abort();
  Bytes batch(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(std::min<size_t>(bytes.size(), header->bytes)));
  batch.resize(header->bytes);
  const store::BatchView view(*header, batch);
  size_t good = 0;
  view.ForEach(
      [&](const store::TableEntry& row, std::span<const std::byte> record, size_t at) {
        if (record.size() != row.bytes || record.data() != batch.data() + at) abort();
        good += record.size();
      },
      [](const store::TableEntry&) {});
  if (good > header->payload_bytes) abort();
  (void)view.Intact();
}

void CheckSegmentHeader(std::span<const std::byte> bytes) { (void)store::ParseSegmentHeader(Block(bytes), kLog); }

void CheckIndexHeader(std::span<const std::byte> bytes) {
  const Bytes block = Block(bytes);
  (void)store::ParseIndexHeader(block, kLog, store::LoadLittle<uint64_t>(block.data() + 32));
}

void CheckIndexPage(std::span<const std::byte> bytes) {
  const Bytes page = Block(bytes);
  const uint64_t segment = store::LoadLittle<uint64_t>(page.data() + 4080);
  const uint32_t number = store::LoadLittle<uint32_t>(page.data() + 4088);
  if (!store::IndexPageIntact(segment, number, page)) return;
  std::vector<store::IndexEntry> entries;
  for (size_t slot = 0; slot < store::kIndexPageEntries; ++slot) entries.push_back(store::LoadIndexEntry(page, slot));
  Bytes again(store::kIndexPageBytes);
  store::EncodeIndexPage(segment, number, entries, again);
  if (again != page) abort();
}

void CheckSealedRows(std::span<const std::byte> bytes) {
  const absl::StatusOr<std::vector<store::SealedRow>> rows = store::ParseSealedRows(TextOf(bytes));
  if (!rows.ok()) return;
  std::string again;
  for (const store::SealedRow& row : *rows) store::AppendSealedRow(row, again);
  if (again != TextOf(bytes)) abort();
}

void CheckMark(std::span<const std::byte> bytes) { (void)store::MarkFile::ParseSlot(Block(bytes), kLog); }

void CheckMeta(std::span<const std::byte> bytes) {
  (void)store::ParseMetaHeader("meta-3", bytes);
  (void)store::ParseMetaMark(bytes.first(std::min(bytes.size(), store::kMetaMarkBytes)));
  const std::optional<store::MetaRecord> record = store::ParseMetaRecord(bytes, 0);
  if (!record.has_value()) return;
  std::string changes;
  const bool whole = store::ForEachMetaChange(
      *record, [&](store::MetaTable table, std::string_view key, std::optional<std::string_view> value) {
        const std::string text(value.value_or(std::string_view()));
        store::AppendMetaChange(table, key, value.has_value() ? &text : nullptr, changes);
      });
  // The bytes of a change that must be zero are not looked at, nor the value of a deletion.
  if (whole && changes.size() > record->changes.size()) abort();
}

void CheckText(std::span<const std::byte> bytes) {
  const absl::StatusOr<store::ManifestContent> manifest = store::ParseManifest(TextOf(bytes));
  if (manifest.ok()) {
    const absl::StatusOr<store::ManifestContent> again = store::ParseManifest(store::EncodeManifest(*manifest));
    if (!again.ok() || again->logs != manifest->logs || again->segment_bytes != manifest->segment_bytes ||
        !(again->store_id == manifest->store_id)) {
      abort();
    }
  }
  const absl::StatusOr<store::DueCheckpoint> due = store::ParseDueCheckpoint(TextOf(bytes));
  if (due.ok()) {
    const std::string text = store::EncodeDueCheckpoint(*due);
    const absl::StatusOr<store::DueCheckpoint> again = store::ParseDueCheckpoint(text);
    if (!again.ok() || store::EncodeDueCheckpoint(*again) != text) abort();
  }
  std::string group;
  core::QueueKey queue;
  (void)store::tools::ParseOffsetKey(TextOf(bytes), group, queue);
}

void CheckDueHeader(std::span<const std::byte> bytes) {
  const Bytes block = Block(bytes);
  const store::DueRunName name{kLog, store::DueKind::kLater, store::LoadLittle<uint64_t>(block.data() + 32)};
  const absl::StatusOr<store::DueRunHeader> header = store::ParseDueRunHeader(block, name);
  if (store::ParseDueRunHeader(block, {kLog, name.kind, name.number + 1}).ok()) abort();
  if (!header.ok()) return;
  if (store::ParseDueRunHeader(block, {kLog, store::DueKind::kHalf, name.number}).ok()) abort();
  Bytes again(store::kBlock);
  store::EncodeDueRunHeader(name, *header, again);
  // Nothing behind the checksum is looked at.
  if (!std::equal(again.begin(), again.begin() + 72, block.begin())) abort();
}

template <typename Entry>
void CheckPageOf(const Bytes& block) {
  const uint32_t page = store::LoadLittle<uint32_t>(block.data() + 8);
  const uint32_t mark = store::LoadLittle<uint32_t>(block.data() + 12);
  std::vector<Entry> entries;
  if (store::ParseRunPage(block, mark, page + 1, entries).ok() || !entries.empty()) abort();
  if (store::ParseRunPage(block, mark + 1, page, entries).ok() || !entries.empty()) abort();
  if (!store::ParseRunPage(block, mark, page, entries).ok()) return;
  if (entries.size() > store::kRunPageEntries) abort();
  Bytes again(store::kBlock);
  store::EncodeRunPage<Entry>(mark, page, entries, again);
  const auto used = static_cast<ptrdiff_t>(store::kRunPageHeaderBytes + entries.size() * store::kRunEntryBytes);
  if (!std::equal(again.begin() + 4, again.begin() + used, block.begin() + 4)) abort();
}

void CheckRunPage(std::span<const std::byte> bytes) {
  const Bytes block = Block(bytes);
  CheckPageOf<store::DueEntry>(block);
  CheckPageOf<store::KeyEntry>(block);
}

void CheckKeyHeader(std::span<const std::byte> bytes) {
  const Bytes block = Block(bytes);
  const uint64_t begin = store::LoadLittle<uint64_t>(block.data() + 32);
  const absl::StatusOr<store::KeyRunHeader> header = store::ParseKeyRunHeader(block, kLog, begin);
  if (store::ParseKeyRunHeader(block, kLog, begin + 1).ok()) abort();
  if (!header.ok()) return;
  Bytes again(store::kBlock);
  store::EncodeKeyRunHeader(kLog, *header, again);
  if (!std::equal(again.begin(), again.begin() + 88, block.begin())) abort();
}

/// The keys of any properties are those of the last KEYS and the last UNIQ_KEY.
void CheckKeys(std::span<const std::byte> bytes) {
  std::string_view keys;
  std::string_view uniq_key;
  store::ForEachProperty(TextOf(bytes), [&](std::string_view name, std::string_view value) {
    if (name == store::kPropertyKeys) keys = value;
    if (name == store::kPropertyUniqKey) uniq_key = value;
  });
  std::vector<std::string_view> wanted;
  if (!uniq_key.empty()) wanted.push_back(uniq_key);
  for (size_t at = 0; at < keys.size();) {
    const size_t end = std::min(keys.find(store::kKeySeparator, at), keys.size());
    if (end > at) wanted.push_back(keys.substr(at, end - at));
    at = end + 1;
  }
  std::vector<std::string_view> found;
  store::ForEachKey(TextOf(bytes), [&](std::string_view key) { found.push_back(key); });
  if (found != wanted) abort();
}

struct Kind {
  void (*check)(std::span<const std::byte>);
  void (*mend)(std::span<std::byte>);
};

void MendManifest(std::span<std::byte> bytes) {
  const std::string_view text = TextOf(bytes);
  const size_t at = text.rfind("crc32c=");
  if (at == std::string_view::npos || text.size() - at < 15) return;
  static constexpr char kDigits[] = "0123456789abcdef";
  const uint32_t crc = store::Crc32c(bytes.first(at));
  for (size_t i = 0; i < 8; ++i) bytes[at + 7 + i] = static_cast<std::byte>(kDigits[crc >> (28 - 4 * i) & 15]);
}

constexpr Kind kKinds[] = {
    {CheckBatch, fuzz::MendBatch},
    {CheckSegmentHeader, fuzz::MendSegmentHeader},
    {CheckIndexHeader, fuzz::MendIndexHeader},
    {CheckIndexPage, fuzz::MendIndexPage},
    {CheckSealedRows, nullptr},
    {CheckMark, fuzz::MendMark},
    {CheckMeta, fuzz::MendMeta},
    {CheckText, MendManifest},
    {CheckDueHeader, fuzz::MendDueHeader},
    {CheckRunPage, fuzz::MendRunPage},
    {CheckKeyHeader, fuzz::MendKeyHeader},
    {CheckKeys, nullptr},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const Kind& kind = kKinds[data[0] % std::size(kKinds)];
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data + 1, size - 1));
  kind.check(bytes);
  if (kind.mend == nullptr) return 0;
  Bytes mended(bytes.begin(), bytes.end());
  if (mended.size() < store::kBlock && kind.check != CheckMeta && kind.check != CheckText) mended.resize(store::kBlock);
  kind.mend(mended);
  kind.check(mended);
  return 0;
}
