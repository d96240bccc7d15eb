#include "broker/held_pulls.h"

#include "core/reactor.h"

namespace broker {

void RemoteStop::OnStop() noexcept {
  core::Reactor& here = core::Reactor::Current();
  home_ = here.shard();
  travelling_ = true;
  here.SendTo(target_, *this);
}

void RemoteStop::Run() noexcept {
  core::Reactor& here = core::Reactor::Current();
  if (!there_) {
    there_ = true;
    stop_.RequestStop();
    here.SendTo(home_, *this);
    return;
  }
  travelling_ = false;
  if (waiter_) here.Schedule(waiter_);
}

}  // namespace broker
