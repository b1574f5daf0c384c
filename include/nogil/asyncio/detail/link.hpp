// nogil/asyncio/detail/link.hpp -- lists of what lies elsewhere.
//
// A waiter is in the list of what it waits for, and lies in the frame of who waits: to wait
// allocates nothing. Either may go first: one that is destroyed leaves its list, and a list
// that is destroyed lets go of all that are in it. So who finds itself in no list, where it
// had been in one, knows that the list is gone.

#pragma once

namespace nogil::asyncio::detail {

// In one list at most. A copy is in none.
class Link {
 public:
  constexpr Link() noexcept = default;
  constexpr Link(const Link&) noexcept {}
  Link& operator=(const Link&) = delete;

  bool linked() const noexcept { return next_ != nullptr; }

  // Only if linked().
  void unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 protected:
  ~Link() {
    if (linked()) unlink();
  }

 private:
  template <class T>
  friend class LinkList;

  Link* next_ = nullptr;  // a ring with the list's head in it
  Link* previous_ = nullptr;
};

// Of a T that derives from Link.
template <class T>
class LinkList {
 public:
  LinkList() noexcept { head_.next_ = head_.previous_ = &head_; }
  LinkList(const LinkList&) = delete;
  LinkList& operator=(const LinkList&) = delete;
  ~LinkList() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = nullptr;  // which is in no list itself
  }

  bool empty() const noexcept { return head_.next_ == &head_; }

  // Only if it is not empty.
  T& front() noexcept { return static_cast<T&>(*head_.next_); }

  // For one that is in no list.
  void push_back(T& item) noexcept { insert(item, head_); }
  void push_front(T& item) noexcept { insert(item, *head_.next_); }

  // Behind those at the front that go first.
  template <class Predicate>
  void insert_after_all(T& item, Predicate goes_first) noexcept {
    Link* at = head_.next_;
    while (at != &head_ && goes_first(static_cast<const T&>(*at))) at = at->next_;
    insert(item, *at);
  }

  // Until visit(T&) gives false. It may unlink that one, and no other.
  template <class Visit>
  void for_each(Visit visit) {
    for (Link* at = head_.next_; at != &head_;) {
      Link* const next = at->next_;
      if (!visit(static_cast<T&>(*at))) return;
      at = next;
    }
  }

 private:
  struct Head : Link {};

  static void insert(Link& item, Link& before) noexcept {
    item.next_ = &before;
    item.previous_ = before.previous_;
    before.previous_->next_ = &item;
    before.previous_ = &item;
  }

  Head head_;
};

}  // namespace nogil::asyncio::detail
