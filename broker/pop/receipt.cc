#include "broker/pop/receipt.h"

#include <charconv>
#include <limits>

#include "absl/strings/str_cat.h"
#include "broker/topic_config.h"
#include "core/strings.h"

namespace broker {
namespace {

constexpr char kBlank = ' ';

/// Cuts the next field off `text`.
std::string_view NextField(std::string_view& text) {
  const size_t end = text.find(kBlank);
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return field;
}

class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {}

  std::string_view Text(std::string_view what) {
    const std::string_view field = NextField(text_);
    if (field.empty()) Fail(what);
    return field;
  }
  template <typename Number>
  Number Next(std::string_view what) {
    const std::string_view field = Text(what);
    Number number = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
    if (error != std::errc() || end != field.data() + field.size() || number < 0) Fail(what);
    return number;
  }
  bool empty() const { return text_.empty(); }
  /// The first field that is missing or wrong; empty when all is well.
  std::string_view wrong() const { return wrong_; }

 private:
  void Fail(std::string_view what) {
    if (wrong_.empty()) wrong_ = what;
  }
  std::string_view text_;
  std::string_view wrong_;
};

void BeginEntry(std::string& info, char kind) {
  if (!info.empty()) info += ';';
  info += kind;
  info += kBlank;
}

}  // namespace

int64_t PopReceipt::due() const {
  return invisible_time > std::numeric_limits<int64_t>::max() - pop_time ? std::numeric_limits<int64_t>::max()
                                                                         : pop_time + invisible_time;
}

std::string PopReceipt::Text() const {
  return core::StrCat(start_offset, " ", pop_time, " ", invisible_time, " ", revive_queue, " ",
                      std::string_view(&topic_kind, 1), " ", broker_name, " ", queue_id, " ", queue_offset);
}

absl::StatusOr<PopReceipt> PopReceipt::Parse(std::string_view text) {
  Fields fields(text);
  PopReceipt receipt;
  receipt.start_offset = fields.Next<int64_t>("start offset");
  receipt.pop_time = fields.Next<int64_t>("pop time");
  receipt.invisible_time = fields.Next<int64_t>("invisible time");
  receipt.revive_queue = fields.Next<int32_t>("revive queue");
  const std::string_view kind = fields.Text("kind of topic");
  receipt.broker_name = fields.Text("broker name");
  if (!fields.empty()) {
    receipt.queue_id = fields.Next<int32_t>("queue id");
    receipt.queue_offset = fields.Next<int64_t>("queue offset");
  }
  if (!fields.wrong().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the receipt handle (extraInfo) has no ", core::ToAbsl(fields.wrong()),
                     ": give it as the pop's answer says, start offset, pop time, invisible time, revive queue, kind "
                     "of topic, broker name, queue id and offset, with one blank in between"));
  }
  receipt.topic_kind = kind.front();
  return receipt;
}

std::string PopRetryTopicOf(std::string_view topic, std::string_view group) {
  return core::StrCat(kRetryTopicPrefix, group, "_", topic);
}

char PopTopicKind(std::string_view topic) {
  if (!IsRetryTopic(topic)) return '0';
  return topic.find('+') == std::string_view::npos ? '1' : '2';
}

std::optional<std::string> PopRealTopic(std::string_view topic, std::string_view group, std::string_view kind) {
  if (kind == "0") return std::string(topic);
  if (kind == "1") return PopRetryTopicOf(topic, group);
  if (kind == "2") return core::StrCat(kRetryTopicPrefix, group, "+", topic);
  return std::nullopt;
}

void AppendStartOffset(std::string& info, char kind, int32_t queue_id, int64_t start) {
  BeginEntry(info, kind);
  absl::StrAppend(&info, queue_id, " ", start);
}

void AppendMessageOffsets(std::string& info, char kind, int32_t queue_id, std::span<const int64_t> offsets) {
  BeginEntry(info, kind);
  absl::StrAppend(&info, queue_id);
  char before = kBlank;
  for (const int64_t offset : offsets) {
    info += before;
    absl::StrAppend(&info, offset);
    before = ',';
  }
}

void AppendOrderCount(std::string& info, char kind, int32_t queue_id, int32_t times) {
  BeginEntry(info, kind);
  absl::StrAppend(&info, queue_id, " ", times);
}

void AppendOrderCountOf(std::string& info, char kind, int32_t queue_id, int64_t offset, int32_t times) {
  BeginEntry(info, kind);
  absl::StrAppend(&info, "qo", queue_id, "%", offset, " ", times);
}

}  // namespace broker
