#pragma once

// ThreadSanitizer follows descriptors through the calls that it sees. It does not see that a ring has closed one, so the same number, opened next by another thread,
// passes for a race with whoever had it before. While one of these lives its thread's accesses are not looked at; in other builds it is nothing.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RINGMQ_TSAN 1
#endif
#endif

#ifdef RINGMQ_TSAN
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace core {

class UnwatchedDescriptors {
 public:
#ifdef RINGMQ_TSAN
  UnwatchedDescriptors() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~UnwatchedDescriptors() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
#else
  UnwatchedDescriptors() {}
  ~UnwatchedDescriptors() {}
#endif
  UnwatchedDescriptors(const UnwatchedDescriptors&) = delete;
  UnwatchedDescriptors& operator=(const UnwatchedDescriptors&) = delete;
};

}  // namespace core
