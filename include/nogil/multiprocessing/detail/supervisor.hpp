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
#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/multiprocessing/detail/handshake.hpp"
#include "nogil/multiprocessing/detail/module.hpp"
#include "nogil/multiprocessing/detail/own_thread.hpp"
#include "nogil/multiprocessing/detail/template_process.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/platform/own_threads.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::multiprocessing::detail {

class Supervisor {
 public:
  // This process's; made when it is first asked for, and never destroyed.
  static Supervisor& here();

  class Request;
  using RequestRef = nogil::detail::Ref<Request>;

  // Starts a process that runs the job (a JobHead and a call) in `frame`. Waits until it is
  // there. Throws RuntimeError if the method cannot be used, or the template is gone;
  // std::system_error if the system refuses.
  nogil::detail::Ref<Child> start(StartMethod method, ProcessInfo info, Frame frame) {
    return begin(method, std::move(info), std::move(frame), {}, {})->child();
  }

  // The same without waiting: `listener` is told when the request is done, and when the process
  // has ended. `from`: forks that, whatever the method says.
  RequestRef begin(StartMethod method, ProcessInfo info, Frame frame, nogil::detail::Ref<Child::Listener> listener,
                   nogil::detail::Ref<Template> from) {
    if (!from) require_method(method);
    RequestRef request(new Request(Request::Ask::kStart));
    request->method_ = method;
    request->info_ = std::move(info);
    request->frame_ = std::move(frame);
    request->listener_ = std::move(listener);
    request->from_ = std::move(from);
    return ask(std::move(request));
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
    return ask(RequestRef(new Request(Request::Ask::kForkTemplate)))->from();
  }

  // Ends it, and what was started from it.
  void end_template(nogil::detail::Ref<Template> what) {
    RequestRef request(new Request(Request::Ask::kEndTemplate));
    request->from_ = std::move(what);
    ask(std::move(request))->wait();
  }

  // What was asked for. Written by the supervisor until it is done().
  class Request : public nogil::detail::Counted {
   public:
    bool done() const noexcept { return done_.is_set(); }

    // These wait until it is done. They throw what the supervisor met with.
    nogil::detail::Ref<Child> child() { return wait().child_; }
    nogil::detail::Ref<Template> from() { return wait().from_; }
    Request& wait() {
      platform::Wait forever;
      if (!done()) done_.wait_slow(forever);
      if (error_ != nullptr) std::rethrow_exception(error_);
      return *this;
    }

   private:
    friend class Supervisor;
    enum class Ask { kStart, kForkTemplate, kEndTemplate };

    explicit Request(Ask what) noexcept : what_(what) {}

    void finish() noexcept {
      frame_ = Frame();
      const nogil::detail::Ref<Child::Listener> listener = std::move(listener_);
      done_.set();
      if (listener) listener->told();
    }

    const Ask what_;
    StartMethod method_ = StartMethod::fork;
    ProcessInfo info_{};
    Frame frame_{};
    nogil::detail::Ref<Child::Listener> listener_{};
    nogil::detail::Ref<Template> from_{};  // for kStart, or none: by the method; and the answer to kForkTemplate
    nogil::detail::Ref<Child> child_{};
    std::exception_ptr error_{};
    nogil::detail::EventCore<platform::Native> done_;

    // Of one that waits for a template:
    nogil::detail::Ref<Template> asked_{};
    std::uint64_t job_ = 0;      // 0: not sent yet, as another one has its turn
    std::int64_t deadline_ = 0;  // when it was sent: the end of the supervisor's patience, in ms
    int attempts_ = 0;
  };

 private:
  RequestRef ask(RequestRef request) {
    {
      const platform::RawGuard guard(lock_);
      requests_.push_back(request);
    }
    const std::uint64_t one = 1;
    while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    return request;
  }

  Supervisor();

  static void* run(void* self) noexcept {
    const platform::OwnThread counted;
    static_cast<Supervisor*>(self)->loop();
    return nullptr;
  }
  [[noreturn]] void loop() noexcept;

