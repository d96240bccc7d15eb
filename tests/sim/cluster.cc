#include "tests/sim/cluster.h"

#include <algorithm>
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
#include "net/requests/pull.h"
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

uint64_t Below(uint64_t bound) { return core::Reactor::Current().RandomBits() % bound; }

core::IoCall<void (*)(core::Io&, core::Completion&)> NextSignal() {
  return core::IoCall<void (*)(core::Io&, core::Completion&)>(
      [](core::Io& io, core::Completion& done) { io.WaitSignal(done); });
}

net::ResponseCode CodeOf(const net::Frame& frame) { return static_cast<net::ResponseCode>(frame.code); }

}  // namespace

Cluster::Cluster(World& world, broker::FlushDiskType flush)
    : world_(world),
      flush_(flush),
      nameserver_(world.AddNode("namesrv", 1)),
      broker_(world.AddNode("broker", 2)),
      clients_(world.AddNode("clients", 1)),
      checker_(world.AddNode("checker", 1)) {}

// --- The servers, as `ringmq namesrv` and `ringmq broker` run them.

void Cluster::StartNameServer() {
  nameserver_.Start([this] { return RunNameServer(); });
}

void Cluster::StartBroker() {
  broker_.Start([this] { return RunBroker(); });
}

Task<absl::Status> Cluster::RunNameServer() {
  nameserver::NameServerConfig config;
  config.listen_port = kNameServerPort;
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<nameserver::NameServer> server, co_await nameserver::NameServer::Start(config));
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
  if (!status.ok()) history_.Problem(core::StrCat("the broker did not stop cleanly: ", status.ToString()));
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
        history_.Problem(core::StrCat("the route does not lead to the broker: ", frame->body.text()));
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
  History::Attempt& attempt = history_.Begin(worker, static_cast<int32_t>(Below(kQueues)), bytes, world_.now());
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
    history_.Complete(attempt, History::Outcome::kUnknown, -1, world_.now());
    co_return;
  }
  switch (CodeOf(*frame)) {
    case net::ResponseCode::kSuccess: {
      net::SendMessageResponse response;
      if (!net::DecodeHeader(*frame, response).ok() || response.queue_id != attempt.queue) {
        history_.Problem("an acknowledgement without a readable place");
      }
      history_.Complete(attempt, History::Outcome::kOk, response.queue_offset, world_.now());
      break;
    }
    case net::ResponseCode::kFlushDiskTimeout:
    case net::ResponseCode::kServiceNotAvailable:
      history_.Complete(attempt, History::Outcome::kUnknown, -1, world_.now());
      break;
    case net::ResponseCode::kSystemBusy:
      history_.Complete(attempt, History::Outcome::kRefused, -1, world_.now());
      break;
    default:
      history_.Problem(core::StrCat("a send was answered with ", frame->code, ": ", frame->remark));
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

Task<absl::Status> Cluster::ConsumeOver(net::Client& client, int32_t queue) {
  net::QueryConsumerOffsetRequest query;
  query.consumer_group = kGroup;
  query.topic = kTopic;
  query.queue_id = queue;
  CO_ASSIGN_OR_RETURN(const net::Frame committed, co_await client.Call(query, {}, kCallTimeout));
  net::OffsetResponse from;
  if (CodeOf(committed) == net::ResponseCode::kSuccess) {
    if (!net::DecodeHeader(committed, from).ok()) history_.Problem("a committed offset that cannot be read");
  } else if (CodeOf(committed) != net::ResponseCode::kQueryNotFound) {
    history_.Problem(core::StrCat("a committed offset was answered with ", committed.code, ": ", committed.remark));
  }
  int64_t offset = from.offset;
  if (offset > consumed_[queue] && !offsets_may_move_) {
    history_.Problem(core::StrCat("SKIPPED: queue ", queue, " resumes at ", offset, " but only ", consumed_[queue], " were delivered"));
  }
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
    CO_ASSIGN_OR_RETURN(const net::Frame frame, co_await client.Call(pull, {}, kCallTimeout));
    net::PullMessageResponse found;
    const net::ResponseCode code = CodeOf(frame);
    if (code == net::ResponseCode::kTopicNotExist || code == net::ResponseCode::kSubscriptionGroupNotExist) {
      co_return absl::NotFoundError("not yet");
    }
    if (!net::DecodeHeader(frame, found).ok()) {
      history_.Problem(core::StrCat("a pull was answered with ", frame.code, ": ", frame.remark));
      co_return absl::InternalError("unreadable");
    }
    if (code == net::ResponseCode::kSuccess) {
      ObserveRecords(queue, offset, frame.body.bytes(), found.next_begin_offset, "a consumer", nullptr);
      consumed_[queue] = std::max(consumed_[queue], found.next_begin_offset);
    } else if (code != net::ResponseCode::kPullNotFound && code != net::ResponseCode::kPullRetryImmediately &&
               code != net::ResponseCode::kPullOffsetMoved) {
      history_.Problem(core::StrCat("a pull was answered with ", frame.code, ": ", frame.remark));
      co_return absl::InternalError("refused");
    }
    if (code != net::ResponseCode::kSuccess && found.next_begin_offset != offset && !offsets_may_move_) {
      history_.Problem(core::StrCat("POLL-SKIP: a pull of queue ", queue, " at ", offset, " was sent on to ", found.next_begin_offset));
    }
    offset = found.next_begin_offset;
    if (code != net::ResponseCode::kSuccess || Below(2) == 0) continue;
    net::UpdateConsumerOffsetRequest commit;
    commit.consumer_group = kGroup;
    commit.topic = kTopic;
    commit.queue_id = queue;
    commit.commit_offset = offset;
    CO_ASSIGN_OR_RETURN(const net::Frame answer, co_await client.Call(commit, {}, kCallTimeout));
    if (CodeOf(answer) != net::ResponseCode::kSuccess) {
      history_.Problem(core::StrCat("a commit was answered with ", answer.code, ": ", answer.remark));
    }
  }
  co_return absl::OkStatus();
}

