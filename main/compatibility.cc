#include "main/compatibility.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "broker/broker.h"
#include "core/host.h"
#include "core/runtime.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/server_process.h"
#include "nameserver/name_server.h"
#include "net/request_table.h"

namespace ringmq {
namespace {

/// What whoever asks should know of codes that are answered.
struct Note {
  int32_t code;
  std::string_view what;
};
constexpr Note kNotes[] = {
    {12,
     "at most maxMessageSize bytes at once; key and time are judged by the message itself, deleted topics are left "
     "out"},
    {25, "a few harmless keys"},
    {306, "nothing to clean: queue indexes go with their segment"},
    {315, "all that mqadmin and the dashboard ask for; accounts, connections and acknowledgements are not counted by this name"},
    {318, "a few harmless keys, from the same machine"},
};

/// Codes that are not answered, by what they are about.
struct Absent {
  int32_t first;
  int32_t last;
  std::string_view why;
};
constexpr Absent kAbsent[] = {
    {45, 45, "how far RocketMQ's queues of delay levels are, for its slaves; there are no such queues"},
    {60, 60, "how far RocketMQ's timer wheel is, for its slaves; there is none"},
    {61, 61, "waiting messages are counted together (28: timerCongestNum), not by topic"},
    {513, 513, "static topics"},
    {905, 906, "slaves"},
    {908, 908, "slaves"},
    {1007, 1008, "the controller"},
    {354, 355, "about RocketMQ's RocksDB"},
    {2001, 2004, "limits for reads of old messages"},
    {50, 54, "access control of RocketMQ 4.9 (plain_acl.yml), which 5.3.3 has no more either"},
};

/// With which test of tests/interop a real client or tool proves it (tests/interop/proofs.py holds each run to it).
struct Proof {
  std::string_view request;
  std::string_view test;
};
constexpr Proof kProofs[] = {
#define PROOF(request, test) {request, test},
#include "main/compatibility_proofs.inc"
#undef PROOF
};

struct Feature {
  std::string_view name;
  std::string_view state;
};
constexpr Feature kFeatures[] = {
    {"Send: sync, async, oneway, batch", "works"},
    {"Topics made by the first send", "works"},
    {"Push and pull consumers, long polling", "works"},
    {"Tag filters", "works"},
    {"SQL92 filters", "works"},
    {"Clustering and broadcasting", "works"},
    {"Ordered consumption (queue locks)", "works"},
    {"Offsets: query, update, search by time", "works"},
    {"Offsets: reset by the tools, by time or to an offset, also of running consumers", "works"},
    {"View a message by its offset id", "works"},
    {"Query by key or unique key", "works"},
    {"Request and reply", "works"},
    {"Namespaces of the client", "works"},
    {"Light message queues (LMQ), multi-dispatch", "works; off unless enableLmq and enableMultiDispatch are set, as in RocketMQ"},
    {"Retry and dead letters (send back)", "works"},
    {"Delay levels, timer messages and their recall", "works"},
    {"Transactions: commit, rollback, check-back", "works"},
    {"POP consumption: pop, ack, batch ack, change of the invisible time, in order, notification, retry", "works over remoting"},
    {"Assignment of queues by the broker, setConsumeMode", "works"},
    {"Apache RocketMQ Proxy in front of RingMQ, and gRPC clients behind it", "works"},
    {"Access control of RocketMQ 5 (ACL 2.0): users, signatures, access control lists", "works; off unless authenticationEnabled and authorizationEnabled are set, as in RocketMQ"},
    {"Access control of RocketMQ 4.9 (aclEnable, plain_acl.yml)", "no: refused at the start; clients of 4.9 sign for that of 5"},
    {"TLS", "not yet"},
    {"Slaves, controller", "not yet"},
    {"Real RocketMQ brokers at our nameserver, ours at a real one", "works"},
};

/// Ends up in the address, not in a file: the process's number makes the folder ours.
std::filesystem::path TemporaryFolder() {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::temp_directory_path(error);
  return (error ? std::filesystem::path("/tmp") : root) / core::StrCat("ringmq-compatibility-", core::ProcessId());
}

void Take(const net::Router& router, std::set<int32_t>& codes) {
  for (const int32_t code : router.Codes()) codes.insert(code);
}

core::Task<absl::Status> AskServers(std::string folder, HandledCodes& handled) {
  nameserver::NameServerConfig nameserver_config;
  nameserver_config.listen_address = "127.0.0.1";
  nameserver_config.listen_port = 0;
  nameserver_config.kv_config_path = core::StrCat(folder, "/kvConfig.json");
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<nameserver::NameServer> nameserver,
                      co_await nameserver::NameServer::Start(nameserver_config));
  Take(nameserver->router(), handled.nameserver);
  co_await nameserver->Stop();

