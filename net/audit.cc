#include "net/audit.h"

#include <string>

#include "core/log.h"
#include "core/reactor.h"
#include "core/strings.h"
#include "net/name_rules.h"

namespace net {

bool Audit::Admit(LogLimiter& limiter) { return limiter.Admit(core::Reactor::Current().now(), &unsaid_); }

void Audit::Write(std::string_view peer, std::string_view request, std::string_view resource, const Reply& reply) {
  const std::string others = unsaid_ == 0 ? std::string() : core::StrCat(" (and ", unsaid_, " others unsaid)");
  if (reply.code() == ResponseCode::kSuccess) {
    core::LogInfo("audit: ", peer, " ", request, " ", resource, ": done", others);
    return;
  }
  core::LogWarning("audit: ", peer, " ", request, " ", resource, ": refused, code ", static_cast<int32_t>(reply.code()),
                   ": ", Quoted(reply.remark(), 300), others);
}

}  // namespace net
