// nogil/multiprocessing/detail/supervisor_templates.hpp -- the supervisor and the processes that it forks others from.
//
// The rest of supervisor.hpp. A request that needs a template is sent to it, and done when the
// template answers: nobody else waits for that.

#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/supervisor.hpp"

namespace nogil::multiprocessing::detail {

// ---- Starting ------------------------------------------------------------------------

inline void Supervisor::adopt(const nogil::detail::Ref<Template>& what) {
  templates_.push_back(what);
  watch(what->socket(), what.get());
}

inline nogil::detail::Ref<Template> Supervisor::spawn_template() {
  SocketPair sockets;
  const ::pid_t pid = spawn_self(sockets, Role::kTemplate);
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

// The request is done later, by its template's answer. Throws if there is none to ask.
inline void Supervisor::ask_template(const RequestRef& request) {
  nogil::detail::Ref<Template> from = request->from_;
  if (from) {
    if (from->ended()) throw RuntimeError("multiprocessing: the process to fork from is gone");
  } else {
    if (request->attempts_ == kMostAttempts) {
      throw RuntimeError(
          "multiprocessing: the template process ended at once, or did not come to freeze_support() in its main()");
    }
    if (!forkserver_ || forkserver_->ended()) forkserver_ = spawn_template();
    from = forkserver_;
  }
  ++request->attempts_;
  asked_.push_back(request);
  request->asked_ = from;
  send_next(from);
}

// One at a time: so a template that does not read has one message to read, not many.
inline void Supervisor::send_next(const nogil::detail::Ref<Template>& to) noexcept {
  for (std::size_t i = 0; i < asked_.size();) {
    const RequestRef request = asked_[i];
    if (request->asked_.get() != to.get()) {
      ++i;
      continue;
    }
    if (request->job_ != 0) return;
    try {
      make_room_for_child();
      request->job_ = ++last_job_;
      request->deadline_ = now_ms() + g_template_patience.load();
      if (!send_job(to->socket(), request->job_, request->frame_)) end(*to);
      return;
    } catch (...) {
      request->error_ = std::current_exception();
      conclude(*request);
    }
  }
}

// It waits for no template any more.
inline void Supervisor::conclude(Request& request) noexcept {
  RequestRef kept;  // until it is finished
  for (auto& one : asked_) {
    if (one.get() == &request) kept = std::move(one);
  }
  std::erase_if(asked_, [](const RequestRef& one) { return !one; });
  request.asked_ = {};
  request.finish();
}

inline int Supervisor::until_impatient() const noexcept {
  std::int64_t first = -1;
  const auto consider = [&first](std::int64_t deadline) {
    if (first < 0 || deadline < first) first = deadline;
  };
  for (const RequestRef& request : asked_) {
    if (request->job_ != 0) consider(request->deadline_);
  }
  for (const Unreported& one : unreported_) consider(one.deadline);
  if (!children_.empty()) consider(last_look_ + g_template_patience.load());
  if (first < 0) return -1;
  const std::int64_t left = first - now_ms();
  return left > 0 ? static_cast<int>(left) : 0;
}

inline void Supervisor::lose_patience() noexcept {
  const std::int64_t now = now_ms();
  for (const RequestRef& request : asked_) {
    if (request->job_ == 0 || now < request->deadline_) continue;
    const nogil::detail::Ref<Template> late = request->asked_;
    return end(*late);  // asked_ is another list now; the next turn sees the rest
  }
  for (const Unreported& one : unreported_) {
    if (now < one.deadline) continue;
    for (const auto& its : templates_) {
      if (its->pid() != one.child->template_pid()) continue;
      const nogil::detail::Ref<Template> late = its;
      return end(*late);
    }
  }
}

// What the template says of the job that was sent to it last.
inline void Supervisor::take_answer(Request& request, const Report& report, std::vector<platform::Fd>& files) {
  try {
    if (report.kind == Report::kNotStarted) platform::throw_errno("fork a process", report.status);
    if (report.kind != Report::kStarted || files.empty()) {
      throw RuntimeError("multiprocessing: the process ended before its work began");
    }
    ProcessInfo info = request.info_;
    info.pid = report.pid;
    nogil::detail::Ref<Child> child(
        new Child(std::move(info), std::move(files.front()), request.asked_->pid(), request.listener_));
    try {
      adopt(child);
    } catch (...) {
      child->signal(SIGKILL);  // nobody would see its end
      throw;
    }
    request.child_ = std::move(child);
  } catch (...) {
    request.error_ = std::current_exception();
  }
  conclude(request);
}

// ---- Ending --------------------------------------------------------------------------

inline void Supervisor::take_report(const Template& from, const Report& report,
                                    std::vector<platform::Fd>& files) noexcept {
  for (const RequestRef& request : asked_) {
    if (request->job_ != 0 && request->job_ == report.id) return take_answer(*request, report, files);
  }
  if (report.kind != Report::kEnded) return;
  for (const auto& child : children_) {
    if (child->template_pid() != from.pid() || child->info().pid != report.pid) continue;
    finish(*child, Child::code_of(report.status));
    return;
  }
}

inline void Supervisor::hear(Template& what) noexcept {
  if (what.ended()) return;
  for (;;) {
    Report report{};
    std::vector<platform::Fd> files;
    if (!receive_packet(what.socket(), report, &files, MSG_DONTWAIT)) {
      if (errno != EBADMSG || report.kind != Report::kStarted || report.pid <= 0) break;
      ::kill(report.pid, SIGKILL);  // nobody could watch it: this process has no number left for its pidfd
      report.kind = Report::kNotStarted;
      report.status = EMFILE;
    }
    take_report(what, report, files);
  }
  if (errno != EAGAIN && errno != EINTR) return end(what);
  what.add_owner();
  send_next(nogil::detail::Ref<Template>(&what));
}

// Now and then: an event for each end would take a tenth of what a process costs.
inline void Supervisor::look_for_the_unreported() {
  const std::int64_t now = now_ms();
  if (now < last_look_ + g_template_patience.load()) return;
  last_look_ = now;
  for (const auto& child : children_) {
    ::pollfd question{child->pidfd(), POLLIN, 0};
    const bool ended = child->template_pid() != 0 && ::poll(&question, 1, 0) > 0;
    bool known = false;
    for (const Unreported& one : unreported_) known = known || one.child.get() == child.get();
    if (ended && !known) unreported_.push_back({child, now + g_template_patience.load()});
  }
}

// The kernel ends its children with it.
inline void Supervisor::end(Template& what) noexcept {
  if (what.ended()) return;
  what.add_owner();
  const nogil::detail::Ref<Template> kept(&what);
  ::kill(what.pid(), SIGKILL);
  int status = 0;
  ::waitpid(what.pid(), &status, 0);
  const bool hopeless = WIFEXITED(status) && WEXITSTATUS(status) == kUnclaimed;  // another would do the same
  // What was said before, to the end of the socket: a job that has begun must not begin again.
  for (::pollfd question{what.socket(), POLLIN, 0}; ::poll(&question, 1, kLastWords) > 0;) {
    Report report;
    std::vector<platform::Fd> files;
    if (!receive_packet(what.socket(), report, &files)) break;
    take_report(what, report, files);
  }
  what.end();
  std::erase_if(templates_, [&what](const auto& one) { return one.get() == &what; });
  see_children_end(what);
  std::vector<RequestRef> others;
  std::vector<RequestRef> in_vain;
  for (RequestRef& request : asked_) (request->asked_.get() == &what ? in_vain : others).push_back(std::move(request));
  asked_ = std::move(others);
  for (const RequestRef& request : in_vain) {
    request->asked_ = {};
    request->job_ = 0;
    if (hopeless) request->attempts_ = kMostAttempts;
    try {
      ask_template(request);
    } catch (...) {
      request->error_ = std::current_exception();
    }
    if (!request->asked_ && !request->done()) request->finish();
  }
}

inline void Supervisor::see_children_end(const Template& of) noexcept {
  for (std::size_t i = children_.size(); i > 0; --i) {
    const nogil::detail::Ref<Child> child = children_[i - 1];
    if (child->template_pid() != of.pid()) continue;
    ::pollfd question{child->pidfd(), POLLIN, 0};
    ::poll(&question, 1, static_cast<int>(g_template_patience.load()));  // it ends a moment later
    finish(*child, -SIGKILL);
  }
}

}  // namespace nogil::multiprocessing::detail