  broker::BrokerConfig broker_config;
  broker_config.listen_address = "127.0.0.1";
  broker_config.listen_port = 0;
  broker_config.store_path_root_dir = core::StrCat(folder, "/data");
  broker_config.segment_bytes = 8 << 20;
  broker_config.append_buffer_bytes = 4 << 20;
  broker_config.read_cache_bytes = 1 << 20;
  CO_RETURN_IF_ERROR(broker::CheckBrokerConfig(broker_config));
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<broker::Broker> broker, co_await broker::Broker::Start(broker_config));
  Take(broker->shards().local().router(), handled.broker);
  co_return co_await broker->Stop();
}

std::string_view StateOf(bool handled) { return handled ? "works" : "not yet"; }

std::string_view NoteOf(int32_t code, bool handled) {
  for (const Note& note : kNotes) {
    if (handled && note.code == code) return note.what;
  }
  for (const Absent& absent : kAbsent) {
    if (!handled && absent.first <= code && code <= absent.last) return absent.why;
  }
  return "";
}

std::string_view ProofOf(std::string_view request) {
  for (const Proof& proof : kProofs) {
    if (proof.request == request) return proof.test;
  }
  return "";
}

std::string_view PlaneName(net::RequestPlane plane) {
  switch (plane) {
    case net::RequestPlane::kData:
      return "data";
    case net::RequestPlane::kAdmin:
      return "administration";
    case net::RequestPlane::kCluster:
      return "cluster";
  }
  return "";
}

void AppendTable(std::string_view title, uint8_t server, const std::set<int32_t>& handled, std::string& page) {
  size_t all = 0;
  size_t answered = 0;
  std::string rows;
  for (const net::RequestInfo& info : net::RequestTable()) {
    if ((info.servers & server) == 0) continue;
    const auto code = static_cast<int32_t>(info.code);
    const bool works = handled.contains(code);
    ++all;
    answered += works ? 1 : 0;
    rows += core::StrCat("| ", code, " | ", info.name, " | ", std::string(1, info.tier), " | ", PlaneName(info.plane),
                         " | ", StateOf(works), " | ", works ? ProofOf(info.name) : "", " | ", NoteOf(code, works), " |\n");
  }
  page += core::StrCat("\n## ", title, "\n\n", answered, " of ", all, " request codes are answered.\n\n",
                       "| code | name | tier | plane | state | proven with a real client or tool by | note |\n|---|---|---|---|---|---|---|\n", rows);
}

}  // namespace

absl::StatusOr<HandledCodes> FindHandledCodes() {
  HandledCodes handled;
  const std::string folder = TemporaryFolder().string();
  core::RuntimeOptions options;
  options.pin_threads = false;
  options.receive_buffers = 32;
  absl::Status status = core::CheckMachine();
  if (status.ok()) status = core::RunShards(options, [&] { return AskServers(folder, handled); });
  std::error_code ignored;  // what is left in the temporary folder harms nobody
  std::filesystem::remove_all(folder, ignored);
  if (!status.ok()) return status;
  return handled;
}

