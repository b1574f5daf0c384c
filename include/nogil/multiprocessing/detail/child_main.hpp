// nogil/multiprocessing/detail/child_main.hpp -- what a child process does from its first step to its last.

#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/detail/pipe_end.hpp"
#include "nogil/multiprocessing/detail/trace_link.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::multiprocessing {

// What current_process() and its like tell of a process.
struct ProcessInfo {
  std::string name;
  int pid = 0;
  bool daemon = false;
};

namespace detail {

// ---- Who this process is -------------------------------------------------------------

// Written once, when a child begins, while it has one thread. Null: nobody's child.
struct ChildIdentity {
  ProcessInfo self;
  ProcessInfo parent;
};
[[gnu::visibility("default")]] inline constinit ChildIdentity* g_child_identity = nullptr;

// ---- The last step ---------------------------------------------------------------------

#if defined(__GLIBCXX__)
// flush() of the streams that keep what is written to them, without <iostream>, which would
// construct streams in every file. The names are those of the Itanium C++ ABI; absent (null) in
// a program without them.
extern "C" {
[[gnu::weak]] extern void* nogil_cout[] __asm__("_ZSt4cout");
[[gnu::weak]] extern void* nogil_clog[] __asm__("_ZSt4clog");
[[gnu::weak]] extern void* nogil_wcout[] __asm__("_ZSt5wcout");
[[gnu::weak]] extern void* nogil_wclog[] __asm__("_ZSt5wclog");
[[gnu::weak]] void* nogil_ostream_flush(void*) __asm__("_ZNSo5flushEv");
[[gnu::weak]] void* nogil_wostream_flush(void*) __asm__("_ZNSt13basic_ostreamIwSt11char_traitsIwEE5flushEv");
}

inline void flush_stream(void** stream, void* (*flush)(void*)) noexcept {
  void** const volatile constructed = stream;  // or it is taken for certain
  if (constructed == nullptr || flush == nullptr || *constructed == nullptr) return;
  try {
    flush(constructed);
  } catch (...) {
  }
}

inline void flush_streams() noexcept {
  flush_stream(nogil_cout, &nogil_ostream_flush);
  flush_stream(nogil_clog, &nogil_ostream_flush);
}
inline void flush_wide_streams() noexcept {
  flush_stream(nogil_wcout, &nogil_wostream_flush);
  flush_stream(nogil_wclog, &nogil_wostream_flush);
}
#else
inline void flush_streams() noexcept {}
inline void flush_wide_streams() noexcept {}
#endif

// Everything written so far is out. (Of wide streams that sync_with_stdio(false) has parted from
// stdio only at the end: to look at them takes a tenth of what a short task does.)
inline void flush_output() noexcept {
  flush_streams();
  std::fflush(nullptr);
}

// Ends a child. Not by exit(): a forked child has its parent's atexit() functions and
// static objects, which are the parent's to destroy.
[[noreturn]] inline void leave(int code) noexcept {
  flush_output();
  flush_wide_streams();
  ::_exit(code);
}

// ---- The first steps -------------------------------------------------------------------

inline constexpr int kOrphaned = 117;   // nobody is left to see it
inline constexpr int kUnclaimed = 118;  // see unclaimed.hpp

// From now on the process dies with the thread that created it, which must be one of
// `parent`'s; at once if that is gone already.
inline void die_with(int parent) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kOrphaned);
}

// SIGINT alone: blocked in a process from its first step until it is known what SIGINT does
// there. So one that comes meanwhile is neither lost nor too early.
inline ::sigset_t only_sigint() noexcept {
  ::sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  return set;
}

// As Python's children: no standard input, and SIGINT and SIGTERM do what they do.
inline void settle_signals_and_input(const ::sigset_t& mask) noexcept {
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) return;
  ::dup2(nothing, STDIN_FILENO);
  if (nothing != STDIN_FILENO) ::close(nothing);
}

// What goes before the call in a job's frame.
struct JobHead {
  ProcessInfo self;
  ProcessInfo parent;
  ::sigset_t mask{};
  TraceLink trace = TraceLink::mine();

  template <class Archive>
  void serialize(Archive& archive) {
    archive(self.name, self.daemon, parent.name, parent.pid, parent.daemon, mask, trace);
  }
};

// Makes the call in `job`, and ends the process: with 0, or with 1 and a line on stderr if
// the call threw.
[[noreturn]] inline void run_job(InputArchive& job) noexcept {
  int code = 1;
  std::string name = "?";
  try {
    let_go_of_ends(&job);
    auto head = job.get<JobHead>();
    head.self.pid = ::getpid();
    name = head.self.name;
    settle_signals_and_input(head.mask);
    head.trace.join(head.self.name);
    g_child_identity = new ChildIdentity{std::move(head.self), std::move(head.parent)};
    Frame nothing;
    OutputArchive dropped(nothing);
    const platform::TraceSpan life(platform::TraceKind::kThread, "process");
    run_call(job, dropped);
    code = 0;
  } catch (...) {
    flush_output();
    nogil::detail::write_stderr((platform::Text()
                                 << "Exception in process " << name << ": "
                                 << nogil::detail::describe_exception(std::current_exception()) << "\n")
                                    .take());
  }
  leave(code);
}

}  // namespace detail
}  // namespace nogil::multiprocessing
