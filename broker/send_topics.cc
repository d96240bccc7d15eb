#include "broker/send_topics.h"

#include <cstring>

#include "broker/system_topics.h"

namespace broker {

// A poor hash, but two loads: a topic that shares its slot with another busy one is looked up each time, as without all this.
size_t SendTopics::SlotOf(std::string_view name) {
  uint64_t begin = 0;
  uint64_t end = 0;
  if (name.size() >= sizeof(begin)) {
    std::memcpy(&begin, name.data(), sizeof(begin));
    std::memcpy(&end, name.data() + name.size() - sizeof(end), sizeof(end));
  } else {
    std::memcpy(&begin, name.data(), name.size());
  }
  return ((begin ^ end * 3 ^ name.size()) * 0x9E3779B97F4A7C15U) >> 58;
}

const SendTopics::Topic* SendTopics::Find(std::string_view name) {
  // What is kept points into both.
  if (catalog_version_ != catalog_.version() || stats_version_ != stats_.topics_forgotten()) {
    for (Topic& topic : topics_) topic.config = nullptr;
    catalog_version_ = catalog_.version();
    stats_version_ = stats_.topics_forgotten();
  }
  static_assert(kTopics == 64, "SlotOf gives 6 bits");
  Topic& topic = topics_[SlotOf(name)];
  if (topic.config != nullptr && topic.name == name) return &topic;
  const TopicConfig* const config = catalog_->FindTopic(name);
  if (config == nullptr || IsForbiddenToSend(name)) return nullptr;
  topic = {std::string(name), config, Placement::HashOf(name), &stats_.PutsOf(name)};
  return &topic;
}

}  // namespace broker
