#include "bench/frame_template.h"

#include <concepts>
#include <cstring>

#include "core/assert.h"
#include "core/strings.h"
#include "store/bytes.h"

namespace bench {
namespace {

// Placeholders that occur nowhere else; the numbers overwrite them.
constexpr std::string_view kOpaque = "1999999999";
constexpr std::string_view kKey = "00000000000000000009";
constexpr std::string_view kBorn = "1700000000009";
constexpr std::string_view kDeliver = "1700000000019";
constexpr std::string_view kOffset = "0000000000000000099";

template <std::integral T>
void AppendBig(std::string& out, size_t value) {
  std::byte bytes[sizeof(T)];
  store::StoreBig(bytes, static_cast<T>(value));
  out.append(reinterpret_cast<const char*>(bytes), sizeof(T));
}

std::string Body(size_t bytes) {
  std::string body(bytes, '\0');
  // Not compressible to nothing, the same in every run.
  uint64_t state = 0x9e3779b97f4a7c15;
  for (char& c : body) {
    state = state * 6364136223846793005 + 1442695040888963407;
    c = static_cast<char>('a' + (state >> 59) % 26);
  }
  return body;
}

}  // namespace

std::string FrameTemplate::Header(int32_t code, std::string_view ext_fields) {
  return core::StrCat(R"({"code":)", code, R"(,"extFields":{)", ext_fields, R"(},"flag":0,"language":"JAVA","opaque":)", kOpaque,
                      R"(,"serializeTypeCurrentRPC":"JSON","version":479})");
}

std::string FrameOf(std::string_view header, std::string_view body) {
  std::string frame;
  AppendBig<uint32_t>(frame, 4 + header.size() + body.size());
  AppendBig<uint32_t>(frame, header.size());
  frame += header;
  frame += body;
  return frame;
}

size_t FrameTemplate::Locate(std::string_view marker) {
  const size_t at = frame_.find(marker);
  CORE_ASSERT(at != std::string::npos);
  return at;
}

FrameTemplate FrameTemplate::Send(std::string_view topic, std::string_view group, size_t body_bytes, int32_t batch, bool timer) {
  FrameTemplate result;
  std::string properties = core::StrCat("UNIQ_KEY\\u0001AC110001A5D2", kKey, "\\u0002WAIT\\u0001true\\u0002");
  if (timer) properties += core::StrCat("TIMER_DELIVER_MS\\u0001", kDeliver, "\\u0002");
  const std::string header = Header(
      batch > 1 ? 320 : 310,
      core::StrCat(R"("a":")", group, R"(","b":")", topic, R"(","c":"TBW102","d":"4","e":"9999","f":"0","g":")", kBorn,
                   R"(","h":"0","i":")", properties, R"(","j":"0","k":"false","l":"0","m":")", batch > 1 ? "true" : "false", "\""));
  std::string body;
  std::vector<size_t> stamps;
  const std::string one = Body(body_bytes);
  if (batch <= 1) {
    stamps.push_back(0);
    body = one;
  } else {
    for (int32_t i = 0; i < batch; ++i) {
      const std::string inner = "UNIQ_KEY\001AC110001A5D200000000000000000000\002";
      AppendBig<uint32_t>(body, 4 + 4 + 4 + 4 + 4 + one.size() + 2 + inner.size());
      body.append(12, '\0');
      AppendBig<uint32_t>(body, one.size());
      stamps.push_back(body.size());
      body += one;
      AppendBig<uint16_t>(body, inner.size());
      body += inner;
    }
  }
  result.frame_ = FrameOf(header, body);
  result.opaque_at_ = result.Locate(kOpaque);
  result.queue_at_ = result.Locate(R"("e":"9999")") + 5;
  result.born_at_ = result.Locate(kBorn);
  if (timer) result.deliver_at_ = result.Locate(kDeliver);
  result.key_at_ = result.Locate(kKey);
  for (const size_t at : stamps) result.bodies_at_.push_back(8 + header.size() + at);
  return result;
}

FrameTemplate FrameTemplate::Pull(std::string_view topic, std::string_view group, int32_t messages_max, int64_t suspend_ms) {
  FrameTemplate result;
  constexpr int kSuspendAndSubscription = 2 | 4;  // PullSysFlag
  const std::string header = Header(
      11, core::StrCat(R"("commitOffset":"0","consumerGroup":")", group, R"(","expressionType":"TAG","maxMsgNums":")", messages_max,
                       R"(","queueId":"9999","queueOffset":")", kOffset, R"(","subVersion":"0","subscription":"*","suspendTimeoutMillis":")",
                       suspend_ms, R"(","sysFlag":")", kSuspendAndSubscription, R"(","topic":")", topic, "\""));
  result.frame_ = FrameOf(header, "");
  result.opaque_at_ = result.Locate(kOpaque);
  result.queue_at_ = result.Locate(R"("queueId":"9999")") + 11;
  result.offset_at_ = result.Locate(kOffset);
  return result;
}

void FrameTemplate::Put(size_t at, size_t width, uint64_t value) {
  for (size_t i = width; i-- > 0;) {
    frame_[at + i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

void FrameTemplate::SetStamp(int64_t stamp) {
  for (const size_t at : bodies_at_) std::memcpy(frame_.data() + at, &stamp, sizeof stamp);
}

}  // namespace bench
