// nogil/asyncio/cancelled_error.hpp -- what a cancelled task finds at the point where it waits.
//
//   try {
//     co_await server.serve_forever();
//   } catch (const asyncio::CancelledError&) {   // Python: except asyncio.CancelledError:
//     log("closing");
//     throw;                                     // always: who swallows it is not cancelled
//   }
//
// Python   asyncio.CancelledError, a BaseException and no Exception. So here it is no
//          std::exception: a handler for errors does not stop a cancellation. That of
//          concurrent.futures is nogil::CancelledError.

#pragma once

namespace nogil::asyncio {

class CancelledError final {
 public:
  const char* what() const noexcept { return "cancelled"; }
};

}  // namespace nogil::asyncio
