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

struct ClusterOptions {
  broker::FlushDiskType flush = broker::FlushDiskType::kSyncFlush;
  int brokers = 1;  // of two shards each
  int nameservers = 1;
  /// How long before a power cut ASYNC_FLUSH may have acknowledged what is lost. It flushes every 20 ms and promises 50; a flush on the simulated disk can
  /// take long, and while disk or process stand still nothing is flushed at all.
  absl::Duration async_window = absl::Milliseconds(150);
  /// How long a committed consumer offset may stay in memory only: stored every 200 ms, on the same disk.
  absl::Duration persist_interval = absl::Milliseconds(500);
  /// Disks fail: then requests may be refused that need them.
  bool disks_fail = false;
};

/// Nameservers, brokers and clients, each on a machine of its own; what the clients do is noted by `recorder`. Each broker has the
/// topic with queues of its own: queue numbers here go on from broker to broker.
class Cluster {
 public:
  Cluster(World& world, const ClusterOptions& options);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  int brokers() const { return options_.brokers; }
  int nameservers() const { return options_.nameservers; }
  Node& nameserver(int index = 0) { return *nameservers_[static_cast<size_t>(index)]; }
  Node& broker(int index = 0) { return *brokers_[static_cast<size_t>(index)]; }
  Node& clients() { return clients_; }
  Recorder& recorder() { return recorder_; }

  void StartNameServer(int index = 0);
  void StartBroker(int index = 0);
  void StartAll();
  /// `producers` senders and one consumer a queue, which go on until told to stop, whatever happens to the brokers.
  void StartClients(int producers);
  void StopProducing() { producing_ = false; }
  void StopConsuming() { consuming_ = false; }
  /// SIGTERM; false when it does not end cleanly in time.
  bool StopBroker(int index = 0);
  /// Messages that a broker has acknowledged so far.
  size_t acknowledged_by(int broker) const { return acknowledged_[static_cast<size_t>(broker)]; }
  /// Whether the consumers have read everything below `ends`.
  bool CaughtUp(const std::map<int32_t, int64_t>& ends) const;
  /// Reads every queue from its first to its last offset with a client of its own. The last such reading is the one that counts.
  absl::Status ScanAll(std::map<int32_t, int64_t>& ends);

 private:
  core::Task<absl::Status> RunNameServer();
  core::Task<absl::Status> RunBroker(int index);
  core::Task<absl::Status> RunClients(int producers);
  core::Task<void> Produce(int worker);
  core::Task<void> SendOne(net::Client& client, int worker, int broker, bool* answered);
  core::Task<void> Consume(int32_t queue);
  /// Until the connection breaks or consumption stops.
  core::Task<absl::Status> ConsumeOver(net::Client& client, int32_t queue);
  /// Until the committed offset of `queue` is known.
  core::Task<absl::StatusOr<int64_t>> Resume(net::Client& client, int32_t queue);
  core::Task<absl::Status> Scan(int number, std::map<int32_t, int64_t>& ends);
  core::Task<absl::Status> ScanQueue(net::Client& client, int32_t queue, int64_t end);
  /// A broker's address as a nameserver gives it; the last known one when it does not answer or does not know it any more.
  core::Task<absl::StatusOr<core::Endpoint>> FindBroker(int broker);
  core::Task<absl::StatusOr<std::unique_ptr<net::Client>>> ConnectToBroker(int broker);
  /// One pull of `queue`, noted; kInternal: the answer breaks the protocol.
  core::Task<absl::StatusOr<net::PullMessageResponse>> PullOnce(net::Client& client, int32_t queue,
                                                                const net::PullMessageRequest& request, bool group);
  /// An answer that a client must not get.
  void Unexpected(const char* what, const net::Frame& frame);
  std::vector<Recorder::Record> RecordsOf(int32_t queue, std::span<const std::byte> bytes);

  World& world_;
  const ClusterOptions options_;
  std::vector<Node*> nameservers_;
  std::vector<Node*> brokers_;
  Node& clients_;
  Node& checker_;
  Recorder recorder_;
  bool producing_ = true;
  bool consuming_ = true;
  std::vector<core::Endpoint> known_;    // by broker; port 0: not known yet
  std::vector<size_t> acknowledged_;     // by broker
  std::map<int32_t, int64_t> consumed_;  // by queue: one past the last message that a consumer got
};

}  // namespace sim
