#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/budget.h"
#include "core/intrusive_list.h"
#include "core/mailbox.h"
#include "core/stop.h"
#include "core/types.h"

namespace broker {

/// Counts the long polls that wait on one shard for messages of its queues, and bounds them: each costs memory (about 2 KiB) as long as
/// its client pleases. Beyond `max` there are some more places for a moment: a client that is answered at once asks again at once.
class HeldPulls {
 public:
  explicit HeldPulls(size_t max) : brief_max_(max / 8 + 64) { budget_.limit = max; }

  /// What a held pull waits for.
  struct Wish {
    std::string_view group;
    std::string_view topic;
    int32_t queue_id = 0;
    friend bool operator==(const Wish&, const Wish&) = default;
  };

  /// One held pull; leaves when it dies.
  class Place : public core::ListNode {
   public:
    /// Empty when there is no room. `wish` is borrowed; `stop` ends the wait.
    Place(HeldPulls& pulls, Wish wish, core::StopToken stop) : pulls_(&pulls), wish_(wish), brief_(pulls.budget_.full()), relay_(wake_) {
      if (brief_) {
        ++pulls.budget_.hits;
        if (pulls.budget_.used - pulls.budget_.limit >= pulls.brief_max_) pulls_ = nullptr;
      }
      if (pulls_ == nullptr) return;
      ++pulls_->budget_.used;
      pulls_->places_.PushBack(*this);
      if (stop.stop_requested()) wake_.RequestStop();
      stop.Register(relay_);
    }
    ~Place() {
      if (pulls_ != nullptr) --pulls_->budget_.used;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    explicit operator bool() const { return pulls_ != nullptr; }
    /// One of those beyond the limit: for shortPollingTimeMills at most.
    bool brief() const { return brief_; }
    /// What to wait with: stops with the pull's own token, or when it is called.
    core::StopToken token() { return wake_.token(); }
    /// Call has ended the wait.
    bool called() const { return called_; }

   private:
    friend class HeldPulls;
    struct Relay final : core::StopCallback {
      explicit Relay(core::StopSource& w) : wake(w) {}
      void OnStop() noexcept override { wake.RequestStop(); }
      core::StopSource& wake;
    };

    HeldPulls* pulls_;
    const Wish wish_;
    const bool brief_;
    bool called_ = false;
    core::StopSource wake_;
    Relay relay_;
  };

  /// Ends the waits of these pulls, as there is something to tell them. Looks at every pull that is held: for administrators.
  void Call(const Wish& wish) {
    places_.ForEach([&wish](Place& place) {
      if (place.called_ || place.wish_ != wish) return;
      place.called_ = true;
      place.wake_.RequestStop();
    });
  }

  size_t count() const { return budget_.used; }
  const core::Budget& budget() const { return budget_; }

 private:
  core::Budget budget_;
  const size_t brief_max_;
  core::IntrusiveList<Place> places_;
};

/// Carries the stop of a connection to the shard where its pull waits, and comes back. Lives in the frame of the pull on the connection's shard, which
/// awaits Settled() before it dies, because the message may still be on its way when the pull's own answer arrives.
class RemoteStop final : public core::StopCallback, public core::ShardMessage {
 public:
  /// `stop` is what the pull waits with on `target`; touched there only.
  RemoteStop(core::ShardId target, core::StopSource& stop) : target_(target), stop_(stop) {}

  void OnStop() noexcept override;
  void Run() noexcept override;

  class [[nodiscard]] Settled_ {
   public:
    explicit Settled_(RemoteStop& remote) : remote_(remote) {}
    bool await_ready() const noexcept { return !remote_.travelling_; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { remote_.waiter_ = handle; }
    void await_resume() const noexcept {}

   private:
    RemoteStop& remote_;
  };
  /// Nothing of this is on its way any more, nor will be.
  Settled_ Settled() {
    Unlink();
    return Settled_(*this);
  }

 private:
  const core::ShardId target_;
  core::StopSource& stop_;
  core::ShardId home_{0};
  bool travelling_ = false;
  bool there_ = false;
  std::coroutine_handle<> waiter_;
};

}  // namespace broker
