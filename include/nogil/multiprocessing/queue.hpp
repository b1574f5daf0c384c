// nogil/multiprocessing/queue.hpp -- Queue: first in, first out, from any process to any other.
//
//   void square(nogil::mp::Queue<int> jobs, nogil::mp::Queue<int> results) {
//     for (const int job : jobs) results.put(job * job);          // until jobs is shut down
//   }
//   nogil::mp::Queue<int> jobs, results;                          // Python: jobs = Queue()
//   nogil::mp::Process worker(square, jobs, results);             // the same queues there
//   worker.start();
//   jobs.put(7);
//   results.get();                                                // 49
//
// Elements are whatever can be sent (serialize.hpp). put() returns when the element is in
// memory that all processes share, which grows as it must: a process may put 100 MB, end, and
// be joined before anybody has got a byte. Order is strict: across all processes, elements
// come out as they went in.
//
// Threads, ordering, limits, dying, errors   See detail/queue_verbs.hpp.
// Lifetime   A handle: copies are the same queue. It goes with the last process that has one.
// Cost       put and get of a few bytes: some 50 ns without contention, no system call. A
//            file descriptor; memory as elements lie in it, and up to 2 MiB that stay.
// Python     multiprocessing.Queue, without its feeder thread: so elements are in the queue
//            when put() returns, an element that cannot be sent is an error at put(), and
//            nobody has to get() before join(). shutdown() is queue.Queue's.

#pragma once

#include <cstddef>

#include "nogil/multiprocessing/detail/queue_verbs.hpp"

namespace nogil::multiprocessing {

template <class T>
class Queue : public detail::BoundedQueueVerbs<Queue<T>, T> {
 public:
  // Of at most so many elements; zero or less: unbounded.
  // Throws std::system_error when there is no memory or no file descriptor left.
  explicit Queue(std::ptrdiff_t maxsize = 0) : detail::BoundedQueueVerbs<Queue<T>, T>(maxsize) {}
  explicit Queue(detail::Received received) : detail::BoundedQueueVerbs<Queue<T>, T>(received) {}

  // As in Python, where they are about the feeder thread. Nothing is left to be done here.
  void join_thread() const noexcept {}
  void cancel_join_thread() const noexcept {}
};

}  // namespace nogil::multiprocessing
