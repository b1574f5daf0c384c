// nogil/asyncio/priority_queue.hpp -- PriorityQueue: a queue that gives the smallest element first.
//
//   asyncio::PriorityQueue<std::pair<int, std::string>> jobs;   // jobs = asyncio.PriorityQueue()
//   jobs.put_nowait({2, "sleep"});
//   jobs.put_nowait({1, "eat"});
//   co_await jobs.get();                                        // {1, "eat"}
//
// Smallest first, as in Python; std::priority_queue gives the largest. Among equal ones the
// order is not defined: put a sequence number into the element if it matters.
// The contract of all queues is at the top of detail/basic_queue.hpp.
//
// Cost       log4(n) steps for a put and for a get.
// Python     asyncio.PriorityQueue of 3.13, with shutdown().

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/basic_queue.hpp"
#include "nogil/platform/less.hpp"
#include "nogil/queue/detail/heap_bag.hpp"

namespace nogil::asyncio {

template <class T, class Compare = std::less<T>>
class PriorityQueue : public detail::BasicQueue<T, nogil::detail::HeapBag<T, Compare>> {
 public:
  static_assert(
      std::is_invocable_r_v<bool, const Compare&, const T&, const T&>,
      "PriorityQueue<T>: T needs operator<, or give a Compare that can be called as less(const T&, const T&)");

  // Room for `maxsize` elements; zero or less: no bound.
  explicit PriorityQueue(std::ptrdiff_t maxsize = 0, Compare less = Compare())
      : detail::BasicQueue<T, nogil::detail::HeapBag<T, Compare>>(maxsize, std::move(less)) {}
};

}  // namespace nogil::asyncio
