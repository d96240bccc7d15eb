#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/time.h"

namespace core {

// What the machine knows about itself and its network. These calls block: before the shards start, never on one.

/// The machine's name, as `hostname` prints it; empty when it has none.
std::string HostName();

/// "host:port", where host is an address or a name that the system's resolver knows (IPv4 first). kInvalidArgument: not of that form;
/// kNotFound: no such name, with what the resolver says.
absl::StatusOr<Endpoint> ResolveBlocking(std::string_view host_and_port);

/// The local address from which packets to `peer` leave (port 0), or nothing when there is no way to it. Nothing is sent.
std::optional<Endpoint> SourceAddressFor(const Endpoint& peer);

/// The monotonic clock, for what happens before there is a shard.
MonoTime MonotonicNow();
/// This process's number.
int64_t ProcessId();

}  // namespace core
