#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>

#include "core/uring/blocking_worker.h"
#include "core/uring/uring_io.h"

namespace core {

/// A thread for blocking calls together with the ring's standing read of the eventfd that announces their ends.
struct alignas(8) UringIo::RingWorker final : Completion {
  UringIo* io = nullptr;
  int fd = -1;
  uint64_t count = 0;
  std::unique_ptr<BlockingWorker> worker;

  ~RingWorker() {
    worker.reset();
    if (fd >= 0) ::close(fd);
  }
  void OnComplete(int32_t result) noexcept override {
    if (result == -ECANCELED) return;
    for (BlockingWorker::Job& job : worker->TakeFinished()) job.done->OnComplete(job.result);
    io->Arm(*this);
  }
};

}  // namespace core
