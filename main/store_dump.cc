#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "broker/message_id.h"
#include "broker/message_properties.h"
#include "core/status.h"
#include "core/strings.h"
#include "main/store_commands.h"
#include "net/json.h"
#include "store/queue.h"
#include "store/tools/record_stream.h"
#include "store/tools/verify.h"

namespace ringmq {
namespace {

using store::tools::RecordStream;
using store::tools::StreamedRecord;

class Dump {
 public:
  explicit Dump(const StoreDumpOptions& options) : options_(options) {}

  /// Enough is printed, or nobody reads it.
  bool full() const { return (options_.count.has_value() && printed_ >= *options_.count) || std::ferror(stdout) != 0; }
  bool damaged() const { return damaged_; }

  void Take(uint32_t log, const StreamedRecord& one) {
    if (one.damaged) return TakeDamaged(log, one);
    if (options_.topic.has_value() && one.record.topic != *options_.topic) return;
    if (options_.queue.has_value() && one.record.queue_id != *options_.queue) return;
    if (options_.from.has_value() && one.row.queue_offset < *options_.from) return;
    const core::Endpoint host = StoreHostOf(one);
    json_ = net::JsonWriter();
    Begin(log, one);
    json_.Member("topic", one.record.topic).Member("queueId", one.record.queue_id);
    json_.Member("msgId", broker::MessageId::OfRecord(host, one.record.position).text());
    broker::ForEachProperty(one.record.properties, [&](std::string_view name, std::string_view value) {
      if (name == "UNIQ_KEY") json_.Member("uniqKey", value);
      if (name == "KEYS") json_.Member("keys", value);
      if (name == "TAGS") json_.Member("tags", value);
    });
    json_.Member("tagsCode", one.row.tags_code)
        .Member("sysFlag", one.record.sys_flag)
        .Member("bornTime", one.record.born_timestamp)
        .Member("storeTime", one.record.store_timestamp)
        .Member("bodyBytes", static_cast<int64_t>(one.record.body.size()))
        .Member("bodyCrc32", static_cast<int64_t>(one.record.body_crc));
    if (options_.bodies) {
      json_.Member("body",
                   absl::Base64Escape({reinterpret_cast<const char*>(one.record.body.data()), one.record.body.size()}));
    }
    End();
  }

 private:
  /// Of such a message only its row is known: it is shown unless it can't be of the queue that was asked for.
  void TakeDamaged(uint32_t log, const StreamedRecord& one) {
    if (options_.topic.has_value() && options_.queue.has_value() &&
        store::HashQueue(*options_.topic, *options_.queue) != one.row.queue_hash) {
      return;
    }
    if (options_.from.has_value() && one.row.queue_offset < *options_.from) return;
    damaged_ = true;
    json_ = net::JsonWriter();
    Begin(log, one);
    json_.Member("damaged", true).Member("queueHash", absl::StrFormat("%016x", one.row.queue_hash));
    End();
  }

  void Begin(uint32_t log, const StreamedRecord& one) {
    json_.BeginObject()
        .Member("log", log)
        .Member("position", static_cast<int64_t>(one.position))
        .Member("phy", store::MakePhysicalOffset(log, one.position).value())
        .Member("length", one.row.bytes)
        .Member("crc32c", absl::StrFormat("%08x", one.row.crc))
        .Member("offset", one.row.queue_offset);
  }

  void End() {
    json_.EndObject();
    std::fwrite(json_.text().data(), 1, json_.text().size(), stdout);
    std::fputc('\n', stdout);
    ++printed_;
  }

  static core::Endpoint StoreHostOf(const StreamedRecord& one) {
    const bool born_ipv6 = (one.record.sys_flag & store::kSysFlagBornHostV6) != 0;
    core::Endpoint host;
    host.ipv6 = (one.record.sys_flag & store::kSysFlagStoreHostV6) != 0;
    const std::byte* at = one.bytes.data() + 48 + (born_ipv6 ? 20 : 8) + 8;
    const size_t address_bytes = host.ipv6 ? 16 : 4;
    std::memcpy(host.address, at, address_bytes);
    host.port = static_cast<uint16_t>(store::LoadBig<uint32_t>(at + address_bytes));
    return host;
  }

  const StoreDumpOptions& options_;
  net::JsonWriter json_;
  uint64_t printed_ = 0;
  bool damaged_ = false;
};

core::Task<absl::Status> DumpMain(const StoreDumpOptions& options, int& exit_code) {
  CO_ASSIGN_OR_RETURN(const store::ManifestContent manifest, co_await store::tools::ReadManifest(options.directory));
  if (options.log.has_value() && *options.log >= manifest.logs) {
    co_return absl::InvalidArgumentError(core::StrCat(options.directory, " has ", manifest.logs, " logs, from 0 on"));
  }
  Dump dump(options);
  bool unreadable = false;
  for (uint32_t log = 0; log < manifest.logs && !dump.full(); ++log) {
    if (options.log.has_value() && log != *options.log) continue;
    CO_ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> stream,
                        co_await RecordStream::Open(options.directory, {manifest.store_id, log}));
    while (!dump.full()) {
      const std::optional<StreamedRecord> one = co_await stream->Next();
      if (!one.has_value()) break;
      dump.Take(log, *one);
    }
    unreadable |= stream->damaged_ranges() > 0;
    co_await stream->Close();
  }
  exit_code = dump.damaged() || unreadable ? 1 : 0;
  co_return absl::OkStatus();
}

}  // namespace

int RunStoreDump(const StoreDumpOptions& options) {
  int exit_code = 0;
  return RunTool("store dump", [&] { return DumpMain(options, exit_code); }, exit_code);
}

}  // namespace ringmq
