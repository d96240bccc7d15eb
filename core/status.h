#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace core {

/// The status that an errno value means to its caller: the code says what to do, the text is "what: strerror".
/// `error` is positive. ENOSPC/EDQUOT are kResourceExhausted, EIO kDataLoss, ENOENT kNotFound, EACCES/EROFS kPermissionDenied,
/// ECANCELED kCancelled, ETIMEDOUT kDeadlineExceeded, connection errors kUnavailable, the rest kInternal.
absl::Status ErrnoStatus(int error, std::string_view what);

/// `status` with "context: " before its message; OK stays OK.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace core

// The macros are statements, not expressions: a co_await inside a statement expression crashes older compilers.
#define CORE_CONCAT_INNER(a, b) a##b
#define CORE_CONCAT(a, b) CORE_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                    \
  do {                                                 \
    absl::Status core_status_ = (expression);          \
    if (!core_status_.ok()) return core_status_;       \
  } while (false)

#define CO_RETURN_IF_ERROR(expression)                 \
  do {                                                 \
    absl::Status core_status_ = (expression);          \
    if (!core_status_.ok()) co_return core_status_;    \
  } while (false)

#define ASSIGN_OR_RETURN(target, expression) \
  CORE_ASSIGN_INNER(return, CORE_CONCAT(core_statusor_, __LINE__), target, expression)
#define CO_ASSIGN_OR_RETURN(target, expression) \
  CORE_ASSIGN_INNER(co_return, CORE_CONCAT(core_statusor_, __LINE__), target, expression)
#define CORE_ASSIGN_INNER(how, holder, target, expression) \
  auto holder = (expression);                              \
  if (!holder.ok()) how holder.status();                   \
  target = std::move(holder).value()
