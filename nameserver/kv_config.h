#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/sync.h"
#include "core/task.h"

namespace nameserver {

/// The namespace whose keys are topics and whose values say on which brokers an ordered topic has how many queues.
inline constexpr std::string_view kOrderTopicNamespace = "ORDER_TOPIC_CONFIG";

/// Small settings of clients by namespace and key, durable as RocketMQ's kvConfig.json. One shard.
class KvConfig {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;

  explicit KvConfig(std::string path) : path_(std::move(path)), writing_(1) {}

  /// Reads the file; a missing one is empty. kDataLoss: the file is there and is not what it should be.
  core::Task<absl::Status> Load();

  /// Null when there is none. Good until the next change.
  const std::string* Find(std::string_view name_space, std::string_view key) const;
  const Table* Namespace(std::string_view name_space) const;

  /// On stable storage, and visible, when they return OK; an error leaves everything as it was.
  core::Task<absl::Status> Put(std::string name_space, std::string key, std::string value);
  core::Task<absl::Status> Delete(std::string name_space, std::string key);

 private:
  using Tables = std::map<std::string, Table, std::less<>>;
  core::Task<absl::Status> Install(Tables changed);

  const std::string path_;
  Tables tables_;
  core::Semaphore writing_;  // one writer at a time, so that no change is lost in another's file
};

}  // namespace nameserver
