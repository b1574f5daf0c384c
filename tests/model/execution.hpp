// tests/model/execution.hpp -- one run of a scenario: its threads, their memory, their sleep.
//
// Threads run one at a time. Each of their operations on an atomic or a futex begins with
// a scheduling point, where the choices decide who goes on. Plain data is no scheduling
// point: between two of them it cannot tell who was first without a data race, and those
// are found whatever the order.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "choices.hpp"
#include "fiber.hpp"
#include "memory.hpp"
#include "trace.hpp"

namespace nogil::model {

// How far one execution may go.
struct Bounds {
  // How often it may leave the uneventful path: a thread that could go on has to wait, a
  // load returns another value than the latest, a thread wakes up for no reason, a
  // compare_exchange_weak just fails. Who goes on when a thread sleeps is free.
  int deviations = 4;
  int steps = 2000;  // more than that is a livelock
};

// How long a thread is willing to sleep.
enum class Patience {
  kEndless,
  kSomeTime,  // until a deadline, which may pass at any moment
  kMoment,    // for so short a time that others do nothing meanwhile, or much
  kNone
};

class Execution {
 public:
  explicit Execution(Choices& choices) : choices_(choices) {}
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // The running one, or null outside.
  static Execution*& running() noexcept {
    static Execution* execution = nullptr;
    return execution;
  }

  // Runs the scenario once, as thread 0. Returns what went wrong, or "".
  std::string run(const std::function<void()>& scenario, const Bounds& bounds, bool tracing = false) {
    const LeaksAreFine leaks_are_fine;
    bounds_ = bounds;
    tracing_ = tracing;
    trace_.clear();
    steps_ = deviations_ = objects_ = 0;
    present_ = 0;
    failure_.clear();
    fences_ = Fences();
    for (Location& location : locations_) location.forget();
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads_[i].state = State::kAbsent;
      threads_[i].passed_over = false;
      observers_[i] = Observer();
      observers_[i].index = i;
    }
    threads_[0].body = scenario;
    prepare(0);
    running() = this;
    current_ = 0;
    threads_[0].fiber.enter(home_);
    running() = nullptr;
    for (Thread& thread : threads_) thread.body = nullptr;
    return failure_;
  }

  const Trace& trace() const noexcept { return trace_; }

  // ---- For scenarios ----

  [[noreturn]] void fail(const std::string& what) {
    failure_ = "thread " + std::to_string(current_) + ": " + what;
    note(what.c_str());
    leave();
  }

  // Runs all of these at once, and waits for them. Only in thread 0.
  void together(std::vector<std::function<void()>> bodies) {
    if (current_ != 0 || bodies.size() >= kThreads) fail("the model has no room for so many threads");
    observers_[0].tick();
    for (std::size_t i = 1; i <= bodies.size(); ++i) {
      threads_[i].body = std::move(bodies[i - 1]);
      observers_[i].now = observers_[0].now;
      prepare(i);
    }
    threads_[0].state = State::kJoining;
    pass_on();
    for (std::size_t i = 1; i <= bodies.size(); ++i) {
      observers_[0].now.join(observers_[i].now);
      threads_[i].state = State::kAbsent;
    }
  }

  // Yields until that many threads are asleep.
  void until_asleep(int wanted) {
    for (;;) {
      int asleep = 0;
      for (const Thread& thread : threads_) asleep += thread.state == State::kAsleep;
      if (asleep >= wanted) return;
      yield();
    }
  }

  std::size_t current() const noexcept { return current_; }
  Observer& observer() noexcept { return observers_[current_]; }

  // ---- For Platform ----

  // The running thread lets others go first.
  void yield() {
    count_step();
    note("yield");
    threads_[current_].state = State::kYielding;
    pass_on();
  }

  bool futex_wait(const void* address, std::uint32_t expected, Patience patience) {
    step();
    Location& word = use(address, "futex_wait");
    const auto value = static_cast<std::uint32_t>(word.value(word.latest()));
    if (value != expected) {
      note("futex_wait  #%d  %#x != %#x: no sleep", word.number(), value, expected);
      word.glance(observer());
      return true;
    }
    if (patience == Patience::kNone) return false;
    note("futex_wait  #%d  %#x: asleep%s", word.number(), value,
         patience == Patience::kEndless ? "" : ", with a deadline");
    Thread& me = threads_[current_];
    me.state = State::kAsleep;
    me.sleeps_on = address;
    me.patience = patience;
    me.asleep_since = steps_;
    me.in_time = true;
    pass_on();
    return me.in_time;
  }

