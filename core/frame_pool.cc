#include "core/frame_pool.h"

#include <array>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CORE_FRAME_POOL_OFF 1
#endif
#endif

namespace core {

#ifndef CORE_FRAME_POOL_OFF
namespace {

constexpr size_t kClassBytes = 64;
constexpr size_t kClasses = 64;  // frames up to 4 KiB
constexpr size_t kKeepPerClass = 4096;

struct FreeFrame {
  FreeFrame* next;
};

struct ThreadPool {
  struct SizeClass {
    FreeFrame* head = nullptr;
    size_t count = 0;
  };
  std::array<SizeClass, kClasses> classes;

  ~ThreadPool() {
    for (SizeClass& size_class : classes) {
      while (size_class.head != nullptr) {
        FreeFrame* frame = size_class.head;
        size_class.head = frame->next;
        ::operator delete(frame);
      }
      size_class.count = kKeepPerClass;  // frames freed after this point go straight back
    }
  }
};

ThreadPool& Pool() {
  thread_local ThreadPool pool;
  return pool;
}

size_t ClassOf(size_t bytes) { return (bytes + kClassBytes - 1) / kClassBytes - 1; }

}  // namespace
#endif

void* FramePool::Allocate(size_t bytes) {
#ifndef CORE_FRAME_POOL_OFF
  const size_t index = ClassOf(bytes);
  if (index < kClasses) {
    ThreadPool::SizeClass& size_class = Pool().classes[index];
    if (size_class.head != nullptr) {
      FreeFrame* frame = size_class.head;
      size_class.head = frame->next;
      --size_class.count;
      return frame;
    }
    return ::operator new((index + 1) * kClassBytes);
  }
#endif
  return ::operator new(bytes);
}

void FramePool::Free(void* frame, size_t bytes) noexcept {
#ifndef CORE_FRAME_POOL_OFF
  const size_t index = ClassOf(bytes);
  if (index < kClasses) {
    ThreadPool::SizeClass& size_class = Pool().classes[index];
    if (size_class.count < kKeepPerClass) {
      auto* free_frame = static_cast<FreeFrame*>(frame);
      free_frame->next = size_class.head;
      size_class.head = free_frame;
      ++size_class.count;
      return;
    }
  }
#else
  static_cast<void>(bytes);
#endif
  ::operator delete(frame);
}

}  // namespace core
