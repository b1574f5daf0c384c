// nogil/multiprocessing/process.hpp -- Process: a callable that runs in a process of its own.
//
//   nogil::mp::Process worker(download, "index.html");     // Python: Process(target=download, args=("index.html",))
//   worker.start();
//   worker.join();
//   if (worker.exitcode() != 0) …
//
// The callable and its arguments are turned into bytes when the Process is made: what can be
// sent is said in serialize.hpp, how the process is started in start_method.hpp. Handles (Lock,
// Queue, Value, …) are the same objects in both processes.
//
// In the child   the callable runs in the only thread; standard input is empty; SIGINT and
//            SIGTERM do what they do by default. An exception that leaves the callable is a
//            line on stderr, and exit code 1. What was written to stdout is out at the end. It
//            ends with _exit(): atexit() functions and static objects are the parent's.
// Threads    join(), is_alive(), exitcode(), pid(), terminate(), kill() and interrupt() from
//            any number of threads at once; start() and close() once.
// Errors     RuntimeError: started twice; joined before it was started, or by another process
//            than the one that started it; see require_method for fork. ValueError: close()
//            of one that runs, and whatever is asked of it after close(), but for its name.
//            std::system_error: the system refuses another process.
// Lifetime   The destructor joins; a daemon it terminates first. However the parent ends, its
//            children do not outlive it: the kernel kills them.
// Cost       start() returns when the process is there: some 200 us with fork (of a small
//            process) and forkserver, a millisecond with spawn. A file descriptor. The first
//            Process of a program starts a thread, which sleeps.
// Python     multiprocessing.Process. authkey and subclasses with run() are not modelled.

#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/supervisor.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing {

// The calling process. One that nobody started with Process is called MainProcess.
inline ProcessInfo current_process() {
  if (detail::g_child_identity == nullptr) return {"MainProcess", ::getpid(), false};
  ProcessInfo self = detail::g_child_identity->self;
  self.pid = ::getpid();  // it may have forked by other means
  return self;
}

// Who started the calling process; empty: nobody did with Process.
inline std::optional<ProcessInfo> parent_process() {
  if (detail::g_child_identity == nullptr) return std::nullopt;
  return detail::g_child_identity->parent;
}

// Those that the calling process has started and that have not ended, at some moment during
// the call.
inline std::vector<ProcessInfo> active_children() {
  detail::Supervisor* const supervisor = detail::g_supervisor.load(std::memory_order_acquire);
  return supervisor != nullptr ? supervisor->active() : std::vector<ProcessInfo>();
}

class Process {
 public:
  struct Options {
    std::string name{};  // empty: Process-1, Process-2, …
    bool daemon = false;
    std::optional<StartMethod> start_method{};
  };

