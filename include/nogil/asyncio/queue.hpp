// nogil/asyncio/queue.hpp -- Queue: hand things from task to task, in order.
//
//   asyncio::Queue<std::string> queue(100);         // queue = asyncio.Queue(100)
//
//   co_await queue.put("work");                     // await queue.put("work")
//   std::string item = co_await queue.get();        // item = await queue.get()
//   queue.task_done();                              // queue.task_done()
//
// First in, first out. The contract of all queues is at the top of detail/basic_queue.hpp.
// For threads there is nogil::Queue.
//
// Cost       Nothing is allocated before the first put.
// Python     asyncio.Queue of 3.13, with shutdown().

#pragma once

#include <cstddef>

#include "nogil/asyncio/detail/basic_queue.hpp"
#include "nogil/asyncio/detail/fifo_bag.hpp"

namespace nogil::asyncio {

template <class T>
class Queue : public detail::BasicQueue<T, detail::FifoBag<T>> {
 public:
  // Room for `maxsize` elements; zero or less: no bound.
  explicit Queue(std::ptrdiff_t maxsize = 0) : detail::BasicQueue<T, detail::FifoBag<T>>(maxsize) {}
};

}  // namespace nogil::asyncio
