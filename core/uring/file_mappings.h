#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "core/file_mapping.h"

namespace core {

/// Maps the first `bytes` of the file behind `fd`, shared and writable. From then on a file system that fails under the mapping (SIGBUS at a
/// store) does not end the process: the page becomes the process's own, with its content, and the mapping says that it is detached.
absl::StatusOr<std::unique_ptr<FileMapping>> MapDescriptor(int fd, size_t bytes);

}  // namespace core
