#include "tests/sim/cluster.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "core/io_await.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "nameserver/name_server.h"
#include "net/requests/nameserver.h"
#include "net/requests/offsets.h"
#include "net/requests/send.h"
#include "net/response_code.h"
#include "store/record.h"

namespace sim {
namespace {

using core::Task;

constexpr uint16_t kNameServerPort = 9876;
constexpr uint16_t kBrokerPort = 10911;
constexpr absl::Duration kCallTimeout = absl::Seconds(1);
// PullSysFlag. Source: RocketMQ 5.3.3.
constexpr int32_t kSuspend = 2;
constexpr int32_t kSubscription = 4;

/// Physical offsets of different brokers must not be compared: each broker gets log numbers of its own here.
constexpr int64_t kLogsOfABroker = 1024;
int64_t AtBroker(int broker, int64_t phy) { return phy + ((broker * kLogsOfABroker) << 48); }
int BrokerOf(int32_t queue) { return queue / kQueues; }
int32_t QueueOnBroker(int32_t queue) { return queue % kQueues; }

history::Options Promises(const ClusterOptions& cluster) {
  history::Options options;
  options.keeps_all = true;
  options.async_window = absl::ToInt64Nanoseconds(cluster.async_window);
  options.persist_interval = absl::ToInt64Nanoseconds(cluster.persist_interval);
  return options;
}

std::vector<Node*> AddNodes(World& world, std::string_view name, int count, size_t shards) {
  std::vector<Node*> nodes;
  for (int i = 0; i < count; ++i)
    nodes.push_back(&world.AddNode(i == 0 ? std::string(name) : core::StrCat(name, "-", i + 1), shards));
  return nodes;
}

/// The physical offset that an offset message id ends with.
int64_t PhysicalOffsetIn(std::string_view message_id) {
  int64_t phy = history::kAbsent;
  if (message_id.size() != 32) return phy;
  const std::string_view digits = message_id.substr(16);
  std::from_chars(digits.data(), digits.data() + digits.size(), phy, 16);
  return phy;
}

uint64_t Below(uint64_t bound) { return core::Reactor::Current().RandomBits() % bound; }

core::IoCall<void (*)(core::Io&, core::Completion&)> NextSignal() {
  return core::IoCall<void (*)(core::Io&, core::Completion&)>(
      [](core::Io& io, core::Completion& done) { io.WaitSignal(done); });
}

std::string WorkerOf(int32_t queue) { return core::StrCat("consumer-", queue); }

net::ResponseCode CodeOf(const net::Frame& frame) { return static_cast<net::ResponseCode>(frame.code); }

}  // namespace

Cluster::Cluster(World& world, const ClusterOptions& options)
    : world_(world),
      options_(options),
      nameservers_(AddNodes(world, "namesrv", options.nameservers, 1)),
      brokers_(AddNodes(world, "broker", options.brokers, 2)),
      clients_(world.AddNode("clients", 1)),
      checker_(world.AddNode("checker", 1)),
      recorder_(world, Promises(options)),
      known_(brokers_.size()),
      acknowledged_(brokers_.size()) {}

// --- The servers, as `ringmq namesrv` and `ringmq broker` run them.

void Cluster::StartNameServer(int index) {
  nameserver(index).Start([this] { return RunNameServer(); });
}

void Cluster::StartBroker(int index) {
  recorder_.Nemesis("start", history::Role::kMaster, broker(index).name());
  broker(index).Start([this, index] { return RunBroker(index); });
}

void Cluster::StartAll() {
  for (int i = 0; i < nameservers(); ++i) StartNameServer(i);
  for (int i = 0; i < brokers(); ++i) StartBroker(i);
}

Task<absl::Status> Cluster::RunNameServer() {
  nameserver::NameServerConfig config;
  config.listen_port = kNameServerPort;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<nameserver::NameServer> server,
                      co_await nameserver::NameServer::Start(config));
  auto signal = NextSignal();
  co_await signal;
  co_await server->Stop();
  co_return absl::OkStatus();
}

