#include "broker/access/user.h"

#include "broker/access/words.h"
#include "core/status.h"
#include "core/strings.h"

namespace broker {
namespace {

constexpr std::string_view kTypes[] = {"Normal", "Super"};
constexpr std::string_view kStatuses[] = {"enable", "disable"};

}  // namespace

absl::StatusOr<UserType> ParseUserType(std::string_view name) {
  ASSIGN_OR_RETURN(const size_t index, FindWord(kTypes, name, "userType"));
  return static_cast<UserType>(index);
}

absl::StatusOr<UserStatus> ParseUserStatus(std::string_view name) {
  ASSIGN_OR_RETURN(const size_t index, FindWord(kStatuses, name, "userStatus"));
  return static_cast<UserStatus>(index);
}

void User::WriteJson(net::JsonWriter& json, bool with_password) const {
  json.BeginObject();
  if (with_password) json.Member("password", password);
  json.Member("userStatus", std::string(kStatuses[static_cast<size_t>(status)]));
  json.Member("userType", std::string(kTypes[static_cast<size_t>(type)]));
  json.Member("username", name).EndObject();
}

std::string User::ToJson() const {
  net::JsonWriter json;
  WriteJson(json, true);
  return json.Take();
}

absl::StatusOr<User> User::FromJson(std::string_view text) {
  const absl::StatusOr<net::JsonDocument> document = net::JsonDocument::Parse(text);
  if (!document.ok()) return absl::DataLossError("a stored user that is no JSON");
  const net::JsonValue json = document->root();
  User user;
  user.name = json["username"].text();
  user.password = json["password"].text();
  const absl::StatusOr<UserType> type = ParseUserType(json["userType"].text());
  const absl::StatusOr<UserStatus> status = ParseUserStatus(json["userStatus"].text());
  if (user.name.empty() || user.password.empty() || !type.ok() || !status.ok()) return absl::DataLossError("a stored user without what a user has");
  user.type = *type;
  user.status = *status;
  return user;
}

}  // namespace broker
