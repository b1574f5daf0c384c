// nogil/multiprocessing/detail/supervisor.hpp -- the thread that starts processes and sees them end.
//
// One for each process that starts others. The kernel ends a child when the thread that
// created it ends (PR_SET_PDEATHSIG), so all are created by this one, which lives as long as
// the process: no orphan is left however the process ends. And it waits for all of them: no
// zombie is left either.
//
// Threads    start() and active() from any thread. The supervisor runs no user code, and
//            takes no signals.
// Fork       A child begins without one, and without its parent's children.

#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/child.hpp"
#include "nogil/multiprocessing/detail/handshake.hpp"
#include "nogil/multiprocessing/detail/own_thread.hpp"
#include "nogil/multiprocessing/detail/template_process.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::multiprocessing::detail {

class Supervisor {
 public:
  // This process's; made when it is first asked for, and never destroyed.
  static Supervisor& here();

  // Starts a process that runs the job (a JobHead and a call) in `frame`. Waits until it is
  // there; `listener` is told when it ends. `from`: forks that, whatever the method says.
  // Throws RuntimeError if the method cannot be used, or the template is gone;
  // std::system_error if the system refuses.
  nogil::detail::Ref<Child> start(StartMethod method, ProcessInfo info, const Frame& frame,
                                  nogil::detail::Ref<Child::Listener> listener = {},
                                  nogil::detail::Ref<Template> from = {}) {
    if (!from) require_method(method);
    Request request{Ask::kStart, method, std::move(info), &frame, std::move(listener), std::move(from)};
    ask(request);
    return std::move(request.child);
  }

  // Those that have not ended.
  std::vector<ProcessInfo> active() {
    const platform::RawGuard guard(lock_);
    std::vector<ProcessInfo> all;
    for (const auto& child : children_) all.push_back(child->info());
    return all;
  }

  // Copies this process as it is now, for start() to fork from later. Throws as start() with
  // fork does.
  nogil::detail::Ref<Template> fork_template() {
    require_method(StartMethod::fork);
    Request request{Ask::kForkTemplate, StartMethod::fork, {}, nullptr, {}, {}};
    ask(request);
    return std::move(request.from);
  }

  // Ends it, and what was started from it.
  void end_template(nogil::detail::Ref<Template> what) {
    Request request{Ask::kEndTemplate, StartMethod::fork, {}, nullptr, {}, std::move(what)};
    ask(request);
  }

 private:
  struct Request;
  enum class Ask { kStart, kForkTemplate, kEndTemplate };

  void ask(Request& request) {
    {
      const platform::RawGuard guard(lock_);
      request.next = requests_;
      requests_ = &request;
    }
    const std::uint64_t one = 1;
    while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    platform::Wait forever;
    if (!request.done.is_set()) request.done.wait_slow(forever);
    if (request.error != nullptr) std::rethrow_exception(request.error);
  }

  // On the stack of who waits for it.
  struct Request {
    Ask what;
    StartMethod method;
    ProcessInfo info;
    const Frame* frame;
    nogil::detail::Ref<Child::Listener> listener;
    nogil::detail::Ref<Template> from;  // for kStart, or none: by the method; and the answer to kForkTemplate
    nogil::detail::Ref<Child> child{};
    std::exception_ptr error{};
    Request* next = nullptr;
    nogil::detail::EventCore<platform::Native> done{};
  };

  Supervisor();

  static void* run(void* self) noexcept {
    static_cast<Supervisor*>(self)->loop();
    return nullptr;
  }
  [[noreturn]] void loop() noexcept;

  void serve(Request& request);
  nogil::detail::Ref<Child> fork_child(const Request& request);
  nogil::detail::Ref<Child> spawn_child(const Request& request);
  nogil::detail::Ref<Child> template_child(const Request& request, const nogil::detail::Ref<Template>& from);
  nogil::detail::Ref<Child> forkserver_child(const Request& request);

  void adopt(const nogil::detail::Ref<Child>& child);
  void see_end(Child& child);
  void finish(Child& child, int exitcode) noexcept;
  nogil::detail::Ref<Template> spawn_template();
  nogil::detail::Ref<Template> copy_into_template();
  void adopt(const nogil::detail::Ref<Template>& what);
  void hear(Template& what) noexcept;
  void take_report(const Template& from, const Report& report) noexcept;
  void end(Template& what) noexcept;
  void watch(int fd, Watched* who) const;

  static void forget_after_fork() noexcept;

  // How long a template may take to answer, in ms: one whose main() does not come to
  // freeze_support() never does.
  static constexpr int kPatience = 60'000;

  platform::RawLock lock_;
  Request* requests_ = nullptr;                      // guarded by lock_
  std::vector<nogil::detail::Ref<Child>> children_;  // written by the supervisor, with lock_
  platform::Fd wake_;
  platform::Fd poll_;
  std::vector<nogil::detail::Ref<Template>> templates_;
  nogil::detail::Ref<Template> forkserver_;  // one of them: for the method of that name; or none yet
  std::uint64_t last_job_ = 0;
};

