#include "tests/history/event_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <utility>

#include "core/status.h"
#include "core/strings.h"

namespace history {
namespace {

namespace json = simdjson::ondemand;

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kLineBytesMax = size_t{256} << 20;

absl::Status BadField(std::string_view key, std::string_view want) {
  return absl::InvalidArgumentError(core::StrCat("\"", key, "\" is not ", want));
}

/// A hash is any text; sixteen hexadecimal digits are taken as the number that they are.
uint64_t HashOf(std::string_view text) {
  uint64_t number = 0;
  if (text.size() == 16) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (error == std::errc() && end == text.data() + text.size()) return number == 0 ? 1 : number;
  }
  number = std::hash<std::string_view>()(text);
  return number == 0 ? 1 : number;
}

template <typename E, size_t N>
bool OneOf(std::string_view text, const std::pair<std::string_view, E> (&words)[N], E& out) {
  for (const auto& [word, meaning] : words) {
    if (word != text) continue;
    out = meaning;
    return true;
  }
  return false;
}

constexpr std::pair<std::string_view, Phase> kPhases[] = {
    {"invoke", Phase::kInvoke}, {"ok", Phase::kOk}, {"fail", Phase::kFail}, {"info", Phase::kInfo}};
constexpr std::pair<std::string_view, Function> kFunctions[] = {
    {"send", Function::kSend},   {"pull", Function::kPull},      {"commit", Function::kCommit},
    {"lock", Function::kLock},   {"unlock", Function::kUnlock},  {"ack", Function::kAck},
    {"endTx", Function::kEndTx}, {"assign", Function::kAssign},  {"createTopic", Function::kCreateTopic},
    {"flush", Function::kFlush}, {"nemesis", Function::kNemesis}};
constexpr std::pair<std::string_view, Role> kRoles[] = {{"master", Role::kMaster}, {"slave", Role::kSlave}};
constexpr std::pair<std::string_view, bool> kStores[] = {{"SYNC", false}, {"ASYNC", true}};
constexpr std::pair<std::string_view, Transaction> kTransactions[] = {
    {"half", Transaction::kHalf}, {"commit", Transaction::kCommit}, {"rollback", Transaction::kRollback}};

absl::Status ReadText(std::string_view key, json::value value, std::string_view& out) {
  return value.get_string().get(out) == simdjson::SUCCESS ? absl::OkStatus() : BadField(key, "a text");
}

absl::Status ReadNumber(std::string_view key, json::value value, int64_t& out) {
  if (value.get_int64().get(out) != simdjson::SUCCESS || out < 0) return BadField(key, "a whole number from 0 on");
  return absl::OkStatus();
}

absl::Status ReadFlag(std::string_view key, json::value value, bool& out) {
  return value.get_bool().get(out) == simdjson::SUCCESS ? absl::OkStatus() : BadField(key, "true or false");
}

template <typename E, size_t N>
absl::Status ReadWord(std::string_view key, json::value value, const std::pair<std::string_view, E> (&words)[N],
                      E& out) {
  std::string_view text;
  RETURN_IF_ERROR(ReadText(key, value, text));
  return OneOf(text, words, out) ? absl::OkStatus() : BadField(key, core::StrCat("a word that belongs there: ", text));
}

absl::Status ReadMessage(json::object object, Message& message) {
  for (auto field : object) {
    std::string_view key;
    json::value value;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError("a message of \"msgs\" is no object");
    }
    if (key == "off") {
      RETURN_IF_ERROR(ReadNumber(key, value, message.offset));
    } else if (key == "phy") {
      RETURN_IF_ERROR(ReadNumber(key, value, message.phy));
    } else if (key == "v") {
      RETURN_IF_ERROR(ReadText(key, value, message.value));
    } else if (key == "h") {
      std::string_view text;
      RETURN_IF_ERROR(ReadText(key, value, text));
      message.hash = HashOf(text);
    } else if (key == "rc") {
      RETURN_IF_ERROR(ReadNumber(key, value, message.reconsume_times));
    }
  }
  if (message.offset < 0) return absl::InvalidArgumentError("a message of \"msgs\" has no \"off\"");
  return absl::OkStatus();
}

