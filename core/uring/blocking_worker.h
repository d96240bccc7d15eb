#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/io.h"

namespace core {

/// A thread for the few system calls that block and that io_uring has no operation for (listing a folder, free space, locks). Started
/// with the first of them; its results are announced through an eventfd that the shard's ring reads.
class BlockingWorker {
 public:
  struct Job {
    std::function<int32_t()> call;  // >= 0 or a negated errno
    Completion* done = nullptr;
    int32_t result = 0;
  };

  explicit BlockingWorker(int event_fd) : event_fd_(event_fd) {}
  ~BlockingWorker();
  BlockingWorker(const BlockingWorker&) = delete;
  BlockingWorker& operator=(const BlockingWorker&) = delete;

  void Run(Completion& done, std::function<int32_t()> call);
  std::vector<Job> TakeFinished();

 private:
  void Loop();
  const int event_fd_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> waiting_;
  std::vector<Job> finished_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace core
