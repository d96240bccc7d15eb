// Any batch body ends: in messages that lie inside it, or in an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/remoting_util.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  net::BatchReader reader(body);
  size_t text = 0;
  while (!reader.AtEnd()) {
    net::BatchMessage message;
    if (!reader.Next(message).ok()) break;
    text += message.body.size() + message.properties.size();
    if (message.body.data() < body.data() || message.properties.data() + message.properties.size() > body.data() + size)
      abort();
  }
  if (text > size) abort();
  (void)net::DecodeOffsetMessageId(body);
  return 0;
}
