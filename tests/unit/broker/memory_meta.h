#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/meta_store.h"

namespace broker {

/// The tables of a metadata log without the log; can be told to fail.
class FakeMeta final : public store::MetaStore {
 public:
  core::Task<absl::Status> Close() override { co_return absl::OkStatus(); }
  core::Task<absl::Status> Commit(std::vector<store::MetaChange> changes) override {
    ++commits;
    if (!failure.ok()) co_return failure;
    rows_changed += static_cast<int>(changes.size());
    for (store::MetaChange& change : changes) {
      auto& table = tables_[change.table];
      if (change.value.has_value()) {
        table[change.key] = *change.value;
      } else {
        table.erase(change.key);
      }
    }
    co_return absl::OkStatus();
  }
  const std::string* Find(store::MetaTable table, std::string_view key) const override {
    const auto& rows = All(table);
    const auto it = rows.find(key);
    return it == rows.end() ? nullptr : &it->second;
  }
  const std::map<std::string, std::string, std::less<>>& All(store::MetaTable table) const override { return tables_[table]; }

  void Insert(store::MetaTable table, std::string key, std::string value) { tables_[table][std::move(key)] = std::move(value); }

  int commits = 0;
  int rows_changed = 0;
  absl::Status failure;

 private:
  mutable std::map<store::MetaTable, std::map<std::string, std::string, std::less<>>> tables_;
};

}  // namespace broker
