#include "store/manifest.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/crc.h"
#include "store/record.h"
#include "store/segment.h"

namespace store {
namespace {

constexpr size_t kManifestBytesMax = 4096;

uint32_t TextCrc(std::string_view text) { return Crc32c(std::as_bytes(std::span(text.data(), text.size()))); }

std::optional<uint64_t> Number(std::string_view text, int base) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string EncodeManifest(const ManifestContent& content) {
  std::string text = absl::StrFormat("format=%d\nstore=%016x%016x\nlogs=%d\nsegmentBytes=%d\n", kManifestFormat, content.store_id.high,
                                     content.store_id.low, content.logs, content.segment_bytes);
  return text + absl::StrFormat("crc32c=%08x\n", TextCrc(text));
}

absl::StatusOr<ManifestContent> ParseManifest(std::string_view text) {
  const absl::Status damaged = absl::DataLossError("it is damaged");
  std::map<std::string_view, std::string_view> values;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const size_t equals = rest.find('=');
    if (end == std::string_view::npos || equals == std::string_view::npos || equals > end) return damaged;
    const std::string_view key = rest.substr(0, equals);
    const std::string_view value = rest.substr(equals + 1, end - equals - 1);
    if (key == "crc32c") {
      if (Number(value, 16) != TextCrc(text.substr(0, text.size() - rest.size())) || end + 1 != rest.size()) return damaged;
    }
    values[key] = value;
    rest.remove_prefix(end + 1);
  }
  if (!values.contains("crc32c") || !values.contains("format")) return damaged;
  if (Number(values["format"], 10) != kManifestFormat) {
    return absl::FailedPreconditionError(core::StrCat("it has format ", values["format"], ", this program reads format ", kManifestFormat));
  }
  const std::string_view store = values["store"];
  const std::optional<uint64_t> logs = Number(values["logs"], 10);
  const std::optional<uint64_t> segment_bytes = Number(values["segmentBytes"], 10);
  if (store.size() != 32 || !Number(store.substr(0, 16), 16) || !Number(store.substr(16), 16) || !logs || !segment_bytes) return damaged;
  if (*logs == 0 || *logs > kLogNumberMax || *segment_bytes < kSegmentBytesMin || *segment_bytes > kSegmentBytesMax) return damaged;
  return ManifestContent{.store_id = {*Number(store.substr(0, 16), 16), *Number(store.substr(16), 16)},
                         .logs = static_cast<uint32_t>(*logs),
                         .segment_bytes = *segment_bytes};
}

core::Task<absl::StatusOr<core::File>> Manifest::LockFolder(std::string directory, int64_t process) {
  const std::string path = directory + "/lock";
  CO_ASSIGN_OR_RETURN(core::File file, co_await core::File::Open(path, {.write = true, .create = true}));
  absl::Status status = co_await file.Lock();
  if (absl::IsFailedPrecondition(status)) {
    std::string holder(32, '\0');
    const absl::StatusOr<size_t> read = co_await file.ReadAt(0, std::as_writable_bytes(std::span(holder.data(), holder.size())));
    holder.resize(read.ok() ? *read : 0);
    holder.resize(std::min(holder.size(), holder.find('\n')));
    status = absl::FailedPreconditionError(core::StrCat("the data folder ", directory, " is in use by another process",
                                                        holder.empty() ? std::string() : core::StrCat(" (pid ", holder, ")")));
  } else if (status.ok()) {
    const std::string text = absl::StrCat(process, "\n");
    status = co_await file.Truncate(0);
    if (status.ok()) status = co_await file.WriteAt(0, std::as_bytes(std::span(text.data(), text.size())), false);
  }
  if (!status.ok()) {
    (void)co_await file.Close();
    co_return status;
  }
  co_return file;
}

core::Task<absl::StatusOr<Manifest>> Manifest::Open(Options options) {
  Manifest manifest;
  manifest.directory_ = options.directory;
  const std::string folder = core::StrCat("the data folder ", options.directory);
  const absl::Status made = co_await core::fs::MakeDirectories(options.directory);
  if (!made.ok()) co_return core::Annotate(made, core::StrCat(folder, " can't be made"));
  absl::StatusOr<core::File> lock = co_await LockFolder(options.directory, options.process);
  if (!lock.ok()) {
    if (absl::IsFailedPrecondition(lock.status())) co_return lock.status();
    co_return core::Annotate(lock.status(), core::StrCat(folder, " is not writable"));
  }
  const std::string path = options.directory + "/manifest";
  absl::Status status;
  absl::StatusOr<std::string> text = co_await core::fs::ReadWhole(path, kManifestBytesMax);
  if (text.ok()) {
    absl::StatusOr<ManifestContent> content = ParseManifest(*text);
    if (!content.ok()) {
      status = core::Annotate(content.status(), path);
    } else if (options.logs != 0 && options.logs != content->logs) {
      status = absl::FailedPreconditionError(core::StrCat(folder, " was made for ", content->logs, " shards and can't be opened with ", options.logs,
                                                          "; leave the number of shards out to use ", content->logs));
    } else {
      manifest.content_ = *content;
    }
  } else if (absl::IsNotFound(text.status())) {
    // A folder with logs but no manifest lost it: making a new one would hide the messages.
    const absl::StatusOr<core::FileInfo> log = co_await core::fs::Stat(options.directory + "/log-0");
    if (log.ok()) {
      status = absl::DataLossError(core::StrCat(folder, " has logs but its manifest is gone"));
    } else {
      core::Reactor& reactor = core::Reactor::Current();
      manifest.content_ = {.store_id = {reactor.RandomBits(), reactor.RandomBits()},
                           .logs = options.logs != 0 ? options.logs : options.default_logs,
                           .segment_bytes = options.segment_bytes};
      const std::string encoded = EncodeManifest(manifest.content_);
      status = co_await core::fs::ReplaceWhole(path, encoded);
      if (!status.ok()) status = core::Annotate(status, core::StrCat(folder, " is not writable"));
    }
  } else {
    status = text.status();
  }
  core::File lock_file = std::move(lock).value();
  if (!status.ok()) {
    (void)co_await lock_file.Close();
    co_return status;
  }
  manifest.lock_ = std::move(lock_file);
  co_return manifest;
}

core::Task<absl::Status> Manifest::Close() {
  if (!lock_.is_open()) co_return absl::OkStatus();
  co_return co_await lock_.Close();
}

}  // namespace store
