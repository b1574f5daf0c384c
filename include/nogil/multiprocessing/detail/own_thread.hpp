// nogil/multiprocessing/detail/own_thread.hpp -- a thread of the library's own, which nobody joins.

#pragma once

#include <pthread.h>
#include <signal.h>

#include "nogil/platform/fd.hpp"
#include "nogil/platform/own_threads.hpp"

namespace nogil::multiprocessing::detail {

// Runs run(argument) in a new thread that takes no signals: they are the program's. It is
// counted from now on, and has a platform::OwnThread as long as it is to be. Throws
// std::system_error, with what was `asked`, if the system refuses the thread: nothing has
// changed then.
inline void start_own_thread(void* (*run)(void*) noexcept, void* argument, const char* asked) {
  ::sigset_t all;
  ::sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  ::pthread_t thread;
  platform::OwnThreadToBe counted;
  const int error = ::pthread_create(&thread, nullptr, run, argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) platform::throw_errno(asked, error);
  counted.begun();
  ::pthread_detach(thread);
}

}  // namespace nogil::multiprocessing::detail
