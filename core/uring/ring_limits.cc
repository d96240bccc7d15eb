#include "core/uring/ring_limits.h"

#include <cstdint>
#include <vector>

#include "core/status.h"

namespace core::uring {
namespace {

constexpr uint8_t kOperations[] = {
    IORING_OP_OPENAT,    IORING_OP_CLOSE,    IORING_OP_READ,     IORING_OP_WRITEV,       IORING_OP_FSYNC,
    IORING_OP_FALLOCATE, IORING_OP_RENAMEAT, IORING_OP_UNLINKAT, IORING_OP_MKDIRAT,      IORING_OP_ACCEPT,
    IORING_OP_CONNECT,   IORING_OP_RECV,     IORING_OP_SENDMSG,  IORING_OP_ASYNC_CANCEL, IORING_OP_MSG_RING,
};
/// What ends the use of what was registered before.
constexpr uint8_t kRegistrations[] = {IORING_UNREGISTER_PBUF_RING, IORING_UNREGISTER_RING_FDS};

}  // namespace

absl::Status LimitAndEnable(io_uring& ring) {
  std::vector<io_uring_restriction> limits;
  for (const uint8_t operation : kOperations) {
    io_uring_restriction limit{};
    limit.opcode = IORING_RESTRICTION_SQE_OP;
    limit.sqe_op = operation;
    limits.push_back(limit);
  }
  for (const uint8_t registration : kRegistrations) {
    io_uring_restriction limit{};
    limit.opcode = IORING_RESTRICTION_REGISTER_OP;
    limit.register_op = registration;
    limits.push_back(limit);
  }
  io_uring_restriction flags{};
  flags.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  flags.sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_ASYNC;
  limits.push_back(flags);
  int result = io_uring_register_restrictions(&ring, limits.data(), static_cast<unsigned>(limits.size()));
  if (result < 0) return ErrnoStatus(-result, "limit the operations of an io_uring");
  result = io_uring_enable_rings(&ring);
  return result < 0 ? ErrnoStatus(-result, "enable an io_uring") : absl::OkStatus();
}

}  // namespace core::uring
