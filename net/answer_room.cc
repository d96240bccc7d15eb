#include "net/answer_room.h"

namespace net {

core::Task<AnswerBytes::Hold> AnswerBytes::Take(size_t bytes, core::StopToken stop) {
  bytes = Cut(bytes);
  ++waiting_;
  const core::Semaphore::Hold turn = co_await turn_.Take(1, core::MonoTime::Max(), stop);
  while (turn && bytes > available_ && !stop.stop_requested()) co_await freed_.Wait(stop);
  --waiting_;
  if (!turn || stop.stop_requested()) co_return Hold();
  available_ -= bytes;
  co_return Hold(this, bytes);
}

}  // namespace net
