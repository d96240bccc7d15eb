#include "core/uring/uring_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Said(int error, std::string_view disabled = "") {
  const absl::Status status = UringSetupError(error, disabled);
  EXPECT_FALSE(status.ok()) << error;
  return std::string(status.message());
}

// Each failure that a user can mend names its cause and the command; none of it can be had on the machine that runs the tests.
TEST(UringSetupErrorTest, NamesTheCauseAndTheCommand) {
  for (const int error : {EPERM, EACCES}) {
    EXPECT_THAT(Said(error), AllOf(HasSubstr("seccomp"), HasSubstr("docker run --security-opt seccomp=unconfined")));
    EXPECT_EQ(Said(error, "0"), Said(error)) << "a setting that forbids nothing is not to blame";
    for (const char* disabled : {"1", "2"}) {
      EXPECT_THAT(Said(error, disabled),
                  AllOf(HasSubstr("sysctl -w kernel.io_uring_disabled=0"), Not(HasSubstr("seccomp"))));
    }
  }
  EXPECT_THAT(Said(ENOSYS), AllOf(HasSubstr("no io_uring"), HasSubstr("Linux 6.1"), HasSubstr("seccomp=unconfined")));
  EXPECT_THAT(Said(EINVAL), AllOf(HasSubstr("too old"), HasSubstr("Linux 6.1"), HasSubstr("uname -r")));
  EXPECT_THAT(Said(ENOMEM), AllOf(HasSubstr("RLIMIT_MEMLOCK"), HasSubstr("ulimit -l unlimited")));
}

TEST(UringSetupErrorTest, OtherErrorsAreNamedByTheirErrno) {
  EXPECT_THAT(Said(EMFILE), AllOf(HasSubstr("set up io_uring"), HasSubstr("Too many open files")));
}

}  // namespace
}  // namespace core
