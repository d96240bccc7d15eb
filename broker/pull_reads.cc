#include "broker/pull_reads.h"

namespace broker {

core::Task<net::AnswerBytes::Hold> PullReads::Take(uint64_t queue, size_t bytes, core::StopToken stop) {
  const size_t expected = Expect(queue, bytes);
  net::AnswerBytes::Hold room = room_.TryTake(expected);
  if (room) co_return room;
  ++hits_;
  co_return co_await room_.Take(expected, stop);
}

}  // namespace broker
