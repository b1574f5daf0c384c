// nogil/threading/detail/thread_state.hpp -- what a Thread and its running thread share.
//
// Lives as long as the Thread object, the running thread, or a call of join() needs it:
// so a Thread can be moved while it runs, and a daemon can outlive it.

#pragma once

#include <cxxabi.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/bound_method.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/platform/trace_point.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil {

class Thread;

namespace detail {

struct ThreadOptions {
  std::string name = {};       // empty: "Thread-N"
  bool daemon = false;         // may outlive its Thread object, and main()
  std::size_t stack_size = 0;  // in bytes, rounded up to whole pages; 0: the system's default
};

[[gnu::visibility("default")]] inline constinit std::atomic<std::uint64_t> g_thread_names{0};

class ThreadState : public Counted {
 public:
  // Throws ValueError if the stack is too small.
  explicit ThreadState(ThreadOptions options);

  // Runs run_target(), or the bound run() of `object`, in a new thread, and returns when
  // that is about to begin. Throws RuntimeError, and changes nothing, if it was started
  // before or the system refuses.
  void start(platform::BoundMethod<Thread> bound_run, Thread* object);

  // Waits for the end of the thread, destructors of its thread_locals included, and frees
  // what the system keeps of it. False: the limit came first.
  template <class... Limits>
  bool join(const Limits&... limits) {
    if (phase_.load(std::memory_order_acquire) < kRunning) {
      throw RuntimeError(
          (platform::Text() << "Thread.join: cannot join thread '" << name() << "' before it is started").take());
    }
    if (is_current())
      throw RuntimeError((platform::Text() << "Thread.join: thread '" << name() << "' cannot join itself").take());
    if (!finished()) notice_fork();
    const auto wait_for_end = [this](platform::Wait& wait) { return wait_finished(wait); };
    if (!finished() && !wait_within(wait_for_end, limits...)) return false;
    reap();
    return true;
  }

  // The Thread object goes. Unless a daemon, the thread is stopped and waited for.
  void abandon();

  bool is_alive() const noexcept { return phase_.load(std::memory_order_acquire) == kRunning; }
  bool is_current() const noexcept;
  bool daemon() const noexcept { return daemon_; }
  std::uint32_t ident() const noexcept { return ident_.load(std::memory_order_relaxed); }
  int native_id() const noexcept { return native_id_.load(std::memory_order_relaxed); }
  std::string name() const;
  void set_name(std::string name);
  std::exception_ptr exception() const {
    return failed_.load(std::memory_order_acquire) ? exception_ : std::exception_ptr();
  }
  std::stop_source& stop_source() noexcept { return stop_; }

  // Calls what the Thread was made with, if anything, once, and destroys it.
  virtual void run_target() {}
  virtual void drop_target() noexcept {}

 private:
  // phase_ is the word that start() and join() sleep on. A start that is refused goes back
  // to kNew; otherwise it only rises. kFinished is set when the thread has left the
  // registry, after the destructors of its thread_locals; only the kernel has work left.
  enum Phase : std::uint32_t { kNew, kStarting, kRunning, kFinished };

  // The system wants exactly one pthread_join or pthread_detach. Whoever takes reaper_ from
  // kUnclaimed to its own number does it; other joiners sleep on the word until kReaped.
  // Daemons are born detached: at the end of the program nobody is there to join them.
  enum Reaper : std::uint32_t { kUnclaimed = 0, kReaped = std::uint32_t{1} << 31 };

  bool finished() const noexcept { return phase_.load(std::memory_order_acquire) == kFinished; }
  bool wait_finished(platform::Wait& wait) noexcept;
  void notice_fork() noexcept;
  void reap();
  void detach() noexcept;  // by itself

  template <class Attempt>
  static bool wait_within(Attempt attempt) {
    platform::Wait forever;
    return attempt(forever);
  }
  template <class Attempt, class... Limits>
  static bool wait_within(Attempt attempt, const Limits&... limits) {
    return platform::within(attempt, limits...);
  }

  // In the new thread.
  static void* thread_main(void* state);
  static void at_end(void* state, bool forked_away) noexcept;
  void enroll();
  void work();

  bool claim_start() noexcept;
  int create() noexcept;
  static void name_for_system(::pthread_t thread, const std::string& name) noexcept;

  std::atomic<std::uint32_t> phase_{kNew};
  std::atomic<std::uint32_t> reaper_;
  std::atomic<std::uint32_t> ident_{0};
  std::atomic<int> native_id_{0};
  std::atomic<bool> failed_{false};  // exception_ is there, for good
  const bool daemon_;
  std::size_t stack_size_;
  ::pthread_t handle_{};             // written before kRunning
  std::atomic<::pid_t> process_{0};  // that it was started in, the last time
  bool counted_ = false;             // as an owner, by start()
  std::string name_;                 // guarded by platform::g_threads.lock()
  std::exception_ptr exception_;
  std::stop_source stop_;
  platform::BoundMethod<Thread> run_ = nullptr;  // with object_: an overridden run(); else run_target()
  Thread* object_ = nullptr;
  ThreadState* next_lost_ = nullptr;

