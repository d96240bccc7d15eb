#include "bench/link.h"

#include "bench/frame_scan.h"
#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "store/bytes.h"

namespace bench {
core::Task<absl::StatusOr<std::unique_ptr<Link>>> Link::Open(core::Endpoint to) {
  CO_ASSIGN_OR_RETURN(std::unique_ptr<core::Socket> socket, co_await core::Socket::Connect(to, absl::Seconds(5)));
  co_return std::make_unique<Link>(std::move(socket));
}

Link::Link(std::unique_ptr<core::Socket> socket) : socket_(std::move(socket)) {}

void Link::Start(ResponseHandler& handler) {
  scope_.Spawn(SendLoop());
  scope_.Spawn(ReceiveLoop(handler));
}

void Link::Send(std::span<const std::byte> frame) {
  if (output_.empty()) wake_.NotifyAll();
  output_.insert(output_.end(), frame.begin(), frame.end());
}

core::Task<void> Link::SendLoop() {
  while (!closing_ && status_.ok()) {
    if (output_.empty()) {
      co_await wake_.Wait();
      continue;
    }
    co_await core::EndOfTick();
    sending_.swap(output_);
    // The socket takes slices; this memory is ours and stays until the send is done.
    const core::Slice part(nullptr, sending_.data(), sending_.size());
    const absl::Status sent = co_await socket_->Send(std::span(&part, 1));
    if (!sent.ok() && status_.ok()) status_ = sent;
    sending_.clear();
  }
}

core::Task<void> Link::ReceiveLoop(ResponseHandler& handler) {
  for (;;) {
    const absl::StatusOr<core::Slice> received = co_await socket_->Receive();
    if (!received.ok() || received->empty()) {
      if (!closing_ && status_.ok()) {
        status_ = received.ok() ? absl::UnavailableError("the broker closed the connection") : received.status();
      }
      wake_.NotifyAll();
      co_return;
    }
    std::span<const std::byte> bytes = received->bytes();
    if (!partial_.empty()) {
      // Only as much as ends the frame is copied; what follows is handled where it lies.
      while (!bytes.empty()) {
        const size_t wanted = partial_.size() < 4
                                  ? 4 - partial_.size()
                                  : 4 + size_t{store::LoadBig<uint32_t>(partial_.data())} - partial_.size();
        const size_t taken = std::min(wanted, bytes.size());
        partial_.insert(partial_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(taken));
        bytes = bytes.subspan(taken);
        if (HandleFrames(partial_, handler) == partial_.size()) {
          partial_.clear();
          break;
        }
      }
    }
    const size_t handled = HandleFrames(bytes, handler);
    bytes = bytes.subspan(handled);
    if (!bytes.empty()) partial_.assign(bytes.begin(), bytes.end());
  }
}

size_t Link::HandleFrames(std::span<const std::byte> bytes, ResponseHandler& handler) {
  return ForEachFrame(bytes, [&handler](std::string_view header, std::span<const std::byte> body) {
    Response response;
    response.header = header;
    response.opaque = NumberAfter(header, "\"opaque\":", -1);
    response.code = NumberAfter(header, "\"code\":", -1);
    response.body = body;
    handler.OnResponse(response);
  });
}

core::Task<void> Link::Close() {
  closing_ = true;
  wake_.NotifyAll();
  socket_->Shutdown();
  co_await scope_.Join();
  co_await socket_->Close();
}

}  // namespace bench
