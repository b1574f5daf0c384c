// nogil/queue/simple_queue.hpp -- SimpleQueue: a queue without a bound and without extras.
//
//   nogil::SimpleQueue<int> queue;               // queue = queue.SimpleQueue()
//   queue.put(1);                                // never waits
//   queue.get();
//
// Strictly first in, first out. The contract of all queues is at the top of
// queue/detail/basic_queue.hpp; Queue has all that is left out here.
//
// Cost       As Queue.
// Python     queue.SimpleQueue.

#pragma once

#include "nogil/queue/detail/basic_queue.hpp"
#include "nogil/queue/detail/fifo.hpp"

namespace nogil {

template <class T>
class SimpleQueue : private detail::BasicQueue<T, detail::Fifo<T, platform::Native>> {
  using Base = detail::BasicQueue<T, detail::Fifo<T, platform::Native>>;

 public:
  using typename Base::value_type;

  SimpleQueue() : Base(0) {}

  // Never waits.
  void put(const T& item) { Base::put(item); }
  void put(T&& item) { Base::put(std::move(item)); }
  using Base::put_nowait;

  using Base::get;
  using Base::get_nowait;
  using Base::try_get;

  using Base::empty;
  using Base::qsize;
};

}  // namespace nogil