  // Threads that were running when this process was forked off: their states can never
  // be deleted, as their callables look as if they still ran. Listed for leak checkers.
  static inline constinit ThreadState* lost_ = nullptr;
};

// ---- With a target -----------------------------------------------------------------

template <class Target>
class ThreadStateOf final : public ThreadState {
 public:
  template <class... Parts>
  explicit ThreadStateOf(ThreadOptions options, Parts&&... parts)
      : ThreadState(std::move(options)), target_(std::in_place, std::forward<Parts>(parts)...) {}

  void run_target() override {
    if (taken_.exchange(true, std::memory_order_relaxed)) return;
    struct Drop {
      std::optional<Target>& target;
      ~Drop() { target.reset(); }
    } const drop{target_};
    (*target_)(stop_source().get_token());
  }

  void drop_target() noexcept override {
    if (!taken_.exchange(true, std::memory_order_relaxed)) target_.reset();
  }

 private:
  std::atomic<bool> taken_{false};
  std::optional<Target> target_;
};

// ---- Make --------------------------------------------------------------------------

inline ThreadState::ThreadState(ThreadOptions options)
    : reaper_(options.daemon ? kReaped : kUnclaimed),
      daemon_(options.daemon),
      stack_size_(options.stack_size),
      name_(std::move(options.name)) {
  const auto least = static_cast<std::size_t>(PTHREAD_STACK_MIN);
  if (stack_size_ != 0 && stack_size_ < least) {
    throw ValueError(
        (platform::Text() << "Thread: stack_size must be 0 or at least " << least << " bytes, not " << stack_size_)
            .take());
  }
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (stack_size_ <= SIZE_MAX - page) stack_size_ = (stack_size_ + page - 1) / page * page;
  if (name_.empty()) {
    name_ = (platform::Text() << "Thread-" << g_thread_names.fetch_add(1, std::memory_order_relaxed) + 1).take();
  }
}

// ---- Start -------------------------------------------------------------------------

// To kStarting, if it was not started. A start that another thread was at when this process
// was forked off never happened: whoever is the first to come here in the child takes it over.
inline bool ThreadState::claim_start() noexcept {
  std::uint32_t seen = phase_.load(std::memory_order_acquire);
  if (seen > kStarting) return false;
  const ::pid_t here = ::getpid();
  const ::pid_t before = process_.exchange(here, std::memory_order_acq_rel);
  if (seen == kStarting && before != here) return true;
  seen = kNew;
  return phase_.compare_exchange_strong(seen, kStarting, std::memory_order_acq_rel, std::memory_order_relaxed);
}

inline void ThreadState::start(platform::BoundMethod<Thread> bound_run, Thread* object) {
  if (!claim_start()) {
    throw RuntimeError((platform::Text() << "Thread.start: thread '" << name()
                                         << "' was started before; threads can only be started once")
                           .take());
  }
  platform::thread_id();  // who starts threads is one that enumerate() should list
  run_ = bound_run;
  object_ = object;
  if (!counted_) add_owner();  // the thread
  counted_ = true;
  if (const int error = create(); error != 0) {
    const std::string text =
        (platform::Text() << "Thread.start: can't start new thread '" << name() << "': pthread_create gave error "
                          << static_cast<unsigned>(error) << " (too many threads, or no memory for the stack)")
            .take();
    counted_ = false;
    phase_.store(kNew, std::memory_order_release);
    drop_owner();
    throw RuntimeError(text);
  }
  const platform::Wait forever;
  for (platform::BasicBackoff<platform::Native> backoff(forever);
       phase_.load(std::memory_order_acquire) == kStarting;) {
    if (!backoff.again()) platform::Native::futex_wait(phase_, kStarting, platform::Deadline::never());
  }
}

// Returns pthread_create's error, or 0.
inline int ThreadState::create() noexcept {
  ::pthread_t handle;
  if (stack_size_ == 0 && !daemon_) return ::pthread_create(&handle, nullptr, thread_main, this);
  ::pthread_attr_t attributes;
  int error = ::pthread_attr_init(&attributes);
  if (error != 0) return error;
  if (daemon_) error = ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (error == 0 && stack_size_ != 0) error = ::pthread_attr_setstacksize(&attributes, stack_size_);
  if (error == 0) error = ::pthread_create(&handle, &attributes, thread_main, this);
  ::pthread_attr_destroy(&attributes);
  return error;
}

inline void* ThreadState::thread_main(void* state) {
  ThreadState& self = *static_cast<ThreadState*>(state);
  self.enroll();
  self.work();
  return nullptr;  // the registry calls at_end() when the thread's destructors have run
}

inline void ThreadState::enroll() {
  platform::ThreadRecord& record = platform::g_threads.enroll();
  handle_ = ::pthread_self();
  ident_.store(record.id.load(std::memory_order_relaxed), std::memory_order_relaxed);
  native_id_.store(record.native_id, std::memory_order_relaxed);
  {
    const platform::RawGuard guard(platform::g_threads.lock());
    record.name = name_;
    record.daemon = daemon_;
    record.thread = this;
    record.at_end = at_end;
    name_for_system(handle_, name_);
  }
  phase_.store(kRunning, std::memory_order_release);
  platform::Native::futex_wake(platform::Native::address(phase_), platform::kEveryone);
}

// (no_sanitize: g++ checks the reference to a forced unwinding, behind which is no object.)
__attribute__((no_sanitize("null"))) inline void ThreadState::work() {
  const platform::TraceSpan life(platform::TraceKind::kThread, "thread");
  try {
    if (run_ != nullptr) platform::call_bound(run_, object_);
    else run_target();
#if defined(__GLIBCXX__)
  } catch (const abi::__forced_unwind&) {  // pthread_exit() or pthread_cancel(): not an error, and not to be stopped
    drop_target();
    throw;
#endif
  } catch (...) {
    exception_ = std::current_exception();
    failed_.store(true, std::memory_order_release);
  }
  drop_target();
  if (exception_) report_exception(exception_, name());
}

// ---- End ---------------------------------------------------------------------------

// The last that a thread does here; or, in a child process, what is done for a thread
// that stayed behind in the parent: as far as the child can see, it has ended.
inline void ThreadState::at_end(void* state, bool forked_away) noexcept {
  ThreadState& self = *static_cast<ThreadState*>(state);
  if (forked_away) {
    self.reaper_.store(kReaped, std::memory_order_relaxed);
    self.phase_.store(kFinished, std::memory_order_release);
    self.next_lost_ = std::exchange(lost_, &self);
    return;
  }
  self.phase_.store(kFinished, std::memory_order_release);
  platform::Native::futex_wake(platform::Native::address(self.phase_), platform::kEveryone);
  self.drop_owner();
}

inline bool ThreadState::wait_finished(platform::Wait& wait) noexcept {
  platform::BasicBackoff<platform::Native> backoff(wait);
  while (!finished() && backoff.again()) {
  }
  for (bool in_time = !wait.immediate(); !finished() && in_time;) in_time = wait.park(phase_, kRunning, "thread");
  return finished();
}

// In a child process, the end of a thread that had left the registry, but had not said so
// yet, when another thread forked. Those that had not left it are at_end()'s business.
inline void ThreadState::notice_fork() noexcept {
  if (process_.load(std::memory_order_relaxed) == ::getpid() || platform::g_threads.find(ident()) != nullptr) return;
  const platform::RawGuard guard(platform::g_threads.lock());
  if (phase_.load(std::memory_order_relaxed) == kRunning) at_end(this, true);
}

inline void ThreadState::reap() {
  const std::uint32_t me = platform::thread_id();
  std::uint32_t seen = kUnclaimed;
  if (reaper_.compare_exchange_strong(seen, me, std::memory_order_acquire, std::memory_order_acquire)) {
    ::pthread_join(handle_, nullptr);
    reaper_.store(kReaped, std::memory_order_release);
    platform::Native::futex_wake(platform::Native::address(reaper_), platform::kEveryone);
    return;
  }
  // A reaper that is not alive has stayed behind in another process, of which this is a fork.
  while (seen != kReaped && platform::g_threads.find(seen) != nullptr) {
    platform::Native::futex_wait(reaper_, seen, platform::Deadline::never());
    seen = reaper_.load(std::memory_order_acquire);
  }
}

inline void ThreadState::detach() noexcept {
  std::uint32_t seen = kUnclaimed;
  if (reaper_.compare_exchange_strong(seen, kReaped, std::memory_order_acquire, std::memory_order_acquire)) {
    ::pthread_detach(handle_);
  }
}

inline void ThreadState::abandon() {
  if (phase_.load(std::memory_order_acquire) < kRunning) return;
  if (daemon_) return;
  if (is_current()) return detach();
  stop_.request_stop();
  join();
}

// ---- Facts -------------------------------------------------------------------------

inline bool ThreadState::is_current() const noexcept {
  const platform::ThreadRecord* const record = platform::g_threads.find(platform::t_thread_id);
  return record != nullptr && record->thread == this;
}

inline std::string ThreadState::name() const {
  const platform::RawGuard guard(platform::g_threads.lock());
  return name_;
}

inline void ThreadState::set_name(std::string name) {
  std::string copy = name;
  const platform::RawGuard guard(platform::g_threads.lock());
  name_.swap(name);
  // While its record is there, under the lock, the thread cannot end, nor its handle.
  platform::ThreadRecord* const record = platform::g_threads.find(ident());
  if (record == nullptr || record->thread != this) return;
  record->name.swap(copy);
  name_for_system(handle_, name_);
}

// The system keeps 15 bytes of a name. A character of UTF-8 is not cut in two.
inline void ThreadState::name_for_system(::pthread_t thread, const std::string& name) noexcept {
  constexpr std::size_t kMost = 15;
  const auto continues = [&name](std::size_t at) { return (static_cast<unsigned char>(name[at]) & 0xc0) == 0x80; };
  std::size_t length = name.size() < kMost ? name.size() : kMost;
  if (length < name.size()) {
    while (length > 0 && continues(length)) --length;
  }
  char text[kMost + 1] = {};
  name.copy(text, length);
  ::pthread_setname_np(thread, text);
}

}  // namespace detail
}  // namespace nogil
