#include "bench/process_usage.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"

namespace bench {
namespace {

// /proc/PID/stat counts in ticks of USER_HZ, which is 100 on every Linux that this runs on.
constexpr int64_t kTicksPerSecond = 100;
constexpr uint64_t kPageBytes = 4096;

core::Task<absl::StatusOr<std::string>> ReadProc(std::string path) {
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {}));
  std::array<std::byte, 4096> text;
  // A file of /proc has no size: one read gives what there is.
  const absl::StatusOr<size_t> bytes = co_await file.ReadAt(0, std::span(text).first(2048));
  const absl::Status closed = co_await file.Close();
  if (!bytes.ok()) co_return bytes.status();
  CO_RETURN_IF_ERROR(closed);
  co_return std::string(reinterpret_cast<const char*>(text.data()), *bytes);
}

/// The number in the `index`-th blank-separated word.
uint64_t Word(std::string_view text, int index) {
  for (; index > 0; --index) {
    const size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return 0;
    text.remove_prefix(blank + 1);
  }
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

core::Task<absl::StatusOr<ProcessUsage>> ReadProcessUsage(int64_t pid) {
  CO_ASSIGN_OR_RETURN(const std::string stat, co_await ReadProc(core::StrCat("/proc/", pid, "/stat")));
  // The name, in parentheses, may hold blanks: count from behind it. Then utime is word 11, stime 12, rss 21.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) co_return absl::DataLossError(core::StrCat("/proc/", pid, "/stat is not as expected"));
  const std::string_view words = std::string_view(stat).substr(end + 2);
  ProcessUsage usage;
  usage.cpu = absl::Seconds(static_cast<int64_t>(Word(words, 11) + Word(words, 12))) / kTicksPerSecond;
  usage.resident_bytes = Word(words, 21) * kPageBytes;
  co_return usage;
}

}  // namespace bench
