#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/find_batch.h"
#include "store/key_index.h"
#include "store/run_merge.h"

// What the end of the log has left: holes are filled by reading the log, and the runs of a full segment are merged.

namespace store {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(2);
/// While nobody waits for it, filling takes half of the time.
constexpr absl::Duration kPace = absl::Milliseconds(5);
/// So often a part that the disk refuses is asked for before it counts as lost.
constexpr uint32_t kRefusedMax = 4;
/// Runs that a full segment may keep: each costs a search another read.
constexpr size_t kRunsMax = 4;
/// Merged at once, of which each takes 128 KiB of memory.
constexpr size_t kMergeMax = 16;

}  // namespace

core::Task<void> KeyIndex::FillLoop() {
  bool failing = false;
  while (!scope_.stop_requested()) {
    co_await DropDamaged();
    const std::vector<Hole> holes = Holes();
    const std::optional<std::pair<size_t, size_t>> merge = ToMerge();
    absl::Status status;
    if (!holes.empty()) {
      status = co_await Fill(holes.back());  // the newest: it is asked for first
    } else if (merge.has_value()) {
      status = co_await Merge(merge->first, merge->second);
    } else {
      (void)co_await to_fill_.Wait(scope_.stop_token());
      continue;
    }
    if (status.ok()) {
      failing = false;
      continue;
    }
    if (!std::exchange(failing, true))
      core::LogError("the keys of log ", options_.log.log_number, " are not complete: ", status.ToString());
    core::Sleep pause(kRetry, scope_.stop_token());
    (void)co_await pause;
  }
}

/// Stretches of the log below tail_ that no run covers, in its order. A segment's header is none.
std::vector<KeyIndex::Hole> KeyIndex::Holes() const {
  std::vector<Hole> holes;
  auto next = runs_.begin();
  for (size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_.at(i);
    if (segment.position > tail_segment_) break;
    const uint64_t limit = segment.position == tail_segment_ ? tail_.stretch().begin : segment.limit();
    uint64_t at = segment.position;
    uint64_t resume = segment.data_begin();
    for (; next != runs_.end() && (*next)->stretch().begin < limit; ++next) {
      const KeyStretch& stretch = (*next)->stretch();
      if ((*next)->damaged || stretch.begin < segment.position) continue;
      if (stretch.begin > at && stretch.begin > segment.data_begin())
        holes.push_back({at, stretch.begin, resume, &segment});
      at = stretch.end;
      resume = std::max(stretch.resume, segment.data_begin());
    }
    if (at < limit && limit > segment.data_begin()) holes.push_back({at, limit, resume, &segment});
  }
  return holes;
}

core::Task<absl::Status> KeyIndex::Fill(Hole hole) {
  KeyCollector keys(options_.log, options_.table_entries);
  keys.Begin(hole.begin, hole.resume);
  LogReader reader;
  const uint64_t position = hole.segment->position;
  core::MonoTime rested = core::Reactor::Current().Clock();
  // Its segment as it is now; null when it has expired.
  const auto find = [&] {
    Segment* const found = segments_.Find(position);
    return found != nullptr && found->position == position ? found : nullptr;
  };
  const bool active = hole.segment == &log_.active();
  CO_RETURN_IF_ERROR(co_await log_.FlushTo(active ? hole.end : std::min(hole.end, hole.segment->end)));
  while (keys.stretch().end < hole.end) {
    Segment* const segment = find();
    if (segment == nullptr || scope_.stop_requested()) co_return absl::OkStatus();
    const uint64_t end = segment == &log_.active() ? log_.written_end() : segment->end;
    ++segment->pins;
    const std::optional<FoundBatch> found =
        co_await FindBatch(reader, *segment, options_.log, keys.stretch().resume, end);
    bool whole = true;
    if (found.has_value() && found->begin < hole.end) {
      const std::span<const std::byte> bytes = co_await reader.Read(*segment, found->begin, found->header.bytes);
      BatchView(found->header, bytes)
          .ForEach(
              [&](const TableEntry& row, std::span<const std::byte> record, size_t offset) {
                const uint64_t at = found->begin + offset;
                if (at < hole.end) whole = whole && keys.Enter({at, row.bytes, row.crc}, record);
              },
              [](const TableEntry&) {});
    }
    segment->Unpin();
    if (const uint64_t refused = reader.UnreadableBytes(hole.begin, hole.end); refused > 0) {
      if (++refused_ < kRefusedMax)
        co_return absl::UnavailableError(core::StrCat("the disk refused ", refused, " bytes of the log"));
      keys.NoteUnreadable();
    }
    if (!whole) {
      CO_RETURN_IF_ERROR(co_await WriteRun(keys));
      keys.Begin(keys.stretch().end, keys.stretch().resume);
    } else if (!found.has_value() || found->begin >= hole.end) {
      keys.EndWithin(keys.stretch().resume, hole.end);
    } else if (found->begin + found->header.bytes > hole.end) {
      keys.EndWithin(found->begin, hole.end);
    } else {
      keys.LookedAt(found->begin + found->header.bytes);
    }
    co_await core::Yield();
    const core::MonoTime now = core::Reactor::Current().Clock();
    if (now - rested >= kPace && waiting_for_fill_ == 0) {
      core::Sleep rest(kPace, scope_.stop_token());
      (void)co_await rest;
      rested = core::Reactor::Current().Clock();
    }
  }
  refused_ = 0;
  if (keys.stretch().begin == hole.end) co_return absl::OkStatus();  // the table was full just there
  co_return co_await WriteRun(keys);
}

