// nogil/multiprocessing/map.hpp -- what ProcessPoolExecutor::map() takes and returns.
//
//   for (bool prime : pool.map(is_prime, numbers)) …              // for prime in pool.map(is_prime, numbers): …
//   for (int n : pool.map({.buffersize = 100}, parse, lines)) …   // pool.map(parse, lines, buffersize=100)
//
// A single-pass range of the results, in the order of the arguments. The work starts at the
// call; reading waits for the result that comes next. An exception is thrown where its
// result would be read, and the loop may go on behind it.
//
// Chunks     Arguments go to the workers many at a time, in one message, and so do results:
//            MapOptions::chunksize of them; as it is not given, as many as make 16 chunks
//            for each worker. A worker that dies fails the chunk that it was at: each
//            element of it throws WorkerDied, and all others go on.
// Reading    The ranges are read by the calling thread: to their end, at the call; or, with
//            MapOptions::buffersize, no more than so many elements ahead of the results,
//            each as the result before it is left behind. An endless range needs that.
// Threads    The results are for one thread at a time, which may be another than the
//            caller's.
// Lifetime   A container that is given as an lvalue is used in place; one that is moved in is
//            stored. Without a buffersize nothing of it is used after the call. Results that
//            are destroyed early cancel what lies in no worker's ring, and wait for nothing.
// Errors     Reading a result throws what the callable threw, WorkerDied, TimeoutError,
//            CancelledError if shutdown() has cancelled it, BrokenProcessPool; and
//            RuntimeError, if it is beyond buffersize and the pool was shut down.
// Python     Executor.map, with chunksize (1, as long as it is not given) and buffersize
//            (3.14). A Python map ends with the first exception, and a dead worker is the
//            end of its pool.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "nogil/futures/map.hpp"
#include "nogil/multiprocessing/detail/chunked_map.hpp"

namespace nogil::multiprocessing {

using nogil::MapOptions;

namespace detail {

template <class State, class Core, class... Parts>
auto start_map(const nogil::detail::Ref<Core>& core, const ChunkedMapSetup& setup, Parts&&... parts) {
  nogil::detail::Ref<State> state(new State(core, setup, std::forward<Parts>(parts)...));
  state->start();
  return MapResults<State>(std::move(state));
}

}  // namespace detail

}  // namespace nogil::multiprocessing
