#pragma once

#include <cstdint>

namespace core::uring {

/// What a completion's user_data points to, in its low bits: every such object is aligned to 8.
enum class Tag : uint64_t { kCompletion = 0, kReceive = 1, kAccept = 2, kIgnore = 3, kSend = 4 };
inline constexpr uint64_t kTagMask = 7;

inline uint64_t Tagged(const void* object, Tag tag) { return reinterpret_cast<uint64_t>(object) | static_cast<uint64_t>(tag); }

template <typename T>
T* Untag(uint64_t data) {
  return reinterpret_cast<T*>(data & ~kTagMask);
}

}  // namespace core::uring
