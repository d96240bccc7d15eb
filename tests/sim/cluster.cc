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

history::Options Promises() {
  history::Options options;
  options.keeps_all = true;
  // ASYNC_FLUSH flushes every 20 ms and promises 50; a flush on the simulated disk can take long.
  options.async_window = 150 * history::kMillisecond;
  options.persist_interval = 500 * history::kMillisecond;  // every 200 ms, and the same disk
  return options;
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

Cluster::Cluster(World& world, broker::FlushDiskType flush)
    : world_(world),
      flush_(flush),
      nameserver_(world.AddNode("namesrv", 1)),
      broker_(world.AddNode("broker", 2)),
      clients_(world.AddNode("clients", 1)),
      checker_(world.AddNode("checker", 1)),
      recorder_(world, Promises()) {}

// --- The servers, as `ringmq namesrv` and `ringmq broker` run them.

void Cluster::StartNameServer() {
  nameserver_.Start([this] { return RunNameServer(); });
}

void Cluster::StartBroker() {
  recorder_.Nemesis("start");
  broker_.Start([this] { return RunBroker(); });
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

Task<absl::Status> Cluster::RunBroker() {
  broker::BrokerConfig config;
  config.broker_name = "broker-a";
  config.listen_port = kBrokerPort;
  config.namesrv_addr = nameserver_.At(kNameServerPort).Text();
  config.namesrv_endpoints = {config.namesrv_addr};
  config.advertised_host = broker_.address().HostText();
  config.store_path_root_dir = "data";
  config.flush_disk_type = flush_;
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

bool Cluster::StopBroker() {
  broker_.Signal(SIGTERM);
  const absl::Status status = world_.RunToEnd(broker_, absl::Seconds(20));
  if (!status.ok()) recorder_.Problem(core::StrCat("the broker did not stop cleanly: ", status.ToString()));
  return status.ok();
}

// --- Clients.

Task<absl::StatusOr<core::Endpoint>> Cluster::FindBroker() {
  absl::StatusOr<std::unique_ptr<net::Client>> client =
      co_await net::Client::Connect(nameserver_.At(kNameServerPort), kCallTimeout);
  if (client.ok()) {
    net::GetRouteInfoRequest request;
    request.topic = "TBW102";  // the topic whose configuration new topics take: there from the broker's first start
    const absl::StatusOr<net::Frame> frame = co_await (*client)->Call(request, {}, kCallTimeout);
    if (frame.ok() && CodeOf(*frame) == net::ResponseCode::kSuccess) {
      const core::Endpoint address = broker_.At(kBrokerPort);
      if (frame->body.text().find(address.Text()) == std::string_view::npos) {
        recorder_.Problem(core::StrCat("the route does not lead to the broker: ", frame->body.text()));
      }
      known_broker_ = address;
    }
    co_await (*client)->Close();
  }
  if (known_broker_.port == 0) co_return absl::UnavailableError("no route yet");
  co_return known_broker_;
}

Task<absl::StatusOr<std::unique_ptr<net::Client>>> Cluster::ConnectToBroker() {
  CO_ASSIGN_OR_RETURN(const core::Endpoint at, co_await FindBroker());
  co_return co_await net::Client::Connect(at, kCallTimeout);
}

void Cluster::StartClients(int producers) {
  clients_.Start([this, producers] { return RunClients(producers); });
}

Task<absl::Status> Cluster::RunClients(int producers) {
  core::Scope scope;
  for (int worker = 1; worker <= producers; ++worker) scope.Spawn(Produce(worker));
  for (int32_t queue = 0; queue < kQueues; ++queue) scope.Spawn(Consume(queue));
  co_await scope.Join();
  co_return absl::OkStatus();
}

Task<void> Cluster::Produce(int worker) {
  while (producing_) {
    absl::StatusOr<std::unique_ptr<net::Client>> client = co_await ConnectToBroker();
    while (client.ok() && (*client)->connected() && producing_) {
      // Several at once over one connection, then a pause.
      core::Scope burst;
      for (uint64_t i = 0, count = 1 + Below(4); i < count; ++i) burst.Spawn(SendOne(**client, worker));
      co_await burst.Join();
      co_await core::Sleep(absl::Microseconds(static_cast<int64_t>(200 + Below(25'000))));
    }
    if (client.ok()) co_await (*client)->Close();
    co_await core::Sleep(absl::Milliseconds(static_cast<int64_t>(5 + Below(30))));
  }
}

Task<void> Cluster::SendOne(net::Client& client, int worker) {
  const size_t bytes = Below(10) == 0 ? Below(30'000) : Below(1500);
  const Recorder::Attempt attempt = recorder_.BeginSend(worker, static_cast<int32_t>(Below(kQueues)), bytes,
                                                        flush_ == broker::FlushDiskType::kAsyncFlush);
  net::SendMessageV2Request request;
  request.producer_group = "producers";
  request.topic = kTopic;
  request.default_topic = "TBW102";
  request.default_topic_queue_nums = kQueues;
  request.queue_id = attempt.queue;
  request.born_timestamp = core::Reactor::Current().wall_now();
  const core::Slice body = core::Reactor::Current().buffers().Copy(std::string_view(attempt.body));
  const absl::StatusOr<net::Frame> frame = co_await client.Call(request, body, kCallTimeout);
  if (!frame.ok()) {
    recorder_.LoseSend(attempt);
    co_return;
  }
  const net::ResponseCode code = CodeOf(*frame);
  net::SendMessageResponse response;
  if (code == net::ResponseCode::kSuccess) {
    if (!net::DecodeHeader(*frame, response).ok() || response.queue_id != attempt.queue) {
      recorder_.Problem("an acknowledgement without a readable place");
    }
    recorder_.EndSend(attempt, frame->code, std::pair(response.queue_offset, PhysicalOffsetIn(response.msg_id)));
    co_return;
  }
  recorder_.EndSend(attempt, frame->code, std::nullopt);
  if (code != net::ResponseCode::kFlushDiskTimeout && code != net::ResponseCode::kServiceNotAvailable &&
      code != net::ResponseCode::kSystemBusy) {
    recorder_.Problem(core::StrCat("a send was answered with ", frame->code, ": ", frame->remark));
  }
}

Task<void> Cluster::Consume(int32_t queue) {
  while (consuming_) {
    absl::StatusOr<std::unique_ptr<net::Client>> client = co_await ConnectToBroker();
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
  query.queue_id = queue;
  CO_ASSIGN_OR_RETURN(const net::Frame committed, co_await client.Call(query, {}, kCallTimeout));
  net::OffsetResponse from;
  if (CodeOf(committed) == net::ResponseCode::kSuccess) {
    if (!net::DecodeHeader(committed, from).ok()) recorder_.Problem("a committed offset that cannot be read");
  } else if (CodeOf(committed) != net::ResponseCode::kQueryNotFound) {
    recorder_.Problem(core::StrCat("a committed offset was answered with ", committed.code, ": ", committed.remark));
  }
  recorder_.Assign(WorkerOf(queue), kGroup, queue, from.offset);
  co_return from.offset;
}

Task<absl::StatusOr<net::PullMessageResponse>> Cluster::PullOnce(net::Client& client,
                                                                 const net::PullMessageRequest& request, bool group) {
  const Recorder::Pull pull =
      recorder_.BeginPull(group ? WorkerOf(request.queue_id) : "scan", group ? kGroup : "", request.queue_id,
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
  net::PullMessageResponse found;
  if (!net::DecodeHeader(*frame, found).ok() ||
      (code != net::ResponseCode::kSuccess && code != net::ResponseCode::kPullNotFound &&
       code != net::ResponseCode::kPullRetryImmediately && code != net::ResponseCode::kPullOffsetMoved)) {
    recorder_.LosePull(pull);
    recorder_.Problem(core::StrCat("a pull was answered with ", frame->code, ": ", frame->remark));
    co_return absl::InternalError("unreadable");
  }
  std::vector<Recorder::Record> records;
  if (code == net::ResponseCode::kSuccess) records = RecordsOf(request.queue_id, frame->body.bytes());
  recorder_.EndPull(pull, frame->code, {found.next_begin_offset, found.min_offset, found.max_offset}, records);
  co_return found;
}

Task<absl::Status> Cluster::ConsumeOver(net::Client& client, int32_t queue) {
  CO_ASSIGN_OR_RETURN(int64_t offset, co_await Resume(client, queue));
  while (consuming_) {
    net::PullMessageRequest pull;
    pull.consumer_group = kGroup;
    pull.topic = kTopic;
    pull.queue_id = queue;
    pull.queue_offset = offset;
    pull.max_msg_nums = 32;
    pull.sys_flag = kSuspend | kSubscription;
    pull.suspend_timeout_millis = 300;
    pull.subscription = "*";
    CO_ASSIGN_OR_RETURN(const net::PullMessageResponse found, co_await PullOnce(client, pull, /*group=*/true));
    const bool went_on = found.next_begin_offset > offset;
    offset = found.next_begin_offset;
    consumed_[queue] = std::max(consumed_[queue], offset);
    if (!went_on || Below(2) == 0) continue;
    net::UpdateConsumerOffsetRequest commit;
    commit.consumer_group = kGroup;
    commit.topic = kTopic;
    commit.queue_id = queue;
    commit.commit_offset = offset;
    const Recorder::Pull noted = recorder_.BeginCommit(WorkerOf(queue), kGroup, queue, offset);
    const absl::StatusOr<net::Frame> answer = co_await client.Call(commit, {}, kCallTimeout);
    recorder_.EndCommit(noted, answer.ok() && CodeOf(*answer) == net::ResponseCode::kSuccess);
    CO_RETURN_IF_ERROR(answer.status());
    if (CodeOf(*answer) != net::ResponseCode::kSuccess) {
      recorder_.Problem(core::StrCat("a commit was answered with ", answer->code, ": ", answer->remark));
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
    if (record->queue_id != queue || record->topic != kTopic || !record->BodyIntact()) {
      recorder_.Problem(core::StrCat("a pull of queue ", queue, " got at offset ", offset, " a record of ",
                                     record->topic, "/", record->queue_id,
                                     record->BodyIntact() ? "" : " whose body does not match its CRC"));
    }
    records.push_back({.offset = offset,
                       .phy = record->position.value(),
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
  checker_.Start([this, &ends] { return Scan(ends); });
  const absl::Status status = world_.RunToEnd(checker_, absl::Seconds(30));
  checker_.Kill();
  return status;
}

Task<absl::Status> Cluster::Scan(std::map<int32_t, int64_t>& ends) {
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<net::Client> client,
                      co_await net::Client::Connect(broker_.At(kBrokerPort), kCallTimeout));
  absl::Status status;
  for (int32_t queue = 0; queue < kQueues && status.ok(); ++queue) {
    net::GetMaxOffsetRequest request;
    request.topic = kTopic;
    request.queue_id = queue;
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
    pull.queue_id = queue;
    pull.queue_offset = offset;
    pull.max_msg_nums = 64;
    pull.sys_flag = kSubscription;
    pull.subscription = "*";
    CO_ASSIGN_OR_RETURN(const net::PullMessageResponse found, co_await PullOnce(client, pull, /*group=*/false));
    if (found.next_begin_offset <= offset && offset < end) {
      co_return absl::InternalError(
          core::StrCat("queue ", queue, ": a pull at ", offset, " of ", end, " does not go on"));
    }
    offset = found.next_begin_offset;
  } while (offset < end);
  co_return absl::OkStatus();
}

}  // namespace sim
