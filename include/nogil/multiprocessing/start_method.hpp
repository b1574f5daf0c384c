// nogil/multiprocessing/start_method.hpp -- how processes are started, and freeze_support().
//
//   int main() {
//     nogil::mp::freeze_support();        // first line; in the parent it returns at once
//     …
//   }
//
// forkserver   From a template: this program, started anew up to freeze_support(). Safe
//              whatever threads the parent has, and quick whatever its size (some 200 us;
//              the first takes a millisecond). Global objects are as at the start of main().
// spawn        This program started anew for each process. About a millisecond.
// fork         A copy of the parent as it is, with its global objects. Not while the parent
//              has other threads, but for the library's own (such as a ThreadPoolExecutor's): a
//              lock that one of them holds stays locked for ever in the child. Its time grows
//              with the parent's memory: some 15 ms for 256 MiB.
//
// The default is forkserver in a program that has called freeze_support(), else fork.
//
// A program that calls freeze_support() only sometimes would be run once more as a whole when it
// is started anew. The process that finds itself in that place says so on stderr and ends with
// exit code 118: when it starts a process, at its end, or after a minute. In the parent that is a
// RuntimeError (forkserver), that exit code (spawn), BrokenProcessPool (a pool).
//
// Threads  Everything from any thread. freeze_support() before there is a second one.
// Python   set_start_method, get_start_method, freeze_support. Python's freeze_support() is
//          for Windows; here it is what lets a program that was started anew know why.

#pragma once

#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/handshake.hpp"
#include "nogil/multiprocessing/detail/template_process.hpp"
#include "nogil/multiprocessing/detail/unclaimed.hpp"
#include "nogil/platform/fence.hpp"
#include "nogil/platform/own_threads.hpp"

namespace nogil::multiprocessing {

enum class StartMethod { fork, forkserver, spawn };

namespace detail {

[[gnu::visibility("default")]] inline constinit std::atomic<bool> g_can_start_anew{false};
[[gnu::visibility("default")]] inline constinit std::atomic<int> g_start_method{-1};  // -1: the default
using platform::g_own_threads;

// How many threads the program itself runs.
inline int program_threads() noexcept {
  ::DIR* const tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 1;  // nobody can tell
  int count = 0;
  while (const ::dirent* const entry = ::readdir(tasks)) count += entry->d_name[0] != '.';
  ::closedir(tasks);
#ifdef NOGIL_TSAN
  --count;  // ThreadSanitizer's own
#endif
  return count - g_own_threads.load(std::memory_order_relaxed);
}

// Throws RuntimeError if `method` cannot be used now.
inline void require_method(StartMethod method) {
  end_if_unclaimed();
  if (method != StartMethod::fork) {
    if (g_can_start_anew.load(std::memory_order_relaxed)) return;
    throw RuntimeError(
        "multiprocessing: forkserver and spawn start this program anew: call "
        "nogil::mp::freeze_support() in the first line of main()");
  }
  // A thread that has been joined may still be on its way out.
  for (int look = 0; program_threads() > (platform::t_own_thread ? 0 : 1); ++look) {
    if (look == 20) {
      throw RuntimeError(
          "multiprocessing: fork would copy the locks that this program's other threads hold: call "
          "nogil::mp::freeze_support() in the first line of main(), and use forkserver");
    }
    ::usleep(1000);
  }
}

inline StartMethod method_or_default(std::optional<StartMethod> method) noexcept {
  if (method) return *method;
  const int chosen = g_start_method.load(std::memory_order_relaxed);
  if (chosen >= 0) return static_cast<StartMethod>(chosen);
  return g_can_start_anew.load(std::memory_order_relaxed) ? StartMethod::forkserver : StartMethod::fork;
}

}  // namespace detail

// In a process that nogil started anew: does that process's work, and never returns. In any
// other it returns at once, and forkserver and spawn can be used from now on.
inline void freeze_support() {
  detail::Greeting greeting;
  detail::claim();
  if (detail::receive_greeting(greeting)) {
    detail::g_can_start_anew.store(true, std::memory_order_relaxed);  // it may have processes of its own
    const int parent = static_cast<int>(greeting.hello.parent);
    if (greeting.hello.role == detail::Role::kTemplate) {
      detail::TemplateProcess::serve(std::move(greeting.socket), parent);
    }
    detail::die_with(parent);
    detail::JobPacket job;
    std::vector<platform::Fd> files;
    if (!detail::receive_packet(greeting.socket.get(), job, &files)) ::_exit(detail::kOrphaned);
    greeting.socket.reset();
    detail::run_received_job(job, std::move(files));
  }
  detail::g_can_start_anew.store(true, std::memory_order_relaxed);
}

// The method for processes and pools that do not say otherwise. Throws RuntimeError if it
// was set already and not `force`, or if it needs freeze_support(), which was not called.
inline void set_start_method(StartMethod method, bool force = false) {
  if (method != StartMethod::fork) detail::require_method(method);
  int unset = -1;
  if (force) detail::g_start_method.store(static_cast<int>(method), std::memory_order_relaxed);
  else if (!detail::g_start_method.compare_exchange_strong(unset, static_cast<int>(method)))
    throw RuntimeError("set_start_method: it was set already");
}

inline StartMethod get_start_method() noexcept {
  return detail::method_or_default({});
}

}  // namespace nogil::multiprocessing