std::string CompatibilityPage(const HandledCodes& handled) {
  std::string page =
      "# Compatibility\n\n"
      "What RingMQ answers of RocketMQ's remoting protocol. Tested with the Java clients 4.9.7 and 5.3.3, in what most "
      "applications use with 5.5.0 and the Go client 2.1.2,\n"
      "through the real Proxy 5.3.3 with the gRPC clients 5.0.7 (Java) and 5.1.2 (Python), and with the broker, the "
      "nameserver and mqadmin of 5.3.3; the benchmark runs beside a broker of 5.5.0. Written by `ringmq compatibility` "
      "from the "
      "request table and the\n"
      "handlers of the servers; a test holds this page to it. A code without a handler is answered with "
      "REQUEST_CODE_NOT_SUPPORTED and its\n"
      "name. Tier: A every producer and consumer, B full client features, C administration, D high availability and "
      "the rare.\n"
      "\n## Where RingMQ is stricter\n\n"
      "- Administration is answered to the server's own machine only, or with authenticationEnabled to users who may; the cluster plane "
      "to the addresses of\n"
      "  `clusterPeers` (private networks unless set). Others get NO_PERMISSION.\n"
      "- Access control lets nothing pass that it can't judge (next section).\n"
      "- UPDATE_BROKER_CONFIG and UPDATE_NAMESRV_CONFIG change a list of harmless settings, all that are named or "
      "none. The configuration file is\n"
      "  never written: a broker keeps the changes in its data folder, until the file says otherwise; a nameserver "
      "until the next start.\n"
      "  GET_BROKER_CONFIG and GET_NAMESRV_CONFIG show no paths.\n"
      "- RESUME_CHECK_HALF_MESSAGE resumes what was put aside (TRANS_CHECK_MAX_TIME_TOPIC), not a transaction that is "
      "still pending.\n"
      "- Names are judged in every request, not only where something is made.\n"
      "- A request's body is limited by its code ([LIMITS.md](LIMITS.md)): no more than 64 KiB where none is needed. "
      "In RocketMQ any may fill a frame.\n"
      "- A broker has at most `topicsMax` topics (10,000), `subscriptionGroupsMax` groups (10,000) and `queuesMax` "
      "queues (100,000), and sends make\n"
      "  at most `autoCreateTopicsPerMinute` topics (64).\n"
      "- A broker's name and id at a nameserver belong to the host that registered them until its connection closes or "
      "it "
      "has been silent for\n"
      "  65 s. RocketMQ lets any host take them at once.\n"
      "- A receipt handle of POP that is good no more, as its time is over or there is a newer one of the message, gets "
      "NO_MESSAGE and the reason.\n"
      "  RocketMQ says SUCCESS and delivers the message again. Within its time an acknowledgement may be repeated.\n"
      "- POP_MESSAGE with maxMsgNums below 1, a negative invisibleTime or names too long for a retry topic is "
      "INVALID_PARAMETER.\n"
      "\nWhy, and what each is tested by: [SECURITY.md](SECURITY.md).\n"
      "\n## Access control asks for more\n\n"
      "Users, lists, signatures and mqadmin's commands for them are RocketMQ 5.3.3's. Other than there:\n\n"
      "- authenticationEnabled needs a super user to start with: initAuthenticationUser, or one made before. authorizationEnabled needs authenticationEnabled. No metadata provider need be "
      "named, and classes of one's own are not loaded. The last super user can't be deleted, disabled or made a normal one.\n"
      "- Every request is judged by itself and by what counts now; RocketMQ may take a minute. authenticationStrategy and the sizes of caches mean nothing.\n"
      "- With authenticationEnabled alone, administration is for super users. RocketMQ lets every user administer.\n"
      "- Requests that RocketMQ forgets need a right as well: configuration Cluster Get or Update, groups Create or Update, lists of topics each of them Create, batches of acknowledgements, "
      "assignment, consumption modes, LITE_PULL and CHECK_CLIENT_CONFIG those of topic and group, a clone of offsets Update of both groups, replies Pub (none to the cluster's reply topic), "
      "and light queues that a message names Pub. A "
      "transaction is ended or resumed, and a message seen by its offset id, sent back or consumed directly, by who may use the topic of that message, whatever the header says; producers are "
      "asked about transactions of topics that they may send to.\n"
      "- A signature that is there is checked, also of a code in authenticationWhitelist. Where rights are looked at, such a code needs to be in authorizationWhitelist as well.\n"
      "- A retry topic belongs to its group, also where a send or a pull names another group.\n"
      "- Of several entries that match, a whole name counts before a prefix, a longer prefix before a shorter, then Deny before Allow; RocketMQ's comparison means that and gives the shorter "
      "prefix and Allow first. Words that are no action, decision or status are refused; RocketMQ drops them.\n"
      "- Sub is enough to ask for offsets, times and configuration of a topic or group, where RocketMQ wants Get; Get to list.\n"
      "- Passwords are shown to super users who have signed, to nobody while authentication is off.\n"
      "- Nameservers look at no signatures, as RocketMQ's do not.\n"
      "\n## POP is kept in another way\n\n"
      "What is in flight is in the broker's own metadata, not in `rmq_sys_REVIVE_LOG_*`; tools that read that topic find "
      "nothing there. A pop retry\n"
      "topic (`%RETRY%group_topic`) has one queue for each log, where RocketMQ makes one queue. There are no retry topics of version 2 "
      "(enableRetryTopicV2).\n"
      "POP_ROLLBACK has nothing to do.\n"
      "\n## Light queues have copies\n\n"
      "Each light queue (`%LMQ%...`) that a message names in INNER_MULTI_DISPATCH gets a copy, where RocketMQ has another entry for the same record. What a consumer sees is the same, but for:\n\n"
      "- The offset in the queue is that in the light queue, so a push consumer of one goes on where it was. With RocketMQ it commits offsets of the parent's queue, and reads again or not at all.\n"
      "- INNER_MULTI_DISPATCH and INNER_MULTI_QUEUE_OFFSET tell of this light queue alone; read from the parent they tell of all.\n"
      "- The messages of a batch are dispatched, too (RocketMQ stores them in their own queue alone), and those of a transaction when it is committed (RocketMQ also before, and when it is rolled back).\n"
      "- A name that is not `%LMQ%` and something is MESSAGE_ILLEGAL; RocketMQ 5.3.3 stops building its queues there. At most 1,024 names, and 64 MiB of copies.\n"
      "- Light queues have names of at most 127 bytes, and these and groups that are named like them letters, digits and `_-%|.:@#$+~*!?=&()[]{}^;`. To be popped, or for retries, both need names as other topics and groups have; groups `%LMQ%...` pull.\n"
      "- maxLmqConsumeQueueNum holds: beyond it a send is SYSTEM_ERROR (RocketMQ has the setting and the remark, and does not look). It counts queues until their topic is deleted (`mqadmin deleteTopic`), also where messages have expired. Eight times as many offsets of "
      "such queues and groups are kept.\n"
      "- A heartbeat makes no retry topic for a group `%LMQ%...`, the first message that it sends back does. In statistics such groups are one, `%LMQ%`.\n"
      "- Seen by its offset id, or in an export (`ringmq store export`), a copy is a message of the topic `%LMQ%...`. `ringmq store import` takes no light queues of RocketMQ's; their messages are in their own topics.\n"
      "\n## Features\n\n| feature | state |\n|---|---|\n";
  for (const Feature& feature : kFeatures) page += core::StrCat("| ", feature.name, " | ", feature.state, " |\n");
  AppendTable("Broker", net::kBroker, handled.broker, page);
  AppendTable("Nameserver", net::kNameserver, handled.nameserver, page);
  return page;
}

int RunCompatibility() {
  const absl::StatusOr<HandledCodes> handled = FindHandledCodes();
  if (!handled.ok()) return Fail("compatibility", handled.status());
  std::fputs(CompatibilityPage(*handled).c_str(), stdout);
  return 0;
}

}  // namespace ringmq
