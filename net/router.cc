#include "net/router.h"

#include <algorithm>

#include "core/assert.h"
#include "core/strings.h"
#include "net/audit.h"
#include "net/connection.h"
#include "net/limits.h"
#include "net/name_rules.h"
#include "net/request_table.h"
#include "net/signature.h"

namespace net {
namespace {

/// What administrators change is worth a line; what they and their dashboards look at, every few seconds, is not.
bool IsAudited(const RequestInfo& info) {
  return info.plane == RequestPlane::kAdmin && !Overlap(info.actions, RequestAction::kGet | RequestAction::kList);
}

}  // namespace

Router::Router(AccessPolicy policy) : policy_(std::move(policy)), audit_(std::make_unique<Audit>()) {}
Router::~Router() = default;

void Router::Add(RequestCode code, Handler handler) {
  const RequestInfo* info = FindRequest(static_cast<int32_t>(code));
  Handler guarded = [this, info,
                     handler = std::move(handler)](RequestContext context) -> core::Task<Reply> {  // no coroutine
    if (std::optional<Reply> refusal = Refuse(info, context.connection, context.frame, context.frame.body.size(), true)) {
      return Answer(*std::move(refusal));
    }
    context.router = this;
    context.info = info;
    return IsAudited(*info) ? Audited(*info, handler, context) : handler(context);
  };
  const bool inserted = handlers_.try_emplace(static_cast<int32_t>(code), Handled{std::move(guarded)}).second;
  CORE_ASSERT(inserted);
}

void Router::AddDirect(RequestCode code, DirectHandler& direct) {
  const RequestInfo* info = FindRequest(static_cast<int32_t>(code));
  CORE_ASSERT(info != nullptr && !IsAudited(*info) && handlers_.contains(static_cast<int32_t>(code)));
  direct_.push_back({.info = info, .handler = &direct});
}

bool Router::TakeDirect(Connection& connection, Frame& frame, const RequestCost& cost, std::optional<Reply>* refusal) const {
  for (const Direct& direct : direct_) {
    if (static_cast<int32_t>(direct.info->code) != frame.code) continue;
    *refusal = Refuse(direct.info, connection, frame, 0, true);
    if (refusal->has_value()) {
      ++direct.requests;
      return true;
    }
    frame.admitted = true;
    const bool taken = direct.handler->Take(connection, frame, cost);
    if (taken) ++direct.requests;
    return taken;
  }
  return false;
}

std::optional<Reply> Router::Refuse(const RequestInfo* info, const Connection& connection, const Frame& frame,
                                    size_t body_bytes, bool whole) const {
  std::optional<Reply> refusal;
  if (!frame.admitted) refusal = policy_.Refuse(info, connection.peer(), frame, whole);
  if (!refusal.has_value()) {
    return body_bytes <= kSmallFrame ? std::nullopt : RefuseBody(*info, body_bytes, message_bytes_max_());
  }
  if (info != nullptr) NoteRefusal(*info, connection, frame, {}, *refusal);
  return refusal;
}

std::optional<Reply> Router::RefuseEarly(const Connection& connection, const Frame& head, size_t body_bytes) const {
  if (!handlers_.contains(head.code)) return NotSupported(head.code);
  return Refuse(FindRequest(head.code), connection, head, body_bytes, false);
}

std::optional<Reply> Router::RefuseTopic(const RequestContext& context, std::string_view topic, std::string_view group) const {
  std::optional<Reply> refusal = policy_.RefuseTopic(*context.info, context.connection.peer(), context.user(), topic, group);
  if (refusal.has_value()) NoteRefusal(*context.info, context.connection, context.frame, topic, *refusal);
  return refusal;
}

void Router::NoteRefusal(const RequestInfo& info, const Connection& connection, const Frame& frame, std::string_view topic,
                         const Reply& refusal) const {
  if (refusal.code() != ResponseCode::kNoPermission || !audit_->AdmitRefusal()) return;
  audit_->Write(WhoAsks(connection, frame), info.name, topic.empty() ? ResourceText(info, frame) : core::StrCat("topic=", Quoted(topic)), refusal);
}

std::string Router::WhoAsks(const Connection& connection, const Frame& frame) const {
  std::string_view key;
  if (!policy_.knows_users() || !frame.Find(kAccessKeyField, &key)) return connection.peer_text();
  return core::StrCat(connection.peer_text(), " (AccessKey ", Quoted(key), ")");
}

core::Task<Reply> Router::Audited(const RequestInfo& info, const Handler& handler, RequestContext context) {
  const std::string resource = ResourceText(info, context.frame);  // the handler may let go of the frame
  const std::string who = WhoAsks(context.connection, context.frame);
  Reply reply = co_await handler(context);
  if (audit_->AdmitChange()) audit_->Write(who, info.name, resource, reply);
  co_return reply;
}

const Router::Handler* Router::Begin(int32_t code) const {
  const auto it = handlers_.find(code);
  if (it == handlers_.end()) return nullptr;
  ++it->second.requests;
  return &it->second.handler;
}

void Router::AddRequests(std::map<int32_t, uint64_t>& requests) const {
  for (const auto& [code, handled] : handlers_) requests[code] += handled.requests;
  for (const Direct& direct : direct_) requests[static_cast<int32_t>(direct.info->code)] += direct.requests;
}

std::vector<int32_t> Router::Codes() const {
  std::vector<int32_t> codes;
  codes.reserve(handlers_.size());
  for (const auto& [code, handled] : handlers_) codes.push_back(code);
  std::sort(codes.begin(), codes.end());
  return codes;
}

core::Task<Reply> Router::Answer(Reply reply) { co_return reply; }

Reply Router::NotSupported(int32_t code) {
  const std::string_view name = RequestName(code);
  std::string remark =
      core::StrCat(" request type ", code, " not supported");  // RocketMQ's words, with its leading blank
  if (!name.empty()) remark += core::StrCat(": ", name);
  return Reply(ResponseCode::kRequestCodeNotSupported, std::move(remark));
}

}  // namespace net
