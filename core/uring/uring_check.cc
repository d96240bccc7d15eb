#include "core/uring/uring_check.h"

#include <cerrno>
#include <fstream>
#include <string>

#include "core/status.h"
#include "core/uring/uring_io.h"

namespace core {

absl::Status UringSetupError(int error, std::string_view disabled) {
  switch (error) {
    case EPERM:
    case EACCES:
      if (!disabled.empty() && disabled[0] != '0') {
        return absl::FailedPreconditionError(
            "io_uring is switched off by the kernel's setting; switch it on with: sysctl -w "
            "kernel.io_uring_disabled=0");
      }
      return absl::FailedPreconditionError(
          "io_uring is forbidden here, most likely by a container's seccomp profile; allow io_uring_setup, "
          "io_uring_enter and "
          "io_uring_register in it, for example with: docker run --security-opt seccomp=unconfined");
    case ENOSYS:
      return absl::FailedPreconditionError(
          "this kernel has no io_uring, or a container's seccomp profile hides it; use Linux 6.1 or newer (see: uname "
          "-r) or: "
          "docker run --security-opt seccomp=unconfined");
    case EINVAL:
      return absl::FailedPreconditionError(
          "this kernel's io_uring is too old (no deferred task work); use Linux 6.1 or newer (see: uname -r)");
    case ENOMEM:
      return absl::FailedPreconditionError(
          "RLIMIT_MEMLOCK is too small for io_uring; raise it with: ulimit -l unlimited (systemd: "
          "LimitMEMLOCK=infinity)");
    default:
      return ErrnoStatus(error, "set up io_uring");
  }
}

absl::Status UringIo::Check() {
  io_uring ring{};
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int result = io_uring_queue_init_params(8, &ring, &params);
  if (result == 0) {
    io_uring_queue_exit(&ring);
    return absl::OkStatus();
  }
  std::string disabled;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
  return UringSetupError(-result, disabled);
}

}  // namespace core
