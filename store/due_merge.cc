#include "store/due_merge.h"

#include <algorithm>

#include "core/status.h"

namespace store {
namespace {

/// Read at once of each run.
constexpr size_t kPages = 16;

}  // namespace

bool DueMerge::ready() const {
  return std::all_of(sources_.begin(), sources_.end(),
                     [](const Source& source) { return source.exhausted() || source.loaded(); });
}

core::Task<absl::Status> DueMerge::Fill() {
  for (size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    if (source.exhausted() || source.loaded()) continue;
    const uint64_t page = source.next / kDuePageEntries;
    source.window.clear();
    CO_RETURN_IF_ERROR(co_await source.run->Read(page, kPages, source.window));
    source.window_begin = page * kDuePageEntries;
  }
  co_return absl::OkStatus();
}

const DueEntry* DueMerge::Head() {
  const DueEntry* least = nullptr;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].exhausted()) continue;
    const DueEntry& head = sources_[i].head();
    if (least != nullptr && !(head < *least)) continue;
    least = &head;
    least_ = i;
  }
  return least;
}

void DueMerge::Advance() { ++sources_[least_].next; }

}  // namespace store