absl::Status ReadMessages(json::value value, std::vector<Message>& messages) {
  json::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return BadField("msgs", "a list");
  for (auto element : array) {
    json::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS) return BadField("msgs", "a list of objects");
    RETURN_IF_ERROR(ReadMessage(object, messages.emplace_back()));
  }
  return absl::OkStatus();
}

absl::Status ReadField(std::string_view key, json::value value, Event& event, bool& has_phase, bool& has_function) {
  if (key == "t") return ReadNumber(key, value, event.t);
  if (key == "w") return ReadText(key, value, event.worker);
  if (key == "op") return ReadNumber(key, value, event.op);
  if (key == "ph") {
    has_phase = true;
    return ReadWord(key, value, kPhases, event.phase);
  }
  if (key == "f") {
    has_function = true;
    return ReadWord(key, value, kFunctions, event.function);
  }
  if (key == "k") return ReadText(key, value, event.queue);
  if (key == "v") return ReadText(key, value, event.value);
  if (key == "h") {
    std::string_view text;
    RETURN_IF_ERROR(ReadText(key, value, text));
    event.hash = HashOf(text);
    return absl::OkStatus();
  }
  if (key == "off") return ReadNumber(key, value, event.offset);
  if (key == "phy") return ReadNumber(key, value, event.phy);
  if (key == "code") return ReadNumber(key, value, event.code);
  if (key == "msgs") return ReadMessages(value, event.messages);
  if (key == "c") return ReadText(key, value, event.client);
  if (key == "g") return ReadText(key, value, event.group);
  if (key == "from") return ReadNumber(key, value, event.from);
  if (key == "next") return ReadNumber(key, value, event.next);
  if (key == "min") return ReadNumber(key, value, event.min);
  if (key == "max") return ReadNumber(key, value, event.max);
  if (key == "role") {
    std::string_view text;
    RETURN_IF_ERROR(ReadText(key, value, text));
    if (!OneOf(text, kRoles, event.role)) event.role = Role::kOther;
    return absl::OkStatus();
  }
  if (key == "store") return ReadWord(key, value, kStores, event.asynchronous);
  if (key == "repl") return ReadNumber(key, value, event.copies);
  if (key == "attempts") return ReadNumber(key, value, event.attempts);
  if (key == "due") return ReadNumber(key, value, event.due);
  if (key == "tx") return ReadWord(key, value, kTransactions, event.transaction);
  if (key == "wait") return ReadNumber(key, value, event.wait_ms);
  if (key == "filter") return ReadFlag(key, value, event.filtered);
  if (key == "redeliver") return ReadFlag(key, value, event.redelivery);
  return absl::OkStatus();  // a harness may note more than it is asked for
}

}  // namespace

struct EventParser::Impl {
  json::parser parser;
  json::document document;
};

EventParser::EventParser() : impl_(std::make_unique<Impl>()) {}
EventParser::EventParser(EventParser&&) noexcept = default;
EventParser::~EventParser() = default;