Task<absl::Status> Cluster::RunBroker(int index) {
  broker::BrokerConfig config;
  config.broker_name = index == 0 ? "broker-a" : "broker-b";
  config.listen_port = kBrokerPort;
  for (const Node* node : nameservers_) {
    config.namesrv_endpoints.push_back(node->At(kNameServerPort).Text());
    config.namesrv_addr += (config.namesrv_addr.empty() ? "" : ";") + config.namesrv_endpoints.back();
  }
  config.advertised_host = broker(index).address().HostText();
  config.store_path_root_dir = "data";
  config.flush_disk_type = options_.flush;
  config.segment_bytes = 1 << 20;
  config.append_buffer_bytes = 1 << 20;
  config.read_cache_bytes = 1 << 20;
  config.max_message_size = 64 << 10;
  config.default_topic_queue_nums = kQueues;
  config.flush_consumer_offset_interval = absl::Milliseconds(200);
  CO_RETURN_IF_ERROR(broker::CheckBrokerConfig(config));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<broker::Broker> server, co_await broker::Broker::Start(config));
  auto signal = NextSignal();
  co_await signal;
  co_return co_await server->Stop();
}

bool Cluster::StopBroker(int index) {
  broker(index).Signal(SIGTERM);
  const absl::Status status = world_.RunToEnd(broker(index), absl::Seconds(20));
  if (!status.ok()) recorder_.Problem(core::StrCat("the broker did not stop cleanly: ", status.ToString()));
  return status.ok();
}

// --- Clients.

Task<absl::StatusOr<core::Endpoint>> Cluster::FindBroker(int broker) {
  const Node& asked = *nameservers_[Below(nameservers_.size())];
  absl::StatusOr<std::unique_ptr<net::Client>> client =
      co_await net::Client::Connect(asked.At(kNameServerPort), kCallTimeout);
  core::Endpoint& known = known_[static_cast<size_t>(broker)];
  if (client.ok()) {
    net::GetRouteInfoRequest request;
    request.topic = "TBW102";  // the topic whose configuration new topics take: there from the broker's first start
    const absl::StatusOr<net::Frame> frame = co_await (*client)->Call(request, {}, kCallTimeout);
    if (frame.ok() && CodeOf(*frame) == net::ResponseCode::kSuccess) {
      const auto leads_to = [&](const Node* node) {
        return frame->body.text().find(node->At(kBrokerPort).Text()) != std::string_view::npos;
      };
      if (std::none_of(brokers_.begin(), brokers_.end(), leads_to)) {
        recorder_.Problem(core::StrCat("the route leads to no broker: ", frame->body.text()));
      }
      const Node* wanted = brokers_[static_cast<size_t>(broker)];
      if (leads_to(wanted)) known = wanted->At(kBrokerPort);
    }
    co_await (*client)->Close();
  }
  if (known.port == 0) co_return absl::UnavailableError("no route yet");
  co_return known;
}

Task<absl::StatusOr<std::unique_ptr<net::Client>>> Cluster::ConnectToBroker(int broker) {
  CO_ASSIGN_OR_RETURN(const core::Endpoint at, co_await FindBroker(broker));
  co_return co_await net::Client::Connect(at, kCallTimeout);
}

void Cluster::StartClients(int producers) {
  clients_.Start([this, producers] { return RunClients(producers); });
}

Task<absl::Status> Cluster::RunClients(int producers) {
  core::Scope scope;
  for (int worker = 1; worker <= producers; ++worker) scope.Spawn(Produce(worker));
  for (int32_t queue = 0; queue < brokers() * kQueues; ++queue) scope.Spawn(Consume(queue));
  co_await scope.Join();
  co_return absl::OkStatus();
}

