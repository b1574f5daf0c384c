// tests/model/model.hpp -- a model checker for the algorithms of the library.
//
//   TEST(OwnerWord, lets_in_one_at_a_time) {
//     EXPECT_TRUE(holds([] {
//       OwnerWord<Platform> lock;                 // the library's own source
//       Plain<int> count = 0;                     // data that the lock is to guard
//       const auto use = [&] {
//         acquire(lock);
//         count = count + 1;
//         lock.unlock();
//       };
//       together(use, use);                       // two threads, and waits for both
//       require(count == 2, "a turn was lost");
//     }));
//   }
//
// holds() runs the scenario again and again, under other schedules, with other values
// for its loads where the memory model allows several, and with wake-ups and timeouts at
// other moments: first all that its Bounds allow, then some random ones without bounds. A scenario must be a function
// of what it is given: no clock, no random numbers, no data left from one run to the next.
//
// What is found   deadlock           all who are left sleep for ever: a lost wake-up
//                 livelock           more steps than any sane execution has
//                 data race          two threads at one Plain, unordered
//                 lifetime           use after destruction, or a destruction that nothing
//                                    puts after another thread's last use
//                 require()          whatever the scenario demands
//
// How to read a failure
//
//   deadlock: thread 1 sleeps for ever
//   schedule: exhaustive, "14:1 20:2"; again with NOGIL_MODEL_SCHEDULE="14:1 20:2"
//     thread 0  construct   #1  = 0
//     thread 1  cas         #1  acquire 0 -> 0x2
//     thread 2  futex_wait  #1  0x80000002: asleep
//     ...
//
// Each line is one step: the thread that took it (0 is the scenario itself), what it did,
// to which object (numbered in the order of their construction), with which memory order,
// and what it found and left there. "(an older value)" is a load that returned something
// else than the last value: look for the acquire, or the fence, that would have forbidden
// it. The last line is where it went wrong. To run that execution alone, in a debugger:
//
//   NOGIL_MODEL_SCHEDULE="14:1 20:2" model_test --gtest_filter=OwnerWord.lets_in_...
//
// docs/design/model-checking.md says what is explored, and what a model cannot see.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "execution.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/futex.hpp"

namespace nogil::model {

// ---- What scenarios are made of ----------------------------------------------------

// Runs these at once, each in a thread, and waits for all.
template <class... Bodies>
void together(Bodies&&... bodies) {
  Execution::running()->together({std::function<void()>(std::forward<Bodies>(bodies))...});
}

inline void require(bool condition, const char* otherwise) {
  if (!condition) Execution::running()->fail(otherwise);
}

// Waits until that many threads are asleep, which orders nothing.
inline void until_asleep(int threads) {
  Execution::running()->until_asleep(threads);
}

// A variable that is not atomic. To touch it from two threads, one of them writing,
// without an order between the two, is a data race and fails.
template <class T>
class Plain {
 public:
  Plain(T value = T()) : value_(value) { touch_to_write(); }
  Plain(const Plain& other) : value_(other.read()) { touch_to_write(); }
  Plain& operator=(const Plain& other) {
    write(other.read());
    return *this;
  }
  Plain& operator=(T value) {
    write(value);
    return *this;
  }
  operator T() const { return read(); }

 private:
  T read() const {
    Execution* const run = Execution::running();
    if (run == nullptr) return value_;
    Observer& me = run->observer();
    if (!me.now.happened.knows(writer_, written_)) run->fail("data race: a plain read, while another thread writes");
    reads_.set(me.index, me.tick());
    return value_;
  }

  void write(T value) {
    Execution* const run = Execution::running();
    if (run == nullptr) return;
    const Observer& me = run->observer();
    if (!me.now.happened.knows(writer_, written_)) run->fail("data race: two plain writes at once");
    for (std::size_t i = 0; i < kThreads; ++i) {
      if (!me.now.happened.knows(i, reads_[i])) run->fail("data race: a plain write, while another thread reads");
    }
    touch_to_write();
    value_ = value;
  }

  void touch_to_write() {
    Execution* const run = Execution::running();
    if (run == nullptr) return;
    writer_ = run->current();
    written_ = run->observer().tick();
  }

