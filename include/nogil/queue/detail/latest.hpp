// nogil/queue/detail/latest.hpp -- a copy of the last element, beside the count of the tail.
//
//   latest.show(number, place);                    // who has put it there; then the count shows it
//   latest.see(number, place)                      // who waits for it, and has seen that count
//
// Who waits at an empty queue looks at the count of the tail. When that moves, its cache line
// has to come from the producer's core, and after it that of the element. A small element that
// was put by itself is copied into the first of the two.
//
// Threads    show(): with the lock of the tail, before the count comes to number + 1. see():
//            anybody.
// Which T    What is copied by its bytes, up to eight: Latest is empty for all others.

#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace nogil::detail {

template <class T>
inline constexpr bool kSmallElement = std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t);

template <class T, class Platform, bool kSmall = kSmallElement<T>>
class Latest {
 public:
  void show(std::uint64_t number, const void* place) noexcept {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, place, sizeof(T));
    Copy& copy = copies_[number % 2];
    copy.bytes.store(bytes, std::memory_order_release);
    copy.count.store(number + 1, std::memory_order_relaxed);  // what is read of it, the tail's count orders
  }

  // Copies the element with this number to `place`, if it is here. The caller has seen the count
  // at number + 1, and must look once more, afterwards: if the count has moved, what was copied
  // is none.
  bool see(std::uint64_t number, void* place) const noexcept {
    const Copy& copy = copies_[number % 2];
    if (copy.count.load(std::memory_order_relaxed) != number + 1) return false;
    const std::uint64_t bytes = copy.bytes.load(std::memory_order_acquire);
    std::memcpy(place, &bytes, sizeof(T));
    return true;
  }

 private:
  // A copy says which element it is of. Another one overwrites it, but that has a number higher
  // by two at least, so its put began when the count had moved: and who reads a byte of it reads
  // what was released after that, and sees the count moved.
  struct Copy {
    typename Platform::template Atomic<std::uint64_t> bytes{0};
    typename Platform::template Atomic<std::uint64_t> count{0};  // of the tail, with this element as the last; 0: none
  };

  Copy copies_[2];
};

template <class T, class Platform>
class Latest<T, Platform, false> {
 public:
  void show(std::uint64_t, const void*) noexcept {}
  bool see(std::uint64_t, void*) const noexcept { return false; }
};

}  // namespace nogil::detail
