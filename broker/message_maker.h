#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker/message_id.h"
#include "broker/message_properties.h"
#include "core/io.h"
#include "net/requests/send.h"
#include "store/message.h"

namespace broker {

struct BrokerConfig;

/// A message about to be stored, with whatever text of it could not be borrowed from the client's frame. Stays where it was made: the draft
/// points into it.
struct PreparedMessage {
  PreparedMessage() = default;
  PreparedMessage(const PreparedMessage&) = delete;
  PreparedMessage& operator=(const PreparedMessage&) = delete;
  /// As new, for the next message; keeps little memory.
  void Clear() {
    constexpr size_t kKeptBytes = 1024;
    draft.prepared_transaction_offset = 0;
    for (std::string* text : {&properties, &more_properties}) {
      if (text->capacity() > kKeptBytes) *text = {};
      text->clear();
    }
  }

  store::MessageDraft draft;
  std::string_view uniq_key;
  // Empty for nearly every message.
  std::string properties;
  std::string more_properties;
  MessageId generated;
};

/// The hosts of a message: who sent it, and by which address the sender reaches this broker.
struct MessageHosts {
  core::Endpoint born;
  core::Endpoint store;
};

/// Makes drafts from requests: the properties that the broker adds (MSG_REGION, TRACE_ON, CLUSTER, a UNIQ_KEY where there is none), the
/// tag's hash. One shard.
class MessageMaker {
 public:
  /// `config` outlives the maker; `salt`: random bits, different on every shard.
  MessageMaker(const BrokerConfig& config, uint64_t salt);

  /// Fills `message` but for topic and queue. `header_properties` are those of a batch, which count for each of its messages; a single
  /// message has none. Everything borrowed must live as long as `message`. `drop_delay`: without DELAY (dead letters).
  void Prepare(const net::SendMessageHeader& header, int32_t flag, std::string_view properties,
               const ScannedProperties& scanned, std::string_view header_properties, std::span<const std::byte> body,
               const MessageHosts& hosts, core::WallMillis now, bool drop_delay, PreparedMessage& message);

  /// What of a batch's own properties counts for its messages: not its UNIQ_KEY and WAIT, which are the batch's.
  static std::string BatchProperties(std::string_view properties);

 private:
  const BrokerConfig& config_;
  const std::string added_[2];  // with TRACE_ON false and true: drafts point into them, and traceOn may change meanwhile
  UniqueKeys unique_keys_;
};

}  // namespace broker
