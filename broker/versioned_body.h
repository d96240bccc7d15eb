#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "broker/data_version.h"
#include "net/reply.h"

namespace broker {

/// The answer that is a whole table of configuration: encoded once for each version of the table, and sent from one place to all who ask. Larger ones
/// than `kept_max` are made for each request and not kept. One shard.
class VersionedBody {
 public:
  explicit VersionedBody(size_t kept_max) : kept_max_(kept_max) {}

  /// `encode` gives the body as a std::string; it is called unless that of `version` is at hand.
  template <typename Encode>
  net::Reply Answer(const DataVersion& version, Encode encode) {
    if (kept_ == nullptr || kept_version_ != version) {
      kept_.reset();
      std::string body = encode();
      if (body.size() > kept_max_) {
        net::Reply reply;
        reply.SetBody(std::move(body));
        return reply;
      }
      kept_ = std::make_shared<const std::string>(std::move(body));
      kept_version_ = version;
    }
    net::Reply reply;
    net::Reply::ForeignParts parts;
    parts.emplace_back(*kept_, kept_->data(), kept_->size());
    reply.SetForeignBody(kept_, std::move(parts));
    return reply;
  }

 private:
  const size_t kept_max_;
  DataVersion kept_version_;
  std::shared_ptr<const std::string> kept_;  // answers that are under way keep an old one
};

/// How large such a body may be on a shard whose append buffer has so many bytes: 8 MiB (40,000 topics) of 128 MiB for a shard.
constexpr size_t KeptBodyMax(size_t append_buffer_bytes) { return append_buffer_bytes / 8; }

}  // namespace broker