  void serve(const RequestRef& request);
  void serve_all();
  nogil::detail::Ref<Child> fork_child(Request& request);
  nogil::detail::Ref<Child> spawn_child(const Request& request);
  void ask_template(const RequestRef& request);
  void send_next(const nogil::detail::Ref<Template>& to) noexcept;
  void conclude(Request& request) noexcept;
  void take_answer(Request& request, const Report& report, std::vector<platform::Fd>& files);
  int until_impatient() const noexcept;
  void lose_patience() noexcept;

  void make_room_for_child();
  void adopt(const nogil::detail::Ref<Child>& child);
  void see_end(Child& child);
  void look_for_the_unreported();
  void finish(Child& child, int exitcode) noexcept;
  nogil::detail::Ref<Template> spawn_template();
  nogil::detail::Ref<Template> copy_into_template();
  void adopt(const nogil::detail::Ref<Template>& what);
  void hear(Template& what) noexcept;
  void take_report(const Template& from, const Report& report, std::vector<platform::Fd>& files) noexcept;
  void see_children_end(const Template& of) noexcept;
  void end(Template& what) noexcept;
  void watch(int fd, Watched* who) const;

  static void forget_after_fork() noexcept;

  // Before main(): see platform/thread_id.hpp.
  static inline const int s_at_fork = ::pthread_atfork(nullptr, nullptr, forget_after_fork);

  static constexpr int kLastWords = 1000;  // ms, for what a dead template's child says to arrive
  static constexpr int kMostAttempts = 2;  // to have a process from a template
  static std::int64_t now_ms() noexcept { return Crowd::clock() / 1'000'000; }

  platform::RawLock lock_;
  std::vector<RequestRef> requests_;                 // guarded by lock_
  std::vector<nogil::detail::Ref<Child>> children_;  // written by the supervisor, with lock_
  platform::Fd wake_;
  platform::Fd poll_;
  std::vector<nogil::detail::Ref<Template>> templates_;
  nogil::detail::Ref<Template> forkserver_;  // one of them: for the method of that name; or none yet
  std::vector<RequestRef> asked_;            // wait for a template, each one's in order; one is sent at a time
  std::uint64_t last_job_ = 0;

  // Has ended, and its template has not said so yet.
  struct Unreported {
    nogil::detail::Ref<Child> child;
    std::int64_t deadline;
  };
  std::vector<Unreported> unreported_;
  std::int64_t last_look_ = 0;  // for such children
};

// How long a template may take to answer, and to say that a child has ended, in ms: one that is
// stopped never does. Others are served meanwhile. Tests make it shorter.
[[gnu::visibility("default")]] inline constinit std::atomic<std::int64_t> g_template_patience{60'000};

[[gnu::visibility("default")]] inline constinit std::atomic<Supervisor*> g_supervisor{nullptr};
[[gnu::visibility("default")]] inline constinit platform::RawLock g_supervisor_lock;

inline Supervisor& Supervisor::here() {
  if (Supervisor* const found = g_supervisor.load(std::memory_order_acquire)) return *found;
  const platform::RawGuard guard(g_supervisor_lock);
  if (g_supervisor.load(std::memory_order_relaxed) == nullptr) {
    g_supervisor.store(new Supervisor, std::memory_order_release);
  }
  return *g_supervisor.load(std::memory_order_relaxed);
}

// The parent's supervisor stays in memory, unused: its children's handles may be asked for.
inline void Supervisor::forget_after_fork() noexcept {
  g_supervisor_lock.reset_after_fork();
  g_own_threads.store(0, std::memory_order_relaxed);
  platform::t_own_thread = false;  // whoever it was, it is the child's first thread
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
  module_of(reinterpret_cast<const void*>(&Supervisor::run));  // which stays loaded: the thread never ends
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
    const int count = ::epoll_wait(poll_.get(), events, 16, until_impatient());
    bool asked = false;
    for (int i = 0; i < count; ++i) {
      auto* const who = static_cast<Watched*>(events[i].data.ptr);
      if (who == nullptr) asked = true;
      else if (who->template_process()) hear(static_cast<Template&>(*who));
      else see_end(static_cast<Child&>(*who));
    }
    if (!children_.empty()) look_for_the_unreported();
    if (!asked_.empty() || !unreported_.empty()) lose_patience();
    if (asked) serve_all();
  }
}

