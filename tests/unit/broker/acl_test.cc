// Goal: an access control list says of each request what RocketMQ's documentation says it does, and what is no list is none.
#include "broker/access/acl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/access/user.h"
#include "core/strings.h"

namespace broker {
namespace {

using net::RequestAction;
using ::testing::HasSubstr;

core::Endpoint At(std::string_view host) { return *core::Endpoint::Parse(host, 4711); }

std::string Entry(std::string_view resource, std::string_view actions, std::string_view decision, std::string_view sources = "") {
  return core::StrCat(R"({"resource":")", resource, R"(","actions":[)", actions, R"(],"decision":")", decision, R"(")",
                      sources.empty() ? "" : core::StrCat(R"(,"sourceIps":[)", sources, "]"), "}");
}

Acl ListOf(const std::vector<std::string>& custom, const std::vector<std::string>& otherwise = {}) {
  std::string text = R"({"subject":"User:u","policies":[)";
  const auto add = [&text](std::string_view type, const std::vector<std::string>& entries) {
    if (entries.empty()) return;
    if (text.back() == '}') text += ',';
    text += core::StrCat(R"({"policyType":")", type, R"(","entries":[)");
    for (size_t i = 0; i < entries.size(); ++i) text += core::StrCat(i == 0 ? "" : ",", entries[i]);
    text += "]}";
  };
  add("Custom", custom);
  add("Default", otherwise);
  const absl::StatusOr<Acl> acl = Acl::FromJson(text + "]}");
  EXPECT_TRUE(acl.ok()) << acl.status() << text;
  return acl.ok() ? *acl : Acl{};
}

std::string Said(const Acl& acl, ResourceType type, std::string_view name, RequestAction actions, std::string_view host = "10.0.0.1") {
  const std::optional<Decision> decision = acl.Decide(type, name, actions, At(host));
  return !decision.has_value() ? "nothing" : *decision == Decision::kAllow ? "allow" : "deny";
}

std::string OfTopic(const Acl& acl, std::string_view name, RequestAction actions = RequestAction::kPub) {
  return Said(acl, ResourceType::kTopic, name, actions);
}

TEST(AclTest, WholeNamesPrefixesAndTypes) {
  const Acl acl = ListOf({Entry("Topic:Orders", R"("Pub")", "Allow"), Entry("Topic:Paid*", R"("Pub","Sub")", "Allow"), Entry("Group:*", R"("Sub")", "Allow")});
  EXPECT_EQ(OfTopic(acl, "Orders"), "allow");
  EXPECT_EQ(OfTopic(acl, "OrdersX"), "nothing");
  EXPECT_EQ(OfTopic(acl, "orders"), "nothing");
  EXPECT_EQ(OfTopic(acl, "Orders", RequestAction::kSub), "nothing");
  EXPECT_EQ(OfTopic(acl, "Orders", RequestAction::kSub | RequestAction::kPub), "allow") << "one of them is enough";
  EXPECT_EQ(OfTopic(acl, "Paid", RequestAction::kSub), "allow");
  EXPECT_EQ(OfTopic(acl, "PaidToday", RequestAction::kSub), "allow");
  EXPECT_EQ(Said(acl, ResourceType::kGroup, "any", RequestAction::kSub), "allow");
  EXPECT_EQ(Said(acl, ResourceType::kGroup, "any", RequestAction::kDelete), "nothing");
  EXPECT_EQ(Said(acl, ResourceType::kCluster, "Orders", RequestAction::kPub), "nothing") << "another type of that name";
  EXPECT_EQ(OfTopic(ListOf({Entry("*", R"("All")", "Allow")}), "X", RequestAction::kDelete), "allow");
}

TEST(AclTest, OfSeveralTheOneCountsThatSaysMost) {
  const std::string all = Entry("*", R"("All")", "Allow");
  const std::string no_topics = Entry("Topic:*", R"("All")", "Deny");
  const std::string orders = Entry("Topic:Or*", R"("Pub")", "Allow");
  const std::string no_orders_of = Entry("Topic:OrdersOf*", R"("Pub")", "Deny");
  const std::string mine = Entry("Topic:OrdersOfMine", R"("Pub")", "Allow");
  for (const std::vector<std::string>& order : {std::vector<std::string>{all, no_topics, orders, no_orders_of, mine},
                                                std::vector<std::string>{mine, no_orders_of, orders, no_topics, all}}) {
    const Acl acl = ListOf(order);
    EXPECT_EQ(Said(acl, ResourceType::kGroup, "g", RequestAction::kSub), "allow");
    EXPECT_EQ(OfTopic(acl, "X"), "deny");
    EXPECT_EQ(OfTopic(acl, "Order"), "allow");
    EXPECT_EQ(OfTopic(acl, "OrdersOfOthers"), "deny");
    EXPECT_EQ(OfTopic(acl, "OrdersOfMine"), "allow");
    EXPECT_EQ(OfTopic(acl, "OrdersOfMine", RequestAction::kSub), "deny") << "the whole name says nothing of it";
  }
  EXPECT_EQ(OfTopic(ListOf({Entry("Topic:A", R"("Pub")", "Deny")}, {Entry("Topic:A", R"("All")", "Allow")}), "A"), "deny");
}

TEST(AclTest, TheDefaultCountsWhereNothingElseMatches) {
  const Acl acl = ListOf({Entry("Topic:A*", R"("Pub")", "Deny")}, {Entry("*", R"("Pub")", "Allow")});
  EXPECT_EQ(OfTopic(acl, "AB"), "deny") << "though the default is about it as well";
  EXPECT_EQ(OfTopic(acl, "B"), "allow");
}

TEST(AclTest, EntriesCountForTheirSourcesOnly) {
  const Acl acl = ListOf({Entry("Topic:A", R"("Pub")", "Allow", R"("10.0.0.0/8","fd00::1")"), Entry("Topic:*", R"("Pub")", "Deny", R"("10.9.9.9")")});
  EXPECT_EQ(Said(acl, ResourceType::kTopic, "A", RequestAction::kPub, "10.1.2.3"), "allow");
  EXPECT_EQ(Said(acl, ResourceType::kTopic, "A", RequestAction::kPub, "fd00::1"), "allow");
  EXPECT_EQ(Said(acl, ResourceType::kTopic, "A", RequestAction::kPub, "11.1.2.3"), "nothing");
  EXPECT_EQ(Said(acl, ResourceType::kTopic, "A", RequestAction::kPub, "127.0.0.1"), "nothing") << "this machine is a source like others";
  EXPECT_EQ(Said(acl, ResourceType::kTopic, "B", RequestAction::kPub, "10.9.9.9"), "deny");
}

TEST(AclTest, UpdatesReplaceEntriesOfTheSameResource) {
  Acl acl = ListOf({Entry("Topic:A", R"("Pub")", "Allow"), Entry("Topic:A*", R"("Pub")", "Allow")});
  acl.Update(ListOf({Entry("Topic:A", R"("Sub")", "Deny"), Entry("Group:g", R"("Sub")", "Allow")}, {Entry("*", R"("Get")", "Allow")}));
  EXPECT_EQ(acl.ToJson(),
            R"({"policies":[{"entries":[{"actions":["Sub"],"decision":"Deny","resource":"Topic:A"},)"
            R"({"actions":["Pub"],"decision":"Allow","resource":"Topic:A*"},{"actions":["Sub"],"decision":"Allow","resource":"Group:g"}],)"
            R"("policyType":"Custom"},{"entries":[{"actions":["Get"],"decision":"Allow","resource":"*"}],"policyType":"Default"}],"subject":"User:u"})");
  EXPECT_EQ(acl.entries(), 4u);
  EXPECT_EQ(Acl::FromJson(acl.ToJson())->ToJson(), acl.ToJson()) << "as it is stored and read again";
  acl.Erase(PolicyType::kCustom, *Resource::Parse("Topic:A"));
  acl.Erase(PolicyType::kCustom, *Resource::Parse("Topic:Nothing"));
  acl.Erase(PolicyType::kDefault, *Resource::Parse("*"));
  EXPECT_EQ(acl.policies.size(), 1u);
  EXPECT_EQ(acl.entries(), 2u);
  EXPECT_TRUE(acl.Mentions("Topic:A*"));
  EXPECT_FALSE(acl.Mentions("Cluster"));
  net::JsonWriter json;
  acl.WriteJson(json, "Group");
  EXPECT_EQ(json.text(), R"({"policies":[{"entries":[{"actions":["Sub"],"decision":"Allow","resource":"Group:g"}],"policyType":"Custom"}],"subject":"User:u"})");
}

TEST(AclTest, WhatIsNoListIsRefused) {
  const auto wrong = [](std::string_view text) {
    const absl::StatusOr<Acl> acl = Acl::FromJson(text);
    return acl.ok() ? std::string("a list") : std::string(acl.status().message());
  };
  const auto entry = [&wrong](std::string_view one) { return wrong(core::StrCat(R"({"policies":[{"entries":[)", one, "]}]}")); };
  EXPECT_EQ(entry(Entry("Topic:A", R"("pub")", "ALLOW")), "a list") << "in any letters";
  EXPECT_THAT(wrong("{}"), HasSubstr("without policies"));
  EXPECT_THAT(wrong(R"({"policies":[{"entries":[]}]})"), HasSubstr("without entries"));
  EXPECT_THAT(wrong(R"({"policies":[{"policyType":"Other","entries":[]}]})"), HasSubstr("policyType 'Other'"));
  EXPECT_THAT(wrong(R"({"subject":"Role:x","policies":[]})"), HasSubstr("'Role:x' is not User:NAME"));
  EXPECT_THAT(entry(Entry("Topic:A", "", "Allow")), HasSubstr("without actions"));
  EXPECT_THAT(entry(Entry("Topic:A", R"("Any")", "Allow")), HasSubstr("action 'Any'"));
  EXPECT_THAT(entry(Entry("Topic:A", R"("Pub")", "Maybe")), HasSubstr("decision 'Maybe'"));
  EXPECT_THAT(entry(Entry("Topic:A", R"("Pub")", "Allow", R"("10.0.0.*")")), HasSubstr("source ip '10.0.0.*'"));
  EXPECT_THAT(entry(Entry("Topic:A", R"("Pub")", "Allow", R"("10.0.0.0/33")")), HasSubstr("source ip"));
  std::string sources;
  for (int i = 0; i < 65; ++i) sources += core::StrCat(i == 0 ? "" : ",", R"("10.0.0.)", i, R"(")");
  EXPECT_THAT(entry(Entry("Topic:A", R"("Pub")", "Allow", sources)), HasSubstr("65 source ips"));
  EXPECT_EQ(ListOf({Entry("Topic:A", R"("Pub","PUB","Sub","pub")", "Allow")}).policies[0].entries[0].action_names, (std::vector<std::string>{"Pub", "Sub"}));
  for (const std::string_view resource : {"", "Topic", "Topic:", "Queue:A", "Topic:A*B", "Topic:**", "**", "Topic:A\\u0000"}) {
    EXPECT_THAT(entry(Entry(resource, R"("Pub")", "Allow")), HasSubstr("resource")) << resource;
  }
}

TEST(AclTest, SubjectsAreUsers) {
  EXPECT_EQ(*UserOfSubject("User:alice"), "alice");
  EXPECT_EQ(*UserOfSubject("user:a:b"), "a:b");
  for (const std::string_view wrong : {"", "User", "User:", "alice", ":alice", "Group:g"}) EXPECT_FALSE(UserOfSubject(wrong).ok()) << wrong;
}

TEST(UserTest, IsReadAsItWasStored) {
  const User user{.name = "ä \"b\"", .password = "p\\w", .type = UserType::kSuper, .status = UserStatus::kDisable};
  EXPECT_EQ(*User::FromJson(user.ToJson()), user);
  EXPECT_FALSE(user.active_super());
  for (const std::string_view wrong : {"", "[]", R"({"username":"a"})", R"({"username":"a","password":"p","userType":"X","userStatus":"enable"})"}) {
    EXPECT_EQ(User::FromJson(wrong).status().code(), absl::StatusCode::kDataLoss) << wrong;
  }
  EXPECT_FALSE(ParseUserStatus("enabled").ok());
}

}  // namespace
}  // namespace broker
