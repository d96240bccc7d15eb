#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "net/frame.h"

namespace net {

class HeaderShapes;  // net/header_shapes.h

/// The two ways in which a header is written. Each reads [begin, begin + size) into everything of `frame` but body, bytes and serialize_type;
/// its text points there. The JSON reader unescapes in place; `shapes`, if there are any, spare it what it has read before.
absl::Status DecodeJsonHeader(char* begin, size_t size, Frame& frame, HeaderShapes* shapes = nullptr);
/// The same by the slower one of its two readers, which takes any JSON: for tests that compare them.
absl::Status DecodeAnyJsonHeader(char* begin, size_t size, Frame& frame);
absl::Status DecodeBinaryHeader(const char* begin, size_t size, Frame& frame);

}  // namespace net
