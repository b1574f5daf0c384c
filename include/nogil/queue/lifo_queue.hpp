// nogil/queue/lifo_queue.hpp -- LifoQueue: a queue that gives the newest element first.
//
//   nogil::LifoQueue<Job> stack;                 // stack = queue.LifoQueue()
//   stack.put(job);
//   Job last = stack.get();
//
// The contract of all queues is at the top of queue/detail/basic_queue.hpp.
//
// Cost       One locked instruction for a put and one for a get. A T whose move may throw
//            is allocated one by one.
// Python     queue.LifoQueue of 3.13, with shutdown().

#pragma once

#include <cstddef>

#include "nogil/queue/detail/basic_queue.hpp"
#include "nogil/queue/detail/guarded.hpp"
#include "nogil/queue/detail/stack_bag.hpp"

namespace nogil {

template <class T>
class LifoQueue : public detail::BasicQueue<T, detail::Guarded<T, platform::Native, detail::StackBag<T>>> {
 public:
  // Room for `maxsize` elements; zero or less: no bound.
  explicit LifoQueue(std::ptrdiff_t maxsize = 0)
      : detail::BasicQueue<T, detail::Guarded<T, platform::Native, detail::StackBag<T>>>(maxsize) {}
};

}  // namespace nogil
