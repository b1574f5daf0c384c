// The tests of this folder start their own program anew, so main() begins as a user's does.

#include <gtest/gtest.h>

#include "nogil/multiprocessing/start_method.hpp"

// A child that was forked may start threads of its own.
extern "C" const char* __tsan_default_options() {
  return "die_after_fork=0";
}

int main(int argc, char** argv) {
  nogil::mp::freeze_support();
  ::testing::InitGoogleTest(&argc, argv);
  // The watchdog's thread holds nothing that a forked child could miss.
  nogil::mp::detail::g_own_threads.fetch_add(1);
  return RUN_ALL_TESTS();
}