  void futex_wake(const void* address, std::uint32_t count) {
    step();
    std::uint32_t woken = 0;
    while (woken < count) {
      std::array<std::size_t, kThreads> sleepers{};
      int found = 0;
      for (std::size_t i = 0; i < kThreads; ++i) {
        if (threads_[i].state == State::kAsleep && threads_[i].sleeps_on == address) {
          sleepers[static_cast<std::size_t>(found++)] = i;
        }
      }
      if (found == 0) break;
      const bool all = count - woken >= static_cast<std::uint32_t>(found);
      const std::size_t chosen = sleepers[static_cast<std::size_t>(all ? 0 : choices_.choose(found))];
      threads_[chosen].state = State::kReady;
      // The kernel passes full fences on both sides of a wake-up. It promises no
      // happens-before, so an algorithm must not count on one.
      observers_[chosen].now.visible.join(observer().now.visible);
      ++woken;
      note("futex_wake wakes thread %zu", chosen);
    }
    if (woken == 0) note("futex_wake  nobody sleeps");
  }

  void full_fence() {
    step();
    note("fence seq_cst");
    fences_.full(observer(), locations_);
  }

  void heavy_fence() {
    step();
    note("heavy fence");
    fences_.everywhere(observer(), observers_, locations_);
  }

  // ---- For Atomic ----

  void construct(const void* address, std::uint64_t value) {
    Location* location = find(address);
    if (location == nullptr) location = find(nullptr);
    if (location == nullptr) location = &locations_.emplace_back();
    location->construct(address, ++objects_, observer(), value);
    note("construct   #%d  = %#llx", location->number(), print(value));
  }

  void destroy(const void* address) {
    Location& location = use(address, "destructor");
    note("destroy     #%d", location.number());
    const std::size_t user = location.unordered_user(observer());
    location.destroy();
    if (user != kThreads) {
      fail("object #" + std::to_string(location.number()) + " is destroyed, and nothing makes sure that thread " +
           std::to_string(user) + " has finished with it");
    }
  }

  std::uint64_t load(const void* address, std::memory_order order) {
    step();
    Location& word = use(address, "load");
    const std::size_t store = pick(word, order, nullptr);
    const std::uint64_t value = word.read(observer(), store, order);
    note("load        #%d  %s -> %#llx%s", word.number(), name(order), print(value), age(word, store));
    return value;
  }

  void store(const void* address, std::uint64_t value, std::memory_order order) {
    step();
    Location& word = use(address, "store");
    note("store       #%d  %s %#llx", word.number(), name(order), print(value));
    word.write(observer(), value, order);
  }

  // `next` makes the new value from the old one, which is returned.
  template <class Next>
  std::uint64_t change(const void* address, const char* what, std::memory_order order, Next next) {
    step();
    Location& word = use(address, what);
    const std::uint64_t old = word.read(observer(), word.latest(), order);
    const std::uint64_t value = next(old);
    note("%-11s #%d  %s %#llx -> %#llx", what, word.number(), name(order), print(old), print(value));
    word.write_after_read(observer(), value, order);
    return old;
  }

  bool compare_exchange(const void* address, std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                        std::memory_order failure, bool weak) {
    step();
    Location& word = use(address, "compare_exchange");
    const bool just_fails = weak && word.value(word.latest()) == expected && surprise();
    const std::size_t store = just_fails ? word.latest() : pick(word, failure, &expected);
    if (!just_fails && word.value(store) == expected) {
      word.read(observer(), store, success);
      note("cas         #%d  %s %#llx -> %#llx", word.number(), name(success), print(expected), print(desired));
      word.write_after_read(observer(), desired, success);
      return true;
    }
    const std::uint64_t old = word.read(observer(), store, failure);
    note("cas fails   #%d  %s %#llx -> %#llx%s", word.number(), name(failure), print(expected), print(old),
         just_fails ? " (for no reason)" : age(word, store));
    expected = old;
    return false;
  }

 private:
  enum class State { kAbsent, kReady, kYielding, kAsleep, kJoining, kFinished };

  struct Thread {
    Fiber fiber;
    std::function<void()> body;
    State state = State::kAbsent;
    const void* sleeps_on = nullptr;
    Patience patience = Patience::kEndless;
    int asleep_since = 0;
    bool in_time = true;
    bool passed_over = false;  // was awake when another thread yielded to somebody else
  };

  // How a thread may be made to run.
  enum class Way { kNo, kReady, kTimeout, kYielding, kMoment, kSurprise };