[[gnu::visibility("default")]] inline constinit std::atomic<Supervisor*> g_supervisor{nullptr};
[[gnu::visibility("default")]] inline constinit platform::RawLock g_supervisor_lock;

inline Supervisor& Supervisor::here() {
  if (Supervisor* const found = g_supervisor.load(std::memory_order_acquire)) return *found;
  const platform::RawGuard guard(g_supervisor_lock);
  if (g_supervisor.load(std::memory_order_relaxed) == nullptr) {
    static const int registered = ::pthread_atfork(nullptr, nullptr, forget_after_fork);
    static_cast<void>(registered);
    g_supervisor.store(new Supervisor, std::memory_order_release);
  }
  return *g_supervisor.load(std::memory_order_relaxed);
}

// The parent's supervisor stays in memory, unused: its children's handles may be asked for.
inline void Supervisor::forget_after_fork() noexcept {
  g_supervisor_lock.reset_after_fork();
  g_own_threads.store(0, std::memory_order_relaxed);
  Supervisor* const parents = g_supervisor.exchange(nullptr, std::memory_order_relaxed);
  if (parents == nullptr) return;
  parents->wake_.reset();
  parents->poll_.reset();
  for (const auto& one : parents->templates_) one->end();
}

inline Supervisor::Supervisor()
    : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!wake_ || !poll_) platform::throw_errno("make a supervisor of processes");
  watch(wake_.get(), nullptr);
  start_own_thread(run, this, "make a supervisor of processes");
}

// Null: a request has come.
inline void Supervisor::watch(int fd, Watched* who) const {
  ::epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = who;
  if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) platform::throw_errno("watch a process");
}

inline void Supervisor::loop() noexcept {
  for (;;) {
    ::epoll_event events[16];
    const int count = ::epoll_wait(poll_.get(), events, 16, -1);
    bool asked = false;
    for (int i = 0; i < count; ++i) {
      auto* const who = static_cast<Watched*>(events[i].data.ptr);
      if (who == nullptr) asked = true;
      else if (who->template_process()) hear(static_cast<Template&>(*who));
      else see_end(static_cast<Child&>(*who));
    }
    if (!asked) continue;
    std::uint64_t times;
    while (::read(wake_.get(), &times, sizeof times) < 0 && errno == EINTR) {
    }
    Request* request;
    {
      const platform::RawGuard guard(lock_);
      request = std::exchange(requests_, nullptr);
    }
    while (request != nullptr) {
      Request* const next = request->next;
      try {
        serve(*request);
      } catch (...) {
        request->error = std::current_exception();
      }
      request->done.set();  // from here on *request may be gone
      request = next;
    }
  }
}

inline void Supervisor::serve(Request& request) {
  if (request.what == Ask::kForkTemplate) {
    request.from = copy_into_template();
    return;
  }
  if (request.what == Ask::kEndTemplate) return end(*request.from);
  {
    const platform::RawGuard guard(lock_);
    children_.reserve(children_.size() + 1);  // before there is a process to forget
  }
  if (request.from) {
    request.child = template_child(request, request.from);
    if (!request.child) throw RuntimeError("multiprocessing: the process to fork from is gone");
  } else if (request.method == StartMethod::fork) {
    request.child = fork_child(request);
  } else if (request.method == StartMethod::spawn) {
    request.child = spawn_child(request);
  } else {
    request.child = forkserver_child(request);
  }
}

// ---- Starting ------------------------------------------------------------------------

inline void Supervisor::adopt(const nogil::detail::Ref<Child>& child) {
  if (child->template_pid() == 0) watch(child->pidfd(), child.get());
  const platform::RawGuard guard(lock_);
  children_.push_back(child);
}

inline platform::Fd open_pidfd(::pid_t pid) {
  platform::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd) return pidfd;
  const int error = errno;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  platform::throw_errno("watch a process", error);
}

inline nogil::detail::Ref<Child> Supervisor::fork_child(const Request& request) {
  const int me = ::getpid();
  const ::pid_t pid = ::fork();
  if (pid < 0) platform::throw_errno("fork a process");
  if (pid == 0) {
    die_with(me);
    std::vector<platform::Fd>& files = const_cast<Frame&>(*request.frame).files;  // this process's own copy
    InputArchive job(request.frame->bytes.data(), request.frame->bytes.size(), &files);
    run_job(job);
  }
  ProcessInfo info = request.info;
  info.pid = pid;
  nogil::detail::Ref<Child> child(new Child(std::move(info), open_pidfd(pid), 0, request.listener));
  adopt(child);
  return child;
}

inline ::sigset_t no_signals() noexcept {
  ::sigset_t none;
  ::sigemptyset(&none);
  return none;
}

inline nogil::detail::Ref<Child> Supervisor::spawn_child(const Request& request) {
  SocketPair sockets;
  ::sigset_t mask = no_signals();
  const ::pid_t pid = spawn_self(sockets, Role::kChild, mask);
  ProcessInfo info = request.info;
  info.pid = pid;
  nogil::detail::Ref<Child> child(new Child(std::move(info), open_pidfd(pid), 0, request.listener));
  if (!send_job(sockets.mine.get(), 0, *request.frame)) child->signal(SIGKILL);  // it is gone already, or will be
  adopt(child);
  return child;
}