inline void Supervisor::serve_all() {
  std::uint64_t times;
  while (::read(wake_.get(), &times, sizeof times) < 0 && errno == EINTR) {
  }
  std::vector<RequestRef> requests;
  {
    const platform::RawGuard guard(lock_);
    requests.swap(requests_);
  }
  for (const RequestRef& request : requests) {
    try {
      serve(request);
    } catch (...) {
      request->error_ = std::current_exception();
    }
    if (!request->asked_ && !request->done()) request->finish();  // else its template will answer, or is gone
  }
}

inline void Supervisor::serve(const RequestRef& asked) {
  Request& request = *asked;
  if (request.what_ == Request::Ask::kForkTemplate) {
    request.from_ = copy_into_template();
  } else if (request.what_ == Request::Ask::kEndTemplate) {
    end(*request.from_);
  } else if (request.from_ || request.method_ == StartMethod::forkserver) {
    ask_template(asked);
  } else if (request.method_ == StartMethod::fork) {
    request.child_ = fork_child(request);
  } else {
    request.child_ = spawn_child(request);
  }
}

// ---- Starting ------------------------------------------------------------------------

inline void Supervisor::adopt(const nogil::detail::Ref<Child>& child) {
  if (child->template_pid() == 0) watch(child->pidfd(), child.get());
  if (children_.empty()) last_look_ = now_ms();
  const platform::RawGuard guard(lock_);
  children_.push_back(child);
}

// Before there is a process to forget.
inline void Supervisor::make_room_for_child() {
  const std::size_t count = children_.size() + asked_.size() + 1;
  unreported_.reserve(count);
  const platform::RawGuard guard(lock_);
  children_.reserve(count);
}

inline platform::Fd open_pidfd(::pid_t pid) {
  platform::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd) return pidfd;
  const int error = errno;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  platform::throw_errno("watch a process", error);
}

inline nogil::detail::Ref<Child> Supervisor::fork_child(Request& request) {
  make_room_for_child();
  const int me = ::getpid();
  const ::pid_t pid = ::fork();
  if (pid < 0) platform::throw_errno("fork a process");
  if (pid == 0) {
    die_with(me);
    InputArchive job(request.frame_.bytes.data(), request.frame_.bytes.size(), &request.frame_.files);
    run_job(job);
  }
  ProcessInfo info = request.info_;
  info.pid = pid;
  nogil::detail::Ref<Child> child(new Child(std::move(info), open_pidfd(pid), 0, request.listener_));
  adopt(child);
  return child;
}

inline nogil::detail::Ref<Child> Supervisor::spawn_child(const Request& request) {
  make_room_for_child();
  SocketPair sockets;
  const ::pid_t pid = spawn_self(sockets, Role::kChild);
  ProcessInfo info = request.info_;
  info.pid = pid;
  nogil::detail::Ref<Child> child(new Child(std::move(info), open_pidfd(pid), 0, request.listener_));
  try {
    if (!send_job(sockets.mine.get(), 0, request.frame_)) child->signal(SIGKILL);  // it is gone already, or will be
    adopt(child);
  } catch (...) {
    child->signal(SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw;
  }
  return child;
}

// ---- Ending --------------------------------------------------------------------------

inline void Supervisor::finish(Child& child, int exitcode) noexcept {
  if (!unreported_.empty()) {
    std::erase_if(unreported_, [&child](const Unreported& one) { return one.child.get() == &child; });
  }
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

}  // namespace nogil::multiprocessing::detail

#include "nogil/multiprocessing/detail/supervisor_templates.hpp"
