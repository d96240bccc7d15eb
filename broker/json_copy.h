#pragma once

#include "net/json.h"

namespace broker {

/// Writes a parsed value again, as standard JSON: for what the broker stores and hands on without understanding it.
void CopyJson(const net::JsonValue& value, net::JsonWriter& json);

}  // namespace broker