core::Task<void> KeyIndex::DropDamaged() {
  const auto damaged = [](const std::unique_ptr<KeyRun>& run) { return run->damaged; };
  if (std::none_of(runs_.begin(), runs_.end(), damaged)) co_return;
  const core::Semaphore::Hold all = co_await users_.Take(kUsersMax);
  Runs gone;
  std::erase_if(runs_, [&](std::unique_ptr<KeyRun>& run) {
    if (!run->damaged) return false;
    gone.push_back(std::move(run));
    return true;
  });
  co_await LetGo(std::move(gone));
}

/// When there are no holes, so that runs which are beside each other go on from each other.
std::optional<std::pair<size_t, size_t>> KeyIndex::ToMerge() const {
  for (size_t first = 0; first < runs_.size();) {
    const Segment* const segment = segments_.Find(runs_[first]->stretch().begin);
    if (segment == nullptr || segment->position >= tail_segment_) break;
    size_t count = 0;
    while (first + count < runs_.size() && runs_[first + count]->stretch().begin < segment->limit()) ++count;
    if (count > kRunsMax) {
      // The smallest that are beside each other, so that none is written again too often.
      const size_t width = std::min(count, kMergeMax);
      size_t best = first;
      uint64_t least = UINT64_MAX;
      for (size_t begin = first; begin + width <= first + count; ++begin) {
        uint64_t entries = 0;
        for (size_t i = begin; i < begin + width; ++i) entries += runs_[i]->entries();
        if (entries < least) {
          least = entries;
          best = begin;
        }
      }
      return std::pair(best, width);
    }
    first += count;
  }
  return std::nullopt;
}

core::Task<absl::Status> KeyIndex::Merge(size_t first, size_t count) {
  std::vector<KeyRun*> sources;
  for (size_t i = first; i < first + count; ++i) sources.push_back(runs_[i].get());
  core::Semaphore::Hold use = co_await users_.Take(1);
  for (KeyRun* const source : sources) {
    // It may have expired while others were waited for.
    if (std::none_of(runs_.begin(), runs_.end(),
                     [&](const std::unique_ptr<KeyRun>& run) { return run.get() == source; }))
      co_return absl::OkStatus();
  }
  absl::Status unread;
  absl::StatusOr<std::unique_ptr<KeyRun>> merged = co_await WriteMerged(sources, unread);
  use.Release();
  if (!unread.ok()) {
    // Whichever it is.
    for (KeyRun* const source : sources) NoteDamage(*source, unread);
    co_return absl::OkStatus();
  }
  CO_RETURN_IF_ERROR(merged.status());
  const core::Semaphore::Hold all = co_await users_.Take(kUsersMax);
  Runs gone;
  std::erase_if(runs_, [&](std::unique_ptr<KeyRun>& run) {
    if (std::find(sources.begin(), sources.end(), run.get()) == sources.end()) return false;
    gone.push_back(std::move(run));
    return true;
  });
  if (!gone.empty()) {
    // The first one's name is the merged one's by now.
    (void)co_await gone.front()->Close();
    gone.erase(gone.begin());
  }
  co_await LetGo(std::move(gone));
  co_await AddRun(*std::move(merged));
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::unique_ptr<KeyRun>>> KeyIndex::WriteMerged(std::vector<KeyRun*> sources,
                                                                          absl::Status& unread) {
  RunMerge<KeyEntry> merge;
  KeyStretch stretch = sources.front()->stretch();
  for (KeyRun* const source : sources) {
    merge.Add(*source, 0);
    const KeyStretch& next = source->stretch();
    if (source == sources.front()) continue;
    stretch.end = next.end;
    stretch.resume = next.resume;
    stretch.unreadable = stretch.unreadable || next.unreadable;
    if (next.time_max == 0) continue;
    stretch.in_order = stretch.in_order && next.in_order && stretch.time_max <= next.time_min;
    stretch.time_min = stretch.time_min == 0 ? next.time_min : std::min(stretch.time_min, next.time_min);
    stretch.time_max = std::max(stretch.time_max, next.time_max);
  }
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyRunWriter> writer,
                      co_await KeyRunWriter::Create(options_.directory, options_.log, stretch));
  absl::Status status;
  bool done = false;
  while (status.ok() && !done) {
    if (!merge.ready()) unread = status = co_await merge.Fill();
    while (status.ok() && !writer->full() && merge.ready() && !done) {
      const KeyEntry* const head = merge.Head();
      done = head == nullptr;
      if (done) break;
      writer->Add(*head);
      merge.Advance();
    }
    if (status.ok() && writer->full()) status = co_await writer->Write();
    co_await core::Yield();
  }
  if (status.ok()) co_return co_await writer->Finish();
  co_await writer->Abandon();
  co_return status;
}

}  // namespace store
