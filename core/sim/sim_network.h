#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io.h"
#include "core/sim/clockwork.h"

namespace sim {

struct Connection;
struct ListeningSocket;

/// A shard's Io as the network sees it.
class NetworkPort {
 public:
  virtual uint64_t process() const = 0;
  virtual Machine& machine() = 0;
  /// Gives the end a socket id of this shard.
  virtual int32_t Adopt(std::shared_ptr<Connection> connection, int side) = 0;
  /// Something has arrived for the socket; told at the shard's next poll.
  virtual void SocketReady(int32_t socket) = 0;
  virtual void Complete(core::Completion& done, int32_t result) = 0;

 protected:
  ~NetworkPort() = default;
};

/// What travels towards one end of a connection.
struct Segment {
  int64_t at = 0;  // when it arrives, if nothing is in the way
  enum class Kind { kData, kEnd, kReset } kind = Kind::kData;
  std::string bytes = {};
};

/// One end of a connection: what arrives there, and what it is about to send.
struct StreamEnd {
  NetworkPort* port = nullptr;  // null: not there yet (`connecting`), closed, or its process is dead
  bool connecting = false;
  uint64_t process = 0;
  int32_t socket = -1;  // -1: waits in a listener's backlog
  Machine* machine = nullptr;
  core::Endpoint local;
  core::Endpoint peer;

  std::deque<Segment> wire;
  bool wire_moving = false;     // the arrival of the first segment is scheduled
  bool wire_watched = false;    // the sender will give up when this does not move on
  std::deque<std::string> arrived;
  size_t unread = 0;   // bytes in `wire` and `arrived`
  bool ended = false;  // nothing follows `arrived`
  int32_t error = 0;   // why it ended: 0 the peer's end, else a negated errno

  bool shut = false;       // ShutdownSocket was called here
  bool end_sent = false;
  core::Completion* sending = nullptr;  // waits for room at the other end
  std::vector<iovec> parts;
};

struct Connection {
  uint64_t number = 0;
  size_t window = 0;  // bytes that may be under way in one direction
  bool forgotten = false;  // nothing gets through any more, and nobody is told
  bool byte_by_byte = false;  // what is short arrives as single bytes
  StreamEnd ends[2];  // 0 connected, 1 accepted
};

struct ListeningSocket {
  NetworkPort* port = nullptr;
  int32_t socket = -1;
  core::Endpoint at;
  size_t backlog_max = 0;
  std::deque<std::shared_ptr<Connection>> backlog;
};

struct NetworkOptions {
  int64_t delay_min = 50 * kMicrosecond;  // one way, between machines
  int64_t delay_max = 400 * kMicrosecond;
  uint64_t spike_one_in = 500;  // segments that take up to `spike_max`
  int64_t spike_max = 20 * kMillisecond;
  uint64_t split_one_in = 3;    // sends that arrive in pieces
  uint64_t partial_send_one_in = 10;
  uint64_t byte_by_byte_one_in = 16;  // connections
  int64_t give_up_after = 20 * kSecond;  // a connect or a send that gets no answer
};

/// The wires between the machines and the TCP of their kernels. Connections are independent: each direction of each has its own delay, so
/// they overtake one another; within a direction order holds, and bytes arrive cut into arbitrary pieces.
class SimNetwork {
 public:
  SimNetwork(Clockwork& clock, Random random) : clock_(clock), random_(random) {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  void AddMachine(Machine& machine) { machines_.push_back(&machine); }
  NetworkOptions& options() { return options_; }

  // --- For SimIo.
  absl::StatusOr<std::shared_ptr<ListeningSocket>> Listen(NetworkPort& port, const core::Endpoint& at, int backlog);
  void CloseListener(ListeningSocket& listener);
  void Connect(NetworkPort& port, const core::Endpoint& to, core::Completion& done);
  void Send(const std::shared_ptr<Connection>& connection, int side, std::span<const iovec> parts, core::Completion& done);
  /// The owner of `side` has taken bytes: there is room for more.
  void Consumed(const std::shared_ptr<Connection>& connection, int side, size_t bytes);
  void Shutdown(const std::shared_ptr<Connection>& connection, int side);
  void Close(const std::shared_ptr<Connection>& connection, int side);

  // --- For World.
  /// The kernel closes what the process held; `silent` (the power went): nobody is told.
  void ProcessDied(uint64_t process, bool silent);
  void MachineBack(const Machine& machine);
  /// Segments from `from` to `to` stay under way until Heal.
  void Cut(const Machine& from, const Machine& to) { cut_.insert({from.index, to.index}); }
  void Heal(const Machine& from, const Machine& to);
  void SetDelay(const Machine& from, const Machine& to, int64_t delay_min, int64_t delay_max) {
    delays_[{from.index, to.index}] = {delay_min, delay_max};
  }
  void ForgetDelays() { delays_.clear(); }
  /// Resets the connections between two machines (the same one twice: those within it); returns how many.
  size_t ResetConnections(const Machine& a, const Machine& b);
  /// Whatever stands between the two has forgotten their connections: nothing gets through on these, and neither end is told.
  size_t ForgetConnections(const Machine& a, const Machine& b);
  size_t connection_count() const { return connections_.size(); }

 private:
  struct Attempt;
  using ConnectionRef = std::shared_ptr<Connection>;

  int64_t Delay(const Machine& from, const Machine& to);
  bool Blocked(const Machine& from, const Machine& to) const {
    return cut_.contains({from.index, to.index}) || !to.powered;
  }
  /// Whether what travels to this end of `connection` can't get there now.
  bool Stuck(const Connection& connection, int to) const {
    return connection.forgotten || Blocked(*connection.ends[1 - to].machine, *connection.ends[to].machine);
  }
  std::vector<ConnectionRef> Between(const Machine& a, const Machine& b) const;
  void SynArrives(const std::shared_ptr<Attempt>& attempt);
  void Established(const std::shared_ptr<Attempt>& attempt, const ConnectionRef& connection);
  std::shared_ptr<ListeningSocket> PickListener(const Machine& machine, const core::Endpoint& to);
  size_t Take(StreamEnd& from, StreamEnd& to, size_t room, const std::vector<iovec>& parts, const ConnectionRef& connection);
  void TrySend(const ConnectionRef& connection, int side);
  void Push(const ConnectionRef& connection, int to, Segment segment);
  void ScheduleWire(const ConnectionRef& connection, int to, int64_t at);
  void WireMoves(const ConnectionRef& connection, int to);
  void Arrive(const ConnectionRef& connection, int to, Segment segment);
  void WatchWire(const ConnectionRef& connection, int to);
  void Break(const ConnectionRef& connection, int side, int32_t error);
  void Abandon(const ConnectionRef& connection, int side, bool reset);
  void ForgetIfOver(const ConnectionRef& connection);

  Clockwork& clock_;
  Random random_;
  NetworkOptions options_;
  std::vector<Machine*> machines_;
  std::vector<std::shared_ptr<ListeningSocket>> listeners_;
  std::map<uint64_t, ConnectionRef> connections_;
  std::set<std::pair<uint32_t, uint32_t>> cut_;
  std::map<std::pair<uint32_t, uint32_t>, std::pair<int64_t, int64_t>> delays_;
  uint64_t next_connection_ = 0;
};

}  // namespace sim
