#include "broker/json_copy.h"

namespace broker {

void CopyJson(const net::JsonValue& value, net::JsonWriter& json) {  // NOLINT(misc-no-recursion): the parser bounds the depth
  switch (value.kind()) {
    case net::JsonValue::Kind::kNull:
      json.Null();
      return;
    case net::JsonValue::Kind::kBool:
      json.Bool(value.BoolOr(false));
      return;
    case net::JsonValue::Kind::kNumber:
      json.Raw(value.text());
      return;
    case net::JsonValue::Kind::kString:
      json.String(value.text());
      return;
    case net::JsonValue::Kind::kArray:
      json.BeginArray();
      for (const net::JsonValue& item : value.items()) CopyJson(item, json);
      json.EndArray();
      return;
    case net::JsonValue::Kind::kObject:
      json.BeginObject();
      for (const net::JsonMember& member : value.members()) {
        json.Key(member.name());
        CopyJson(member.value, json);
      }
      json.EndObject();
      return;
  }
}

}  // namespace broker
