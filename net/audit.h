#pragma once

#include <string_view>

#include "net/connection.h"
#include "net/reply.h"

namespace net {

/// The trail of one shard's refusals and changes by administrators, in the log: "audit: PEER REQUEST RESOURCE: RESULT". So many lines a period at
/// most; how many were left out is said with the next one.
class Audit {
 public:
  void Write(std::string_view peer, std::string_view request, std::string_view resource, const Reply& reply);

 private:
  LogLimiter limiter_;
};

}  // namespace net
