#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/sync.h"
#include "store/data_folder.h"
#include "store/manifest.h"
#include "store/tools/finding.h"
#include "tests/unit/store/store_fixture.h"

namespace store::tools {

/// Makes the folder "data" with two logs in small segments: message i goes to log i % 2, queue i % 4 of topic T, its body "message i ...".
/// Indexes are sealed and everything is closed when it returns.
inline core::Task<absl::Status> FillFolderMain(int messages, size_t body_bytes) {
  CO_ASSIGN_OR_RETURN(
      Manifest manifest,
      co_await Manifest::Open({.directory = "data", .default_logs = 2, .segment_bytes = kSegmentBytesMin}));
  std::vector<std::unique_ptr<DataFolder>> parts;
  for (uint32_t log = 0; log < 2; ++log) {
    StoreOptions options;
    options.append_buffer_bytes = size_t{4} << 20;
    CO_ASSIGN_OR_RETURN(std::unique_ptr<DataFolder> part,
                        co_await DataFolder::Open("data", manifest.content(), log, options));
    parts.push_back(std::move(part));
  }
  CO_RETURN_IF_ERROR(co_await parts[0]->meta().Commit({{MetaTable::kTopics, "T", R"({"topicName":"T"})"}}));
  for (int i = 0; i < messages; ++i) {
    const std::string body = absl::StrCat("message ", i, " ", std::string(body_bytes, '.'));
    const MessageDraft draft = DraftOf("T", i % 4, body, i % 5);
    CO_RETURN_IF_ERROR((co_await parts[static_cast<size_t>(i % 2)]->store().Append({&draft, 1})).status());
    if (i % 50 == 0) {
      CO_RETURN_IF_ERROR(co_await parts[static_cast<size_t>(i / 50 % 2)]->meta().Commit(
          {{MetaTable::kConsumerOffsets, std::string("g\0T\0", 4) + absl::StrCat(i % 4), absl::StrCat(i / 4)}}));
    }
  }
  core::Sleep pause(absl::Seconds(1));  // for the indexes
  (void)co_await pause;
  for (const std::unique_ptr<DataFolder>& part : parts) CO_RETURN_IF_ERROR(co_await part->Close());
  co_return co_await manifest.Close();
}

inline std::string Describe(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) {
    absl::StrAppend(&text,
                    f.severity == Severity::kDamage     ? "damage "
                    : f.severity == Severity::kTornTail ? "torn tail "
                                                        : "note ",
                    f.file, " ", f.begin, "..", f.end, ": ", f.what, " (", f.records, " messages; ", f.effect, ")\n");
  }
  return text;
}

}  // namespace store::tools
