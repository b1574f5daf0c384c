// nogil/asyncio/detail/loop_core.hpp -- the loop that everything of asyncio runs on.
//
// One round, run_once():
//
//   1  if nothing is ready: sleep until a descriptor, a timer or another thread has
//      something. Else look at the descriptors now and then, and not at all if there are none
//   2  take what other threads have posted
//   3  make ready what the timers say
//   4  run as many nodes as are ready now: what they make ready is for the next round
//
// This is CPython's BaseEventLoop._run_once, and so is the order in which things happen.
//
// Threads    Everything by the thread in which the loop runs, but for post() and stop().

#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nogil/asyncio/detail/frame_pool.hpp"
#include "nogil/asyncio/detail/inbox.hpp"
#include "nogil/asyncio/detail/reactor.hpp"
#include "nogil/asyncio/detail/ready.hpp"
#include "nogil/asyncio/detail/timer_heap.hpp"
#include "nogil/platform/block_hook.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::asyncio::detail {

class LoopCore;
class TaskBase;

// What runs in this thread.
struct Here {
  LoopCore* loop = nullptr;        // null: no loop runs
  TaskBase* task = nullptr;        // whose step this is; null in a callback
  std::coroutine_handle<> next{};  // to be resumed when the one that runs has returned to step()
  bool finished = false;           // the task's outermost coroutine has ended in this step
};

