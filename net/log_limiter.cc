#include "net/log_limiter.h"

#include <utility>

namespace net {

bool LogLimiter::Admit(core::MonoTime now, uint64_t* suppressed) {
  if (now - begin_ >= kPeriod) {
    begin_ = now;
    lines_ = 0;
  }
  if (lines_ == kLinesMax) {
    ++suppressed_;
    return false;
  }
  ++lines_;
  *suppressed = std::exchange(suppressed_, 0);
  return true;
}

}  // namespace net