absl::Status EventParser::Parse(std::string_view line, Event& event) {
  std::vector<Message> messages = std::move(event.messages);  // keeps its memory
  messages.clear();
  event = Event();
  event.messages = std::move(messages);
  json::object object;
  if (impl_->parser.iterate(line.data(), line.size(), line.size() + kPadding).get(impl_->document) !=
          simdjson::SUCCESS ||
      impl_->document.get_object().get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("this is no JSON object");
  }
  bool has_phase = false;
  bool has_function = false;
  for (auto field : object) {
    std::string_view key;
    json::value value;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError("the JSON is broken");
    }
    RETURN_IF_ERROR(ReadField(key, value, event, has_phase, has_function));
  }
  if (impl_->document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    return absl::InvalidArgumentError("the JSON object is broken, or something follows it");
  }
  if (event.t < 0 || event.worker.empty() || !has_phase || !has_function) {
    return absl::InvalidArgumentError("\"t\", \"w\", \"ph\" and \"f\" belong to every event");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<EventFile>> EventFile::Open(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return core::ErrnoStatus(errno, path);
  return std::unique_ptr<EventFile>(new EventFile(path == "-" ? "standard input" : path, file));
}

EventFile::~EventFile() {
  if (file_ != stdin) std::fclose(file_);
}

std::string EventFile::Where() const { return core::StrCat(path_, ":", line_); }

absl::Status EventFile::Bad(std::string_view why) const {
  return absl::InvalidArgumentError(core::StrCat(Where(), ": ", why));
}

absl::StatusOr<bool> EventFile::NextLine(std::string_view& line) {
  size_t searched = begin_;
  while (true) {
    const void* found = searched == end_ ? nullptr : std::memchr(buffer_.data() + searched, '\n', end_ - searched);
    if (found != nullptr || (at_end_ && begin_ < end_)) {
      const size_t stop =
          found == nullptr ? end_ : static_cast<size_t>(static_cast<const char*>(found) - buffer_.data());
      line = {buffer_.data() + begin_, stop - begin_};
      begin_ = std::min(stop + 1, end_);
      ++line_;
      return true;
    }
    if (at_end_) return false;
    const size_t left = end_ - begin_;
    if (left > kLineBytesMax) {
      ++line_;
      return Bad(core::StrCat("longer than ", kLineBytesMax, " bytes"));
    }
    if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, left);
    begin_ = 0;
    end_ = searched = left;
    if (buffer_.size() < left + kReadBytes + EventParser::kPadding)
      buffer_.resize(2 * left + kReadBytes + EventParser::kPadding);
    const size_t read = std::fread(buffer_.data() + end_, 1, kReadBytes, file_);
    if (std::ferror(file_) != 0) return core::ErrnoStatus(errno, path_);
    at_end_ = read == 0;
    end_ += read;
  }
}

absl::StatusOr<bool> EventFile::Next() {
  std::string_view line;
  do {
    ASSIGN_OR_RETURN(const bool more, NextLine(line));
    if (!more) return false;
  } while (line.find_first_not_of(" \t\r") == std::string_view::npos);
  const absl::Status status = parser_.Parse(line, event_);
  if (!status.ok()) return Bad(core::ToStd(status.message()));
  if (event_.t < last_t_) return Bad("its time lies before that of the line above: a file is in the order of time");
  last_t_ = event_.t;
  return true;
}

bool EventMerge::Later(size_t a, size_t b) const {
  const Event& x = files_[a]->event();
  const Event& y = files_[b]->event();
  const auto rank = [](const Event& event) {
    if (event.function == Function::kFlush) return 0;
    return event.phase == Phase::kInvoke ? 1 : 2;
  };
  return std::tuple(x.t, rank(x), a) > std::tuple(y.t, rank(y), b);
}

absl::Status EventMerge::Advance(size_t file) {
  ASSIGN_OR_RETURN(const bool more, files_[file]->Next());
  if (!more) return absl::OkStatus();
  heap_.push_back(file);
  std::push_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return Later(a, b); });
  return absl::OkStatus();
}

absl::StatusOr<const EventFile*> EventMerge::Next() {
  if (!begun_) {
    begun_ = true;
    for (size_t file = 0; file < files_.size(); ++file) RETURN_IF_ERROR(Advance(file));
  } else {
    std::pop_heap(heap_.begin(), heap_.end(), [this](size_t a, size_t b) { return Later(a, b); });
    const size_t file = heap_.back();
    heap_.pop_back();
    RETURN_IF_ERROR(Advance(file));
  }
  return heap_.empty() ? nullptr : files_[heap_.front()].get();
}

}  // namespace history
