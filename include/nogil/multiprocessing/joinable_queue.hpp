// nogil/multiprocessing/joinable_queue.hpp -- JoinableQueue: a Queue that knows what is still being worked on.
//
//   for (const int job : jobs) {        // in a worker
//     work(job);
//     jobs.task_done();
//   }
//   …
//   jobs.join();                        // until all that was put is done
//
// Threads, ordering, limits, dying, errors   See detail/queue_verbs.hpp. What was done before
//            task_done() is visible to who is let through by join().
// Dying      A process that dies with an element that it got, and has not called task_done()
//            for it, leaves it undone: join() with a limit.
// Cost       As Queue. task_done() is one compare-and-swap.
// Python     multiprocessing.JoinableQueue.

#pragma once

#include <cstddef>

#include "nogil/multiprocessing/detail/queue_verbs.hpp"

namespace nogil::multiprocessing {

template <class T>
class JoinableQueue : public detail::BoundedQueueVerbs<JoinableQueue<T>, T> {
  using Base = detail::BoundedQueueVerbs<JoinableQueue<T>, T>;

 public:
  // Of at most so many elements; zero or less: unbounded.
  // Throws std::system_error when there is no memory or no file descriptor left.
  explicit JoinableQueue(std::ptrdiff_t maxsize = 0) : Base(maxsize) {}
  explicit JoinableQueue(detail::Received received) : Base(received) {}

  // Says that the work for one element that was put is done.
  // Throws ValueError, and changes nothing, if that was said for all already.
  void task_done() const {
    if (!this->fifo().task_done()) throw ValueError("task_done() called too many times");
  }

  // Waits until task_done() was called for every element that was put. Always true, so the
  // result may be ignored.
  bool join() const {
    detail::Wait forever;
    return this->fifo().join(forever);
  }

  // join(timeout | deadline | stop_token | timeout, stop_token): false when that is reached first.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool join(const Limits&... limits) const {
    return platform::within<detail::Platform>([this](detail::Wait& wait) { return this->fifo().join(wait); },
                                              limits...);
  }

  // How many were put for which task_done() was not called yet.
  [[nodiscard]] std::size_t unfinished_tasks() const { return static_cast<std::size_t>(this->fifo().unfinished()); }

  // As in Python, where they are about the feeder thread. Nothing is left to be done here.
  void join_thread() const noexcept {}
  void cancel_join_thread() const noexcept {}
};

}  // namespace nogil::multiprocessing
