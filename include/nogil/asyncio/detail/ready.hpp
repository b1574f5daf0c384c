// nogil/asyncio/detail/ready.hpp -- what a loop runs next: nodes in a ring, first come, first run.
//
// A node is a base of what it belongs to (a task, a handle, an awaiter in a coroutine's
// frame), so to make something ready allocates nothing, but for the ring when more are
// ready than ever before. A node can be taken out again, wherever it is.

#pragma once

#include <cstddef>
#include <cstdint>

namespace nogil::asyncio::detail {

// Lies still while it is in a ring or a heap. A copy is a node of its own, and nowhere.
struct Ready {
  using Run = void (*)(Ready& self) noexcept;
  enum class Place : std::uint8_t { kNowhere, kRing, kHeap };

  constexpr explicit Ready(Run function) noexcept : run(function) {}
  constexpr Ready(const Ready& other) noexcept : run(other.run) {}
  Ready& operator=(const Ready&) = delete;

  Run run;                  // what the loop calls; *this may be gone when it returns
  std::uint32_t index = 0;  // where it is in that place: for the ring and the heap
  Place place = Place::kNowhere;

 protected:
  ~Ready() = default;
};

class ReadyRing {
 public:
  ReadyRing() : slots_(new Ready*[kFirstSize]) {}
  ReadyRing(const ReadyRing&) = delete;
  ReadyRing& operator=(const ReadyRing&) = delete;
  ~ReadyRing() { delete[] slots_; }

  // Counts the places of nodes that were removed, too.
  std::size_t size() const noexcept { return tail_ - head_; }

  // A node that is nowhere. Out of memory ends the program: who wakes somebody up cannot fail.
  void push(Ready& node) noexcept {
    if (tail_ - head_ > mask_) [[unlikely]]
      grow();
    node.place = Ready::Place::kRing;
    node.index = tail_;
    slots_[tail_++ & mask_] = &node;
  }

  bool empty() const noexcept { return size() == 0; }

  // The next one, or null where one was removed. Only if size() != 0.
  Ready* pop() noexcept {
    Ready* const node = slots_[head_++ & mask_];
    if (node != nullptr) node->place = Ready::Place::kNowhere;
    return node;
  }

  void remove(Ready& node) noexcept {
    slots_[node.index & mask_] = nullptr;
    node.place = Ready::Place::kNowhere;
  }

 private:
  static constexpr std::uint32_t kFirstSize = 256;

  // Nodes keep their numbers: only what is left of these behind the mask changes.
  [[gnu::noinline, gnu::cold]] void grow() {
    const std::uint32_t larger_mask = 2 * mask_ + 1;
    auto** const larger = new Ready*[std::size_t{larger_mask} + 1];
    for (std::uint32_t at = head_; at != tail_; ++at) larger[at & larger_mask] = slots_[at & mask_];
    delete[] slots_;
    slots_ = larger;
    mask_ = larger_mask;
  }

  Ready** slots_;  // mask_ + 1, a power of two
  std::uint32_t mask_ = kFirstSize - 1;
  std::uint32_t head_ = 0;  // numbers that count on for ever, and wrap
  std::uint32_t tail_ = 0;
};

}  // namespace nogil::asyncio::detail
