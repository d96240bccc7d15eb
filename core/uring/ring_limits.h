#pragma once

#include <liburing.h>

#include "absl/status/status.h"

namespace core::uring {

/// Leaves a ring that was set up with IORING_SETUP_R_DISABLED the operations that UringIo uses and no others, for good, and enables it. What is
/// registered afterwards is limited as well; so a ring in foreign hands opens no new kind of hole, and an operation that is added to UringIo and not
/// here fails with EACCES in the first test.
absl::Status LimitAndEnable(io_uring& ring);

}  // namespace core::uring