  Way way(std::size_t index) const noexcept {
    const Thread& thread = threads_[index];
    switch (thread.state) {
      case State::kReady:
        return Way::kReady;
      case State::kYielding:
        return Way::kYielding;
      case State::kAsleep:
        if (thread.patience == Patience::kMoment) return Way::kMoment;
        return thread.patience == Patience::kEndless ? Way::kSurprise : Way::kTimeout;
      case State::kJoining:
        for (std::size_t i = 1; i < present_; ++i) {
          if (threads_[i].state != State::kAbsent && threads_[i].state != State::kFinished) return Way::kNo;
        }
        return Way::kReady;
      default:
        return Way::kNo;
    }
  }

  struct Candidates {
    std::array<std::size_t, kThreads> index{};
    int count = 0;
    bool certain = false;  // one of them runs without a surprise
    bool hasty = false;    // others can go on while one sleeps for a moment

    void add(std::size_t thread) { index[static_cast<std::size_t>(count++)] = thread; }
  };

  // The threads that may go on instead of the running one: those that are awake first.
  // Threads that yield take turns only when nobody else can go on, and a thread that was
  // passed over once is next at the next yield: so a loop that waits by yielding is no
  // livelock. A loop that sleeps for a moment at a time is none either: while others can go
  // on, it is a surprise that such a sleep is over, and else the first to sleep is next.
  Candidates others() const noexcept {
    const State mine = threads_[current_].state;
    std::array<Way, kThreads> ways{};
    for (std::size_t i = 0; i < present_; ++i) ways[i] = way(i);
    if (mine == State::kReady || mine == State::kYielding) ways[current_] = Way::kNo;

    Candidates found;
    for (const Way wanted : {Way::kReady, Way::kTimeout, Way::kYielding, Way::kMoment, Way::kSurprise}) {
      if (wanted == Way::kYielding && mine == State::kYielding && found.certain) continue;
      if (wanted == Way::kMoment) found.hasty = found.certain || mine == State::kReady;
      if (wanted == Way::kMoment && found.hasty && !may_deviate()) continue;
      if (wanted == Way::kSurprise && !(may_deviate() && (found.certain || mine == State::kReady))) break;
      for (std::size_t i = 0; i < present_; ++i) {
        if (ways[i] != wanted) continue;
        if (wanted == Way::kMoment && !found.hasty && i != first_to_sleep(ways)) continue;
        found.add(i);
        found.certain = found.certain || wanted != Way::kSurprise;
      }
    }
    return mine == State::kYielding ? fair(found) : found;
  }

  // Of those who sleep for a moment.
  std::size_t first_to_sleep(const std::array<Way, kThreads>& ways) const noexcept {
    std::size_t first = kThreads;
    for (std::size_t i = 0; i < present_; ++i) {
      if (ways[i] != Way::kMoment) continue;
      if (first == kThreads || threads_[i].asleep_since < threads_[first].asleep_since) first = i;
    }
    return first;
  }

  Candidates fair(const Candidates& all) const noexcept {
    Candidates due;
    for (int i = 0; i < all.count; ++i) {
      const std::size_t thread = all.index[static_cast<std::size_t>(i)];
      if (threads_[thread].passed_over && way(thread) == Way::kReady) due.add(thread);
    }
    due.certain = true;
    return due.count != 0 ? due : all;
  }

  bool may_deviate() const noexcept { return deviations_ < bounds_.deviations; }

  void count_step() {
    if (++steps_ > bounds_.steps) fail("livelock: more than " + std::to_string(bounds_.steps) + " steps");
  }

  // Whom a random execution runs, if it is to be no surprise; -1: the running thread.
  int preferred(const Candidates& candidates, bool may_go_on) const noexcept {
    int best = may_go_on ? -1 : 0;
    if (!choices_.ranked()) return best;
    std::uint64_t highest = may_go_on ? choices_.rank(current_) : 0;
    for (int i = 0; i < candidates.count; ++i) {
      const std::size_t thread = candidates.index[static_cast<std::size_t>(i)];
      const Way how = way(thread);
      if (how == Way::kSurprise || (how == Way::kMoment && candidates.hasty)) continue;
      const std::uint64_t rank = how == Way::kTimeout ? choices_.rank_of_deadline(thread) : choices_.rank(thread);
      if (rank < highest) continue;
      highest = rank;
      best = i;
    }
    return best;
  }

  // A scheduling point: perhaps others go first.
  void step() {
    count_step();
    const Candidates candidates = may_deviate() ? others() : Candidates();
    const int chosen = choices_.choose(candidates.count + 1, preferred(candidates, true) + 1);
    if (chosen == 0) return;
    ++deviations_;
    switch_to(candidates.index[static_cast<std::size_t>(chosen - 1)]);
  }

