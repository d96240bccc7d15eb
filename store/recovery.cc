#include "store/recovery.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/mutant.h"
#include "store/record.h"

namespace store {
namespace {

/// How far behind a bad batch a later mark can lie: what may be unflushed, and as much again under way. See kUnflushedBytesMax.
constexpr uint64_t kLookBehindBytes = 4 * kUnflushedBytesMax;

constexpr uint64_t kRewriteBytes = uint64_t{1} << 20;

template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Recovery::Recovery(const StoreOptions& options, LogIdentity identity, MetaStore& meta, SegmentList& segments, SpareSegments& spares,
                   QueueTable& queues, MarkFile& mark_file)
    : options_(options),
      identity_(identity),
      meta_(meta),
      segments_(segments),
      spares_(spares),
      queues_(queues),
      mark_file_(mark_file),
      mark_(mark_file.mark()),
      clean_end_(mark_file.clean() ? mark_file.mark() : UINT64_MAX) {}

core::Task<absl::Status> Recovery::Run() {
  for (const auto& [topic, position] : meta_.All(MetaTable::kDroppedTopics)) {
    const std::optional<uint64_t> number = ParseNumber<uint64_t>(position);
    if (!number.has_value()) co_return absl::DataLossError(core::StrCat("dropped topic ", topic, " has the position '", position, "'"));
    dropped_[topic] = *number;
  }
  if (const std::string* const begin = meta_.Find(MetaTable::kLogBegin, kLogBeginKey)) {
    begin_ = ParseNumber<uint64_t>(*begin);
    if (!begin_.has_value()) co_return absl::DataLossError(core::StrCat("the log begins at '", *begin, "'"));
  }
  CO_RETURN_IF_ERROR(co_await OpenSegments());
  if (!segments_.empty()) {
    CO_ASSIGN_OR_RETURN(remains_, co_await AppendRemains::Load(options_.directory, identity_));
  }
  if (!segments_.empty() && mark_ > segments_.back().limit()) {
    co_return absl::DataLossError(core::StrCat(
        options_.directory, " was flushed up to position ", mark_, ", but its last segment file ends at ", segments_.back().limit(),
        ": messages are lost and their offsets would be given out again. Put the missing file back, or remove ", options_.directory,
        "/flushed to go on without them"));
  }
  if (segments_.empty()) {
    if (mark_ > 0 || begin_.has_value()) {
      co_return absl::DataLossError(core::StrCat(options_.directory, " held a log up to position ", mark_,
                                                 mark_ == 0 ? " at least" : "", ", but its segment files are gone: put them back, or begin with an empty data folder"));
    }
    CO_ASSIGN_OR_RETURN(std::unique_ptr<Segment> first, co_await spares_.NewSegment(identity_, 0));
    tail_.position = first->data_begin();
    segments_.PushBack(std::move(first));
  } else {
    size_t last = 0;
    for (size_t i = 0; i < segments_.size(); ++i) {
      last = i;
      Segment& segment = segments_.at(i);
      const absl::StatusOr<std::vector<SealedRow>> rows = co_await OpenSealedIndex(options_.directory, identity_, segment);
      if (rows.ok()) {
        LoadSealed(segment, *rows);
        continue;
      }
      if (!absl::IsNotFound(rows.status())) core::LogWarning("index to be rebuilt: ", rows.status().ToString());
      if (!co_await Scan(i)) break;
    }
    CO_RETURN_IF_ERROR(failure_);
    if (gone_before_ > 0) NoteLost(segments_.front().position, gone_before_ / kRecordBytesMin);
    NoteHolesAtTheEnd();
    CO_RETURN_IF_ERROR(co_await CutAfter(last));
    for (size_t i = 0; i < segments_.size(); ++i) {
      Segment& segment = segments_.at(i);
      const uint64_t end = std::min(segment.limit(), tail_.position);
      segment.partly_read = !segment.sealed && reader_.Unreadable(segment.position, end - segment.position);
    }
  }
  if (taken_over_ > 0) core::LogInfo("recovery: log ", identity_.log_number, ": ", taken_over_, " batches come from the append buffer");
  damaged_bytes_ += reader_.UnreadableBytes(0, tail_.position);
  CO_RETURN_IF_ERROR(co_await SyncAll());
  CO_RETURN_IF_ERROR(co_await SettleFloors());
  queues_.ForEach([](Queue& queue) { queue.visible = queue.next; });
  ++tail_.epoch;
  CO_RETURN_IF_ERROR(co_await mark_file_.RecordOpened(tail_.position));
  co_return co_await WriteEndMarker();
}

core::Task<absl::Status> Recovery::OpenSegments() {
  CO_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries, co_await core::fs::List(options_.directory));
  std::vector<uint64_t> positions;
  for (const core::DirectoryEntry& entry : entries) {
    if (const std::optional<uint64_t> position = PositionOfSegmentName(entry.name, kSegmentSuffix)) positions.push_back(*position);
  }
  for (const core::DirectoryEntry& entry : entries) {
    // What a crash leaves of a deletion.
    const std::optional<uint64_t> index = PositionOfSegmentName(entry.name, kIndexSuffix);
    const bool orphan = index.has_value() && std::find(positions.begin(), positions.end(), *index) == positions.end();
    if (!orphan && !PositionOfSegmentName(entry.name, kDeletedSuffix).has_value()) continue;
    CO_RETURN_IF_ERROR(co_await core::fs::Remove(core::StrCat(options_.directory, "/", entry.name)));
  }
  std::sort(positions.begin(), positions.end());
  for (const uint64_t position : positions) {
    absl::StatusOr<std::unique_ptr<Segment>> segment = co_await OpenSegment(options_.directory, identity_, position);
    if (!segment.ok() && absl::IsDataLoss(segment.status())) {
      core::LogWarning("recovery: ", segment.status().ToString());
      segment = co_await OpenWithoutHeader(position, position == positions.back());
      if (segment.ok() && *segment == nullptr) continue;
    }
    if (!segment.ok()) co_return segment.status();
    const uint64_t expected = segments_.empty() ? std::min(begin_.value_or(position), position) : segments_.back().limit();
    if (expected != position) {
      if (position < expected) {
        const absl::Status overlap = absl::DataLossError(core::StrCat((*segment)->log.path(), " overlaps the one before it"));
        (void)co_await (*segment)->log.Close();
        co_return overlap;
      }
      core::LogError("recovery: log ", identity_.log_number, " has a hole from ", expected, " to ", position, ": a segment file is missing");
      damaged_bytes_ += position - expected;
      if (segments_.empty()) {
        gone_before_ = position - expected;
      } else {
        holes_.emplace_back(expected, position);
      }
    }
    segments_.PushBack(std::move(segment).value());
  }
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::unique_ptr<Segment>>> Recovery::OpenWithoutHeader(uint64_t position, bool last) {
  const std::string path = SegmentPath(options_.directory, position);
  CO_ASSIGN_OR_RETURN(const core::FileInfo info, co_await core::fs::Stat(path));
  if (info.bytes < kSegmentBytesMin || info.bytes % kBlock != 0) {
    // What a crash while a segment is being made leaves behind; nothing can have been written to it yet.
    if (!last || mark_ > position) co_return absl::DataLossError(core::StrCat(path, " has ", info.bytes, " bytes and no header"));
    CO_RETURN_IF_ERROR(co_await core::fs::Remove(path));
    CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory(options_.directory));
    co_return nullptr;
  }
  auto segment = std::make_unique<Segment>();
  segment->position = position;
  segment->bytes = info.bytes;
  CO_ASSIGN_OR_RETURN(segment->log, co_await core::File::Open(path, {.write = true, .direct = true}));
  // Name and size say all that the header did.
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  EncodeSegmentHeader(identity_, {position, info.bytes}, {block.data(), kBlock});
  const absl::Status written = co_await segment->log.WriteAt(0, block.bytes(), true);
  if (!written.ok()) {
    (void)co_await segment->log.Close();
    co_return written;
  }
  co_return segment;
}

void Recovery::LoadSealed(Segment& segment, const std::vector<SealedRow>& rows) {
  gone_before_ = 0;  // segments are sealed in their order, and with it the floors of their queues noted
  for (const SealedRow& row : rows) {
    const auto dropped = dropped_.find(row.topic);
    if (dropped != dropped_.end() && row.position < dropped->second) continue;
    Queue& queue = queues_.FindOrMake(QueueName(row.topic, row.queue_id));
    if (row.first < queue.next) {
      core::LogError("recovery: ", segment.index.path(), " repeats messages of ", row.topic, "/", row.queue_id);
      continue;
    }
    queue.runs.push_back({.segment = &segment,
                          .first = row.first,
                          .count = row.count,
                          .time_min = row.time_min,
                          .time_max = row.time_max,
                          .entries = nullptr,
                          .sealed_entry = row.entry});
    queue.next = row.first + row.count;
    last_seen_[&queue] = row.position;
  }
  tail_.position = segment.end;
  tail_.previous_crc = segment.last_crc;
  tail_.epoch = std::max(tail_.epoch, segment.last_epoch);
  tail_.records = segment.records_end;
  tail_.last_store_time = std::max(tail_.last_store_time, segment.time_max);
  chain_ = Chain::kKnown;
  mark_ = std::max(mark_, segment.end);  // sealed after it was flushed
}

core::Task<absl::StatusOr<BatchHeader>> Recovery::HeaderAt(Segment& segment, uint64_t position) {
  if (segment.limit() - position < kBlock) co_return absl::DataLossError("the segment is full");
  const std::span<const std::byte> bytes = co_await reader_.Read(segment, position, kBatchHeaderBytes);
  absl::StatusOr<BatchHeader> header = ParseBatchHeader(bytes, identity_, position);
  if (header.ok() && header->bytes > segment.limit() - position) co_return absl::DataLossError("the batch ends outside its segment");
  // Each opening raises the epoch: what is of an older one than what was read before it was cut off then.
  if (header.ok() && header->epoch < tail_.epoch) co_return absl::DataLossError("the batch is of an older epoch");
  co_return header;
}

bool Recovery::Continues(const BatchHeader& header) const {
  switch (chain_) {
    case Chain::kBegin:
      return true;
    case Chain::kKnown:
      return header.previous_crc == tail_.previous_crc;
    case Chain::kLost:
      break;
  }
  return header.position < mark_;  // nothing but the mark tells it from what an older cut left behind
}

core::Task<bool> Recovery::ContinuesIn(size_t index) {
  if (index >= segments_.size() || chain_ != Chain::kKnown) co_return false;
  Segment& segment = segments_.at(index);
  const absl::StatusOr<BatchHeader> header = co_await HeaderAt(segment, segment.data_begin());
  if (header.ok() && Continues(*header) && header->records_before == tail_.records) co_return true;
  co_return co_await TakeOver(segment, segment.data_begin());
}

/// Writes the batch that continues the log to `position`, if the append buffer has it.
core::Task<bool> Recovery::TakeOver(Segment& segment, uint64_t position) {
  if (remains_ == nullptr || chain_ == Chain::kLost || !failure_.ok()) co_return false;
  const std::optional<uint32_t> previous = chain_ == Chain::kKnown ? std::optional<uint32_t>(tail_.previous_crc) : std::nullopt;
  if (taken_over_ > 0 && taken_over_position_ == position) {
    failure_ = absl::DataLossError(core::StrCat(segment.log.path(), ": what was written at ", position - segment.position, " can't be read back"));
    co_return false;
  }
  const absl::StatusOr<core::Slice> found = co_await remains_->BatchAt(position, previous, mark_);
  if (!found.ok()) {
    failure_ = found.status();
    co_return false;
  }
  const core::Slice& batch = *found;
  if (batch.empty() || position >= segment.limit() || batch.size() > segment.limit() - position) co_return false;
  failure_ = co_await segment.log.WriteAt(position - segment.position, batch.bytes(), false);
  reader_.Forget();
  ++taken_over_;
  taken_over_position_ = position;
  co_return failure_.ok();
}

core::Task<bool> Recovery::DurableBeyond(size_t index, uint64_t position) {
  if (mark_ > position) co_return true;
  if (position == clean_end_) co_return false;
  uint64_t left = kLookBehindBytes;
  for (; index < segments_.size(); ++index) {
    Segment& segment = segments_.at(index);
    for (uint64_t at = std::max(position + kBlock, segment.data_begin()); at + kBlock <= segment.limit(); at += kBlock) {
      if (left == 0) co_return false;
      left -= kBlock;
      const absl::StatusOr<BatchHeader> header = co_await HeaderAt(segment, at);
      if (!header.ok()) continue;
      mark_ = std::max(mark_, header->mark);
      if (mark_ > position) co_return true;
    }
  }
  co_return false;
}

/// Goes through one segment. False: the log ends in it, at tail_.position.
core::Task<bool> Recovery::Scan(size_t index) {
  Segment& segment = segments_.at(index);
  uint64_t position = segment.data_begin();
  tail_.position = position;
  for (;;) {
    absl::StatusOr<BatchHeader> header = co_await HeaderAt(segment, position);
    const bool damaged = !header.ok() || !Continues(*header);
    if (damaged && co_await ContinuesIn(index + 1)) break;
    if constexpr (kMutant == Mutant::kDropLastBatch) {
      if (!damaged && header->bytes < segment.limit() - position) {
        const absl::StatusOr<BatchHeader> next = co_await HeaderAt(segment, position + header->bytes);
        if (!next.ok()) co_return false;
      }
    }
    if (!damaged) {
      const std::span<const std::byte> bytes = co_await reader_.Read(segment, position, header->bytes);
      const BatchView batch(*header, bytes);
      if (batch.Intact()) {
        mark_ = std::max(mark_, header->mark);
        TakeBatch(segment, batch);
        position = tail_.position;
        continue;
      }
    }
    if (co_await TakeOver(segment, position)) continue;
    if (!failure_.ok() || kMutant == Mutant::kTruncateAtBadCrc) co_return false;
    if (!co_await DurableBeyond(index, position)) {
      // What can't be read is not torn: a power cut leaves sectors that can. Where a log was closed there is nothing to read.
      if (position != clean_end_ && reader_.Unreadable(position, damaged ? kBlock : header->bytes)) {
        failure_ = absl::DataLossError(core::StrCat(segment.log.path(), " can't be read at ", position - segment.position,
                                                    ", where the log ends: what lies there may have been acknowledged. Mend the disk, or write zeros to these ",
                                                    kBlock, " bytes to go on without it"));
      }
      co_return false;
    }
    if (damaged) {
      BatchHeader found;
      const uint64_t next = co_await SkipDamage(segment, position, found);
      if (found.bytes == 0) {
        core::LogError("recovery: log ", identity_.log_number, " is damaged from ", position, " to ", next);
        damaged_bytes_ += next - position - reader_.UnreadableBytes(position, next);  // those are counted at the end
        position = next;
        tail_.position = std::min(next, segment.limit());
        if (next >= segment.limit()) {
          if (index + 1 < segments_.size()) break;
          co_return false;
        }
        continue;
      }
      header = found;
    }
    // A batch with a good header and damage inside it.
    core::LogError("recovery: log ", identity_.log_number, " has damage in the batch at ", position);
    const std::span<const std::byte> bytes = co_await reader_.Read(segment, position, header->bytes);
    TakeBatch(segment, BatchView(*header, bytes));
    position = tail_.position;
  }
  segment.end = tail_.position;
  segment.last_crc = tail_.previous_crc;
  segment.last_epoch = tail_.epoch;
  segment.records_end = tail_.records;
  co_return true;
}

/// No valid batch begins at `position`, though what was there was durable. Finds its own header's copy (`found`), else where the next batch begins.
core::Task<uint64_t> Recovery::SkipDamage(Segment& segment, uint64_t position, BatchHeader& found) {
  const absl::StatusOr<BatchHeader> here = co_await HeaderAt(segment, position);
  if (here.ok()) {
    // Valid, but it does not continue what was read before it: something in between was lost or replaced.
    found = *here;
    if (found.records_before > tail_.records) NoteLost(position, found.records_before - tail_.records);
    co_return position;
  }
  for (uint64_t at = position + kBlock; at <= segment.limit(); at += kBlock) {
    const std::span<const std::byte> last = co_await reader_.Read(segment, at - kBlock, kBlock);
    const absl::StatusOr<BatchHeader> copy = ParseBatchTrailer(last, identity_, at);
    if (copy.ok() && copy->position == position) {
      found = *copy;
      co_return at;
    }
    if (at >= mark_) {
      // Behind the mark nothing is known to be of this history: the log goes on here.
      NoteLost(position, (at - position) / kRecordBytesMin);
      chain_ = Chain::kLost;
      co_return at;
    }
    const absl::StatusOr<BatchHeader> next = co_await HeaderAt(segment, at);
    if (next.ok()) {
      NoteLost(position, next->records_before > tail_.records ? next->records_before - tail_.records : 0);
      tail_.previous_crc = next->previous_crc;
      tail_.records = next->records_before;
      chain_ = Chain::kKnown;
      co_return at;
    }
  }
  NoteLost(position, (segment.limit() - position) / kRecordBytesMin);
  chain_ = Chain::kLost;
  co_return segment.limit();
}

void Recovery::NoteLost(uint64_t position, uint64_t records) {
  damaged_records_ += records;
  if (records > 0) lost_[position] += records;
}

/// A batch behind a hole says how many records there were before it. Where none is, the file in which the log ended is gone, and the one behind it
/// was made in advance: so many as it can have held.
void Recovery::NoteHolesAtTheEnd() {
  for (const auto& [begin, end] : holes_) {
    if (tail_.position <= end + kBlock) NoteLost(begin, (end - begin) / kRecordBytesMin);
  }
}

void Recovery::TakeBatch(Segment& segment, const BatchView& batch) {
  const BatchHeader& header = batch.header();
  if (const uint64_t gone = std::exchange(gone_before_, 0); gone > 0) {
    NoteLost(segments_.front().position, std::min<uint64_t>(gone / kRecordBytesMin, header.records_before));
  }
  uint32_t known = 0;
  batch.ForEach(
      [&](const TableEntry& row, std::span<const std::byte> record, size_t offset) {
        ++known;
        Enter(segment, row, record, header.position + offset);
      },
      [&](const TableEntry& row) {
        ++known;
        ++damaged_records_;
        int64_t& floor = floors_by_hash_[row.queue_hash];
        floor = std::max(floor, row.queue_offset + 1);
      });
  // Where among those that are known the lost ones lie nobody knows: they count as the last of the batch.
  if (known < header.record_count) NoteLost(header.position + header.bytes, header.record_count - known);
  if (header.record_count > 0) {
    segment.NoteTime(header.first_store_time);
    segment.NoteTime(header.last_store_time);
    tail_.last_store_time = header.last_store_time;
  }
  mark_ = std::max(mark_, header.mark);
  tail_.position = header.position + header.bytes;
  tail_.previous_crc = header.crc;
  tail_.epoch = header.epoch;
  tail_.records = header.records_before + header.record_count;
  chain_ = Chain::kKnown;
}

void Recovery::Enter(Segment& segment, const TableEntry& row, std::span<const std::byte> bytes, uint64_t position) {
  const absl::StatusOr<RecordView> record = ParseRecord(bytes);
  const int64_t queue_offset = record.ok() ? record->queue_offset.value() : -1;
  if (!record.ok() || record->topic.empty() || record->queue_id < 0 || queue_offset < 0 ||
      record->position != MakePhysicalOffset(identity_.log_number, position)) {
    ++damaged_records_;
    return;
  }
  const auto dropped = dropped_.find(record->topic);
  if (dropped != dropped_.end() && position < dropped->second) return;
  Queue& queue = queues_.FindOrMake(QueueName(record->topic, record->queue_id));
  if (queue_offset < queue.next) {
    core::LogError("recovery: message ", queue_offset, " of ", record->topic, "/", record->queue_id, " is in the log twice; the second at ", position);
    ++damaged_records_;
    return;
  }
  queue.Add(segment, queue_offset, {position, row.bytes, row.crc, row.tags_code}, record->store_timestamp);
  last_seen_[&queue] = position;
}

/// Removes segments behind the one in which the log ends: prepared ones, and writes that were never acknowledged.
core::Task<absl::Status> Recovery::CutAfter(size_t index) {
  bool removed = false;
  while (segments_.size() > index + 1) {
    std::unique_ptr<Segment> segment = segments_.PopBack();
    const std::string path = segment->log.path();
    CO_RETURN_IF_ERROR(co_await segment->log.Close());
    if (segment->index.is_open()) CO_RETURN_IF_ERROR(co_await segment->index.Close());
    const absl::Status no_index = co_await core::fs::Remove(SegmentIndexPath(options_.directory, segment->position));
    if (!no_index.ok() && !absl::IsNotFound(no_index)) co_return no_index;
    CO_RETURN_IF_ERROR(co_await core::fs::Remove(path));
    removed = true;
  }
  if (removed) CO_RETURN_IF_ERROR(co_await core::fs::SyncDirectory(options_.directory));
  co_return absl::OkStatus();
}

/// Leaves in lost_ what no floor takes into account yet, and notes that from now on they do.
absl::Status Recovery::SettleLost(std::vector<MetaChange>& changes) {
  const uint64_t log_begin = segments_.front().position;
  for (const auto& [key, value] : meta_.All(MetaTable::kLostRanges)) {
    const std::optional<uint64_t> position = ParseNumber<uint64_t>(key);
    const std::optional<uint64_t> records = ParseNumber<uint64_t>(value);
    if (!position.has_value() || !records.has_value()) return absl::DataLossError(core::StrCat("lost range '", key, "' is '", value, "'"));
    if (*position < log_begin) changes.push_back({MetaTable::kLostRanges, key, std::nullopt});
  }
  for (auto lost = lost_.begin(); lost != lost_.end();) {
    std::string key = core::StrCat(lost->first);
    const std::string* settled = meta_.Find(MetaTable::kLostRanges, key);
    const uint64_t before = settled == nullptr ? 0 : ParseNumber<uint64_t>(*settled).value_or(0);
    if (lost->second <= before) {
      lost = lost_.erase(lost);
      continue;
    }
    changes.push_back({MetaTable::kLostRanges, std::move(key), absl::StrCat(lost->second)});
    lost->second -= before;
    ++lost;
  }
  return absl::OkStatus();
}

/// The lowest offset of `queue` that was certainly never given out. `floor`: below it are those that were, before what lost_ has.
int64_t Recovery::FirstFree(const Queue& queue, int64_t floor) const {
  // A queue that goes on behind a lost range says by its own offsets what is missing. One that is behind its floor has lost its end, who knows where.
  const auto seen = last_seen_.find(&queue);
  const bool whole = floor <= queue.next && seen != last_seen_.end();
  int64_t next = std::max(queue.next, floor);
  // A damaged message whose row is good was given out; what comes in lost ranges may have come behind it.
  const auto by_hash = floors_by_hash_.find(queue.hash);
  if (by_hash != floors_by_hash_.end()) next = std::max(next, by_hash->second);
  for (auto lost = whole ? lost_.upper_bound(seen->second) : lost_.begin(); lost != lost_.end(); ++lost) {
    next += static_cast<int64_t>(lost->second);
  }
  return next;
}

/// Queue offsets that were given out are never given out again, whatever became of their messages. All queues are known by their floors.
core::Task<absl::Status> Recovery::SettleFloors() {
  absl::flat_hash_map<const Queue*, int64_t> floors;
  for (const auto& [key, value] : meta_.All(MetaTable::kQueueFloors)) {
    const size_t zero = key.find('\0');
    const std::optional<int64_t> floor = ParseNumber<int64_t>(value);
    const std::optional<int32_t> queue_id =
        zero == std::string::npos ? std::nullopt : ParseNumber<int32_t>(std::string_view(key).substr(zero + 1));
    if (!floor.has_value() || !queue_id.has_value()) co_return absl::DataLossError(core::StrCat("queue floor '", key, "' is '", value, "'"));
    floors[&queues_.FindOrMake(QueueName(std::string_view(key).substr(0, zero), *queue_id))] = *floor;
  }
  std::vector<MetaChange> changes;
  CO_RETURN_IF_ERROR(SettleLost(changes));
  queues_.ForEach([&](Queue& queue) {
    const auto noted = floors.find(&queue);
    const int64_t floor = noted == floors.end() ? 0 : noted->second;
    const int64_t next = FirstFree(queue, floor);
    // Those that earlier versions and imports have not noted are from here on.
    if (noted == floors.end() || next > std::max(floor, queue.next)) changes.push_back({MetaTable::kQueueFloors, QueueFloorKey(queue.key), absl::StrCat(next)});
    queue.next = next;
  });
  if (!begin_.has_value()) changes.push_back({MetaTable::kLogBegin, std::string(kLogBeginKey), absl::StrCat(segments_.front().position)});
  if (changes.empty()) co_return absl::OkStatus();
  std::sort(changes.begin(), changes.end(),
            [](const MetaChange& a, const MetaChange& b) { return std::tie(a.table, a.key) < std::tie(b.table, b.key); });
  co_return co_await meta_.Commit(std::move(changes));
}

/// Writes what `segment` holds between the mark and `end` to its place once more. It may so far be in a cache only, and a further flush need not save it:
/// where one has failed, the kernel takes for clean what it could not write, and goes on showing it.
core::Task<absl::Status> Recovery::WriteAgain(Segment& segment, uint64_t end) {
  for (uint64_t at = std::max(mark_, segment.data_begin()); at < end;) {
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(end - at, kRewriteBytes));
    const std::span<const std::byte> piece = co_await reader_.Read(segment, at, bytes);
    if (reader_.Unreadable(at, bytes)) {  // it was read a moment ago, so nothing says that it is lost
      co_return absl::DataLossError(core::StrCat(segment.log.path(), " can't be read any more at ", at - segment.position,
                                                 ", where the unflushed end of the log lies: mend the disk and start again"));
    }
    CO_RETURN_IF_ERROR(co_await segment.log.WriteAt(at - segment.position, piece, false));
    at += bytes;
  }
  co_return absl::OkStatus();
}

