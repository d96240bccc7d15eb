#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/task.h"
#include "store/meta_store.h"
#include "store/tools/finding.h"

namespace store::tools {

/// The small tables of one shard, read without opening them.
struct MetaContent {
  using Table = std::map<std::string, std::string, std::less<>>;
  std::map<MetaTable, Table> tables;
  uint64_t commits = 0;  // records in the file
  uint64_t bytes = 0;    // of the file
  const Table& All(MetaTable table) const;
};

/// Reads `root`/`name`/meta.log: all that is whole, also behind damage, with what is wrong in `findings`. A file that is being written is read
/// again before something counts as wrong. kNotFound when there is none.
core::Task<absl::StatusOr<MetaContent>> ReadMeta(std::string root, std::string name, std::vector<Finding>& findings);

}  // namespace store::tools