[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local Here t_here;

// Base of what LoopCore::service() makes: from the loop.
//
// Without virtual functions: a compiler that optimizes prepares all that a virtual call could
// reach, and what ends a loop would reach the thread pool, streams and subprocesses in each
// file of a program that only sleeps.
class LoopService {
 public:
  LoopService() = default;
  LoopService(const LoopService&) = delete;
  LoopService& operator=(const LoopService&) = delete;

 protected:
  ~LoopService() = default;

 private:
  friend class LoopCore;

  const void* kind_ = nullptr;
  void (*destroy_)(LoopService& self) noexcept = nullptr;
  LoopService* older_ = nullptr;
};

// Has an address for each S.
template <class S>
[[gnu::visibility("default")]] inline constinit char g_service_kind = 0;

class LoopCore {
 public:
  explicit LoopCore(Reactor& reactor) : reactor_(reactor), inbox_(reactor) {}
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;

  // ---- What is ready ------------------------------------------------------------------

  // A node that is nowhere: run after all that are ready now.
  void push(Ready& node) noexcept { ring_.push(node); }

  // ---- Timers ---------------------------------------------------------------------------

  Moment now() noexcept { return reactor_.now(); }

  // Made ready at that moment; not at all if it is kNever. Throws std::bad_alloc.
  void start_timer(Timer& timer, Moment when) {
    timer.when = when;
    if (when != kNever) timers_.push(timer);
  }

  // Takes a node from wherever it is: it will not run.
  void withdraw(Ready& node) noexcept {
    if (node.place == Ready::Place::kRing) ring_.remove(node);
  }
  void withdraw(Timer& timer) noexcept {
    if (timer.place == Ready::Place::kHeap) timers_.remove(timer);
    else if (timer.place == Ready::Place::kRing) ring_.remove(timer);
  }

  // ---- Descriptors ----------------------------------------------------------------------

  void watch(int fd, Events events, Watch& watch) {
    reactor_.add(fd, events, watch);
    ++watches_;
  }
  void rewatch(int fd, Events events, Watch& watch) { reactor_.modify(fd, events, watch); }

  // Before the descriptor is closed.
  void unwatch(int fd) noexcept {
    reactor_.remove(fd);
    --watches_;
  }

  // ---- From other threads ---------------------------------------------------------------

  void post(Posted& item) noexcept { inbox_.post(item); }

  // Takes what was posted, as each round does.
  void receive() noexcept { inbox_.deliver_all(); }

  // Ends run_forever() after this round.
  void stop() noexcept {
    stopping_.store(true, std::memory_order_seq_cst);
    inbox_.interrupt();
  }

  // ---- Tasks ----------------------------------------------------------------------------

  // Those that are not done, oldest first; each is an owner of its state as long.
  void enlist(TaskBase& task) noexcept;
  void delist(TaskBase& task) noexcept;
  TaskBase* first_task() const noexcept { return first_task_; }
  std::size_t task_count() const noexcept { return task_count_; }
  std::uint32_t next_task_number() noexcept { return ++last_task_number_; }  // they may wrap
  std::uint32_t last_task_number() const noexcept { return last_task_number_; }

  // ---- Services -------------------------------------------------------------------------

  // The loop's only S, made by the first call: what some part of asyncio keeps for a loop.
  // Destroyed when the loop's tasks are done, the youngest first.
  template <class S>
  S& service();

  // ---- Run ------------------------------------------------------------------------------

  // Rounds until stop(). Throws RuntimeError if a loop runs in this thread, or this one elsewhere.
  void run_forever() {
    const Running running(*this);
    for (bool stopped = false; !stopped;) {
      run_once();
      stopped = stopping_.load(std::memory_order_relaxed);
    }
    stopping_.store(false, std::memory_order_relaxed);
  }

  // In this round, by the loop itself.
  void stop_here() noexcept { stopping_.store(true, std::memory_order_relaxed); }

  bool running() const noexcept { return running_.load(std::memory_order_relaxed); }

  // ---- Debug ----------------------------------------------------------------------------

  bool debug() const noexcept { return debug_; }
  void set_debug(bool on) noexcept {
    debug_ = on;
    if (t_here.loop == this) platform::t_before_sleep = on ? before_sleep_ : nullptr;
  }

  // In debug mode, throws RuntimeError in a thread that is not the one in which it runs.
  void check_thread() const {
    if (debug_ && running() && t_here.loop != this) [[unlikely]] {
      throw RuntimeError(
          "Non-thread-safe operation invoked on an event loop other than the current one: use call_soon_threadsafe()");
    }
  }

 protected:
  ~LoopCore() { end_services(); }

  // Destroys a task where it waits.
  static void abandon(TaskBase& task) noexcept;

  void end_services() noexcept {
    while (LoopService* const youngest = services_) {
      services_ = youngest->older_;
      youngest->destroy_(*youngest);
    }
  }

  // Takes out whatever is in the ring and the heap, and gives it to visit(Ready&).
  template <class Visit>
  void empty_out(Visit visit) noexcept {
    receive();
    while (!timers_.empty()) visit(timers_.pop());
    while (!ring_.empty()) {
      if (Ready* const node = ring_.pop()) visit(*node);
    }
  }

  void run_once() {
    if (ring_.size() == 0 || watches_ != 0 || !timers_.empty() || !inbox_.empty()) look_around();
    const std::size_t count = ring_.size();
    since_look_ += count;
    for (std::size_t i = 0; i < count; ++i) {
      Ready* const node = ring_.pop();
      if (node == nullptr) continue;
      if (!debug_) [[likely]]
        node->run(*node);
      else run_watched(*node);
    }
  }

 private:
  // For so long this is the thread's loop.
  class Running {
   public:
    explicit Running(LoopCore& loop) : loop_(loop) {
      if (t_here.loop != nullptr) throw RuntimeError("Cannot run the event loop while another loop is running");
      if (loop.running_.exchange(true, std::memory_order_acquire)) {
        throw RuntimeError("This event loop is already running");
      }
      t_here.loop = &loop;
      t_frame_pool = &loop.pool_;
      if (loop.debug_) platform::t_before_sleep = loop.before_sleep_;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
      platform::t_before_sleep = nullptr;
      t_frame_pool = nullptr;
      t_here.loop = nullptr;
      loop_.running_.store(false, std::memory_order_release);
    }

   private:
    LoopCore& loop_;
    const platform::TraceSpan life_{platform::TraceKind::kThread, "loop"};
  };

  // The first three steps of a round. Apart, so that a round in which tasks only wake each
  // other is short.
  [[gnu::noinline]] void look_around() {
    if (ring_.size() == 0) {
      const Moment until = timers_.empty() ? kNever : timers_.first();
      inbox_.sleep(until, [this] { return stopping_.load(std::memory_order_seq_cst); });
    } else if (watches_ != 0 && since_look_ >= kLookEvery) {
      since_look_ = 0;
      reactor_.wait(0);
    }
    receive();
    if (timers_.empty()) return;
    const Moment now = reactor_.now();
    while (!timers_.empty() && timers_.first() <= now) ring_.push(timers_.pop());
  }

  static constexpr std::size_t kLookEvery = 61;  // nodes between two looks at the descriptors

  FramePool pool_;
  Reactor& reactor_;
  ReadyRing ring_;
  TimerHeap timers_;
  std::size_t watches_ = 0;
  std::size_t since_look_ = 0;
  LoopService* services_ = nullptr;  // the youngest
  TaskBase* first_task_ = nullptr;
  TaskBase* last_task_ = nullptr;
  std::size_t task_count_ = 0;
  std::uint32_t last_task_number_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> running_{false};

  bool debug_ = false;

  void run_watched(Ready& node) noexcept;

 protected:
  std::int64_t slow_ = 100'000'000;            // callbacks that take longer are reported, in nanoseconds
  void (*before_sleep_)() noexcept = nullptr;  // for platform::t_before_sleep

  Inbox inbox_;  // last, so that it is destroyed first
};

template <class S>
S& LoopCore::service() {
  for (LoopService* known = services_; known != nullptr; known = known->older_) {
    if (known->kind_ == &g_service_kind<S>) return static_cast<S&>(*known);
  }
  S* const made = new S(*this);
  LoopService& service = *made;
  service.kind_ = &g_service_kind<S>;
  service.destroy_ = [](LoopService& self) noexcept { delete static_cast<S*>(&self); };
  service.older_ = services_;
  services_ = &service;
  return *made;
}

// The loop that runs in this thread. Throws RuntimeError if there is none.
inline LoopCore& running_loop() {
  if (t_here.loop == nullptr) [[unlikely]]
    throw RuntimeError("no running event loop");
  return *t_here.loop;
}

}  // namespace nogil::asyncio::detail
