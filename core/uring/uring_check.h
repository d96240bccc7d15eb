#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace core {

/// Why io_uring_setup failed with `error` (an errno, > 0), in a sentence that ends with what mends it. `disabled` is the kernel's setting
/// io_uring_disabled ("0", "1" or "2"), empty where the kernel has none. Never OK.
absl::Status UringSetupError(int error, std::string_view disabled);

}  // namespace core
