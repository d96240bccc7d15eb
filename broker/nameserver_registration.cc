#include "broker/nameserver_registration.h"

#include <algorithm>
#include <utility>

#include "broker/topic_config.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"
#include "net/requests/nameserver.h"
#include "net/zlib.h"

namespace broker {
namespace {

constexpr absl::Duration kBackoffMin = absl::Milliseconds(100);
constexpr absl::Duration kBackoffMax = absl::Seconds(3);
constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
constexpr absl::Duration kGoodbyeTimeout = absl::Seconds(1);
constexpr size_t kBodyBytesMax = size_t{8} << 20;  // half of what a frame may be
constexpr int kHaPortDistance = 1;                 // haListenPort is listenPort + 1

TopicConfig Announced(const TopicConfig& topic, int32_t permission) {
  TopicConfig announced = topic;
  if ((permission & kPermReadWrite) != kPermReadWrite) announced.perm &= permission;
  return announced;
}

}  // namespace

std::vector<std::string> RegistrationBodies(const std::vector<std::shared_ptr<const TopicConfig>>& topics,
                                            DataVersion version, int32_t permission, size_t body_bytes_max) {
  std::vector<std::string> bodies;
  size_t next = 0;
  do {
    net::JsonWriter json;
    json.BeginObject().Key("filterServerList").BeginArray().EndArray().Key("topicConfigSerializeWrapper").BeginObject();
    json.Key("dataVersion").Raw(version.ToJson()).Key("topicConfigTable").BeginObject();
    // Two at least: a broker that a nameserver does not know yet may not begin with a single topic.
    for (size_t in_body = 0; next < topics.size(); ++in_body, ++next) {
      if (in_body >= 2 && json.text().size() > body_bytes_max) break;
      json.Key(topics[next]->name);
      Announced(*topics[next], permission).WriteJson(json);
    }
    json.EndObject().EndObject().EndObject();
    bodies.push_back(json.Take());
    ++version.counter;
  } while (next < topics.size());
  return bodies;
}

NameServerRegistration::NameServerRegistration(RegistrationOptions options, const CatalogView& catalog)
    : options_(std::move(options)), catalog_(catalog) {
  for (const NameServerTarget& target : options_.targets) {
    links_.push_back(std::make_unique<Link>());
    links_.back()->target = target;
  }
}

NameServerRegistration::~NameServerRegistration() = default;

core::Task<void> NameServerRegistration::Start() {
  for (const std::unique_ptr<Link>& link : links_) scope_.Spawn(Run(*link));
  const auto undecided = [](const std::unique_ptr<Link>& link) { return !link->attempted; };
  while (std::any_of(links_.begin(), links_.end(), undecided)) co_await progress_.Wait();
}

core::Task<void> NameServerRegistration::Announce(std::vector<std::shared_ptr<const TopicConfig>> changed,
                                                  DataVersion version) {
  if (stopping_) co_return;
  const uint64_t number = ++announced_;
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->client == nullptr) continue;  // it will be told the whole table
    link->pending.insert(link->pending.end(), changed.begin(), changed.end());
    link->pending_version = version;
    link->wanted = number;
    link->work.NotifyAll();
  }
  const auto behind = [number](const std::unique_ptr<Link>& link) {
    return link->client != nullptr && link->wanted >= number && link->told < number;
  };
  const core::MonoTime deadline = core::Reactor::Current().now() + kCallTimeout;
  while (!stopping_ && std::any_of(links_.begin(), links_.end(), behind)) {
    if (co_await progress_.Wait(deadline) == core::WaitResult::kTimeout) break;
  }
}

core::Task<void> NameServerRegistration::Stop() {
  stopping_ = true;
  scope_.RequestStop();
  for (const std::unique_ptr<Link>& link : links_) link->work.NotifyAll();
  progress_.NotifyAll();
  // One that has not answered its registration by now is not waited for: the end of the connection tells it as much.
  const core::MonoTime patience = core::Reactor::Current().now() + kGoodbyeTimeout;
  while (scope_.running() > 0 && co_await progress_.Wait(patience) != core::WaitResult::kTimeout) {
  }
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->client != nullptr) link->client->connection().Close("the broker stops");
  }
  co_await scope_.Join();
}

size_t NameServerRegistration::registered_count() const {
  return static_cast<size_t>(
      std::count_if(links_.begin(), links_.end(), [](const std::unique_ptr<Link>& link) { return link->registered; }));
}

core::Task<void> NameServerRegistration::Run(Link& link) {
  absl::Duration backoff = kBackoffMin;
  while (!stopping_) {
    absl::Status status = co_await Connect(link);
    if (status.ok()) status = co_await Serve(link);
    if (link.registered) backoff = kBackoffMin;
    co_await Disconnect(link);
    link.attempted = true;
    progress_.NotifyAll();
    if (stopping_) break;
    if (!link.warned) {
      core::LogWarning("nameserver ", link.target.at.Text(), ": ", core::ToStd(status.message()), "; trying again");
      link.warned = true;
    }
    // Somewhere between half of it and all, so that a cluster does not come back in one moment.
    const double share = 0.5 + static_cast<double>(core::Reactor::Current().RandomBits() % 1024) / 2048;
    co_await link.work.Wait(core::Reactor::Current().now() + backoff * share);
    backoff = std::min(backoff * 2, kBackoffMax);
  }
}

