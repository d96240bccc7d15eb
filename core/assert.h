#pragma once

namespace core {

/// Reports a broken invariant on stderr and aborts. Never returns.
[[noreturn]] void AssertFailed(const char* expression, const char* file, int line) noexcept;

}  // namespace core

/// For what only our own bug can cause; stays on in release builds. Bytes from a peer or a disk never reach one.
#define CORE_ASSERT(expression) \
  (static_cast<bool>(expression) ? static_cast<void>(0) : ::core::AssertFailed(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define CORE_DEBUG_ASSERT(expression) static_cast<void>(0)
#else
#define CORE_DEBUG_ASSERT(expression) CORE_ASSERT(expression)
#endif
