#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/access/resource.h"
#include "net/frame.h"
#include "net/request_table.h"

namespace broker {

/// A topic or a group that a request is about. A retry topic is named as it is.
struct NamedResource {
  ResourceType type = ResourceType::kTopic;
  std::string name;
  std::string group;  // of a topic: the group that it is read for, if any
};

/// What the body of a request of RequestResource::Where::kBody names. kInvalidArgument when it can't be read, kUnimplemented for a request whose body nobody knows
/// how to read: neither may pass.
absl::StatusOr<std::vector<NamedResource>> BodyNames(const net::RequestInfo& info, const net::Frame& frame);

}  // namespace broker