void Cluster::ObserveRecords(int32_t queue, int64_t from, std::span<const std::byte> records, int64_t next, std::string_view who,
                             History::Scan* scan) {
  int64_t expected = from;
  while (!records.empty()) {
    const absl::StatusOr<store::RecordView> record = store::ParseRecord(records);
    if (!record.ok()) {
      history_.Problem(core::StrCat("CORRUPT: ", who, " got no record: ", record.status().ToString()));
      return;
    }
    if (record->queue_id != queue || record->topic != kTopic || record->queue_offset.value() != expected) {
      history_.Problem(core::StrCat("POLL-SKIP: ", who, " expected queue ", queue, " offset ", expected, " and got queue ",
                                    record->queue_id, " offset ", record->queue_offset.value()));
    }
    if (!record->BodyIntact()) history_.Problem(core::StrCat("CORRUPT: ", who, " got a body that does not match its CRC"));
    const std::string_view body(reinterpret_cast<const char*>(record->body.data()), record->body.size());
    history_.Observe(queue, record->queue_offset.value(), body, who);
    if (scan != nullptr) (*scan)[{queue, record->queue_offset.value()}] = std::string(body);
    expected = record->queue_offset.value() + 1;
    records = records.subspan(record->bytes);
  }
  if (expected != next) history_.Problem(core::StrCat("POLL-SKIP: ", who, " got up to ", expected, " and shall go on at ", next));
}

bool Cluster::CaughtUp(const std::map<int32_t, int64_t>& ends) const {
  for (const auto& [queue, end] : ends) {
    const auto consumed = consumed_.find(queue);
    if (end > 0 && (consumed == consumed_.end() || consumed->second < end)) return false;
  }
  return true;
}

// --- The last look.

absl::Status Cluster::ScanAll(History::Scan& scan, std::map<int32_t, int64_t>& ends) {
  checker_.Start([this, &scan, &ends] { return Scan(scan, ends); });
  const absl::Status status = world_.RunToEnd(checker_, absl::Seconds(30));
  checker_.Kill();
  return status;
}

Task<absl::Status> Cluster::Scan(History::Scan& scan, std::map<int32_t, int64_t>& ends) {
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
      status = frame.ok() ? absl::InternalError(core::StrCat("max offset: ", frame->code, " ", frame->remark)) : frame.status();
      break;
    }
    ends[queue] = end.offset;
    status = co_await ScanQueue(*client, queue, scan, end.offset);
  }
  co_await client->Close();
  co_return status;
}

Task<absl::Status> Cluster::ScanQueue(net::Client& client, int32_t queue, History::Scan& scan, int64_t end) {
  for (int64_t offset = 0; offset < end;) {
    net::PullMessageRequest pull;
    pull.consumer_group = "checkers";
    pull.topic = kTopic;
    pull.queue_id = queue;
    pull.queue_offset = offset;
    pull.max_msg_nums = 64;
    pull.sys_flag = kSubscription;
    pull.subscription = "*";
    CO_ASSIGN_OR_RETURN(const net::Frame frame, co_await client.Call(pull, {}, kCallTimeout));
    net::PullMessageResponse found;
    if (CodeOf(frame) != net::ResponseCode::kSuccess || !net::DecodeHeader(frame, found).ok()) {
      co_return absl::InternalError(core::StrCat("queue ", queue, " offset ", offset, " of ", end, ": ", frame.code, " ", frame.remark));
    }
    ObserveRecords(queue, offset, frame.body.bytes(), found.next_begin_offset, "the scan", &scan);
    if (found.next_begin_offset <= offset) co_return absl::InternalError("a pull that does not go on");
    offset = found.next_begin_offset;
  }
  co_return absl::OkStatus();
}

}  // namespace sim
