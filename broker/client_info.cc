#include "broker/client_info.h"

#include <array>

namespace broker {
namespace {

// Source: RocketMQ 5.3.3 LanguageCode; the index is the code.
constexpr std::array<std::string_view, 14> kLanguages = {"JAVA", "CPP",   "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY",
                                                         "OTHER", "HTTP", "GO",     "PHP",    "OMS",    "RUST",   "NODE_JS"};
constexpr int32_t kOtherLanguage = 7;

}  // namespace

std::string_view NameOf(ConsumeType type) { return kConsumeTypeNames[static_cast<size_t>(type)]; }
std::string_view NameOf(MessageModel model) { return kMessageModelNames[static_cast<size_t>(model)]; }
std::string_view NameOf(ConsumeFromWhere where) { return kConsumeFromWhereNames[static_cast<size_t>(where)]; }

std::string_view LanguageName(int32_t language) {
  const bool known = language >= 0 && language < static_cast<int32_t>(kLanguages.size());
  return kLanguages[static_cast<size_t>(known ? language : kOtherLanguage)];
}

}  // namespace broker
