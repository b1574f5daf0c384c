// tests/support/threads.hpp -- helpers every threading test leans on.
//
// Tests never sleep and hope. They wait until something has happened (eventually),
// until a thread is known to sleep in the kernel (falls_asleep), and they check that
// nothing happens (stays) only where a correct library keeps the condition for ever.

#pragma once

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "support/watchdog.hpp"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define NOGIL_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define NOGIL_TEST_SANITIZED 1
#endif
#endif

namespace nogil::testing {

// Far longer than anything here takes; reached only when a test is failing.
inline constexpr std::chrono::seconds kPatience{30};

#ifdef NOGIL_TEST_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// How often to repeat what wants many repetitions: fewer times under a sanitizer,
// which makes each take many times as long.
constexpr int rounds(int wanted) {
  return kSanitized ? (wanted + 9) / 10 : wanted;
}

// A question that is asked while the callable behind it lives: what takes one is compiled
// once, and not for each lambda.
class Question {
 public:
  template <class Function>
  requires(!std::is_same_v<std::remove_cvref_t<Function>, Question>) Question(Function&& function)
  noexcept
      : function_(const_cast<void*>(static_cast<const void*>(&function))), ask_([](void* asked) {
          return static_cast<bool>((*static_cast<std::remove_reference_t<Function>*>(asked))());
        }) {}

  bool operator()() const { return ask_(function_); }