/// Makes all that was read durable.
core::Task<absl::Status> Recovery::SyncAll() {
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_.at(i);
    if (segment.sealed) continue;
    CO_RETURN_IF_ERROR(co_await WriteAgain(segment, i + 1 < segments_.size() ? segment.end : tail_.position));
    CO_RETURN_IF_ERROR(co_await segment.log.Sync());
  }
  co_return absl::OkStatus();
}

core::Task<absl::Status> Recovery::WriteEndMarker() {
  if (tail_.position + kBlock > segments_.back().limit() || segments_.back().sealed) {
    Segment& full = segments_.back();
    full.end = tail_.position;
    full.last_crc = tail_.previous_crc;
    full.last_epoch = tail_.epoch;
    full.records_end = tail_.records;
    CO_ASSIGN_OR_RETURN(std::unique_ptr<Segment> next, co_await spares_.NewSegment(identity_, full.limit()));
    tail_.position = next->data_begin();
    segments_.PushBack(std::move(next));
  }
  Segment& segment = segments_.back();
  const core::Slice block = core::Reactor::Current().buffers().Allocate(kBlock);
  BatchHeader header{.kind = BatchKind::kEndMarker,
                     .previous_crc = tail_.previous_crc,
                     .epoch = tail_.epoch,
                     .position = tail_.position,
                     .mark = tail_.position,
                     .first_store_time = tail_.last_store_time,
                     .last_store_time = tail_.last_store_time,
                     .records_before = tail_.records};
  EncodeBatch(identity_, header, {}, {block.data(), kBlock});
  CO_RETURN_IF_ERROR(co_await segment.log.WriteAt(tail_.position - segment.position, block.bytes(), true));
  tail_.position += kBlock;
  tail_.previous_crc = header.crc;
  co_return absl::OkStatus();
}

}  // namespace store
