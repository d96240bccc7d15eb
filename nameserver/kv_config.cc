#include "nameserver/kv_config.h"

#include <utility>

#include "core/file.h"
#include "core/status.h"
#include "core/strings.h"
#include "net/json.h"

namespace nameserver {
namespace {

constexpr size_t kFileBytesMax = size_t{64} << 20;

}  // namespace

core::Task<absl::Status> KvConfig::Load() {
  absl::StatusOr<std::string> text = co_await core::fs::ReadWhole(path_, kFileBytesMax);
  if (absl::IsNotFound(text.status())) co_return absl::OkStatus();
  if (!text.ok()) co_return text.status();
  absl::StatusOr<net::JsonDocument> json = net::JsonDocument::Parse(*text);
  if (!json.ok() || !json->root()["configTable"].is_object()) {
    co_return absl::DataLossError(core::StrCat(path_, " is not a KV configuration (",
                                               json.ok() ? absl::string_view("no configTable") : json.status().message(),
                                               "): mend it or move it away"));
  }
  Tables tables;
  for (const net::JsonMember& name_space : json->root()["configTable"].members()) {
    Table& table = tables[std::string(name_space.name())];
    for (const net::JsonMember& entry : name_space.value.members()) {
      table[std::string(entry.name())] = std::string(entry.value.text());
    }
  }
  tables_ = std::move(tables);
  co_return absl::OkStatus();
}

const KvConfig::Table* KvConfig::Namespace(std::string_view name_space) const {
  const auto at = tables_.find(name_space);
  return at == tables_.end() ? nullptr : &at->second;
}

const std::string* KvConfig::Find(std::string_view name_space, std::string_view key) const {
  const Table* table = Namespace(name_space);
  if (table == nullptr) return nullptr;
  const auto at = table->find(key);
  return at == table->end() ? nullptr : &at->second;
}

core::Task<absl::Status> KvConfig::Put(std::string name_space, std::string key, std::string value) {
  const core::Semaphore::Hold turn = co_await writing_.Take(1);
  Tables changed = tables_;
  changed[std::move(name_space)][std::move(key)] = std::move(value);
  co_return co_await Install(std::move(changed));
}

core::Task<absl::Status> KvConfig::Delete(std::string name_space, std::string key) {
  const core::Semaphore::Hold turn = co_await writing_.Take(1);
  if (Find(name_space, key) == nullptr) co_return absl::OkStatus();
  Tables changed = tables_;
  changed[std::move(name_space)].erase(key);
  co_return co_await Install(std::move(changed));
}

core::Task<absl::Status> KvConfig::Install(Tables changed) {
  net::JsonWriter json;
  json.BeginObject().Key("configTable").BeginObject();
  for (const auto& [name_space, table] : changed) {
    json.Key(name_space).BeginObject();
    for (const auto& [key, value] : table) json.Member(key, value);
    json.EndObject();
  }
  json.EndObject().EndObject();
  std::string text = json.Take();
  if (text.size() > kFileBytesMax) co_return absl::ResourceExhaustedError("the KV configuration is full");
  const size_t slash = path_.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    CO_RETURN_IF_ERROR(co_await core::fs::MakeDirectories(path_.substr(0, slash)));
  }
  CO_RETURN_IF_ERROR(co_await core::fs::ReplaceWhole(path_, std::move(text)));
  tables_ = std::move(changed);
  co_return absl::OkStatus();
}

}  // namespace nameserver
