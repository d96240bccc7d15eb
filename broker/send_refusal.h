#pragma once

#include <string>

#include "net/response_code.h"

namespace broker {

/// Why a message is not taken.
struct SendRefusal {
  net::ResponseCode code = net::ResponseCode::kSystemError;
  std::string remark;
};

}  // namespace broker
