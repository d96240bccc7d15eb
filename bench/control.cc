#include "bench/control.h"

#include <charconv>
#include <memory>
#include <optional>

#include "bench/frame_template.h"
#include "bench/link.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"

namespace bench {
namespace {

constexpr int32_t kGetMaxOffsetCode = 30;
constexpr int32_t kUpdateAndCreateTopic = 17;
constexpr int32_t kGetBrokerClusterInfo = 106;

class OneAnswer final : public ResponseHandler {
 public:
  void OnResponse(const Response& response) override {
    answer.emplace(Answer{response.code, std::string(response.header),
                          std::string(reinterpret_cast<const char*>(response.body.data()), response.body.size())});
    arrived.NotifyAll();
  }
  std::optional<Answer> answer;
  core::Notifier arrived;
};

/// The text between `before` and the next quote.
std::string_view QuotedAfter(std::string_view text, std::string_view before) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + before.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

core::Task<absl::StatusOr<Answer>> CallOnce(core::Endpoint to, int32_t code,
                                            std::vector<std::pair<std::string, std::string>> fields) {
  std::string ext;
  for (const auto& [name, value] : fields) ext += core::StrCat(ext.empty() ? "" : ",", "\"", name, "\":\"", value, "\"");
  const std::string header = core::StrCat(R"({"code":)", code, R"(,"extFields":{)", ext,
                                          R"(},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":479})");
  const std::string frame = FrameOf(header, "");
  CO_ASSIGN_OR_RETURN(std::unique_ptr<Link> link, co_await Link::Open(to));
  OneAnswer handler;
  link->Start(handler);
  link->Send(std::as_bytes(std::span(frame.data(), frame.size())));
  const core::MonoTime deadline = core::Reactor::Current().now() + absl::Seconds(10);
  while (!handler.answer && link->status().ok()) {
    const core::WaitResult waited = co_await handler.arrived.Wait(deadline);
    if (waited == core::WaitResult::kTimeout) break;
  }
  co_await link->Close();
  if (!handler.answer) co_return absl::DeadlineExceededError(core::StrCat(to.Text(), " did not answer request ", code));
  if (handler.answer->code != 0) {
    co_return absl::FailedPreconditionError(core::StrCat(to.Text(), " answered request ", code, " with code ", handler.answer->code, ": ",
                                                         QuotedAfter(handler.answer->header, "\"remark\":\"")));
  }
  co_return std::move(*handler.answer);
}

core::Task<absl::StatusOr<core::Endpoint>> FindBroker(const Options& options) {
  if (!options.broker.empty()) co_return core::Endpoint::Parse(options.broker);
  CO_ASSIGN_OR_RETURN(const core::Endpoint namesrv, core::Endpoint::Parse(options.namesrv));
  CO_ASSIGN_OR_RETURN(const Answer answer, co_await CallOnce(namesrv, kGetBrokerClusterInfo, {}));
  std::string_view address = QuotedAfter(answer.body, R"("brokerAddrs":{0:")");
  if (address.empty()) address = QuotedAfter(answer.body, R"("brokerAddrs":{"0":")");
  if (address.empty()) co_return absl::NotFoundError(core::StrCat("no master broker is registered at ", options.namesrv));
  co_return core::Endpoint::Parse(address);
}

core::Task<absl::Status> CreateTopics(const Options& options, core::Endpoint broker) {
  const std::string queues = core::StrCat(options.queues);
  for (int32_t i = 0; i < options.topics; ++i) {
    std::vector<std::pair<std::string, std::string>> fields = {{"topic", TopicOf(options, i)},
                                                               {"defaultTopic", "TBW102"},
                                                               {"readQueueNums", queues},
                                                               {"writeQueueNums", queues},
                                                               {"perm", "6"},
                                                               {"topicFilterType", "SINGLE_TAG"},
                                                               {"topicSysFlag", "0"},
                                                               {"order", "false"}};
    const absl::StatusOr<Answer> answer = co_await CallOnce(broker, kUpdateAndCreateTopic, std::move(fields));
    CO_RETURN_IF_ERROR(answer.status());
  }
  co_return absl::OkStatus();
}

core::Task<absl::StatusOr<std::vector<int64_t>>> QueueOffsets(const Options& options, core::Endpoint broker, int32_t code) {
  std::vector<int64_t> offsets;
  for (int32_t queue = 0; queue < options.queues; ++queue) {
    std::vector<std::pair<std::string, std::string>> fields = {{"topic", options.topic}, {"queueId", core::StrCat(queue)}};
    if (code == kGetMaxOffsetCode) fields.emplace_back("committed", "true");
    CO_ASSIGN_OR_RETURN(const Answer answer, co_await CallOnce(broker, code, std::move(fields)));
    const std::string_view text = QuotedAfter(answer.header, R"("offset":")");
    int64_t offset = -1;
    std::from_chars(text.data(), text.data() + text.size(), offset);
    if (offset < 0) co_return absl::DataLossError(core::StrCat(broker.Text(), " gave no offset for queue ", queue));
    offsets.push_back(offset);
  }
  co_return offsets;
}

}  // namespace bench
