#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace ringmq {

/// The request codes that our servers have handlers for.
struct HandledCodes {
  std::set<int32_t> nameserver;
  std::set<int32_t> broker;
};

/// Starts a nameserver and a broker in a temporary folder, on ports of the system's choice, and asks their routers.
absl::StatusOr<HandledCodes> FindHandledCodes();

/// docs/COMPATIBILITY.md: every request code of net/request_table.h with what becomes of it, and what clients and tools can do.
std::string CompatibilityPage(const HandledCodes& handled);

/// The hidden subcommand `compatibility`: prints the page.
int RunCompatibility();

}  // namespace ringmq
