#include "core/sim/sim_network.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/assert.h"
#include "core/status.h"
#include "core/strings.h"

namespace sim {
namespace {

constexpr size_t kSegmentBytesMax = 64 * 1024;
constexpr int64_t kSynAgainAfter = kSecond;
/// Of one send over a connection that is cut into single bytes; the rest comes as on others, since each byte is an event.
constexpr size_t kSingleBytesMax = 48;

bool SameAddress(const core::Endpoint& a, const core::Endpoint& b) {
  return a.ipv6 == b.ipv6 && std::memcmp(a.address, b.address, a.ipv6 ? 16 : 4) == 0;
}

}  // namespace

/// A connect that has not ended yet.
struct SimNetwork::Attempt {
  NetworkPort* port;
  core::Completion* done;
  core::Endpoint to;
  core::Endpoint local;
  Machine* target;
  int64_t begun;
};

int64_t SimNetwork::Delay(const Machine& from, const Machine& to) {
  if (from.index == to.index) return random_.Between(3 * kMicrosecond, 30 * kMicrosecond);
  if (random_.OneIn(options_.spike_one_in)) return random_.Between(options_.delay_max, options_.spike_max);
  const auto own = delays_.find({from.index, to.index});
  if (own != delays_.end()) return random_.Between(own->second.first, own->second.second);
  return random_.Between(options_.delay_min, options_.delay_max);
}

// --- Listening.

absl::StatusOr<std::shared_ptr<ListeningSocket>> SimNetwork::Listen(NetworkPort& port, const core::Endpoint& at,
                                                                    int backlog) {
  const Machine& machine = port.machine();
  if (!at.IsAny() && !at.IsLoopback() && !SameAddress(at, machine.address)) {
    return core::ErrnoStatus(EADDRNOTAVAIL, core::StrCat("listen at ", at.Text()));
  }
  core::Endpoint bound = at;
  const auto in_use = [&](uint16_t number, bool by_anyone) {
    return std::any_of(listeners_.begin(), listeners_.end(), [&](const auto& other) {
      if (&other->port->machine() != &machine || other->at.port != number) return false;
      if (by_anyone) return true;
      // SO_REUSEPORT: the shards of one process share a port; one shard does not listen twice at one address.
      const bool overlap = other->at.IsAny() || at.IsAny() || SameAddress(other->at, at);
      return overlap && (other->port == &port || other->port->process() != port.process());
    });
  };
  if (bound.port == 0) {
    do {
      bound.port = static_cast<uint16_t>(random_.Between(50001, 60999));
    } while (in_use(bound.port, true));
  } else if (in_use(bound.port, false)) {
    return core::ErrnoStatus(EADDRINUSE, core::StrCat("listen at ", at.Text()));
  }
  auto listener = std::make_shared<ListeningSocket>();
  listener->port = &port;
  listener->at = bound;
  listener->backlog_max = static_cast<size_t>(std::max(backlog, 1));
  listeners_.push_back(listener);
  return listener;
}

void SimNetwork::CloseListener(ListeningSocket& listener) {
  std::erase_if(listeners_, [&](const auto& other) { return other.get() == &listener; });
  while (!listener.backlog.empty()) {
    const ConnectionRef connection = listener.backlog.front();
    listener.backlog.pop_front();
    Abandon(connection, 1, /*reset=*/true);
  }
}

std::shared_ptr<ListeningSocket> SimNetwork::PickListener(const Machine& machine, const core::Endpoint& to) {
  std::vector<std::shared_ptr<ListeningSocket>> exact, any;
  for (const auto& listener : listeners_) {
    if (&listener->port->machine() != &machine || listener->at.port != to.port) continue;
    if (SameAddress(listener->at, to)) exact.push_back(listener);
    else if (listener->at.IsAny()) any.push_back(listener);
  }
  const auto& candidates = exact.empty() ? any : exact;
  return candidates.empty() ? nullptr : candidates[random_.Below(candidates.size())];
}

// --- Connecting.

void SimNetwork::Connect(NetworkPort& port, const core::Endpoint& to, core::Completion& done) {
  Machine& own = port.machine();
  Machine* target = nullptr;
  for (Machine* machine : machines_) {
    if (SameAddress(machine->address, to)) target = machine;
  }
  if (to.IsLoopback()) target = &own;
  auto attempt = std::make_shared<Attempt>(Attempt{&port, &done, to, to.IsLoopback() ? to : own.address, target, clock_.now});
  attempt->local.port = own.next_port;
  own.next_port = own.next_port == 50000 ? uint16_t{32768} : static_cast<uint16_t>(own.next_port + 1);
  if (target == nullptr) {
    clock_.After(random_.Between(kMillisecond, 100 * kMillisecond), port.process(),
                 [attempt] { attempt->port->Complete(*attempt->done, -EHOSTUNREACH); });
    return;
  }
  clock_.After(Delay(own, *target), port.process(), [this, attempt] { SynArrives(attempt); });
}

void SimNetwork::SynArrives(const std::shared_ptr<Attempt>& attempt) {
  const Machine& own = attempt->port->machine();
  Machine& target = *attempt->target;
  const bool blocked = Blocked(own, target) || Blocked(target, own);
  const std::shared_ptr<ListeningSocket> listener = blocked ? nullptr : PickListener(target, attempt->to);
  if (blocked || (listener != nullptr && listener->backlog.size() >= listener->backlog_max)) {
    if (clock_.now - attempt->begun >= options_.give_up_after) {
      attempt->port->Complete(*attempt->done, -ETIMEDOUT);
    } else {
      clock_.After(kSynAgainAfter, attempt->port->process(), [this, attempt] { SynArrives(attempt); });
    }
    return;
  }
  if (listener == nullptr) {
    clock_.Note("refused", own.name, Trace::kNoShard, attempt->to.port, -ECONNREFUSED);
    clock_.After(Delay(target, own), attempt->port->process(),
                 [attempt] { attempt->port->Complete(*attempt->done, -ECONNREFUSED); });
    return;
  }
  auto connection = std::make_shared<Connection>();
  connection->number = ++next_connection_;
  connection->window = random_.OneIn(4) ? 8 * 1024 : 256 * 1024;
  connection->byte_by_byte = random_.OneIn(options_.byte_by_byte_one_in);
  StreamEnd& near = connection->ends[0];
  near.connecting = true;
  near.process = attempt->port->process();
  near.machine = &attempt->port->machine();
  near.local = attempt->local;
  near.peer = attempt->to;
  StreamEnd& far = connection->ends[1];
  far.port = listener->port;
  far.process = listener->port->process();
  far.machine = &target;
  far.local = attempt->to;
  far.peer = attempt->local;
  connections_[connection->number] = connection;
  listener->backlog.push_back(connection);
  listener->port->SocketReady(listener->socket);
  clock_.Note("connection", own.name, Trace::kNoShard, connection->number, attempt->to.port, target.name);
  clock_.After(Delay(target, own), attempt->port->process(), [this, attempt, connection] { Established(attempt, connection); });
}

void SimNetwork::Established(const std::shared_ptr<Attempt>& attempt, const ConnectionRef& connection) {
  StreamEnd& near = connection->ends[0];
  near.connecting = false;
  near.port = attempt->port;
  near.socket = attempt->port->Adopt(connection, 0);
  attempt->port->Complete(*attempt->done, near.socket);
  if (!near.wire.empty()) ScheduleWire(connection, 0, near.wire.front().at);
}

// --- Bytes on their way.

void SimNetwork::Send(const ConnectionRef& connection, int side, std::span<const iovec> parts, core::Completion& done) {
  StreamEnd& from = connection->ends[side];
  CORE_ASSERT(from.sending == nullptr);
  CORE_ASSERT(parts.size() <= 1024);
  from.sending = &done;
  from.parts.assign(parts.begin(), parts.end());
  TrySend(connection, side);
}

void SimNetwork::TrySend(const ConnectionRef& connection, int side) {
  StreamEnd& from = connection->ends[side];
  StreamEnd& to = connection->ends[1 - side];
  if (from.sending == nullptr) return;
  const int64_t soon = random_.Between(kMicrosecond, 10 * kMicrosecond);
  int32_t result = 0;
  if (from.shut || from.error != 0) {
    result = from.error != 0 ? from.error : -EPIPE;
  } else {
    size_t wanted = 0;
    for (const iovec& part : from.parts) wanted += part.iov_len;
    if (wanted > 0) {
      const size_t room = to.unread < connection->window ? connection->window - to.unread : 0;
      if (room == 0) return;  // Consumed tries again
      size_t taken = std::min(wanted, room);
      if (random_.OneIn(options_.partial_send_one_in)) taken = 1 + random_.Below(taken);
      result = static_cast<int32_t>(Take(from, to, taken, from.parts, connection));
    }
  }
  core::Completion* done = std::exchange(from.sending, nullptr);
  from.parts.clear();
  NetworkPort* port = from.port;
  clock_.After(soon, from.process, [port, done, result] { port->Complete(*done, result); });
}

size_t SimNetwork::Take(StreamEnd& from, StreamEnd& to, size_t room, const std::vector<iovec>& parts,
                        const ConnectionRef& connection) {
  std::string bytes;
  bytes.reserve(room);
  for (const iovec& part : parts) {
    if (bytes.size() == room) break;
    bytes.append(static_cast<const char*>(part.iov_base), std::min(part.iov_len, room - bytes.size()));
  }
  clock_.Note("send", from.machine->name, Trace::kNoShard, HashText(bytes, connection->number),
              static_cast<int64_t>(bytes.size()));
  to.unread += bytes.size();
  const int to_side = &to == &connection->ends[0] ? 0 : 1;
  const bool split = random_.OneIn(options_.split_one_in);
  for (size_t begin = 0; begin < bytes.size();) {
    size_t length = std::min(bytes.size() - begin, kSegmentBytesMax);
    if (split) length = random_.OneIn(8) ? 1 : 1 + random_.Below(length);
    if (connection->byte_by_byte && begin < kSingleBytesMax) length = 1;
    Push(connection, to_side, {.bytes = bytes.substr(begin, length)});
    begin += length;
  }
  return bytes.size();
}

void SimNetwork::Push(const ConnectionRef& connection, int to, Segment segment) {
  StreamEnd& end = connection->ends[to];
  segment.at = clock_.now + Delay(*connection->ends[1 - to].machine, *end.machine);
  if (!end.wire.empty()) segment.at = std::max(segment.at, end.wire.back().at);
  end.wire.push_back(std::move(segment));
  ScheduleWire(connection, to, end.wire.front().at);
}

void SimNetwork::ScheduleWire(const ConnectionRef& connection, int to, int64_t at) {
  StreamEnd& end = connection->ends[to];
  if (end.wire_moving || end.wire.empty()) return;
  end.wire_moving = true;
  clock_.After(std::max<int64_t>(at - clock_.now, 0), 0, [this, connection, to] {
    connection->ends[to].wire_moving = false;
    WireMoves(connection, to);
  });
}

void SimNetwork::WireMoves(const ConnectionRef& connection, int to) {
  StreamEnd& end = connection->ends[to];
  while (!end.wire.empty() && end.wire.front().at <= clock_.now) {
    if (end.connecting) return;  // Established goes on
    if (Stuck(*connection, to)) {
      WatchWire(connection, to);
      return;  // Heal or MachineBack go on
    }
    Segment segment = std::move(end.wire.front());
    end.wire.pop_front();
    Arrive(connection, to, std::move(segment));
  }
  if (!end.wire.empty()) ScheduleWire(connection, to, end.wire.front().at);
}

void SimNetwork::Arrive(const ConnectionRef& connection, int to, Segment segment) {
  StreamEnd& end = connection->ends[to];
  const int64_t bytes = static_cast<int64_t>(segment.bytes.size());
  clock_.Note(segment.kind == Segment::Kind::kData ? "arrive" : segment.kind == Segment::Kind::kEnd ? "arrive end" : "arrive reset",
              end.machine->name, Trace::kNoShard, connection->number * 2 + static_cast<uint64_t>(to), bytes);
  if (end.port == nullptr || end.error != 0) {  // this end is gone: the kernel answers data with a reset
    if (segment.kind == Segment::Kind::kData) Push(connection, 1 - to, {.kind = Segment::Kind::kReset});
    return;
  }
  switch (segment.kind) {
    case Segment::Kind::kData:
      if (end.shut || end.ended) {
        Consumed(connection, to, segment.bytes.size());
        return;
      }
      end.arrived.push_back(std::move(segment.bytes));
      break;
    case Segment::Kind::kEnd:
      end.ended = true;
      break;
    case Segment::Kind::kReset:
      Break(connection, to, -ECONNRESET);
      return;
  }
  if (end.socket >= 0) end.port->SocketReady(end.socket);
}

void SimNetwork::Consumed(const ConnectionRef& connection, int side, size_t bytes) {
  StreamEnd& end = connection->ends[side];
  CORE_ASSERT(end.unread >= bytes);
  end.unread -= bytes;
  StreamEnd& sender = connection->ends[1 - side];
  if (sender.sending == nullptr) return;
  clock_.After(Delay(*end.machine, *sender.machine), sender.process,
               [this, connection, side] { TrySend(connection, 1 - side); });
}

// --- The end of connections.

void SimNetwork::WatchWire(const ConnectionRef& connection, int to) {
  StreamEnd& end = connection->ends[to];
  if (end.wire_watched) return;
  end.wire_watched = true;
  clock_.After(options_.give_up_after, 0, [this, connection, to] {
    StreamEnd& stuck = connection->ends[to];
    stuck.wire_watched = false;
    if (stuck.wire.empty() || !Stuck(*connection, to)) return;
    if (stuck.wire.front().at > clock_.now - options_.give_up_after) {
      WatchWire(connection, to);  // another segment than the one that was waited for
      return;
    }
    Break(connection, 1 - to, -ETIMEDOUT);
  });
}

void SimNetwork::Break(const ConnectionRef& connection, int side, int32_t error) {
  StreamEnd& end = connection->ends[side];
  end.ended = true;
  if (end.error == 0) end.error = error;
  end.end_sent = true;
  end.wire.clear();
  connection->ends[1 - side].wire.clear();
  if (end.port == nullptr) return;
  if (end.sending != nullptr) TrySend(connection, side);
  if (end.socket >= 0) end.port->SocketReady(end.socket);
}

void SimNetwork::Shutdown(const ConnectionRef& connection, int side) {
  StreamEnd& end = connection->ends[side];
  if (end.shut) return;
  end.shut = true;
  end.ended = true;
  size_t dropped = 0;
  for (const std::string& bytes : end.arrived) dropped += bytes.size();
  end.arrived.clear();
  if (dropped > 0) Consumed(connection, side, dropped);
  if (end.sending != nullptr) TrySend(connection, side);
  if (!end.end_sent) {
    end.end_sent = true;
    Push(connection, 1 - side, {.kind = Segment::Kind::kEnd});
  }
  if (end.socket >= 0) end.port->SocketReady(end.socket);
}

void SimNetwork::Close(const ConnectionRef& connection, int side) {
  CORE_ASSERT(connection->ends[side].sending == nullptr);
  Abandon(connection, side, /*reset=*/!connection->ends[side].arrived.empty());
}

void SimNetwork::Abandon(const ConnectionRef& connection, int side, bool reset) {
  StreamEnd& end = connection->ends[side];
  end.port = nullptr;
  end.sending = nullptr;
  end.parts.clear();
  end.arrived.clear();
  if (!end.end_sent) {
    end.end_sent = true;
    Push(connection, 1 - side, {.kind = reset ? Segment::Kind::kReset : Segment::Kind::kEnd});
  }
  ForgetIfOver(connection);
}

void SimNetwork::ForgetIfOver(const ConnectionRef& connection) {
  for (const StreamEnd& end : connection->ends) {
    if (end.port != nullptr || end.connecting) return;
  }
  connections_.erase(connection->number);
}

void SimNetwork::ProcessDied(uint64_t process, bool silent) {
  std::vector<std::shared_ptr<ListeningSocket>> closed;
  for (const auto& listener : listeners_) {
    if (listener->port->process() == process) closed.push_back(listener);
  }
  std::erase_if(listeners_, [&](const auto& listener) { return listener->port->process() == process; });
  std::vector<ConnectionRef> held;  // a copy: ends are forgotten on the way
  for (const auto& [number, connection] : connections_) held.push_back(connection);
  for (const ConnectionRef& connection : held) {
    for (int side = 0; side < 2; ++side) {
      StreamEnd& end = connection->ends[side];
      if (end.process != process || (end.port == nullptr && !end.connecting)) continue;
      end.connecting = false;
      if (silent) end.end_sent = true;
      Abandon(connection, side, /*reset=*/!end.arrived.empty() || random_.OneIn(2));
    }
  }
}

void SimNetwork::MachineBack(const Machine& machine) {
  for (const auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      StreamEnd& end = connection->ends[side];
      if (end.machine != &machine || end.wire.empty()) continue;
      ScheduleWire(connection, side, clock_.now + random_.Between(0, 300 * kMillisecond));
    }
  }
}