 private:
  void* function_;
  bool (*ask_)(void*);
};

// Waits until `condition()` is true. Returns false if patience ran out, so the
// usual form is ASSERT_TRUE(eventually([&] { return done == 3; })).
inline bool eventually(Question condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (int tries = 0; !condition(); ++tries) {
    if (tries < 100) {
      std::this_thread::yield();
      continue;
    }
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  return true;
}

// Whether `condition()` is true now and for a moment on. Only for conditions that hold
// for ever when the code is right: then it can fail to see a mistake, but never blames
// code that is right.
inline bool stays(Question condition) {
  for (int look = 0; look < 10; ++look) {
    if (!condition()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

inline pid_t native_id() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

// Whether this thread of the process sleeps in the kernel, on a futex as far as the
// kernel lets us see. Who is between a look at a word and its sleep is not asleep yet.
inline bool asleep(pid_t thread) {
  const std::string task = "/proc/self/task/" + std::to_string(thread);
  std::string stat;
  std::getline(std::ifstream(task + "/stat"), stat);
  const auto name_end = stat.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos || stat.compare(name_end, 4, ") S ") != 0) return false;
  long call = -1;
  return !(std::ifstream(task + "/syscall") >> call) || call == SYS_futex;
}

// A std::stop_source, whose own constructor g++ 12 takes for a read of what is not yet
// initialized, where it inlines this much of it.
struct StopSource : std::stop_source {
  [[gnu::noinline]] StopSource() {}
};

// A token whose stop was requested long ago.
inline std::stop_token stopped_token() {
  static StopSource source;
  source.request_stop();
  return source.get_token();
}

// Several threads running the same function, which may take its thread's index;
// after CPython's lock_tests.Bunch.
// join() (or the destructor) waits for all of them; join() rethrows the first
// exception any of them threw.
class Bunch {
 public:
  template <class Function>
  Bunch(int count, Function function) {
    for (int index = 0; index < count; ++index)
      start([function, index]() mutable {
        if constexpr (std::is_invocable_v<Function&, int>) function(index);
        else static_cast<void>(index), function();
      });
  }

  Bunch(const Bunch&) = delete;
  Bunch& operator=(const Bunch&) = delete;
  ~Bunch() { wait(); }

  void join() {
    wait();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void start(std::function<void()> function) {
    threads_.emplace_back([this, function = std::move(function)] {
      try {
        function();
      } catch (...) {
        const std::scoped_lock guard(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    });
  }

  void wait() {
    for (auto& t : threads_)
      if (t.joinable()) t.join();
  }

  std::mutex mutex_;
  std::exception_ptr error_;  // guarded by mutex_ until all threads are joined
  std::vector<std::thread> threads_;
};

// A call in a thread of its own, as far as its result does not matter.
class AnyCall {
 public:
  AnyCall(const AnyCall&) = delete;
  AnyCall& operator=(const AnyCall&) = delete;

  // Sleeps inside the call.
  bool asleep() const { return !returned() && native_id() != 0 && testing::asleep(native_id()); }

  bool returned() const { return returned_.load(std::memory_order_acquire); }

  pid_t native_id() const { return native_id_.load(std::memory_order_acquire); }
  std::thread::native_handle_type native_handle() { return thread_.native_handle(); }

 protected:
  AnyCall() = default;
  ~AnyCall() = default;

  void start(std::function<void()> function) {
    thread_ = std::thread([this, function = std::move(function)] {
      native_id_.store(testing::native_id(), std::memory_order_release);
      try {
        function();
      } catch (...) {
        error_ = std::current_exception();
      }
      returned_.store(true, std::memory_order_release);
    });
  }

  void wait() {
    if (thread_.joinable()) thread_.join();
  }

  void wait_and_throw() {
    wait();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<pid_t> native_id_{0};
  std::atomic<bool> returned_{false};
  std::exception_ptr error_;
  std::thread thread_;
};

// One call in a thread of its own, for others to watch.
//
//   Call waiter([&] { return event.wait(); });
//   ASSERT_TRUE(falls_asleep(waiter));
//   event.set();
//   EXPECT_TRUE(waiter.result());
//
// The destructor waits for the call to return.
template <class Result>
class Call : public AnyCall {
 public:
  template <class Function>
  requires(!std::is_same_v<std::decay_t<Function>, Call>) explicit Call(Function function) {
    if constexpr (std::is_void_v<Result>) start(std::move(function));
    else start([this, function = std::move(function)]() mutable { result_.emplace(function()); });
  }
  ~Call() { wait(); }

  // Waits for the call, and returns or throws what it did.
  Result result() {
    wait_and_throw();
    if constexpr (!std::is_void_v<Result>) return *result_;
  }

 private:
  using Value = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;

  std::optional<Value> result_;
};

template <class Function>
Call(Function) -> Call<std::invoke_result_t<Function&>>;

// Waits until `asleep()` has been true for a moment, so that a short sleep on the way to
// the long one (for an inner lock, say) does not count. False if `returned()` became true.
inline bool settles(Question returned, Question asleep) {
  constexpr auto kMoment = std::chrono::microseconds(500);
  std::optional<std::chrono::steady_clock::time_point> since;
  bool gave_up = false;
  return eventually([&] {
           gave_up = returned();
           if (gave_up) return true;
           const auto now = std::chrono::steady_clock::now();
           if (!asleep()) since.reset();
           else if (!since) since = now;
           return since && now - *since >= kMoment;
         }) &&
         !gave_up;
}

// Waits until all these calls sleep. False if one of them returned instead.
template <class... Calls>
bool falls_asleep(const Calls&... calls) {
  return settles([&] { return (calls.returned() || ...); }, [&] { return (calls.asleep() && ...); });
}

template <class Container>
requires requires(const Container& calls) {
  (*calls.begin())->asleep();
}
bool falls_asleep(const Container& calls) {
  return settles([&] { return std::ranges::any_of(calls, [](const auto& call) { return call->returned(); }); },
                 [&] { return std::ranges::all_of(calls, [](const auto& call) { return call->asleep(); }); });
}

// A thread that does what it is told: for what one certain other thread must do,
// such as hold a lock that only its owner may release.
class Keeper {
 public:
  Keeper() : thread_([this] { serve(); }) {}
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  ~Keeper() {
    give({});
    thread_.join();
  }

  // Runs `task` there, waits for its end, and throws what it threw.
  void run(std::function<void()> task) {
    give(std::move(task));
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return !busy_; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void give(std::function<void()> task) {
    const std::scoped_lock guard(mutex_);
    task_ = std::move(task);
    busy_ = true;
    changed_.notify_all();
  }

  void serve() {
    std::unique_lock guard(mutex_);
    for (;;) {
      changed_.wait(guard, [this] { return busy_; });
      if (!task_) return;
      guard.unlock();
      std::exception_ptr error;
      try {
        task_();
      } catch (...) {
        error = std::current_exception();
      }
      guard.lock();
      error_ = error;
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> task_;  // empty: the end
  bool busy_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace nogil::testing
