#include "store/meta_store.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/meta_file.h"
#include "store/meta_store_impl.h"

namespace store {
namespace {

constexpr uint64_t kSnapshotFrom = uint64_t{1} << 20;
constexpr size_t kSnapshotRecordBytes = size_t{256} << 10;
/// Entries taken into a snapshot between two chances for everyone else.
constexpr size_t kSnapshotSlice = 1024;

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<MetaStore>>> MetaStore::Open(std::string directory) {
  auto store = std::make_unique<MetaStoreImpl>(std::move(directory));
  CO_RETURN_IF_ERROR(co_await store->Recover());
  std::unique_ptr<MetaStore> opened = std::move(store);
  co_return opened;
}

// --- Tables.

MetaStoreImpl::Table& MetaStoreImpl::TableOf(MetaTable table) { return tables_[table]; }

void MetaStoreImpl::Apply(MetaTable table, std::string_view key, const std::optional<std::string_view>& value) {
  Table& entries = TableOf(table);
  const auto found = entries.find(key);
  if (found != entries.end()) live_bytes_ -= kMetaChangeBytes + key.size() + found->second.size();
  if (!value.has_value()) {
    if (found != entries.end()) entries.erase(found);
    return;
  }
  live_bytes_ += kMetaChangeBytes + key.size() + value->size();
  if (found != entries.end()) {
    found->second.assign(*value);
  } else {
    entries.emplace(key, *value);
  }
}

const std::string* MetaStoreImpl::Find(MetaTable table, std::string_view key) const {
  const Table& entries = All(table);
  const auto found = entries.find(key);
  return found == entries.end() ? nullptr : &found->second;
}

const std::map<std::string, std::string, std::less<>>& MetaStoreImpl::All(MetaTable table) const {
  static const Table kEmpty;
  const auto found = tables_.find(table);
  return found == tables_.end() ? kEmpty : found->second;
}

// --- Reading.

absl::Status MetaStoreImpl::Load(std::string_view content, uint64_t& last_record, uint64_t& valid_end) {
  const std::span<const std::byte> bytes = BytesOf(content);
  const absl::StatusOr<uint64_t> snapshot_bytes = ParseMetaHeader(directory_, bytes);
  if (!snapshot_bytes.ok()) {
    return absl::Status(snapshot_bytes.status().code(),
                        core::StrCat(path(), " ", core::ToStd(snapshot_bytes.status().message())));
  }
  size_t at = kMetaHeaderBytes;
  while (const std::optional<MetaRecord> record = ParseMetaRecord(bytes, at)) {
    if (sequence_ != 0 && record->sequence != sequence_ + 1) {
      return absl::DataLossError(
          core::StrCat(path(), " at ", at, ": record ", record->sequence, " follows record ", sequence_));
    }
    const bool readable =
        ForEachMetaChange(*record, [&](MetaTable table, std::string_view key,
                                       const std::optional<std::string_view>& value) { Apply(table, key, value); });
    if (!readable)
      return absl::DataLossError(core::StrCat(path(), " at ", at, ": a record with a good checksum can't be read"));
    sequence_ = record->sequence;
    last_record = at;
    at += record->bytes;
  }
  // Only the last record can be torn. A whole one behind this place says that it was durable once.
  if (at < *snapshot_bytes)
    return absl::DataLossError(core::StrCat(path(), " is damaged at ", at, ", within its snapshot"));
  for (size_t behind = at + 8; behind + kMetaRecordHeaderBytes <= bytes.size(); behind += 8) {
    const std::optional<MetaRecord> record = ParseMetaRecord(bytes, behind);
    if (record.has_value() && record->sequence > sequence_) {
      return absl::DataLossError(
          core::StrCat(path(), " is damaged at ", at, ": there are good records behind it, the next at ", behind));
    }
  }
  valid_end = at;
  return absl::OkStatus();
}

core::Task<absl::Status> MetaStoreImpl::CreateFile() {
  CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(path(), EncodeMetaHeader(directory_, kMetaHeaderBytes)));
  CO_ASSIGN_OR_RETURN(file_, co_await core::File::Open(path(), {.write = true}));
  end_ = kMetaHeaderBytes;
  co_return absl::OkStatus();
}

/// What meta.mark says; 0 where there is none, or a damaged one, which costs only what it would have shown.
core::Task<uint64_t> MetaStoreImpl::MarkedSequence() {
  const absl::StatusOr<std::string> content = co_await core::fs::ReadWhole(mark_path(), kMetaMarkBytes);
  if (absl::IsNotFound(content.status())) co_return 0;
  const std::optional<uint64_t> sequence = content.ok() ? ParseMetaMark(BytesOf(*content)) : std::nullopt;
  if (!sequence.has_value()) core::LogWarning(mark_path(), " is damaged and not used");
  co_return sequence.value_or(0);
}

core::Task<absl::Status> MetaStoreImpl::CheckMark() {
  const uint64_t marked = co_await MarkedSequence();
  if (marked <= sequence_) co_return absl::OkStatus();
  co_return absl::DataLossError(
      core::StrCat(path(), " ends with record ", sequence_, ", but record ", marked,
                   " was durable: topics, groups or offsets are lost. Put a good copy there, or remove ", mark_path(),
                   " to go on without them"));
}

core::Task<void> MetaStoreImpl::WriteMark() {
  const std::string mark = EncodeMetaMark(sequence_);
  const absl::Status status = co_await mark_.WriteAt(0, BytesOf(mark), false);
  if (!status.ok()) core::LogWarning(status.ToString());  // the metadata themselves are safe
}

core::Task<absl::Status> MetaStoreImpl::Recover() {
  CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(directory_));
  const absl::StatusOr<core::FileInfo> info = co_await core::fs::Stat(path());
  if (info.ok()) {
    CO_ASSIGN_OR_RETURN(const std::string content, co_await core::fs::ReadWhole(path(), kMetaFileBytesMax));
    uint64_t last_record = kMetaHeaderBytes;
    CO_RETURN_IF_ERROR(Load(content, last_record, end_));
    CO_RETURN_IF_ERROR(co_await CheckMark());
    CO_ASSIGN_OR_RETURN(file_, co_await core::File::Open(path(), {.write = true}));
    absl::Status status;
    if (end_ < content.size()) {
      core::LogWarning(path(), ": ", content.size() - end_, " bytes of an unfinished record at the end are cut");
      status = co_await file_.Truncate(end_);
    }
    // What was read may be in a cache only; a change that is seen now must not be gone after the next power cut. After a flush that failed the
    // kernel takes the pages for clean, and a further one saves nothing: so the last record, the only one that can be meant, is written again.
    const std::span<const std::byte> last = BytesOf(std::string_view(content).substr(last_record, end_ - last_record));
    if (status.ok() && !last.empty()) status = co_await file_.WriteAt(last_record, last, false);
    if (status.ok()) status = co_await file_.Sync();
    if (!status.ok()) {
      (void)co_await file_.Close();
      co_return status;
    }
  } else if (absl::IsNotFound(info.status())) {
    CO_RETURN_IF_ERROR(co_await CheckMark());
    CO_RETURN_IF_ERROR(co_await CreateFile());
  } else {
    co_return info.status();
  }
  absl::StatusOr<core::File> mark = co_await core::File::Open(mark_path(), {.write = true, .create = true});
  if (!mark.ok()) {
    (void)co_await file_.Close();
    co_return mark.status();
  }
  mark_ = std::move(mark).value();
  co_await WriteMark();  // of what is durable now
  scope_.Spawn(WriteLoop());
  co_return absl::OkStatus();
}

