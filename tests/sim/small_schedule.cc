#include "tests/sim/small_schedule.h"

#include <limits>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "core/reactor.h"
#include "core/status.h"
#include "core/strings.h"
#include "core/sync.h"
#include "store/due_record.h"
#include "store/record.h"
#include "store/tags_code.h"

namespace store {
namespace {

constexpr std::string_view kCame = "came ";
constexpr int kReads = 3;
constexpr int kMadeAnewMax = 3;

std::string DueText(core::WallMillis due) { return core::StrCat(kPropertyDueTime, "\x01", due, "\x02"); }

std::string CameBody(std::string_view waiting) { return core::StrCat(kCame, waiting); }

}  // namespace

core::Task<absl::StatusOr<std::unique_ptr<SmallSchedule>>> SmallSchedule::Open(SmallStore& opened, Told& told,
                                                                               Durability durability,
                                                                               size_t memory_entries) {
  std::unique_ptr<SmallSchedule> schedule(new SmallSchedule(opened, told, durability));
  DueIndexOptions options;
  options.directory = "data/log-0";
  options.log = {opened.manifest.content().store_id, 0};
  options.memory_entries = memory_entries;
  options.replay_bytes = uint64_t{32} << 10;
  CO_ASSIGN_OR_RETURN(schedule->index_, co_await DueIndex::Open(std::move(options), opened.meta(), opened.log()));
  co_return schedule;
}

core::Task<absl::Status> SmallSchedule::Close() {
  absl::Status noted;
  if (!damaged_) noted = co_await index_->Checkpoint();
  const absl::Status closed = co_await index_->Close();
  co_return noted.ok() ? closed : noted;
}

core::Task<absl::StatusOr<BegunAppend>> SmallSchedule::Begin(std::string topic, std::string body,
                                                             std::string properties, int64_t link) {
  told_.sent.insert(body);
  MessageDraft draft;
  draft.topic = topic;
  draft.body = std::as_bytes(std::span(body.data(), body.size()));
  const std::string tags = core::StrCat("TAGS\x01", TagOf(body), "\x02");
  draft.properties = properties;
  draft.more_properties = tags;
  draft.tags_code = JavaHash(TagOf(body));
  draft.born_host.port = draft.store_host.port = 1;
  draft.prepared_transaction_offset = link;
  co_return co_await opened_.log().BeginAppendInTurn(draft, durability_);
}

core::Task<absl::Status> SmallSchedule::End(BegunAppend begun, std::string topic, std::string body) {
  const Place place(std::move(topic), begun.queue_offset.value());
  const Told::Message message{std::move(body), begun.record.position, begun.record.bytes,
                              durability_ == Durability::kSynced};
  if (begun.pending != nullptr) CO_RETURN_IF_ERROR(co_await opened_.log().EndAppend(std::move(begun)));
  if (!told_.acknowledged.emplace(place, message).second)
    co_return absl::InternalError(core::StrCat("offset ", place.second, " of ", place.first, " was given out twice"));
  co_return absl::OkStatus();
}

core::Task<absl::Status> SmallSchedule::Store(std::string body, absl::Duration after) {
  CO_RETURN_IF_ERROR(index_->CheckRoom());
  const std::string topic(kDueTopic);
  const core::WallMillis due = core::Reactor::Current().wall_now() + absl::ToInt64Milliseconds(after);
  absl::StatusOr<BegunAppend> begun = co_await Begin(topic, body, DueText(due), MakeDueLink(0));
  absl::Status stored = begun.status();
  if (begun.ok()) {
    index_->Insert({due, begun->record.position, begun->record.bytes, begun->record.crc});
    const Place place(topic, begun->queue_offset.value());
    stored = co_await End(*std::move(begun), topic, body);
    if (stored.ok()) told_.later[body].place = place;
  }
  if (!stored.ok() && !absl::IsDeadlineExceeded(stored)) {  // as of Send
    told_.refused.insert(CameBody(body));
    told_.refused.insert(std::move(body));
  }
  (void)co_await Upkeep();  // who stores is not told
  co_return stored;
}

core::Task<absl::Status> SmallSchedule::TakeBack(std::string body) {
  const auto known = told_.later.find(body);
  if (known == told_.later.end()) co_return absl::OkStatus();
  const Told::Message& message = told_.acknowledged.at(known->second.place);
  std::optional<BegunAppend> begun;
  const std::string topic(kDueTopic);
  const std::string own = core::StrCat("taken back ", body);
  {
    const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
    DueScan scan{.below = message.position + 1, .found = {}};
    std::optional<DueEntry> waiting;
    while (!scan.done) {
      CO_RETURN_IF_ERROR(co_await index_->ScanOn(scan));
      for (const DueEntry& entry : scan.found) {
        if (entry.position() == message.position) waiting = entry;
      }
    }
    if (!waiting.has_value()) co_return absl::OkStatus();
    known->second.taking_back = true;
    const std::string properties = DueText(waiting->due) + core::StrCat(kPropertyTakesBack, "\x01k\x02");
    CO_ASSIGN_OR_RETURN(begun, co_await Begin(topic, own, properties, MakeDueLink(message.position)));
    index_->TakeBack(*waiting);
  }
  const Place place(topic, begun->queue_offset.value());
  CO_RETURN_IF_ERROR(co_await End(*std::move(begun), topic, own));
  known->second.taken_back = place;
  co_return absl::OkStatus();
}

core::Task<absl::Status> SmallSchedule::DeliverDue() {
  const uint64_t made_anew = index_->made_anew();
  for (;;) {
    // That a note fails holds up nobody; that nothing is known does.
    const absl::Status kept = co_await Upkeep();
    if (damaged_) co_return kept;
    if (index_->NextDue() > core::Reactor::Current().wall_now()) co_return absl::OkStatus();
    const absl::Status status = co_await DeliverSome();
    damaged_ = absl::IsDataLoss(status);
    if (damaged_ && index_->made_anew() - made_anew >= kMadeAnewMax) co_return status;
    if (!damaged_) CO_RETURN_IF_ERROR(status);
  }
}

core::Task<absl::Status> SmallSchedule::DeliverSome() {
  const core::WallMillis now = core::Reactor::Current().wall_now();
  std::vector<std::pair<BegunAppend, std::string>> pending;
  absl::Status status;
  {
    const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
    CO_ASSIGN_OR_RETURN(const std::vector<DueIndex::Next> next, co_await index_->Peek(now, 16, size_t{64} << 10));
    for (size_t i = 0; i < next.size() && status.ok(); ++i) {
      const DueEntry& entry = next[i].entry;
      if (!next[i].waits) {
        index_->Pop(entry);
        continue;
      }
      absl::StatusOr<core::Slice> bytes = absl::UnknownError("");
      for (int read = 0; read < kReads && !bytes.ok(); ++read) {
        if (read > 0) {
          core::Sleep pause(absl::Milliseconds(100));
          (void)co_await pause;
        }
        bytes = co_await opened_.log().ReadRecord(entry.record());
      }
      if (!bytes.ok()) {
        told_.given_up.insert(entry.position());
        index_->Pop(entry);
        continue;
      }
      const absl::StatusOr<RecordView> record = ParseRecord(bytes->bytes());
      if (!record.ok()) co_return absl::InternalError("what waits is no record");
      const DueEvent event = ReadDueEvent({*record, {}});
      if (event.kind != DueEvent::Kind::kWaits || event.due > now)
        co_return absl::InternalError(core::StrCat("a message came ", event.due - now, " ms before its time"));
      std::string body =
          CameBody(std::string_view(reinterpret_cast<const char*>(record->body.data()), record->body.size()));
      absl::StatusOr<BegunAppend> begun =
          co_await Begin(std::string(kLaterTopic), body, "", MakeDueLink(entry.position()));
      status = begun.status();
      if (!begun.ok()) break;
      index_->Pop(entry);
      pending.emplace_back(*std::move(begun), std::move(body));
    }
  }
  for (auto& [begun, body] : pending) {
    const absl::Status ended = co_await End(std::move(begun), std::string(kLaterTopic), std::move(body));
    if (status.ok()) status = ended;
  }
  // Damage of the index is what Peek says.
  co_return absl::IsDataLoss(status) ? absl::UnavailableError(status.message()) : status;
}

core::Task<absl::Status> SmallSchedule::Upkeep() {
  if (!damaged_ && !index_->WantsCheckpoint()) co_return absl::OkStatus();
  if (!damaged_) {
    const absl::Status noted = co_await index_->Checkpoint();
    damaged_ = absl::IsDataLoss(noted);
    if (!damaged_) co_return noted;
  }
  const core::Semaphore::Hold turn = co_await index_->turn().Take(1);
  CO_RETURN_IF_ERROR(co_await index_->Rebuild());
  damaged_ = false;
  co_return absl::OkStatus();
}

std::vector<std::string> LaterContradictions(const Told& told, const Seen& seen) {
  const auto of_later = [](const auto& messages) {
    return std::pair(messages.lower_bound({std::string(kLaterTopic), 0}),
                     messages.upper_bound({std::string(kLaterTopic), std::numeric_limits<int64_t>::max()}));
  };
  std::set<std::string> came;
  const auto [first, end] = of_later(seen.messages);
  for (auto one = first; one != end; ++one) came.insert(one->second);
  std::set<std::string> hit;  // they came, and what came is damaged
  const auto [known_first, known_end] = of_later(told.acknowledged);
  for (auto one = known_first; one != known_end; ++one) {
    if (!seen.messages.contains(one->first)) hit.insert(one->second.body);
  }
  std::vector<std::string> wrong;
  for (const auto& [body, later] : told.later) {
    const std::string what = core::StrCat("'", body.substr(0, 24), "', which waited, ");
    const bool is_there = came.contains(CameBody(body));
    if (is_there) {
      if (later.taken_back.has_value() && seen.messages.contains(*later.taken_back))
        wrong.push_back(what + "came although it was taken back");
      continue;
    }
    const bool excused = later.taking_back || hit.contains(CameBody(body)) || !seen.messages.contains(later.place) ||
                         told.given_up.contains(told.acknowledged.at(later.place).position);
    if (!excused) wrong.push_back(what + "never came");
  }
  return wrong;
}

}  // namespace store
