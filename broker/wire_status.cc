#include "broker/wire_status.h"

#include <string>

namespace broker {

using net::ResponseCode;

net::ResponseCode ResponseCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ResponseCode::kSuccess;
    case absl::StatusCode::kInvalidArgument:
      return ResponseCode::kInvalidParameter;
    case absl::StatusCode::kNotFound:
      return ResponseCode::kQueryNotFound;
    case absl::StatusCode::kPermissionDenied:
      return ResponseCode::kNoPermission;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
      return ResponseCode::kServiceNotAvailable;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
      return ResponseCode::kSystemBusy;
    case absl::StatusCode::kUnimplemented:
      return ResponseCode::kRequestCodeNotSupported;
    default:
      return ResponseCode::kSystemError;
  }
}

net::ResponseCode ResponseCodeOfAppend(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return ResponseCode::kMessageIllegal;
    case absl::StatusCode::kDeadlineExceeded:
      return ResponseCode::kFlushDiskTimeout;
    default:
      return ResponseCodeOf(status);
  }
}

net::Reply ReplyFromStatus(const absl::Status& status) {
  if (status.ok()) return net::Reply();
  return net::Reply(ResponseCodeOf(status), std::string(status.message()));
}

net::Reply ReplyFromStatus(const absl::Status& status, net::ResponseCode not_found) {
  net::Reply reply = ReplyFromStatus(status);
  if (absl::IsNotFound(status)) reply.set_code(not_found);
  return reply;
}

}  // namespace broker
