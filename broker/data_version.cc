#include "broker/data_version.h"

#include "core/status.h"

namespace broker {

void DataVersion::WriteJson(net::JsonWriter& json) const {
  json.BeginObject();
  json.Member("counter", counter).Member("stateVersion", state_version).Member("timestamp", timestamp);
  json.EndObject();
}

std::string DataVersion::ToJson() const {
  net::JsonWriter json;
  WriteJson(json);
  return json.Take();
}

absl::StatusOr<DataVersion> DataVersion::FromJson(std::string_view json) {
  ASSIGN_OR_RETURN(const net::JsonDocument document, net::JsonDocument::Parse(json));
  const net::JsonValue root = document.root();
  if (!root.is_object()) return absl::InvalidArgumentError("a data version is an object");
  return DataVersion{.state_version = root["stateVersion"].IntOr(0),
                     .timestamp = root["timestamp"].IntOr(0),
                     .counter = root["counter"].IntOr(0)};
}

}  // namespace broker