void SimNetwork::Heal(const Machine& from, const Machine& to) {
  if (cut_.erase({from.index, to.index}) == 0) return;
  for (const auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      StreamEnd& end = connection->ends[side];
      if (end.machine != &to || connection->ends[1 - side].machine != &from || end.wire.empty()) continue;
      ScheduleWire(connection, side, clock_.now + random_.Between(0, 300 * kMillisecond));  // retransmission
    }
  }
}

std::vector<std::shared_ptr<Connection>> SimNetwork::Between(const Machine& a, const Machine& b) const {
  std::vector<ConnectionRef> between;
  for (const auto& [number, connection] : connections_) {
    if (connection->ends[0].connecting) continue;
    const Machine* ends[2] = {connection->ends[0].machine, connection->ends[1].machine};
    if ((ends[0] == &a && ends[1] == &b) || (ends[0] == &b && ends[1] == &a)) between.push_back(connection);
  }
  return between;
}

size_t SimNetwork::ForgetConnections(const Machine& a, const Machine& b) {
  const std::vector<ConnectionRef> between = Between(a, b);
  for (const ConnectionRef& connection : between) connection->forgotten = true;
  return between.size();
}

size_t SimNetwork::ResetConnections(const Machine& a, const Machine& b) {
  const std::vector<ConnectionRef> between = Between(a, b);
  for (const ConnectionRef& connection : between) {
    Break(connection, 0, -ECONNRESET);
    Break(connection, 1, -ECONNRESET);
  }
  return between.size();
}

}  // namespace sim
