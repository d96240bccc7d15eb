#include "broker/index_upkeep.h"

#include "absl/time/time.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kRetryPause = absl::Seconds(2);

}  // namespace

core::Task<void> IndexUpkeep::Run(core::StopToken stop) {
  bool failing = false;
  while (!stop.stop_requested()) {
    const absl::Status status = co_await Once();
    if (!status.ok() && !std::exchange(failing, true)) {
      core::LogError("the index of ", of_, " is not written: ", core::ToStd(status.message()));
    }
    if (status.ok()) failing = false;
    core::Sleep pause(failing ? kRetryPause : kPause, stop);
    (void)co_await pause;
  }
}

core::Task<absl::Status> IndexUpkeep::Once() {
  if (!damaged_ && !index_.WantsCheckpoint()) co_return absl::OkStatus();
  const core::Semaphore::Hold upkeep = co_await turn_.Take(1);
  if (!damaged_) {
    const absl::Status status = co_await index_.Checkpoint();
    changed_();  // what is next may have to be read first
    Note(status);
    if (!damaged_) co_return status;
    core::LogError(core::ToStd(status.message()));
  }
  core::LogError("the index of ", of_, " is damaged and made anew from the log");
  const core::Semaphore::Hold turn = co_await index_.turn().Take(1);
  CO_RETURN_IF_ERROR(co_await index_.Rebuild());
  damaged_ = false;
  changed_();  // while nothing was known, nothing was next
  co_return absl::OkStatus();
}

core::Task<absl::Status> IndexUpkeep::Close() {
  // From now on nothing that waits may go from the log, and nobody asks.
  const core::Semaphore::Hold upkeep = co_await turn_.Take(1);
  if (!damaged_) {
    const absl::Status noted = co_await index_.Checkpoint();
    if (!noted.ok()) core::LogWarning("the next start has more of the log to read for ", of_, ": ", core::ToStd(noted.message()));
  }
  const core::Semaphore::Hold turn = co_await index_.turn().Take(1);
  co_return co_await index_.Close();
}

}  // namespace broker