  T value_;
  std::size_t writer_ = 0;
  Time written_ = 0;
  mutable Clock reads_;
};

// ---- What the algorithms see -------------------------------------------------------

// Does what is written. Mutants do otherwise: see mutants.hpp.
struct AsWritten {
  static constexpr std::memory_order order(std::memory_order asked) noexcept { return asked; }
  // What an operation that found `old` and would store `next` really stores.
  static constexpr std::uint64_t value(std::uint64_t, std::uint64_t next) noexcept { return next; }
};

// std::atomic, as far as the library uses it. It holds nothing: an execution knows its
// objects by their addresses, so that it can tell when one is used that is gone.
template <class T, class Edit = AsWritten>
class Atomic {
 public:
  constexpr Atomic(T value = T()) noexcept {
    if (!std::is_constant_evaluated() && Execution::running() != nullptr) {
      Execution::running()->construct(this, wide(value));
    }
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  constexpr ~Atomic() {
    if (!std::is_constant_evaluated() && Execution::running() != nullptr) Execution::running()->destroy(this);
  }

  T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    return narrow(Execution::running()->load(this, Edit::order(order)));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    Execution::running()->store(this, wide(value), Edit::order(order));
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change("exchange", order, [value](T) { return value; });
  }
  T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change("fetch_add", order, [by](T old) { return static_cast<T>(old + by); });
  }
  T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change("fetch_sub", order, [by](T old) { return static_cast<T>(old - by); });
  }
  T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change("fetch_or", order, [bits](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change("fetch_and", order, [bits](T old) { return static_cast<T>(old & bits); });
  }
  T fetch_xor(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change("fetch_xor", order, [bits](T old) { return static_cast<T>(old ^ bits); });
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    return compare_exchange(expected, desired, success, failure, false);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return compare_exchange(expected, desired, order, without_release(order), false);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    return compare_exchange(expected, desired, success, failure, true);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return compare_exchange(expected, desired, order, without_release(order), true);
  }

 protected:
  T bits_{};  // the size of a real one

 private:
  static constexpr std::uint64_t wide(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) return reinterpret_cast<std::uintptr_t>(value);
    else return static_cast<std::uint64_t>(value);
  }
  static constexpr T narrow(std::uint64_t value) noexcept {
    if constexpr (std::is_pointer_v<T>) return reinterpret_cast<T>(value);
    else return static_cast<T>(value);
  }

  static constexpr std::memory_order without_release(std::memory_order order) noexcept {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    return order == std::memory_order_release ? std::memory_order_relaxed : order;
  }

  template <class Next>
  T change(const char* what, std::memory_order order, Next next) noexcept {
    return narrow(Execution::running()->change(this, what, Edit::order(order), [&](std::uint64_t old) {
      return wide(narrow(Edit::value(old, wide(next(narrow(old))))));
    }));
  }

  bool compare_exchange(T& expected, T desired, std::memory_order success, std::memory_order failure,
                        bool weak) noexcept {
    std::uint64_t found = wide(expected);
    const bool done = Execution::running()->compare_exchange(this, found, Edit::value(found, wide(desired)),
                                                             Edit::order(success), Edit::order(failure), weak);
    expected = narrow(found);
    return done;
  }
};

// The machine of the model: what nogil/platform/native.hpp asks of one.
template <class Edit>
struct EditedPlatform {
  template <class T>
  using Atomic = model::Atomic<T, Edit>;
  using Address = Plain<const void*>;

  static constexpr bool kSpins = false;

  template <class Word>
  static Address address(const Word& word) noexcept {
    return Address(&word);
  }
  template <class Word>
  static bool futex_wait(const Word& word, std::uint32_t expected, platform::Deadline deadline) noexcept {
    return Execution::running()->futex_wait(&word, expected, patience(deadline));
  }
  static void futex_wake(Address address, std::uint32_t count) noexcept {
    Execution::running()->futex_wake(address, count);
  }

  // How long a sleep with this deadline may last. One that passes within a minute was made
  // up by the algorithm itself, to look again soon; those of scenarios are farther away.
  static Patience patience(platform::Deadline deadline) noexcept {
    if (deadline.is_never()) return Patience::kEndless;
    if (deadline.is_immediate()) return Patience::kNone;
    const auto soon = platform::Deadline::after(std::chrono::minutes(1));
    return deadline.to_timespec().tv_sec < soon.to_timespec().tv_sec ? Patience::kMoment : Patience::kSomeTime;
  }

  static void pause() noexcept { Execution::running()->yield(); }
  static void yield() noexcept { Execution::running()->yield(); }
  static bool may_spin() noexcept { return false; }
  static bool room_for(std::uint32_t) noexcept { return true; }

  static std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(Execution::running()->current() + 1); }

  // Only the compiler's business, as where membarrier is there.
  static void light_fence() noexcept {}
  static void heavy_fence() noexcept { Execution::running()->heavy_fence(); }
  static void full_fence() noexcept { Execution::running()->full_fence(); }
};

using Platform = EditedPlatform<AsWritten>;

// std::atomic_thread_fence(seq_cst).
inline void full_fence() {
  Execution::running()->full_fence();
}

}  // namespace nogil::model
