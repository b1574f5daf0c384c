// NOGIL_TEST_PARKED=1 in the environment of a test program: its waits never spin.
//
// The wait policy is told so before main(), before a wait has looked how many cores there are.

#include <cstdlib>

#include "nogil/platform/cpu.hpp"

namespace {

[[maybe_unused]] const bool parked = [] {
  const bool wanted = std::getenv("NOGIL_TEST_PARKED") != nullptr;
  if (wanted) nogil::platform::g_spinning.store(1, std::memory_order_relaxed);
  return wanted;
}();

}  // namespace
