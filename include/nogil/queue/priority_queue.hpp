// nogil/queue/priority_queue.hpp -- PriorityQueue: a queue that gives the smallest element first.
//
//   nogil::PriorityQueue<std::pair<int, std::string>> tasks;   // tasks = queue.PriorityQueue()
//   tasks.put({2, "sleep"});
//   tasks.put({1, "eat"});
//   tasks.get();                                               // {1, "eat"}
//
// Smallest first, as in Python; std::priority_queue gives the largest. Among equal ones the
// order is not defined: put a sequence number into the element if it matters.
// The contract of all queues is at the top of queue/detail/basic_queue.hpp.
//
// Cost       One locked instruction, and log4(n) steps, for a put and for a get. A T whose
//            move may throw is allocated one by one.
// Python     queue.PriorityQueue of 3.13, with shutdown().

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "nogil/platform/less.hpp"
#include "nogil/queue/detail/basic_queue.hpp"
#include "nogil/queue/detail/guarded.hpp"
#include "nogil/queue/detail/heap_bag.hpp"

namespace nogil {

template <class T, class Compare = std::less<T>>
class PriorityQueue : public detail::BasicQueue<T, detail::Guarded<T, platform::Native, detail::HeapBag<T, Compare>>> {
 public:
  static_assert(
      std::is_invocable_r_v<bool, const Compare&, const T&, const T&>,
      "PriorityQueue<T>: T needs operator<, or give a Compare that can be called as less(const T&, const T&)");

  // Room for `maxsize` elements; zero or less: no bound.
  explicit PriorityQueue(std::ptrdiff_t maxsize = 0, Compare less = Compare())
      : detail::BasicQueue<T, detail::Guarded<T, platform::Native, detail::HeapBag<T, Compare>>>(maxsize,
                                                                                                 std::move(less)) {}
};

}  // namespace nogil