Task<void> Cluster::Produce(int worker) {
  while (producing_) {
    const int broker = static_cast<int>(Below(brokers_.size()));
    absl::StatusOr<std::unique_ptr<net::Client>> client = co_await ConnectToBroker(broker);
    bool answered = true;  // a connection over which no answer comes is given up, as clients do
    while (client.ok() && (*client)->connected() && producing_ && answered && Below(60) != 0) {
      // Several at once over one connection, then a pause.
      core::Scope burst;
      for (uint64_t i = 0, count = 1 + Below(4); i < count; ++i)
        burst.Spawn(SendOne(**client, worker, broker, &answered));
      co_await burst.Join();
      co_await core::Sleep(absl::Microseconds(static_cast<int64_t>(200 + Below(25'000))));
    }
    if (client.ok()) co_await (*client)->Close();
    co_await core::Sleep(absl::Milliseconds(static_cast<int64_t>(5 + Below(30))));
  }
}

void Cluster::Unexpected(const char* what, const net::Frame& frame) {
  const net::ResponseCode code = CodeOf(frame);
  if (options_.disks_fail &&
      (code == net::ResponseCode::kSystemError || code == net::ResponseCode::kServiceNotAvailable))
    return;
  recorder_.Problem(core::StrCat(what, " was answered with ", frame.code, ": ", frame.remark));
}

Task<void> Cluster::SendOne(net::Client& client, int worker, int broker, bool* answered) {
  const size_t bytes = Below(10) == 0 ? Below(30'000) : Below(1500);
  const auto queue = static_cast<int32_t>(broker * kQueues + static_cast<int>(Below(kQueues)));
  const Recorder::Attempt attempt =
      recorder_.BeginSend(worker, queue, bytes, options_.flush == broker::FlushDiskType::kAsyncFlush);
  net::SendMessageV2Request request;
  request.producer_group = "producers";
  request.topic = kTopic;
  request.default_topic = "TBW102";
  request.default_topic_queue_nums = kQueues;
  request.queue_id = QueueOnBroker(queue);
  request.born_timestamp = core::Reactor::Current().wall_now();
  const core::Slice body = core::Reactor::Current().buffers().Copy(std::string_view(attempt.body));
  const absl::StatusOr<net::Frame> frame = co_await client.Call(request, body, kCallTimeout);
  if (!frame.ok()) {
    recorder_.LoseSend(attempt);
    *answered = false;
    co_return;
  }
  const net::ResponseCode code = CodeOf(*frame);
  net::SendMessageResponse response;
  if (code == net::ResponseCode::kSuccess) {
    if (!net::DecodeHeader(*frame, response).ok() || response.queue_id != QueueOnBroker(queue)) {
      recorder_.Problem("an acknowledgement without a readable place");
    }
    ++acknowledged_[static_cast<size_t>(broker)];
    recorder_.EndSend(attempt, frame->code,
                      std::pair(response.queue_offset, AtBroker(broker, PhysicalOffsetIn(response.msg_id))));
    co_return;
  }
  recorder_.EndSend(attempt, frame->code, std::nullopt);
  if (code != net::ResponseCode::kFlushDiskTimeout && code != net::ResponseCode::kServiceNotAvailable &&
      code != net::ResponseCode::kSystemBusy) {
    Unexpected("a send", *frame);
  }
}

Task<void> Cluster::Consume(int32_t queue) {
  while (consuming_) {
    absl::StatusOr<std::unique_ptr<net::Client>> client = co_await ConnectToBroker(BrokerOf(queue));
    if (client.ok()) {
      // However it ended: the next connection resumes from the committed offset.
      static_cast<void>(co_await ConsumeOver(**client, queue));
      co_await (*client)->Close();
    }
    co_await core::Sleep(absl::Milliseconds(static_cast<int64_t>(5 + Below(30))));
  }
}

Task<absl::StatusOr<int64_t>> Cluster::Resume(net::Client& client, int32_t queue) {
  net::QueryConsumerOffsetRequest query;
  query.consumer_group = kGroup;
  query.topic = kTopic;
  query.queue_id = QueueOnBroker(queue);
  CO_ASSIGN_OR_RETURN(const net::Frame committed, co_await client.Call(query, {}, kCallTimeout));
  net::OffsetResponse from;
  if (CodeOf(committed) == net::ResponseCode::kSuccess) {
    if (!net::DecodeHeader(committed, from).ok()) recorder_.Problem("a committed offset that cannot be read");
  } else if (CodeOf(committed) != net::ResponseCode::kQueryNotFound) {
    Unexpected("a query for a committed offset", committed);
    co_return absl::UnavailableError("no committed offset");
  }
  recorder_.Assign(WorkerOf(queue), kGroup, queue, from.offset);
  co_return from.offset;
}

Task<absl::StatusOr<net::PullMessageResponse>> Cluster::PullOnce(net::Client& client, int32_t queue,
                                                                 const net::PullMessageRequest& request, bool group) {
  const Recorder::Pull pull = recorder_.BeginPull(group ? WorkerOf(queue) : "scan", group ? kGroup : "", queue,
                                                  request.queue_offset, request.suspend_timeout_millis);
  const absl::StatusOr<net::Frame> frame = co_await client.Call(request, {}, kCallTimeout);
  if (!frame.ok()) {
    recorder_.LosePull(pull);
    co_return frame.status();
  }
  const net::ResponseCode code = CodeOf(*frame);
  if (code == net::ResponseCode::kTopicNotExist || code == net::ResponseCode::kSubscriptionGroupNotExist) {
    recorder_.LosePull(pull);
    co_return absl::NotFoundError("not yet");
  }
  if (options_.disks_fail &&
      (code == net::ResponseCode::kSystemError || code == net::ResponseCode::kServiceNotAvailable)) {
    recorder_.LosePull(pull);
    co_return absl::UnavailableError(core::StrCat(frame->remark));
  }
  net::PullMessageResponse found;
  if (!net::DecodeHeader(*frame, found).ok() ||
      (code != net::ResponseCode::kSuccess && code != net::ResponseCode::kPullNotFound &&
       code != net::ResponseCode::kPullRetryImmediately && code != net::ResponseCode::kPullOffsetMoved)) {
    recorder_.LosePull(pull);
    recorder_.Problem(core::StrCat("a pull was answered with ", frame->code, ": ", frame->remark));
    co_return absl::InternalError("unreadable");
  }
  std::vector<Recorder::Record> records;
  if (code == net::ResponseCode::kSuccess) records = RecordsOf(queue, frame->body.bytes());
  recorder_.EndPull(pull, frame->code, {found.next_begin_offset, found.min_offset, found.max_offset}, records);
  co_return found;
}

Task<absl::Status> Cluster::ConsumeOver(net::Client& client, int32_t queue) {
  CO_ASSIGN_OR_RETURN(int64_t offset, co_await Resume(client, queue));
  while (consuming_) {
    net::PullMessageRequest pull;
    pull.consumer_group = kGroup;
    pull.topic = kTopic;
    pull.queue_id = QueueOnBroker(queue);
    pull.queue_offset = offset;
    pull.max_msg_nums = 32;
    pull.sys_flag = kSuspend | kSubscription;
    pull.suspend_timeout_millis = 300;
    pull.subscription = "*";
    CO_ASSIGN_OR_RETURN(const net::PullMessageResponse found, co_await PullOnce(client, queue, pull, /*group=*/true));
    const bool went_on = found.next_begin_offset > offset;
    offset = found.next_begin_offset;
    consumed_[queue] = std::max(consumed_[queue], offset);
    if (!went_on || Below(2) == 0) continue;
    net::UpdateConsumerOffsetRequest commit;
    commit.consumer_group = kGroup;
    commit.topic = kTopic;
    commit.queue_id = QueueOnBroker(queue);
    commit.commit_offset = offset;
    const Recorder::Pull noted = recorder_.BeginCommit(WorkerOf(queue), kGroup, queue, offset);
    const absl::StatusOr<net::Frame> answer = co_await client.Call(commit, {}, kCallTimeout);
    recorder_.EndCommit(noted, answer.ok() && CodeOf(*answer) == net::ResponseCode::kSuccess);
    CO_RETURN_IF_ERROR(answer.status());
    if (CodeOf(*answer) != net::ResponseCode::kSuccess) {
      Unexpected("a commit", *answer);
    }
  }
  co_return absl::OkStatus();
}

std::vector<Recorder::Record> Cluster::RecordsOf(int32_t queue, std::span<const std::byte> bytes) {
  std::vector<Recorder::Record> records;
  while (!bytes.empty()) {
    const absl::StatusOr<store::RecordView> record = store::ParseRecord(bytes);
    if (!record.ok()) {
      recorder_.Problem(core::StrCat("a pull's answer holds no record: ", record.status().ToString()));
      break;
    }
    const int64_t offset = record->queue_offset.value();
    if (record->queue_id != QueueOnBroker(queue) || record->topic != kTopic || !record->BodyIntact()) {
      recorder_.Problem(core::StrCat("a pull of queue ", queue, " got at offset ", offset, " a record of ",
                                     record->topic, "/", record->queue_id,
                                     record->BodyIntact() ? "" : " whose body does not match its CRC"));
    }
    records.push_back({.offset = offset,
                       .phy = AtBroker(BrokerOf(queue), record->position.value()),
                       .body = {reinterpret_cast<const char*>(record->body.data()), record->body.size()}});
    bytes = bytes.subspan(record->bytes);
  }
  return records;
}

bool Cluster::CaughtUp(const std::map<int32_t, int64_t>& ends) const {
  for (const auto& [queue, end] : ends) {
    const auto consumed = consumed_.find(queue);
    if (end > 0 && (consumed == consumed_.end() || consumed->second < end)) return false;
  }
  return true;
}

// --- The last look.

absl::Status Cluster::ScanAll(std::map<int32_t, int64_t>& ends) {
  recorder_.Nemesis("scan");
  for (int broker = 0; broker < brokers(); ++broker) {
    checker_.Start([this, broker, &ends] { return Scan(broker, ends); });
    const absl::Status status = world_.RunToEnd(checker_, absl::Seconds(30));
    checker_.Kill();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

Task<absl::Status> Cluster::Scan(int number, std::map<int32_t, int64_t>& ends) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<net::Client> client,
                      co_await net::Client::Connect(broker(number).At(kBrokerPort), kCallTimeout));
  absl::Status status;
  for (int32_t queue = number * kQueues; queue < (number + 1) * kQueues && status.ok(); ++queue) {
    net::GetMaxOffsetRequest request;
    request.topic = kTopic;
    request.queue_id = QueueOnBroker(queue);
    const absl::StatusOr<net::Frame> frame = co_await client->Call(request, {}, kCallTimeout);
    net::OffsetResponse end;
    if (!frame.ok() || CodeOf(*frame) != net::ResponseCode::kSuccess || !net::DecodeHeader(*frame, end).ok()) {
      status = frame.ok() ? absl::InternalError(core::StrCat("max offset: ", frame->code, " ", frame->remark))
                          : frame.status();
      break;
    }
    ends[queue] = end.offset;
    status = co_await ScanQueue(*client, queue, end.offset);
  }
  co_await client->Close();
  co_return status;
}

Task<absl::Status> Cluster::ScanQueue(net::Client& client, int32_t queue, int64_t end) {
  int64_t offset = 0;
  do {  // an empty queue is looked at, too
    net::PullMessageRequest pull;
    pull.consumer_group = "checkers";
    pull.topic = kTopic;
    pull.queue_id = QueueOnBroker(queue);
    pull.queue_offset = offset;
    pull.max_msg_nums = 64;
    pull.sys_flag = kSubscription;
    pull.subscription = "*";
    CO_ASSIGN_OR_RETURN(const net::PullMessageResponse found, co_await PullOnce(client, queue, pull, /*group=*/false));
    if (found.next_begin_offset <= offset && offset < end) {
      co_return absl::InternalError(
          core::StrCat("queue ", queue, ": a pull at ", offset, " of ", end, " does not go on"));
    }
    offset = found.next_begin_offset;
  } while (offset < end);
  co_return absl::OkStatus();
}

}  // namespace sim
