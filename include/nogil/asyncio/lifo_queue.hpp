// nogil/asyncio/lifo_queue.hpp -- LifoQueue: a queue that gives the youngest element first.
//
//   asyncio::LifoQueue<int> stack;        // stack = asyncio.LifoQueue()
//
// The contract of all queues is at the top of detail/basic_queue.hpp.
//
// Python     asyncio.LifoQueue of 3.13, with shutdown().

#pragma once

#include <cstddef>

#include "nogil/asyncio/detail/basic_queue.hpp"
#include "nogil/queue/detail/stack_bag.hpp"

namespace nogil::asyncio {

template <class T>
class LifoQueue : public detail::BasicQueue<T, nogil::detail::StackBag<T>> {
 public:
  // Room for `maxsize` elements; zero or less: no bound.
  explicit LifoQueue(std::ptrdiff_t maxsize = 0) : detail::BasicQueue<T, nogil::detail::StackBag<T>>(maxsize) {}
};

}  // namespace nogil::asyncio
