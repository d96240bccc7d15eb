#pragma once

#include "absl/status/status.h"
#include "net/reply.h"
#include "net/response_code.h"

namespace broker {

/// The response code that tells a RocketMQ client what a status means to it: the only place where one becomes the other.
///
///   OK SUCCESS                           kInvalidArgument INVALID_PARAMETER   kNotFound QUERY_NOT_FOUND
///   kPermissionDenied NO_PERMISSION      kResourceExhausted, kUnavailable, kCancelled SERVICE_NOT_AVAILABLE (clients try another broker)
///   kDeadlineExceeded SYSTEM_BUSY        kUnimplemented REQUEST_CODE_NOT_SUPPORTED   the rest SYSTEM_ERROR
net::ResponseCode ResponseCodeOf(const absl::Status& status);

/// The same for a failed append: kInvalidArgument is MESSAGE_ILLEGAL and kDeadlineExceeded FLUSH_DISK_TIMEOUT. Source: RocketMQ 5.3.3
/// SendMessageProcessor.handlePutMessageResult.
net::ResponseCode ResponseCodeOfAppend(const absl::Status& status);

/// An answer with the code and, as remark, the status's message.
net::Reply ReplyFromStatus(const absl::Status& status);
/// The same where a missing thing has its own code (TOPIC_NOT_EXIST, SUBSCRIPTION_GROUP_NOT_EXIST).
net::Reply ReplyFromStatus(const absl::Status& status, net::ResponseCode not_found);

}  // namespace broker
