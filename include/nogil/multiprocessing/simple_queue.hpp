// nogil/multiprocessing/simple_queue.hpp -- SimpleQueue: put and get between processes, and no more.
//
// Unbounded: put() never waits for room, and no limit is to be given.
//
// Threads, ordering, limits, dying, errors   See detail/queue_verbs.hpp.
// Lifetime, cost   As Queue.
// Python     multiprocessing.SimpleQueue, whose put() waits when 64 KiB lie in the pipe. The
//            whole get family is here, as in nogil::SimpleQueue.

#pragma once

#include "nogil/multiprocessing/detail/queue_verbs.hpp"

namespace nogil::multiprocessing {

template <class T>
class SimpleQueue : public detail::QueueVerbs<SimpleQueue<T>, T> {
  using Base = detail::QueueVerbs<SimpleQueue<T>, T>;

 public:
  // Throws std::system_error when there is no memory or no file descriptor left.
  SimpleQueue() : Base(std::ptrdiff_t{0}) {}
  explicit SimpleQueue(detail::Received received) : Base(received) {}

  // Never waits for room.
  void put(const T& item) const {
    detail::Wait forever;
    this->put_within(item, forever);
  }
};

}  // namespace nogil::multiprocessing