  // The running thread cannot or will not go on.
  void pass_on() {
    const Candidates candidates = others();
    if (!candidates.certain) {
      if (threads_[current_].state == State::kYielding) {
        threads_[current_].state = State::kReady;
        return;
      }
      fail(stuck());
    }
    if (threads_[current_].state == State::kYielding) {
      for (Thread& thread : threads_) thread.passed_over = thread.passed_over || thread.state == State::kReady;
    }
    const int chosen = choices_.choose(candidates.count, preferred(candidates, false));
    const std::size_t next = candidates.index[static_cast<std::size_t>(chosen)];
    if (candidates.hasty && way(next) == Way::kMoment) ++deviations_;
    switch_to(next);
  }

  std::string stuck() const {
    std::string text = "deadlock:";
    for (std::size_t i = 0; i < kThreads; ++i) {
      if (threads_[i].state == State::kAsleep) text += " thread " + std::to_string(i) + " sleeps for ever,";
    }
    text.pop_back();
    return text;
  }

  void switch_to(std::size_t next) {
    Thread& thread = threads_[next];
    const std::size_t before = current_;
    if (thread.state == State::kAsleep) {
      thread.in_time = thread.patience == Patience::kEndless;
      if (thread.in_time) ++deviations_;
      current_ = next;
      note(thread.in_time ? "wakes up for no reason" : "deadline passed");
    }
    thread.state = State::kReady;
    thread.passed_over = false;
    current_ = next;
    if (next != before) thread.fiber.enter(threads_[before].fiber, threads_[before].state == State::kFinished);
  }

  void prepare(std::size_t index) {
    present_ = present_ > index ? present_ : index + 1;
    threads_[index].state = State::kReady;
    threads_[index].fiber.restart(&Execution::enter_thread);
  }

  static void enter_thread() {
    Execution& execution = *running();
    Thread& me = execution.threads_[execution.current_];
    me.fiber.arrived();
    try {
      me.body();
    } catch (const std::exception& error) {
      execution.fail(std::string("an exception went out: ") + error.what());
    } catch (...) {
      execution.fail("an exception went out");
    }
    me.state = State::kFinished;
    if (execution.current_ == 0) execution.leave();
    execution.pass_on();
    std::abort();  // a finished thread was switched to
  }

  [[noreturn]] void leave() {
    home_.enter(threads_[current_].fiber, true);
    std::abort();
  }

  // There are few of them, and the newest are used most.
  Location* find(const void* address) noexcept {
    for (std::size_t i = locations_.size(); i-- > 0;) {
      if (locations_[i].address() == address) return &locations_[i];
    }
    return nullptr;
  }

  Location& use(const void* address, const char* what) {
    Location* const location = find(address);
    if (location == nullptr || !location->alive()) {
      fail(std::string(what) + " on " +
           (location == nullptr ? "what is no object"
                                : "object #" + std::to_string(location->number()) + " after its destruction"));
    }
    if (!location->construction_known(observer())) {
      fail(std::string(what) + " on object #" + std::to_string(location->number()) +
           ", and nothing makes sure that its construction has finished");
    }
    location->mark_used(observer());
    return *location;
  }

  // Which store is read: for a compare_exchange the latest, or one that makes it fail.
  std::size_t pick(const Location& word, std::memory_order order, const std::uint64_t* expected) {
    std::size_t oldest = word.latest();
    if (may_deviate()) oldest = word.oldest_visible(observer(), order, fences_.visible());
    int options = 1;
    for (std::size_t i = word.latest(); i-- > oldest;) options += expected == nullptr || word.value(i) != *expected;
    int chosen = choices_.choose(options);
    if (chosen == 0) return word.latest();
    ++deviations_;
    std::size_t store = word.latest();
    while (chosen > 0) {
      --store;
      chosen -= expected == nullptr || word.value(store) != *expected;
    }
    return store;
  }

  bool surprise() {
    if (choices_.choose(may_deviate() ? 2 : 1) == 0) return false;
    ++deviations_;
    return true;
  }

  template <class... Arguments>
  void note(const char* format, Arguments... arguments) {
    if (tracing_) trace_.note(current_, format, arguments...);
  }
  static const char* age(const Location& word, std::size_t store) noexcept {
    return store == word.latest() ? "" : " (an older value)";
  }

  Choices& choices_;
  Bounds bounds_;
  bool tracing_ = false;
  Trace trace_;
  std::string failure_;

  Fiber home_;
  std::array<Thread, kThreads> threads_;
  std::size_t present_ = 0;  // threads that have been started: [0, present_)
  std::size_t current_ = 0;
  int steps_ = 0;
  int deviations_ = 0;

  std::array<Observer, kThreads> observers_;
  std::vector<Location> locations_;
  Fences fences_;
  int objects_ = 0;
};

}  // namespace nogil::model
