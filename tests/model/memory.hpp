// tests/model/memory.hpp -- what a load may return: the C++ memory model, nearly.
//
// Every atomic keeps all its values, in modification order, and a load may return any of
// them that coherence and what the thread knows do not forbid. A thread knows two things:
//
//   happened   which moments of other threads happen before now: by release and acquire,
//              release sequences, fences, starting and joining. Data races and lifetimes
//              are judged by it.
//   visible    the same, and what fences of other threads forced upon it: no load may
//              return a value older than one that is visible to the thread.
//
// Where this differs from the standard:
//
//   - The modification order is the order in which the stores were executed. Other
//     schedules give other orders.
//   - A load returns what has been stored already, never what is going to be (no load
//     buffering, no values out of thin air).
//   - The total order of seq_cst operations is that of their execution. A seq_cst load
//     sees the last seq_cst store to its word and what is before an earlier fence; a
//     fence sees the seq_cst stores before it. Stronger by nothing, weaker in corners:
//     what a fence learns from a seq_cst store stays with its thread.
//   - An operation that reads and writes reads the latest value, as in the standard. A
//     compare_exchange that fails may have read an older one, also a strong one.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "clock.hpp"

namespace nogil::model {

// What one thread knows, or what a value tells the one who reads it.
struct Knowledge {
  Clock happened;
  Clock visible;

  void join(const Knowledge& other) noexcept {
    happened.join(other.happened);
    visible.join(other.visible);
  }
};

constexpr bool acquires(std::memory_order order) noexcept {
  return order == std::memory_order_acquire || order == std::memory_order_consume ||
         order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}
constexpr bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

// One thread, as the memory sees it.
struct Observer {
  std::size_t index = 0;
  Knowledge now;
  Knowledge read;      // from relaxed loads: an acquire fence makes it known
  Knowledge released;  // at the last release fence: relaxed stores tell as much

  Time tick() noexcept {
    const Time time = now.happened[index] + 1;
    now.happened.set(index, time);
    now.visible.set(index, time);
    return time;
  }
};

// One atomic object.
class Location {
 public:
  const void* address() const noexcept { return address_; }
  int number() const noexcept { return number_; }
  bool alive() const noexcept { return alive_; }

  // A new object at this address, whatever was here.
  void construct(const void* address, int number, Observer& by, std::uint64_t value) {
    address_ = address;
    number_ = number;
    alive_ = true;
    maker_ = by.index;
    made_ = by.tick();
    used_ = Clock();
    stores_.clear();
    append(by, value, Knowledge(), false);
  }

  bool construction_known(const Observer& by) const noexcept { return by.now.happened.knows(maker_, made_); }

  // A thread whose last use is not known to happen before now; kThreads: none.
  std::size_t unordered_user(const Observer& by) const noexcept {
    for (std::size_t i = 0; i < kThreads; ++i) {
      if (!by.now.happened.knows(i, used_[i])) return i;
    }
    return kThreads;
  }

  void destroy() noexcept { alive_ = false; }

  // Ready for another execution, with room for as many stores.
  void forget() noexcept {
    address_ = nullptr;
    alive_ = false;
  }

  void mark_used(Observer& by) noexcept { used_.set(by.index, by.tick()); }

  std::size_t latest() const noexcept { return stores_.size() - 1; }
  std::uint64_t value(std::size_t store) const noexcept { return stores_[store].value; }

  // The oldest store that a load may return.
  std::size_t oldest_visible(const Observer& by, std::memory_order order, const Clock& fenced) const noexcept {
    Clock visible = by.now.visible;
    if (order == std::memory_order_seq_cst) visible.join(fenced);
    for (std::size_t i = latest(); i > 0; --i) {
      const Store& store = stores_[i];
      if (store.seq_cst && order == std::memory_order_seq_cst) return i;
      for (std::size_t thread = 0; thread < kThreads; ++thread) {
        // Who knows that somebody saw this store can see no older one.
        if (store.seen[thread] != 0 && visible.knows(thread, store.seen[thread])) return i;
      }
    }
    return 0;
  }

  // `by` reads that store.
  std::uint64_t read(Observer& by, std::size_t index, std::memory_order order) noexcept {
    Store& store = stores_[index];
    see(store, by);
    if (acquires(order)) by.now.join(store.tells);
    else by.read.join(store.tells);
    return store.value;
  }

  void write(Observer& by, std::uint64_t value, std::memory_order order) {
    append(by, value, told(by, order), order == std::memory_order_seq_cst);
  }

  // The write half of an operation that has read the latest store: a link in its release
  // sequence.
  void write_after_read(Observer& by, std::uint64_t value, std::memory_order order) {
    Knowledge tells = told(by, order);
    tells.join(stores_.back().tells);
    append(by, value, tells, order == std::memory_order_seq_cst);
  }

  // Only coherence: from now on the thread sees nothing older than the latest store.
  void glance(const Observer& by) noexcept { see(stores_.back(), by); }

  // What a seq_cst fence makes of seq_cst stores.
  void glance_at_seq_cst(const Observer& by) noexcept {
    for (std::size_t i = stores_.size(); i-- > 0;) {
      if (stores_[i].seq_cst) return see(stores_[i], by);
    }
  }

 private:
  struct Store {
    std::uint64_t value = 0;
    Knowledge tells;
    std::array<Time, kThreads> seen{};  // when each thread first saw it
    bool seq_cst = false;
  };

  static void see(Store& store, const Observer& by) noexcept {
    if (store.seen[by.index] == 0) store.seen[by.index] = by.now.happened[by.index];
  }

  static const Knowledge& told(const Observer& by, std::memory_order order) noexcept {
    return releases(order) ? by.now : by.released;
  }

  void append(const Observer& by, std::uint64_t value, const Knowledge& tells, bool seq_cst) {
    Store& store = stores_.emplace_back();
    store.value = value;
    store.tells = tells;
    store.seq_cst = seq_cst;
    see(store, by);
  }

  const void* address_ = nullptr;  // null: no object has been here
  int number_ = 0;
  bool alive_ = false;
  std::size_t maker_ = 0;
  Time made_ = 0;
  Clock used_;  // the last use by each thread
  std::vector<Store> stores_;
};

// What the fences of one execution have in common.
class Fences {
 public:
  // A seq_cst fence. Whoever passes one sees what was visible to those who passed before.
  template <class Locations>
  void full(Observer& by, Locations& locations) {
    by.tick();
    by.now.join(by.read);
    by.now.visible.join(visible_);
    for (Location& location : locations) {
      if (location.alive()) location.glance_at_seq_cst(by);
    }
    visible_ = by.now.visible;
    by.released = by.now;
  }

  // membarrier(2): a full fence here, and one in each other thread at this moment. Those
  // give and take visibility, but do not turn relaxed stores into releases.
  template <class Observers, class Locations>
  void everywhere(Observer& by, Observers& observers, Locations& locations) {
    full(by, locations);
    const Clock before = visible_;
    for (Observer& other : observers) {
      if (&other == &by) continue;
      visible_.join(other.now.visible);
      other.now.visible.join(before);
    }
    full(by, locations);
  }

  const Clock& visible() const noexcept { return visible_; }

 private:
  Clock visible_;
};

}  // namespace nogil::model
