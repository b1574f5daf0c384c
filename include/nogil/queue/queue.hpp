// nogil/queue/queue.hpp -- Queue: hand things from thread to thread, in order.
//
//   nogil::Queue<std::string> queue(100);        // queue = queue.Queue(100)
//
//   queue.put("work");                           // queue.put("work")
//   queue.shutdown();                            // queue.shutdown()
//
//   for (std::string item : queue) handle(item); // until shut down and drained
//
// Strictly first in, first out across all threads, with an exact bound and an exact size.
// The contract of all queues is at the top of queue/detail/basic_queue.hpp.
//
// Order      Linearizable: as if each put and get happened at one moment.
// Fairness   None promised among threads that wait at the same end.
// Cost       One locked instruction for a put and one for a get; none at an end that one
//            thread uses alone, and a few microseconds once when a second one comes to it.
//            Nothing is allocated before the first put, and one block for every 16-128
//            elements then; an empty queue keeps at most two. Waiting looks again for
//            about 20 us at most, then sleeps.
// Python     queue.Queue of 3.13, with shutdown().

#pragma once

#include <cstddef>

#include "nogil/queue/detail/basic_queue.hpp"
#include "nogil/queue/detail/fifo.hpp"

namespace nogil {

template <class T>
class Queue : public detail::BasicQueue<T, detail::Fifo<T, platform::Native>> {
 public:
  // Room for `maxsize` elements; zero or less: no bound.
  explicit Queue(std::ptrdiff_t maxsize = 0) : detail::BasicQueue<T, detail::Fifo<T, platform::Native>>(maxsize) {}
};

}  // namespace nogil
