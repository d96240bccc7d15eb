#pragma once

#include "core/assert.h"

namespace core {

/// A node of one doubly linked list; unlinks itself when destroyed. Copying or moving a linked node is a bug.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { Unlink(); }

  bool linked() const { return next_ != nullptr; }
  void Unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <typename T>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* prev_ = nullptr;
};

/// A list of objects that derive from ListNode and that others own. One shard.
template <typename T>
class IntrusiveList {
 public:
  IntrusiveList() { root_.next_ = root_.prev_ = &root_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) root_.next_->Unlink();
    root_.next_ = root_.prev_ = nullptr;
  }

  bool empty() const { return root_.next_ == &root_; }
  T& front() { return *static_cast<T*>(root_.next_); }
  void PushBack(T& item) {
    ListNode& node = item;
    CORE_DEBUG_ASSERT(!node.linked());
    node.prev_ = root_.prev_;
    node.next_ = &root_;
    root_.prev_->next_ = &node;
    root_.prev_ = &node;
  }
  T& PopFront() {
    T& item = front();
    static_cast<ListNode&>(item).Unlink();
    return item;
  }
  template <typename Fn>
  void ForEach(Fn&& fn) {
    for (ListNode* node = root_.next_; node != &root_;) {
      ListNode* next = node->next_;
      fn(*static_cast<T*>(node));
      node = next;
    }
  }

 private:
  ListNode root_;
};

}  // namespace core
