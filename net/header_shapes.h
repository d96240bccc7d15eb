#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "net/frame.h"

namespace net {

/// JSON headers as they came lately. A client's next header mostly differs from its last one in nothing but the values of fields, whose lengths are the same:
/// then it is compared with that one instead of being read. What it is taken for is what the reader would make of it, always. One shard.
class HeaderShapes {
 public:
  HeaderShapes();
  ~HeaderShapes();
  HeaderShapes(const HeaderShapes&) = delete;
  HeaderShapes& operator=(const HeaderShapes&) = delete;

  /// False: nothing like it has come, and nothing has happened. True: `frame` is filled in as by DecodeJsonHeader, and its values are unescaped where they lay.
  bool Read(char* text, size_t size, Frame& frame) const;

  /// One that Read did not know and that was read into `frame`, but for the escapes in values, which still stand in the text. `opaque`: where that number is.
  void Learn(const char* text, size_t size, const Frame& frame, std::string_view opaque);
  /// Whether it is worth learning.
  bool Wants(size_t size);

 private:
  struct Shape;
  static constexpr size_t kShapes = 16;
  static size_t SlotOf(size_t size) { return size % kShapes; }

  std::array<std::unique_ptr<Shape>, kShapes> shapes_;
  std::array<uint8_t, kShapes> unknown_{};  // headers of the slot that were not known
};

}  // namespace net
