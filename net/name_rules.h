#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace net {

inline constexpr size_t kTopicNameBytesMax = 127;
/// %RETRY% and %DLQ% topics of long group names; what a record can hold.
inline constexpr size_t kInternalTopicNameBytesMax = 255;
inline constexpr std::string_view kLmqPrefix = "%LMQ%";
inline constexpr size_t kGroupNameBytesMax = 255;
inline constexpr size_t kLabelBytesMax = 255;
inline constexpr size_t kUserNameBytesMax = 255;
inline constexpr std::string_view kSubjectPrefix = "User:";
/// Far above what clients have; each group keeps a copy.
inline constexpr size_t kClientIdBytesMax = 1024;

// The only place where names from the network are judged. Each function returns what is wrong (the remark of the refusal), or nothing.

/// Topics and groups: letters, digits, '_', '-', '%', '|' only: no separator, so that no name can become a path, a line or a markup. In
/// RocketMQ's words. Source: RocketMQ 5.3.3 TopicValidator.
std::optional<std::string> WrongTopicName(std::string_view name);
/// Topics that a request may name: those, and light message queues (%LMQ%...), which nobody makes and of whose names RocketMQ asks nothing. Clients make them
/// of MQTT topics: they may have what a label has, but for commas, which are between their names.
std::optional<std::string> WrongTopicToUse(std::string_view name);
std::optional<std::string> WrongGroupName(std::string_view name);
/// The same of groups: who reads light queues names groups like them, after clients.
std::optional<std::string> WrongGroupToUse(std::string_view name);
/// A topic as nameservers know it: brokers register their own name and their cluster's as topics too, and these may be host names, with dots.
std::optional<std::string> WrongRouteName(std::string_view name);
/// Brokers, clusters, groups of producers: RocketMQ asks nothing of them. Printable characters without blanks, quotes, slashes and angle
/// brackets.
std::optional<std::string> WrongLabel(std::string_view what, std::string_view name);
/// RocketMQ asks nothing here as well; instance names may be in any language. No control characters.
std::optional<std::string> WrongClientId(std::string_view id);

/// Users. RocketMQ asks nothing; no control characters.
std::optional<std::string> WrongUserName(std::string_view name);

/// `text` cut after `bytes_max`, its control characters and what is not ASCII as \xHH: for log lines that quote a peer.
std::string Quoted(std::string_view text, size_t bytes_max = 128);

}  // namespace net
