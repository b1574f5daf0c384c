// nogil/multiprocessing/detail/own_thread.hpp -- a thread of the library's own, which nobody joins.

#pragma once

#include <pthread.h>
#include <signal.h>

#include <atomic>

#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/platform/fd.hpp"

namespace nogil::multiprocessing::detail {

// Runs run(argument) in a new thread that takes no signals: they are the program's. It is
// counted in g_own_threads; who ends such a thread takes it off again. Throws
// std::system_error, with what was `asked`, if the system refuses the thread: nothing has
// changed then.
inline void start_own_thread(void* (*run)(void*) noexcept, void* argument, const char* asked) {
  ::sigset_t all;
  ::sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  ::pthread_t thread;
  g_own_threads.fetch_add(1, std::memory_order_relaxed);
  const int error = ::pthread_create(&thread, nullptr, run, argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    g_own_threads.fetch_sub(1, std::memory_order_relaxed);
    platform::throw_errno(asked, error);
  }
  ::pthread_detach(thread);
}

}  // namespace nogil::multiprocessing::detail
