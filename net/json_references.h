#pragma once

#include "net/json.h"

namespace net {

/// Replaces {"$ref":"$.a[0].b"} below `root` by what it points to, where that has no reference of its own; "$", ".." and paths that lead
/// nowhere stay as they are. Values are shared, not copied; the sum of what references stand for is bounded, and beyond it they stay.
void ResolveReferences(JsonValue root);

}  // namespace net
