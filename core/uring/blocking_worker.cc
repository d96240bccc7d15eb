#include "core/uring/blocking_worker.h"

#include <unistd.h>

#include <utility>

namespace core {

BlockingWorker::~BlockingWorker() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void BlockingWorker::Run(Completion& done, std::function<int32_t()> call) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(call), &done, 0});
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  }
  wake_.notify_one();
}

std::vector<BlockingWorker::Job> BlockingWorker::TakeFinished() {
  const std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

void BlockingWorker::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    std::vector<Job> jobs = std::exchange(waiting_, {});
    lock.unlock();
    for (Job& job : jobs) job.result = job.call();
    lock.lock();
    for (Job& job : jobs) finished_.push_back(std::move(job));
    const uint64_t one = 1;
    // Can't fail but for a full counter, which has been announced then.
    [[maybe_unused]] const ssize_t wrote = ::write(event_fd_, &one, sizeof one);
  }
}

}  // namespace core
