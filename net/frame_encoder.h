#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/frame.h"
#include "net/header.h"

namespace net {

/// All of a frame but its body. Language JAVA and our version are added: real servers answer so, and tools need a legal name.
struct FrameHead {
  SerializeType serialize_type = SerializeType::kJson;
  int32_t code = 0;
  int32_t opaque = 0;
  int32_t flag = 0;
  std::string_view remark;
  const HeaderFields* fields = nullptr;
};

/// Bytes that EncodeFrameHead may need at most.
size_t EncodedHeadBound(const FrameHead& head);
/// Writes length, mark and header of a frame whose body of `body_bytes` follows; returns their end. A code that does not fit into the 16 bits of
/// the binary encoding is written as JSON.
char* EncodeFrameHead(char* out, const FrameHead& head, size_t body_bytes);

}  // namespace net
