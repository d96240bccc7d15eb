#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "core/task.h"
#include "store/due_run.h"

namespace store {

/// The entries of several runs as one sorted sequence, read page by page. The runs outlive it. One shard.
class DueMerge {
 public:
  void Add(DueRun& run, uint64_t first) { sources_.push_back({.run = &run, .next = first, .window = {}}); }
  /// Head may be asked for: what comes next of each run is in memory.
  bool ready() const;
  core::Task<absl::Status> Fill();
  /// The next entry; nothing at the end. When ready.
  const DueEntry* Head();
  /// Passes by what Head has shown.
  void Advance();

 private:
  struct Source {
    DueRun* run;
    uint64_t next;
    std::vector<DueEntry> window;
    uint64_t window_begin = 0;
    bool exhausted() const { return next >= run->header().entries; }
    bool loaded() const { return next >= window_begin && next < window_begin + window.size(); }
    const DueEntry& head() const { return window[next - window_begin]; }
  };
  std::vector<Source> sources_;
  size_t least_ = SIZE_MAX;
};

}  // namespace store
