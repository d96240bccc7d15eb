#pragma once

#include <unistd.h>

#include <cstdint>

#include "core/uring/uring_io.h"

namespace core {

/// The ring's standing read of the eventfd that announces finished blocking calls.
struct alignas(8) UringIo::WorkerEvent final : Completion {
  UringIo* io = nullptr;
  int fd = -1;
  uint64_t count = 0;

  ~WorkerEvent() {
    if (fd >= 0) ::close(fd);
  }
  void OnComplete(int32_t result) noexcept override {
    if (result == -ECANCELED) return;
    for (BlockingWorker::Job& job : io->worker_->TakeFinished()) job.done->OnComplete(job.result);
    io->ArmWorkerEvent();
  }
};

}  // namespace core
