#pragma once

#include <cstddef>

namespace core {

/// Memory of coroutine frames: free lists by size class, one set a thread, so that starting a task costs no malloc.
/// A frame is freed on the thread that made it (tasks never migrate). Sanitizer builds go to malloc for each frame.
class FramePool {
 public:
  static void* Allocate(size_t bytes);
  static void Free(void* frame, size_t bytes) noexcept;
};

}  // namespace core
