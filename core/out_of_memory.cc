#include "core/out_of_memory.h"

#include <unistd.h>

#include <cstdlib>
#include <new>
#include <string_view>

namespace core {

namespace {

constexpr std::string_view kText =
    "out of memory: the system has refused an allocation, so this process ends; what it has acknowledged is kept as through any crash. Give it more memory "
    "(ulimit -v, vm.overcommit_memory, its control group), or less to use (--memory)\n";

[[noreturn]] void End() {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText.data(), kText.size());  // no stream: those allocate
  std::abort();
}

}  // namespace

void EndWhenOutOfMemory() { std::set_new_handler(End); }

}  // namespace core