  // Makes it; start() starts it. Throws ValueError for a callable with references to
  // variables on this thread's stack.
  template <class F, class... Arguments>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Options> &&
           !std::is_same_v<std::remove_cvref_t<F>, Process>) explicit Process(const F& callable,
                                                                              const Arguments&... arguments)
      : Process(Options(), callable, arguments...) {}

  template <class F, class... Arguments>
  Process(Options options, const F& callable, const Arguments&... arguments) : options_(std::move(options)) {
    if (options_.name.empty()) options_.name = (platform::Text() << "Process-" << next_number()).take();
    OutputArchive out(call_);
    detail::save_call<detail::Result::kDropped>(out, callable, arguments...);
  }

  // The state goes along; this one is then as if it had never been started.
  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept {
    if (this != &other) {
      finish();
      options_ = std::move(other.options_);
      call_ = std::move(other.call_);
      starter_ = other.starter_;
      child_ = std::move(other.child_);
      closed_ = other.closed_;
    }
    return *this;
  }
  ~Process() { finish(); }

  // Starts it, and lets go of the arguments. If it throws, it may be called again.
  void start() {
    require_open("start");
    if (child_) throw RuntimeError("Process.start: it was started already");
    detail::Frame job;
    OutputArchive out(job);
    detail::JobHead head;
    head.self.name = options_.name;
    head.self.daemon = options_.daemon;
    head.parent = current_process();
    ::pthread_sigmask(SIG_SETMASK, nullptr, &head.mask);
    out(head);
    out.write(call_.bytes.data(), call_.bytes.size());
    for (const platform::Fd& file : call_.files) out.write_file(file.get());
    child_ = detail::Supervisor::here().start(detail::method_or_default(options_.start_method),
                                              {options_.name, 0, options_.daemon}, std::move(job));
    starter_ = detail::this_process();
    call_ = detail::Frame();
  }

  // Waits until it has ended. Any number of times, from any threads. Always true, so the
  // result may be ignored. Throws RuntimeError before start().
  bool join() {
    platform::Wait forever;
    return child("join").wait(forever);
  }

  // join(timeout | deadline | stop_token | timeout, stop_token): whether it has ended.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool join(const Limits&... limits) {
    detail::Child& child = this->child("join");
    return platform::within([&](platform::Wait& wait) { return child.wait(wait); }, limits...);
  }

  // Whether it has been started and has not ended. Throws RuntimeError in another process than
  // the one that started it: that cannot tell.
  [[nodiscard]] bool is_alive() const {
    require_open("is_alive");
    if (child_) require_starter("is_alive");
    return runs();
  }

  // 0 before start().
  [[nodiscard]] int pid() const {
    require_open("pid");
    return child_ ? child_->info().pid : 0;
  }

  // How it ended: the code that it ended with, 1 after an exception, -N by signal N. Empty
  // until then.
  [[nodiscard]] std::optional<int> exitcode() const {
    require_open("exitcode");
    return child_ && !runs() ? std::optional<int>(child_->exitcode()) : std::nullopt;
  }

  // Sends SIGTERM, SIGKILL, SIGINT. Nothing happens to a process that has ended. They do
  // not wait. Throw RuntimeError before start().
  void terminate() { child("terminate").signal(SIGTERM); }
  void kill() { child("kill").signal(SIGKILL); }
  void interrupt() { child("interrupt").signal(SIGINT); }

  // A file descriptor that is readable when the process has ended, for poll() and its like;
  // the Process's own. Throws RuntimeError before start().
  [[nodiscard]] int sentinel() { return child("sentinel").pidfd(); }

  // Lets go of what is kept for it; a second time nothing happens. Throws ValueError if it runs.
  void close() {
    if (runs()) throw ValueError("Process.close: the process runs: join() it first");
    child_ = {};
    call_ = detail::Frame();
    closed_ = true;
  }

  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] bool daemon() const noexcept { return options_.daemon; }

 private:
  static std::uint64_t next_number() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  bool runs() const noexcept { return child_ && !child_->ended(); }

  void require_open(const char* verb) const {
    if (closed_) throw ValueError(std::string("Process.") + verb + ": it is closed");
  }
  void require_starter(const char* verb) const {
    if (starter_ == detail::this_process()) return;
    throw RuntimeError(std::string("Process.") + verb + ": another process has started it");
  }

  detail::Child& child(const char* verb) {
    require_open(verb);
    if (!child_) throw RuntimeError(std::string("Process.") + verb + ": it was not started");
    require_starter(verb);
    return *child_;
  }

  void finish() noexcept {
    if (!child_ || starter_ != detail::this_process()) return;
    if (options_.daemon) child_->signal(SIGTERM);
    platform::Wait forever;
    child_->wait(forever);
    child_ = {};
  }

  Options options_;
  detail::Frame call_;  // empty once started
  detail::Who starter_ = 0;
  nogil::detail::Ref<detail::Child> child_;  // null until started, and after close()
  bool closed_ = false;
};

}  // namespace nogil::multiprocessing
