#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"
#include "net/server.h"

namespace broker {

/// A client that sends heartbeats, as one connection knows it.
struct ClientInfo {
  net::Connection::Id connection = 0;
  std::string client_id;
  std::string address;   // "ip:port" as the broker sees it
  std::string user;      // who has signed the heartbeat; empty where nobody need
  int32_t language = 7;  // RocketMQ 5.3.3 LanguageCode; 7 is OTHER
  int32_t version = 0;
  core::WallMillis last_heartbeat = 0;  // for people
  core::MonoTime seen;                  // for expiry: the wall clock may jump
};

/// Source: RocketMQ 5.3.3 ConsumeType, MessageModel, ConsumeFromWhere. The numbers are the ordinals that the C++ client sends.
enum class ConsumeType { kActively = 0, kPassively = 1 };
enum class MessageModel { kBroadcasting = 0, kClustering = 1 };
enum class ConsumeFromWhere {
  kLastOffset = 0,
  kLastOffsetAndFromMinWhenBootFirst = 1,
  kMinOffset = 2,
  kMaxOffset = 3,
  kFirstOffset = 4,
  kTimestamp = 5,
};
/// The names by ordinal; Go writes them in another case, so they are compared without it.
inline constexpr std::array<std::string_view, 2> kConsumeTypeNames = {"CONSUME_ACTIVELY", "CONSUME_PASSIVELY"};
inline constexpr std::array<std::string_view, 2> kMessageModelNames = {"BROADCASTING", "CLUSTERING"};
inline constexpr std::array<std::string_view, 6> kConsumeFromWhereNames = {
    "CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
    "CONSUME_FROM_MIN_OFFSET",  "CONSUME_FROM_MAX_OFFSET",
    "CONSUME_FROM_FIRST_OFFSET", "CONSUME_FROM_TIMESTAMP"};
std::string_view NameOf(ConsumeType type);
std::string_view NameOf(MessageModel model);
std::string_view NameOf(ConsumeFromWhere where);
/// "JAVA", "CPP", ...; anything unknown is OTHER, because Java tools can't read other names.
std::string_view LanguageName(int32_t language);

}  // namespace broker
