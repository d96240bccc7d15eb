#pragma once

#include "net/json.h"
#include "net/reply.h"

namespace broker {

/// Success, with what `json` holds as its body.
inline net::Reply JsonReply(net::JsonWriter& json) {
  net::Reply reply;
  reply.SetBody(json.Take());
  return reply;
}

}  // namespace broker
