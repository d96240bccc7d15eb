#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/string_map.h"

namespace broker {

/// A map from name to an immutable value of which copies are cheap: a copy shares everything, a change copies one of 256
/// buckets. So a catalog of a million topics changes in microseconds while every shard reads the previous one.
template <typename T>
class SnapshotMap {
 public:
  using Value = std::shared_ptr<const T>;

  const T* Find(std::string_view name) const {
    const Value* value = FindShared(name);
    return value == nullptr ? nullptr : value->get();
  }
  const Value* FindShared(std::string_view name) const {
    const std::shared_ptr<const Bucket>& bucket = buckets_[BucketOf(name)];
    if (bucket == nullptr) return nullptr;
    const auto at = bucket->find(name);
    return at == bucket->end() ? nullptr : &at->second;
  }
  void Put(std::string_view name, T value) {
    Bucket changed = CopyOf(name);
    const auto [at, inserted] = changed.insert_or_assign(std::string(name), std::make_shared<const T>(std::move(value)));
    size_ += inserted ? 1 : 0;
    buckets_[BucketOf(name)] = std::make_shared<const Bucket>(std::move(changed));
  }
  void Erase(std::string_view name) {
    Bucket changed = CopyOf(name);
    size_ -= changed.erase(name);
    buckets_[BucketOf(name)] = std::make_shared<const Bucket>(std::move(changed));
  }
  size_t size() const { return size_; }
  /// Every value, by name: the order does not depend on the hash.
  std::vector<Value> Sorted() const {
    std::vector<std::pair<std::string_view, Value>> named;
    named.reserve(size_);
    for (const auto& bucket : buckets_) {
      if (bucket == nullptr) continue;
      for (const auto& [name, value] : *bucket) named.emplace_back(name, value);
    }
    std::sort(named.begin(), named.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Value> values;
    values.reserve(named.size());
    for (auto& [name, value] : named) values.push_back(std::move(value));
    return values;
  }

 private:
  static constexpr size_t kBuckets = 256;
  using Bucket = StringMap<Value>;

  // The low bits choose within the bucket's table; these are others.
  static size_t BucketOf(std::string_view name) { return (StringHash{}(name) >> 40) % kBuckets; }
  Bucket CopyOf(std::string_view name) const {
    const std::shared_ptr<const Bucket>& bucket = buckets_[BucketOf(name)];
    return bucket == nullptr ? Bucket{} : *bucket;
  }

  std::array<std::shared_ptr<const Bucket>, kBuckets> buckets_;
  size_t size_ = 0;
};

}  // namespace broker
