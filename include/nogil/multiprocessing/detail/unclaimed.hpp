// nogil/multiprocessing/detail/unclaimed.hpp -- a program that was started anew and passes freeze_support() by.
//
// Its main() would do once more what the parent's has done: open the same files, serve the same
// port, start processes that start processes. So it is ended, with a line on stderr and the exit
// code kUnclaimed: when it wants to start a process, when main() returns or somebody calls
// exit(), or after a minute.
//
// Cost     Nothing, in a program that nogil has not started.

#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "nogil/multiprocessing/detail/handshake.hpp"

namespace nogil::multiprocessing::detail {

// Whether this process was started as a worker, and has not come to freeze_support() yet.
[[gnu::visibility("default")]] inline constinit std::atomic<bool> g_unclaimed{false};

[[noreturn]] inline void end_unclaimed() noexcept {
  static constexpr char kLine[] =
      "nogil: this program was started anew, to be a process of its own or a pool's, and its main() did not call "
      "nogil::mp::freeze_support(): call it in the first line, always\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kLine, sizeof kLine - 1);
  ::_exit(kUnclaimed);
}

// The variable is gone, too, once it is claimed: by another copy of this code, perhaps, in a
// library that shares nothing with the program.
inline void end_if_unclaimed() noexcept {
  if (g_unclaimed.load(std::memory_order_relaxed) && std::getenv(kWorkerVariable) != nullptr) end_unclaimed();
}

inline int watch_main() noexcept {
  constexpr unsigned kPatience = 60;  // seconds
  try {
    Greeting greeting;
    if (!greeting_waits(greeting)) return 0;
    ::fcntl(greeting.socket.release(), F_SETFD, FD_CLOEXEC);  // not for programs that this one starts
  } catch (...) {
    return 0;
  }
  g_unclaimed.store(true, std::memory_order_relaxed);
  ::signal(SIGALRM, [](int) { end_if_unclaimed(); });
  ::alarm(kPatience);
  return std::atexit(end_if_unclaimed);
}

// It has come to freeze_support().
inline void claim() noexcept {
  if (!g_unclaimed.exchange(false, std::memory_order_relaxed)) return;
  ::alarm(0);
  ::signal(SIGALRM, SIG_DFL);
}

// Before main().
[[gnu::visibility("default")]] inline const int g_main_is_watched = watch_main();

}  // namespace nogil::multiprocessing::detail
