#include "store/tools/meta_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "store/meta_file.h"

namespace store::tools {
namespace {

constexpr int kMetaReadsMax = 3;
constexpr absl::Duration kMetaReadPause = absl::Milliseconds(50);
constexpr std::string_view kRefuses = "the broker refuses to start: restore the folder from a copy, or move it away";

class MetaReader {
 public:
  /// `marked`: the record that meta.mark says was durable.
  MetaReader(std::string folder, std::span<const std::byte> content, uint64_t marked)
      : folder_(std::move(folder)), file_(folder_ + "/meta.log"), content_(content), marked_(marked) {}

  void Read() {
    ReadRecords();
    if (marked_ <= sequence_) return;
    Add(Severity::kDamage, content_.size(), content_.size(),
        core::StrCat("ends with commit ", sequence_, ", but commit ", marked_, " was durable: cut short, or an older copy"), kRefuses);
  }

  MetaContent content;
  std::vector<Finding> findings;

 private:
  void ReadRecords() {
    const absl::StatusOr<uint64_t> snapshot_bytes = ParseMetaHeader(folder_, content_);
    if (!snapshot_bytes.ok()) {
      Add(Severity::kDamage, 0, kMetaHeaderBytes,
          core::StrCat("the file ", core::ToStd(snapshot_bytes.status().message())), kRefuses);
    }
    size_t at = kMetaHeaderBytes;
    while (at < content_.size()) {
      const std::optional<MetaRecord> record = ParseMetaRecord(content_, at);
      if (record.has_value()) {
        Take(at, *record);
        at += record->bytes;
        continue;
      }
      const std::optional<size_t> next = NextRecord(at);
      const bool in_snapshot = snapshot_bytes.ok() && at < *snapshot_bytes;
      if (!next.has_value() && !in_snapshot) {
        Add(Severity::kTornTail, at, content_.size(), "an unfinished record at the end",
            "a change that was being written at a crash and never acknowledged; cut at the next start");
        return;
      }
      Add(Severity::kDamage, at, next.value_or(content_.size()), "a damaged record of topics, groups or offsets",
          kRefuses);
      if (!next.has_value()) return;
      at = *next;
      damaged_ = true;
    }
  }

  void Add(Severity severity, size_t begin, size_t end, std::string what, std::string_view effect) {
    findings.push_back({.severity = severity,
                        .file = file_,
                        .begin = begin,
                        .end = end,
                        .what = std::move(what),
                        .effect = std::string(effect)});
  }

  std::optional<size_t> NextRecord(size_t at) const {
    for (size_t behind = at + 8; behind + kMetaRecordHeaderBytes <= content_.size(); behind += 8) {
      const std::optional<MetaRecord> record = ParseMetaRecord(content_, behind);
      if (record.has_value() && record->sequence > sequence_) return behind;
    }
    return std::nullopt;
  }

  void Take(size_t at, const MetaRecord& record) {
    if (sequence_ != 0 && record.sequence != sequence_ + 1) {
      if (damaged_) {
        findings.back().what += core::StrCat(" (commits ", sequence_ + 1, " to ", record.sequence - 1, ")");
      } else {
        Add(Severity::kDamage, at, at + record.bytes,
            core::StrCat("commit ", record.sequence, " follows commit ", sequence_), kRefuses);
      }
    }
    damaged_ = false;
    sequence_ = record.sequence;
    ++content.commits;
    const bool readable = ForEachMetaChange(
        record, [&](MetaTable table, std::string_view key, const std::optional<std::string_view>& value) {
          if (value.has_value()) {
            content.tables[table].insert_or_assign(std::string(key), std::string(*value));
          } else {
            content.tables[table].erase(std::string(key));
          }
        });
    if (!readable)
      Add(Severity::kDamage, at, at + record.bytes, "a record with a good checksum can't be read", kRefuses);
    const size_t filled = at + kMetaRecordHeaderBytes + record.changes.size();
    const size_t end = std::min<size_t>(at + record.bytes, content_.size());
    if (std::any_of(content_.begin() + static_cast<ptrdiff_t>(filled), content_.begin() + static_cast<ptrdiff_t>(end),
                    [](std::byte b) { return b != std::byte{0}; })) {
      Add(Severity::kDamage, filled, end, "bytes between two records are not zero",
          "costs nothing: nothing is kept there");
    }
  }

  const std::string folder_;
  const std::string file_;
  const std::span<const std::byte> content_;
  const uint64_t marked_;
  uint64_t sequence_ = 0;
  bool damaged_ = false;  // the record before was; findings.back() says so
};

}  // namespace

const MetaContent::Table& MetaContent::All(MetaTable table) const {
  static const Table kEmpty;
  const auto found = tables.find(table);
  return found == tables.end() ? kEmpty : found->second;
}

core::Task<absl::StatusOr<MetaContent>> ReadMeta(std::string root, std::string name, std::vector<Finding>& findings) {
  const std::string path = core::StrCat(root, "/", name, "/meta.log");
  for (int reads = 0;; ++reads) {
    // The mark first: beside a running broker the log is then at least as new.
    const absl::StatusOr<std::string> mark = co_await core::fs::ReadWhole(core::StrCat(root, "/", name, "/meta.mark"), kMetaMarkBytes);
    std::optional<uint64_t> marked = 0;
    if (mark.ok()) marked = ParseMetaMark(std::as_bytes(std::span(mark->data(), mark->size())));
    CO_ASSIGN_OR_RETURN(const std::string text, co_await core::fs::ReadWhole(path, kMetaFileBytesMax));
    MetaReader reader(name, std::as_bytes(std::span(text.data(), text.size())), marked.value_or(0));
    reader.Read();
    if (!marked.has_value() || (!mark.ok() && !absl::IsNotFound(mark.status()))) {
      // Nobody waits for the mark to be durable: a power cut may leave a new file without its content.
      const bool unfinished = mark.ok() && mark->find_first_not_of('\0') == std::string::npos;
      reader.findings.push_back({.severity = unfinished ? Severity::kTornTail : Severity::kDamage,
                                 .file = name + "/meta.mark",
                                 .end = kMetaMarkBytes,
                                 .what = "the mark of the last durable commit can't be read",
                                 .effect = "costs nothing: it is not used then, and written anew with the next commit"});
    }
    reader.content.bytes = text.size();
    if (reader.findings.empty() || reads == kMetaReadsMax) {
      std::move(reader.findings.begin(), reader.findings.end(), std::back_inserter(findings));
      co_return std::move(reader.content);
    }
    core::Sleep pause(kMetaReadPause);
    (void)co_await pause;
  }
}

}  // namespace store::tools
