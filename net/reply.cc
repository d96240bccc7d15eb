#include "net/reply.h"

namespace net {

size_t Reply::body_bytes() const {
  size_t bytes = body_text_.size();
  for (const core::Slice& part : body_) bytes += part.size();
  for (const ForeignPart& part : foreign_parts_) bytes += part.bytes.size();
  return bytes;
}

}  // namespace net