// --- Writing.

core::Task<absl::Status> MetaStoreImpl::Commit(std::vector<MetaChange> changes) {
  if (!failure_.ok()) co_return failure_;
  if (closing_) co_return absl::UnavailableError("the metadata are being closed");
  if (changes.empty()) co_return absl::OkStatus();
  if (pending_ == nullptr) pending_ = std::make_shared<Group>();
  const std::shared_ptr<Group> group = pending_;
  for (const MetaChange& change : changes) {
    AppendMetaChange(change.table, change.key, change.value.has_value() ? &*change.value : nullptr, group->changes);
    ++group->count;
    Apply(change.table, change.key,
          change.value.has_value() ? std::optional<std::string_view>(*change.value) : std::nullopt);
  }
  work_.NotifyAll();
  while (!group->finished) (void)co_await group->done.Wait();
  co_return group->status;
}

core::Task<absl::Status> MetaStoreImpl::WriteRecord(core::File& file, uint64_t& end, const std::string& changes,
                                                    uint32_t count) {
  const std::string record = EncodeMetaRecord(++sequence_, changes, count);
  const uint64_t begin = end;
  end += record.size();
  co_return co_await file.WriteAt(begin, BytesOf(record), false);
}

void MetaStoreImpl::Fence(const absl::Status& why) {
  failure_ = absl::UnavailableError(core::StrCat(path(), " takes no more changes: ", core::ToStd(why.message())));
  core::LogError(core::ToStd(failure_.message()));
}

