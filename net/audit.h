#pragma once

#include <cstdint>
#include <string_view>

#include "net/connection.h"
#include "net/reply.h"

namespace net {

/// The trail of one shard's refusals and changes by administrators, in the log: "audit: PEER REQUEST RESOURCE: RESULT". So many lines a period at
/// most; how many were left out is said with the next one.
class Audit {
 public:
  /// Whether a line may be written now. Changes have a limit of their own, so that no flood of refusals hides one. Then Write is called.
  bool AdmitRefusal() { return Admit(refusals_); }
  bool AdmitChange() { return Admit(changes_); }
  void Write(std::string_view peer, std::string_view request, std::string_view resource, const Reply& reply);

 private:
  bool Admit(LogLimiter& limiter);

  LogLimiter refusals_;
  LogLimiter changes_;
  uint64_t unsaid_ = 0;  // of the kind that was admitted
};

}  // namespace net
