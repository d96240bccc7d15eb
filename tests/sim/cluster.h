#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/config.h"
#include "core/io.h"
#include "core/scope.h"
#include "core/sim/world.h"
#include "core/task.h"
#include "net/client.h"
#include "net/requests/pull.h"
#include "tests/sim/recorder.h"

namespace sim {

inline constexpr int32_t kQueues = 4;
inline constexpr std::string_view kTopic = "topic-of-the-simulation";
inline constexpr std::string_view kGroup = "group-of-the-simulation";

/// A nameserver, a broker with two shards, and clients, each on a machine of its own; what the clients do is noted by `recorder`.
class Cluster {
 public:
  Cluster(World& world, broker::FlushDiskType flush);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  Node& nameserver() { return nameserver_; }
  Node& broker() { return broker_; }
  Node& clients() { return clients_; }
  Recorder& recorder() { return recorder_; }

  void StartNameServer();
  void StartBroker();
  /// `producers` senders and one consumer a queue, which go on until told to stop, whatever happens to the broker.
  void StartClients(int producers);
  void StopProducing() { producing_ = false; }
  void StopConsuming() { consuming_ = false; }
  /// SIGTERM; false when it does not end cleanly in time.
  bool StopBroker();
  /// Whether the consumers have read everything below `ends`.
  bool CaughtUp(const std::map<int32_t, int64_t>& ends) const;
  /// Reads every queue from its first to its last offset with a client of its own. The last such reading is the one that counts.
  absl::Status ScanAll(std::map<int32_t, int64_t>& ends);

 private:
  core::Task<absl::Status> RunNameServer();
  core::Task<absl::Status> RunBroker();
  core::Task<absl::Status> RunClients(int producers);
  core::Task<void> Produce(int worker);
  core::Task<void> SendOne(net::Client& client, int worker);
  core::Task<void> Consume(int32_t queue);
  /// Until the connection breaks or consumption stops.
  core::Task<absl::Status> ConsumeOver(net::Client& client, int32_t queue);
  /// Until the committed offset of `queue` is known.
  core::Task<absl::StatusOr<int64_t>> Resume(net::Client& client, int32_t queue);
  core::Task<absl::Status> Scan(std::map<int32_t, int64_t>& ends);
  core::Task<absl::Status> ScanQueue(net::Client& client, int32_t queue, int64_t end);
  /// The broker's address as the nameserver gives it; the last known one when it does not answer.
  core::Task<absl::StatusOr<core::Endpoint>> FindBroker();
  core::Task<absl::StatusOr<std::unique_ptr<net::Client>>> ConnectToBroker();
  /// One pull, noted; kInternal: the answer breaks the protocol.
  core::Task<absl::StatusOr<net::PullMessageResponse>> PullOnce(net::Client& client,
                                                                const net::PullMessageRequest& request, bool group);
  std::vector<Recorder::Record> RecordsOf(int32_t queue, std::span<const std::byte> bytes);

  World& world_;
  const broker::FlushDiskType flush_;
  Node& nameserver_;
  Node& broker_;
  Node& clients_;
  Node& checker_;
  Recorder recorder_;
  bool producing_ = true;
  bool consuming_ = true;
  core::Endpoint known_broker_;          // port 0: not known yet
  std::map<int32_t, int64_t> consumed_;  // by queue: one past the last message that a consumer got
};

}  // namespace sim