core::Task<void> MetaStoreImpl::WriteGroup(std::shared_ptr<Group> group) {
  if (failure_.ok()) {
    absl::Status status = co_await WriteRecord(file_, end_, group->changes, group->count);
    if (status.ok()) status = co_await file_.Sync();
    if (!status.ok()) Fence(status);
  }
  group->status = failure_;
  group->finished = true;
  group->done.NotifyAll();
  if (failure_.ok()) co_await WriteMark();
}

core::Task<void> MetaStoreImpl::WriteLoop() {
  for (;;) {
    while (pending_ == nullptr) {
      if (closing_) co_return;
      (void)co_await work_.Wait();
    }
    co_await core::EndOfTick();
    const std::shared_ptr<Group> group = std::exchange(pending_, nullptr);
    co_await WriteGroup(group);
    const uint64_t snapshot_from = std::max({kSnapshotFrom, 2 * live_bytes_, snapshot_not_before_});
    if (failure_.ok() && end_ > snapshot_from) {
      const absl::Status made = co_await Snapshot();
      if (!made.ok()) {
        core::LogWarning("no snapshot of ", path(), ": ", made.ToString());
        snapshot_not_before_ = end_ + kSnapshotFrom;
      }
    }
  }
}

/// All live entries, and behind them what is committed while they are written.
core::Task<absl::Status> MetaStoreImpl::FillSnapshot(core::File& file, uint64_t& end,
                                                     std::shared_ptr<Group>& included) {
  std::string changes;
  uint32_t count = 0;
  size_t taken = 0;
  std::vector<MetaTable> tables;
  for (const auto& [table, entries] : tables_) tables.push_back(table);
  for (const MetaTable table : tables) {
    std::string last;
    bool begun = false;
    for (;;) {
      const Table& entries = All(table);
      auto entry = begun ? entries.upper_bound(last) : entries.begin();
      while (entry != entries.end() && changes.size() < kSnapshotRecordBytes && ++taken % kSnapshotSlice != 0) {
        AppendMetaChange(table, entry->first, &entry->second, changes);
        ++count;
        last = entry->first;
        begun = true;
        ++entry;
      }
      if (entry == entries.end()) break;
      if (changes.size() >= kSnapshotRecordBytes) {
        CO_RETURN_IF_ERROR(co_await WriteRecord(file, end, changes, count));
        changes.clear();
        count = 0;
      } else {
        co_await core::Yield();
      }
    }
  }
  if (count > 0) CO_RETURN_IF_ERROR(co_await WriteRecord(file, end, changes, count));
  // Entries passed before a change came have their old value above; the change itself follows, whole.
  included = std::exchange(pending_, nullptr);
  if (included != nullptr) CO_RETURN_IF_ERROR(co_await WriteRecord(file, end, included->changes, included->count));
  CO_RETURN_IF_ERROR(co_await file.WriteAt(0, BytesOf(EncodeMetaHeader(directory_, end)), false));
  co_return co_await file.Sync();
}

core::Task<absl::Status> MetaStoreImpl::Snapshot() {
  const std::string beside = path() + ".new";
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(beside, {.write = true, .create = true}));
  absl::Status status = co_await file.Truncate(0);
  const uint64_t sequence = sequence_;
  uint64_t end = kMetaHeaderBytes;
  std::shared_ptr<Group> included;
  if (status.ok()) status = co_await FillSnapshot(file, end, included);
  if (status.ok()) status = co_await core::fs::Rename(beside, path());
  if (!status.ok()) {
    (void)co_await file.Close();
    (void)co_await core::fs::Remove(beside);
    // The old file goes on with its own sequence, and what was to go with the snapshot goes there.
    sequence_ = sequence;
    if (included != nullptr) co_await WriteGroup(included);
    co_return status;
  }
  const absl::Status closed = co_await file_.Close();
  file_ = std::move(file);
  end_ = end;
  status = co_await core::fs::SyncDirectory(directory_);
  if (!status.ok()) Fence(status);  // which of the two files has the name after a power cut is unknown now
  if (included != nullptr) {
    included->status = failure_;
    included->finished = true;
    included->done.NotifyAll();
  }
  if (failure_.ok()) co_await WriteMark();
  co_return closed;
}

core::Task<absl::Status> MetaStoreImpl::Close() {
  closing_ = true;
  work_.NotifyAll();
  co_await scope_.Join();
  absl::Status status = co_await mark_.Close();
  const absl::Status closed = co_await file_.Close();
  status.Update(closed);
  co_return status;
}

}  // namespace store