// ---- Templates -----------------------------------------------------------------------

inline void Supervisor::adopt(const nogil::detail::Ref<Template>& what) {
  templates_.push_back(what);
  watch(what->socket(), what.get());
}

inline nogil::detail::Ref<Template> Supervisor::spawn_template() {
  SocketPair sockets;
  const ::pid_t pid = spawn_self(sockets, Role::kTemplate, no_signals());
  nogil::detail::Ref<Template> made(new Template(std::move(sockets.mine), pid));
  adopt(made);
  return made;
}

inline nogil::detail::Ref<Template> Supervisor::copy_into_template() {
  SocketPair sockets;
  const int me = ::getpid();
  const ::pid_t pid = ::fork();
  if (pid < 0) platform::throw_errno("fork a process");
  if (pid == 0) {
    sockets.mine.reset();
    TemplateProcess::serve(std::move(sockets.theirs), me);
  }
  nogil::detail::Ref<Template> made(new Template(std::move(sockets.mine), pid));
  adopt(made);
  return made;
}

// Null: the template is gone, and the job has not begun.
inline nogil::detail::Ref<Child> Supervisor::template_child(const Request& request,
                                                            const nogil::detail::Ref<Template>& from) {
  if (from->ended()) return {};
  const std::uint64_t id = ++last_job_;
  const auto answers = [&from] {
    ::pollfd question{from->socket(), POLLIN, 0};
    return ::poll(&question, 1, kPatience) > 0;
  };
  Report report{};
  std::vector<platform::Fd> files;
  bool answered = send_job(from->socket(), id, *request.frame);
  while (answered) {
    files.clear();
    answered = answers() && receive_packet(from->socket(), report, &files);
    if (answered && report.id == id) break;
    if (answered) take_report(*from, report);
  }
  if (!answered) {
    end(*from);
    return {};
  }
  if (report.kind == Report::kNotStarted) platform::throw_errno("fork a process", report.status);
  if (report.kind != Report::kStarted || files.empty()) {
    throw RuntimeError("multiprocessing: the process ended before its work began");
  }
  ProcessInfo info = request.info;
  info.pid = report.pid;
  nogil::detail::Ref<Child> child(new Child(std::move(info), std::move(files.front()), from->pid(), request.listener));
  adopt(child);
  return child;
}

inline nogil::detail::Ref<Child> Supervisor::forkserver_child(const Request& request) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!forkserver_ || forkserver_->ended()) forkserver_ = spawn_template();
    nogil::detail::Ref<Child> child = template_child(request, nogil::detail::Ref<Template>(forkserver_));
    if (child) return child;
  }
  throw RuntimeError(
      "multiprocessing: the template process ended at once, or did not come to freeze_support() in its main()");
}

// ---- Ending --------------------------------------------------------------------------

inline void Supervisor::finish(Child& child, int exitcode) noexcept {
  nogil::detail::Ref<Child> kept;  // let go without the lock
  {
    const platform::RawGuard guard(lock_);
    for (auto& one : children_) {
      if (one.get() != &child) continue;
      kept = std::move(one);
      one = std::move(children_.back());
      children_.pop_back();
      break;
    }
  }
  child.finish(exitcode);
}

inline void Supervisor::see_end(Child& child) {
  int status = 0;
  ::pid_t ended;
  do {
    ended = ::waitpid(child.info().pid, &status, WNOHANG);
  } while (ended < 0 && errno == EINTR);
  if (ended == 0) return;
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, child.pidfd(), nullptr);
  finish(child, ended > 0 ? Child::code_of(status) : Child::kUnknown);
}

inline void Supervisor::take_report(const Template& from, const Report& report) noexcept {
  if (report.kind != Report::kEnded) return;
  for (const auto& child : children_) {
    if (child->template_pid() != from.pid() || child->info().pid != report.pid) continue;
    finish(*child, Child::code_of(report.status));
    return;
  }
}

inline void Supervisor::hear(Template& what) noexcept {
  if (what.ended()) return;
  Report report;
  std::vector<platform::Fd> files;
  while (receive_packet(what.socket(), report, &files, MSG_DONTWAIT)) take_report(what, report);
  if (errno != EAGAIN && errno != EINTR) end(what);
}

// The kernel ends its children with it.
inline void Supervisor::end(Template& what) noexcept {
  if (what.ended()) return;
  ::kill(what.pid(), SIGKILL);
  ::waitpid(what.pid(), nullptr, 0);
  what.end();
  for (std::size_t i = children_.size(); i > 0; --i) {
    const nogil::detail::Ref<Child> child = children_[i - 1];
    if (child->template_pid() != what.pid()) continue;
    ::pollfd question{child->pidfd(), POLLIN, 0};
    ::poll(&question, 1, kPatience);  // it ends a moment later
    finish(*child, -SIGKILL);
  }
  std::erase_if(templates_, [&what](const auto& one) { return one.get() == &what; });  // the last step: it may be gone
}

}  // namespace nogil::multiprocessing::detail
