#include "net/router.h"

#include <algorithm>

#include "core/assert.h"
#include "core/strings.h"
#include "net/request_table.h"

namespace net {

void Router::Add(RequestCode code, Handler handler) {
  const bool inserted = handlers_.emplace(static_cast<int32_t>(code), std::move(handler)).second;
  CORE_ASSERT(inserted);
}

const Router::Handler* Router::Find(int32_t code) const {
  const auto it = handlers_.find(code);
  return it == handlers_.end() ? nullptr : &it->second;
}

std::vector<int32_t> Router::Codes() const {
  std::vector<int32_t> codes;
  codes.reserve(handlers_.size());
  for (const auto& [code, handler] : handlers_) codes.push_back(code);
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
