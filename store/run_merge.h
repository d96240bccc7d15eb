#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/status.h"
#include "core/task.h"
#include "store/run_file.h"

namespace store {

/// The entries of several runs as one sorted sequence, read page by page. The runs outlive it. One shard.
template <typename Entry>
class RunMerge {
 public:
  void Add(RunFile<Entry>& run, uint64_t first) { sources_.push_back({.run = &run, .next = first, .window = {}}); }
  /// Head may be asked for: what comes next of each run is in memory.
  bool ready() const {
    return std::all_of(sources_.begin(), sources_.end(),
                       [](const Source& source) { return source.exhausted() || source.loaded(); });
  }
  core::Task<absl::Status> Fill() {
    for (size_t i = 0; i < sources_.size(); ++i) {
      Source& source = sources_[i];
      if (source.exhausted() || source.loaded()) continue;
      const uint64_t page = source.next / kRunPageEntries;
      source.window.clear();
      CO_RETURN_IF_ERROR(co_await source.run->Read(page, kPages, source.window));
      source.window_begin = page * kRunPageEntries;
    }
    co_return absl::OkStatus();
  }
  /// The next entry; nothing at the end. When ready.
  const Entry* Head() {
    const Entry* least = nullptr;
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i].exhausted()) continue;
      const Entry& head = sources_[i].head();
      if (least != nullptr && !(head < *least)) continue;
      least = &head;
      least_ = i;
    }
    return least;
  }
  /// Passes by what Head has shown.
  void Advance() { ++sources_[least_].next; }

 private:
  static constexpr size_t kPages = 16;  // read at once of each run

  struct Source {
    RunFile<Entry>* run;
    uint64_t next;
    std::vector<Entry> window;
    uint64_t window_begin = 0;
    bool exhausted() const { return next >= run->entries(); }
    bool loaded() const { return next >= window_begin && next < window_begin + window.size(); }
    const Entry& head() const { return window[next - window_begin]; }
  };
  std::vector<Source> sources_;
  size_t least_ = SIZE_MAX;
};

}  // namespace store
