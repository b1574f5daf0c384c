// nogil/multiprocessing/pipe.hpp -- Pipe: two connected Connections.
//
//   auto [here, there] = nogil::mp::Pipe<int>();             // both send and receive
//   auto [receiver, sender] = nogil::mp::Pipe<int>(false);   // Python: Pipe(duplex=False)
//
// What they do is said in connection.hpp.
//
// Errors   std::system_error when there is no file descriptor left.
// Python   multiprocessing.Pipe.

#pragma once

#include <utility>

#include "nogil/multiprocessing/connection.hpp"

namespace nogil::multiprocessing {

template <class T>
std::pair<Connection<T>, Connection<T>> Pipe(bool duplex) {
  auto ends = detail::PipeEnd::make_pair();
  return {Connection<T>(std::move(ends.first), true, duplex), Connection<T>(std::move(ends.second), duplex, true)};
}

}  // namespace nogil::multiprocessing