core::Task<absl::Status> NameServerRegistration::Connect(Link& link) {
  CO_ASSIGN_OR_RETURN(link.client, co_await net::Client::Connect(link.target.at, kConnectTimeout));
  co_return absl::OkStatus();
}

core::Task<void> NameServerRegistration::Disconnect(Link& link) {
  link.registered = false;
  link.pending.clear();
  if (link.client == nullptr) co_return;
  const std::unique_ptr<net::Client> client = std::move(link.client);
  co_await client->Close();
}

core::Task<absl::Status> NameServerRegistration::Serve(Link& link) {
  core::MonoTime next;
  for (bool first = true; !stopping_; first = false) {
    const core::MonoTime now = core::Reactor::Current().now();
    if (first || now >= next) {
      next = now + options_.period;
      CO_RETURN_IF_ERROR(co_await RegisterAll(link));
      if (!link.registered && (link.warned || !link.attempted)) {
        core::LogInfo("registered with nameserver ", link.target.at.Text(), " as ", AddressFor(link));
      }
      link.registered = link.attempted = true;
      link.warned = false;
      progress_.NotifyAll();
    } else if (!link.pending.empty()) {
      CO_RETURN_IF_ERROR(co_await RegisterPending(link));
      progress_.NotifyAll();
    } else if (!link.client->connected()) {
      co_return absl::UnavailableError("the connection has closed");
    } else {
      co_await link.work.Wait(next, link.client->connection().stop_token());
    }
  }
  co_await SayGoodbye(link);
  co_return absl::OkStatus();
}

core::Task<absl::Status> NameServerRegistration::RegisterAll(Link& link) {
  const uint64_t number = link.wanted;
  link.pending.clear();  // the catalog has it
  std::vector<std::string> bodies =
      RegistrationBodies(catalog_->Topics(), catalog_->topics_version(), options_.broker_permission, kBodyBytesMax);
  for (std::string& body : bodies) CO_RETURN_IF_ERROR(co_await Register(link, std::move(body)));
  link.told = number;
  co_return absl::OkStatus();
}

core::Task<absl::Status> NameServerRegistration::RegisterPending(Link& link) {
  const uint64_t number = link.wanted;
  const std::vector<std::shared_ptr<const TopicConfig>> topics = std::exchange(link.pending, {});
  std::vector<std::string> bodies =
      RegistrationBodies(topics, link.pending_version, options_.broker_permission, kBodyBytesMax);
  for (std::string& body : bodies) CO_RETURN_IF_ERROR(co_await Register(link, std::move(body)));
  link.told = number;
  co_return absl::OkStatus();
}

std::string NameServerRegistration::AddressFor(const Link& link) const {
  const core::Endpoint& local = link.client->local();
  const std::string& host = link.target.advertised_host;
  if (host.empty()) return core::StrCat(local.ipv6 ? core::StrCat("[", local.HostText(), "]") : local.HostText(), ":", options_.port);
  const bool bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return bare_ipv6 ? core::StrCat("[", host, "]:", options_.port) : core::StrCat(host, ":", options_.port);
}

core::Task<absl::Status> NameServerRegistration::Register(Link& link, std::string body) {
  const std::string address = AddressFor(link);
  const std::string ha_address =
      core::StrCat(std::string_view(address).substr(0, address.rfind(':')), ":", options_.port + kHaPortDistance);
  net::RegisterBrokerRequest request;
  request.broker_name = options_.broker_name;
  request.broker_addr = address;
  request.cluster_name = options_.cluster_name;
  request.ha_server_addr = ha_address;
  request.broker_id = options_.broker_id;
  request.enable_acting_master = false;
  request.body_crc32 = net::Crc32Masked(body);
  core::Slice bytes = core::Reactor::Current().buffers().Copy(body);
  const absl::StatusOr<net::Frame> response = co_await link.client->Call(request, std::move(bytes), kCallTimeout);
  if (!response.ok()) co_return response.status();
  if (response->code != static_cast<int32_t>(net::ResponseCode::kSuccess)) {
    co_return absl::UnavailableError(core::StrCat("refuses the registration: code ", response->code, ", ", response->remark));
  }
  co_return absl::OkStatus();
}

core::Task<void> NameServerRegistration::SayGoodbye(Link& link) {
  const std::string address = AddressFor(link);
  net::UnregisterBrokerRequest request;
  request.broker_name = options_.broker_name;
  request.broker_addr = address;
  request.cluster_name = options_.cluster_name;
  request.broker_id = options_.broker_id;
  const absl::StatusOr<net::Frame> response = co_await link.client->Call(request, core::Slice(), kGoodbyeTimeout);
  if (!response.ok()) {
    core::LogWarning("nameserver ", link.target.at.Text(), " was not told goodbye: ", core::ToStd(response.status().message()));
  }
}

}  // namespace broker
