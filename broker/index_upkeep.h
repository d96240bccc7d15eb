#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/sync.h"
#include "core/task.h"
#include "store/due_index.h"

namespace broker {

/// Keeps the files of a DueIndex: a checkpoint whenever it wants one, and all of it made anew from the log when a file is damaged. One shard.
class IndexUpkeep {
 public:
  /// `of`: what waits in the index, for people. `changed` is called when what comes next may be another. `index` outlives this.
  IndexUpkeep(store::DueIndex& index, std::string of, std::function<void()> changed)
      : index_(index), of_(std::move(of)), changed_(std::move(changed)) {}

  /// Until `stop`.
  core::Task<void> Run(core::StopToken stop);
  /// A last checkpoint, once Run has ended and nobody uses the index any more; closes it.
  core::Task<absl::Status> Close();

  /// Whoever reads the index tells what came of it: kDataLoss has it made anew.
  void Note(const absl::Status& status) { damaged_ = damaged_ || absl::IsDataLoss(status); }
  /// It is about to be made anew: nothing in it counts.
  bool damaged() const { return damaged_; }
  /// Held while the files are at work, and by whoever looks through the whole index.
  core::Semaphore& turn() { return turn_; }

 private:
  core::Task<absl::Status> Once();

  store::DueIndex& index_;
  const std::string of_;
  const std::function<void()> changed_;
  core::Semaphore turn_{1};
  bool damaged_ = false;
};

}  // namespace broker
