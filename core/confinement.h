#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace core {

/// Whether a server gives up, once it is set up, what it does not need: so that whoever takes it over has little.
enum class Confinement { kOn, kOff };
inline constexpr std::string_view kConfinementNames[] = {"on", "off"};

/// What a confined process keeps.
struct ConfinementPlan {
  std::vector<std::string> writable;  // folders, made where they are missing; also to be read
  std::vector<std::string> readable;  // folders and files; those that are not there are passed over
  /// TCP ports that it listens on and that it connects to; without a value: any (a port that the system is to choose can't be listed).
  std::optional<std::vector<uint16_t>> bind_ports;
  std::optional<std::vector<uint16_t>> connect_ports;
};

// There is no way back from both. Each returns what is on now, and what is not and why, for the line at the start: "no_new_privs on, landlock on
// (ABI 7: files, TCP ports, signals)".

/// Before the process has threads, which inherit it: no program that it starts gains rights (no_new_privs), and the kernel's Landlock lets it write
/// below plan.writable only, read little else, execute nothing. Landlock holds for io_uring as well, which seccomp does not see.
std::string ConfineFiles(const ConfinementPlan& plan);

/// Once every shard has its ring, for all threads: a seccomp filter. System calls that start processes, trace them, change the kernel, mounts,
/// clocks, identities or rings fail with EPERM. What is not known to be harmful is allowed: a list of all that libc, its allocator and a debugger's
/// library need would break brokers at the next upgrade, and Landlock and the rings' own lists hold what matters.
std::string ConfineSystemCalls();

}  // namespace core
