#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/types.h"

namespace net {

/// One message of a batch body; text points into it.
struct BatchMessage {
  int32_t flag = 0;  // the user's
  std::string_view body;
  std::string_view properties;
};

/// Reads the body of SEND_BATCH_MESSAGE (or of a send with m=true), message by message, where it lies. Source: RocketMQ 5.3.3
/// MessageDecoder.decodeMessages.
class BatchReader {
 public:
  explicit BatchReader(std::string_view body) : left_(body) {}
  bool AtEnd() const { return left_.empty(); }
  /// The next message; not at the end. kInvalidArgument names the message whose sizes do not fit.
  absl::Status Next(BatchMessage& message);

 private:
  std::string_view left_;
  size_t index_ = 0;
};

/// Appends one message in the form that BatchReader reads. The properties are at most 32,767 bytes.
void AppendBatchMessage(std::string& out, const BatchMessage& message);

/// What an offset message id says: the broker that stored the message and where in its log.
struct OffsetMessageId {
  core::Endpoint store_host;
  core::PhysicalOffset position;
};
/// Reads 32 hexadecimal digits (IPv4) or 56 (IPv6), in either case; kInvalidArgument for anything else. Source: RocketMQ 5.3.3
/// MessageDecoder.decodeMessageId.
absl::StatusOr<OffsetMessageId> DecodeOffsetMessageId(std::string_view text);

}  // namespace net
