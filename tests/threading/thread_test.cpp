// Tests of nogil::Thread.
//
// After CPython's test_threading.ThreadTests, ThreadingExceptionTests and
// ThreadJoinOnShutdown. A test's name completes the sentence "a thread ...".
// What happens when main() returns is in tests/programs/.

#include "nogil/threading/thread.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/fence.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "support/clocks.hpp"
#include "support/threads.hpp"

namespace thread_test {
namespace {

using namespace std::chrono_literals;
using nogil::Event;
using nogil::RuntimeError;
using nogil::Thread;
using nogil::ValueError;
using nogil::testing::Bunch;
using nogil::testing::Call;
using nogil::testing::eventually;
using nogil::testing::falls_asleep;
using nogil::testing::rounds;

// What the kernel calls the thread.
std::string system_name(int native_id) {
  std::string name;
  std::getline(std::ifstream("/proc/self/task/" + std::to_string(native_id) + "/comm"), name);
  return name;
}

// A thread that waits until it is let go, or asked to stop.
struct Waiting {
  Event go;
  Thread thread;

  explicit Waiting(Thread::Options options = {})
      : thread(std::move(options), [this](std::stop_token token) { go.wait(token); }) {
    thread.start();
  }
};

// ---- What it runs --------------------------------------------------------------------

TEST(ThreadTest, calls_its_callable_with_its_arguments) {
  int sum = 0;
  Thread thread([&sum](int a, int b) { sum = a + b; }, 2, 3);
  EXPECT_EQ(sum, 0) << "nothing runs before start()";
  thread.start();
  thread.join();
  EXPECT_EQ(sum, 5);
}

TEST(ThreadTest, runs_in_a_thread_of_its_own) {
  pthread_t ran_in{};
  Thread thread([&] { ran_in = pthread_self(); });
  thread.start();
  thread.join();
  EXPECT_FALSE(pthread_equal(ran_in, pthread_self()));
}

void free_function(std::atomic<int>* out, int value) {
  *out = value;
}

struct Counter {
  void add(int n) { total += n; }
  std::atomic<int> total = 0;
};

TEST(ThreadTest, calls_functions_and_member_functions) {
  std::atomic<int> out = 0;
  Thread function(free_function, &out, 4);
  Counter counter;
  Thread member(&Counter::add, &counter, 5);
  Thread by_reference(&Counter::add, std::ref(counter), 6);
  for (Thread* thread : {&function, &member, &by_reference}) thread->start();
  for (Thread* thread : {&function, &member, &by_reference}) thread->join();
  EXPECT_EQ(out, 4);
  EXPECT_EQ(counter.total, 11);
}

TEST(ThreadTest, moves_what_can_only_be_moved) {
  int sum = 0;
  Thread thread([&sum, held = std::make_unique<int>(1)](std::unique_ptr<int> given) { sum = *held + *given; },
                std::make_unique<int>(2));
  thread.start();
  thread.join();
  EXPECT_EQ(sum, 3);
}

TEST(ThreadTest, copies_its_arguments_when_it_is_made) {
  std::string text = "before", seen;
  Thread thread([&seen](const std::string& given) { seen = given; }, text);
  text = "after";
  thread.start();
  thread.join();
  EXPECT_EQ(seen, "before");
}

TEST(ThreadTest, gives_its_stop_token_to_who_takes_one) {
  std::atomic<int> got = 0;
  Thread thread(
      [&got](std::stop_token token, int value) {
        while (!token.stop_requested()) std::this_thread::yield();
        got = value;
      },
      7);
  thread.start();
  EXPECT_FALSE(thread.get_stop_token().stop_requested());
  EXPECT_TRUE(thread.request_stop());
  EXPECT_FALSE(thread.request_stop()) << "the first request counts";
  thread.join();
  EXPECT_EQ(got, 7);
}

TEST(ThreadTest, prefers_the_call_with_a_stop_token) {
  std::size_t arguments = 9;
  Thread thread([&arguments](auto... given) { arguments = sizeof...(given); });
  thread.start();
  thread.join();
  EXPECT_EQ(arguments, 1u);
}

static_assert(!std::is_constructible_v<Thread, void (*)(int)>, "an argument is missing");
static_assert(!std::is_constructible_v<Thread, void (*)(int), std::string>, "the argument does not fit");
static_assert(!std::is_constructible_v<Thread, int>, "not a callable");
static_assert(!std::is_default_constructible_v<Thread>, "nothing to run");

// Tells where it was destroyed.
struct Tracer {
  explicit Tracer(std::atomic<std::uint64_t>* where) : where_(where) {}
  Tracer(Tracer&& other) noexcept : where_(std::exchange(other.where_, nullptr)) {}
  ~Tracer() {
    if (where_ != nullptr) *where_ = nogil::get_ident();
  }
  std::atomic<std::uint64_t>* where_;
};

TEST(ThreadTest, destroys_callable_and_arguments_when_they_are_through) {
  std::atomic<std::uint64_t> callable = 0, argument = 0;
  Event ran;
  Thread thread([tracer = Tracer(&callable), &ran](const Tracer&) { ran.set(); }, Tracer(&argument));
  thread.start();
  thread.join();
  EXPECT_TRUE(ran.is_set());
  EXPECT_EQ(callable, thread.ident()) << "in the thread itself, although the Thread object is still here";
  EXPECT_EQ(argument, thread.ident());
}

TEST(ThreadTest, destroys_them_without_a_start_too) {
  std::atomic<std::uint64_t> callable = 0;
  {
    Thread thread([tracer = Tracer(&callable)] {});
    EXPECT_EQ(callable, 0u);
  }
  EXPECT_EQ(callable, nogil::get_ident());
}

// ---- start ---------------------------------------------------------------------------

TEST(ThreadTest, starts_only_once) {
  Waiting waiting;
  EXPECT_THROW(waiting.thread.start(), RuntimeError);
  waiting.go.set();
  waiting.thread.join();
  EXPECT_THROW(waiting.thread.start(), RuntimeError);
}

TEST(ThreadTest, starts_only_once_whoever_tries) {
  for (int round = 0; round < rounds(200); ++round) {
    std::atomic<int> ran = 0, refused = 0;
    Thread thread([&] { ++ran; });
    Bunch starters(3, [&] {
      try {
        thread.start();
      } catch (const RuntimeError&) {
        ++refused;
      }
    });
    starters.join();
    thread.join();
    ASSERT_EQ(ran, 1);
    ASSERT_EQ(refused, 2);
  }
}

TEST(ThreadTest, is_running_when_start_returns) {
  for (int round = 0; round < rounds(100); ++round) {
    Waiting waiting;
    ASSERT_TRUE(waiting.thread.is_alive());
    ASSERT_NE(waiting.thread.ident(), 0u);
    ASSERT_NE(waiting.thread.native_id(), 0);
  }
}

TEST(ThreadTest, can_be_started_again_when_the_system_refused) {
  if (nogil::testing::kSanitized) GTEST_SKIP() << "sanitizers need the address space";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  bool ran = false;
  Thread thread({.name = "big", .stack_size = std::size_t{1} << 32}, [&ran] { ran = true; });
  rlimit small = before;
  small.rlim_cur = std::size_t{1} << 31;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &small), 0);
  EXPECT_THROW(thread.start(), RuntimeError);
  EXPECT_FALSE(thread.is_alive());
  EXPECT_THROW(thread.join(), RuntimeError) << "it is as if it had not been tried";
  EXPECT_EQ(thread.ident(), 0u);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  thread.start();
  thread.join();
  EXPECT_TRUE(ran);
}

TEST(ThreadTest, is_destroyed_in_peace_when_it_was_never_started) {
  Thread thread([] { FAIL(); });
  Thread daemon({.daemon = true}, [] { FAIL(); });
  EXPECT_FALSE(thread.is_alive());
}

// ---- join ----------------------------------------------------------------------------

TEST(ThreadTest, cannot_be_joined_before_its_start) {
  Thread thread([] {});
  EXPECT_THROW(thread.join(), RuntimeError);
  EXPECT_THROW(thread.join(0s), RuntimeError);
}

TEST(ThreadTest, cannot_join_itself) {
  Thread* self = nullptr;
  bool refused = false;
  Thread thread([&] {
    try {
      self->join();
    } catch (const RuntimeError&) {
      refused = true;
    }
  });
  self = &thread;
  thread.start();
  thread.join();
  EXPECT_TRUE(refused);
}

TEST(ThreadTest, may_be_joined_again_and_again) {
  Thread thread([] {});
  thread.start();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(thread.join());
  EXPECT_TRUE(thread.join(0s));
  EXPECT_TRUE(thread.join(-1h));
}

TEST(ThreadTest, may_be_joined_by_many_at_once) {
  for (int round = 0; round < rounds(100); ++round) {
    int plain = 0;  // not atomic: ThreadSanitizer checks the ordering
    Event go;
    Thread thread([&] {
      go.wait();
      plain = 42;
    });
    thread.start();
    Bunch joiners(4, [&](int index) {
      if (index % 2 == 0) thread.join();
      else ASSERT_TRUE(thread.join(1h));
      ASSERT_EQ(plain, 42);
    });
    go.set();
    joiners.join();
  }
}

TEST(ThreadTest, lets_joiners_sleep_until_its_end) {
  Waiting waiting;
  Call first([&] { return waiting.thread.join(); });
  Call second([&] { return waiting.thread.join(std::chrono::hours::max()); });
  ASSERT_TRUE(falls_asleep(first, second));
  waiting.go.set();
  EXPECT_TRUE(first.result());
  EXPECT_TRUE(second.result());
}

TEST(ThreadTest, lets_a_joiner_give_up) {
  Waiting waiting;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(waiting.thread.join(20ms));
  EXPECT_FALSE(waiting.thread.join(start + 40ms));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 40ms);
  EXPECT_FALSE(waiting.thread.join(std::chrono::system_clock::now() + 5ms));
  EXPECT_FALSE(waiting.thread.join(0s));
  EXPECT_FALSE(waiting.thread.join(-1h));
  EXPECT_TRUE(waiting.thread.is_alive());
  waiting.go.set();
  EXPECT_TRUE(waiting.thread.join(1h));
  EXPECT_FALSE(waiting.thread.is_alive());
}

TEST(ThreadTest, lets_a_joiner_be_stopped) {
  Waiting waiting;
  std::stop_source stop;
  Call joiner([&] { return waiting.thread.join(stop.get_token()); });
  Call other([&] { return waiting.thread.join(1h, stop.get_token()); });
  ASSERT_TRUE(falls_asleep(joiner, other));
  stop.request_stop();
  EXPECT_FALSE(joiner.result());
  EXPECT_FALSE(other.result());
}

TEST(ThreadTest, is_joined_only_after_its_thread_locals_are_gone) {
  struct Slow {
    bool* gone = nullptr;
    ~Slow() {
      std::this_thread::sleep_for(5ms);
      if (gone != nullptr) *gone = true;
    }
  };
  for (int round = 0; round < 5; ++round) {
    bool gone = false;
    Thread thread([&gone] {
      static thread_local Slow slow;
      slow.gone = &gone;
    });
    thread.start();
    if (round % 2 == 0) thread.join();
    else ASSERT_TRUE(eventually([&] { return thread.join(100us); }));
    ASSERT_TRUE(gone);
    ASSERT_FALSE(thread.is_alive());
  }
}

// ---- Facts about it ------------------------------------------------------------------

TEST(ThreadTest, is_alive_from_start_to_end) {
  Event go;
  Thread thread([&] { go.wait(); });
  EXPECT_FALSE(thread.is_alive());
  thread.start();
  EXPECT_TRUE(thread.is_alive());
  go.set();
  EXPECT_TRUE(eventually([&] { return !thread.is_alive(); }));
  thread.join();
  EXPECT_FALSE(thread.is_alive());
}

TEST(ThreadTest, is_named_by_number_unless_told_otherwise) {
  const Thread first([] {}), second([] {});
  EXPECT_EQ(first.name().rfind("Thread-", 0), 0u) << first.name();
  EXPECT_EQ(std::stoi(second.name().substr(7)), std::stoi(first.name().substr(7)) + 1);
  const Thread named({.name = "downloader"}, [] {});
  EXPECT_EQ(named.name(), "downloader");
}

TEST(ThreadTest, shows_its_name_to_the_system) {
  Waiting waiting({.name = "short"});
  EXPECT_EQ(system_name(waiting.thread.native_id()), "short");
  waiting.thread.set_name("another");
  EXPECT_EQ(waiting.thread.name(), "another");
  EXPECT_EQ(system_name(waiting.thread.native_id()), "another");
  waiting.thread.set_name("a name of more than fifteen bytes");
  EXPECT_EQ(waiting.thread.name(), "a name of more than fifteen bytes");
  EXPECT_EQ(system_name(waiting.thread.native_id()), "a name of more ");
}

TEST(ThreadTest, cuts_no_character_of_its_name_in_two) {
  Waiting waiting({.name = "fourteen bytes\xc3\xa9"});
  EXPECT_EQ(system_name(waiting.thread.native_id()), "fourteen bytes");
  waiting.thread.set_name("twelve bytes\xf0\x9f\x90\x8d");
  EXPECT_EQ(system_name(waiting.thread.native_id()), "twelve bytes");
  waiting.thread.set_name("eleven byte\xf0\x9f\x90\x8d!");
  EXPECT_EQ(system_name(waiting.thread.native_id()), "eleven byte\xf0\x9f\x90\x8d");
}

TEST(ThreadTest, may_be_renamed_at_any_time) {
  Thread thread([] {});
  thread.set_name("before");
  EXPECT_EQ(thread.name(), "before");
  thread.start();
  thread.join();
  thread.set_name("after");
  EXPECT_EQ(thread.name(), "after");

  // While it ends, too.
  for (int round = 0; round < rounds(200); ++round) {
    Thread ending([] {});
    ending.start();
    ending.set_name("renamed while it ends");
    ending.join();
    ASSERT_EQ(ending.name(), "renamed while it ends");
  }
}

TEST(ThreadTest, knows_the_numbers_it_has_inside) {
  std::uint64_t ident = 0;
  int native_id = 0;
  Thread thread([&] {
    ident = nogil::get_ident();
    native_id = nogil::get_native_id();
  });
  EXPECT_EQ(thread.ident(), 0u);
  EXPECT_EQ(thread.native_id(), 0);
  thread.start();
  thread.join();
  EXPECT_EQ(thread.ident(), ident);
  EXPECT_EQ(thread.native_id(), native_id);
  EXPECT_NE(ident, nogil::get_ident());
  EXPECT_NE(native_id, nogil::get_native_id());
}

TEST(ThreadTest, is_no_daemon_unless_told_so) {
  EXPECT_FALSE(Thread([] {}).daemon());
  EXPECT_TRUE(Thread({.daemon = true}, [] {}).daemon());
}

// ---- Stack ---------------------------------------------------------------------------

std::size_t my_stack_size() {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  std::size_t size = 0;
  pthread_attr_getstacksize(&attributes, &size);
  pthread_attr_destroy(&attributes);
  return size;
}

TEST(ThreadTest, has_the_stack_it_asks_for) {
  for (const std::size_t asked : {std::size_t{1} << 20, (std::size_t{3} << 20) + 1, std::size_t{64} << 20}) {
    std::size_t got = 0;
    Thread thread({.stack_size = asked}, [&got] { got = my_stack_size(); });
    thread.start();
    thread.join();
    EXPECT_GE(got, asked);  // more if the system had a larger one at hand
  }
}

TEST(ThreadTest, refuses_a_stack_that_is_too_small) {
  EXPECT_THROW(Thread({.stack_size = 1}, [] {}), ValueError);
  EXPECT_THROW(Thread({.stack_size = static_cast<std::size_t>(PTHREAD_STACK_MIN) - 1}, [] {}), ValueError);
  EXPECT_NO_THROW(Thread({.stack_size = static_cast<std::size_t>(PTHREAD_STACK_MIN)}, [] {}));
}

TEST(ThreadTest, is_refused_a_stack_that_nobody_has) {
  Thread thread({.stack_size = SIZE_MAX}, [] { FAIL(); });
  EXPECT_THROW(thread.start(), RuntimeError);
  EXPECT_FALSE(thread.is_alive());
}

// ---- Exceptions ----------------------------------------------------------------------

TEST(ThreadTest, keeps_what_its_callable_threw) {
  nogil::set_excepthook([](const nogil::ExceptHookArgs&) {});
  Thread thread([] { throw std::out_of_range("boom"); });
  EXPECT_EQ(thread.exception(), nullptr);
  thread.start();
  thread.join();
  ASSERT_NE(thread.exception(), nullptr);
  EXPECT_THROW(std::rethrow_exception(thread.exception()), std::out_of_range);
  nogil::set_excepthook(nullptr);
}

TEST(ThreadTest, has_no_exception_when_all_went_well) {
  Thread thread([] {});
  thread.start();
  thread.join();
  EXPECT_EQ(thread.exception(), nullptr);
}

TEST(ThreadTest, may_end_by_pthread_exit) {
  std::atomic<std::uint64_t> destroyed = 0;
  Thread thread([tracer = Tracer(&destroyed)] { pthread_exit(nullptr); });
  thread.start();
  EXPECT_TRUE(thread.join());
  EXPECT_EQ(thread.exception(), nullptr);
  EXPECT_EQ(destroyed, thread.ident());
}

// ---- Its destructor ------------------------------------------------------------------

TEST(ThreadTest, is_stopped_and_joined_by_its_destructor) {
  std::atomic<bool> done = false;
  {
    Thread thread([&done](std::stop_token token) {
      while (!token.stop_requested()) std::this_thread::yield();
      done = true;
    });
    thread.start();
  }
  EXPECT_TRUE(done);
}

TEST(ThreadTest, goes_on_without_its_object_as_a_daemon) {
  const auto go = std::make_shared<Event>();
  const auto done = std::make_shared<std::atomic<bool>>(false);
  std::stop_token token;
  {
    Thread thread({.daemon = true}, [go, done] {
      go->wait();
      *done = true;
    });
    thread.start();
    token = thread.get_stop_token();
  }
  EXPECT_FALSE(*done);
  EXPECT_FALSE(token.stop_requested());
  go->set();
  EXPECT_TRUE(eventually([&] { return done->load(); }));
  EXPECT_TRUE(eventually([&] { return done.use_count() == 1; })) << "the callable is destroyed at its end";
}

TEST(ThreadTest, may_be_joined_as_a_daemon) {
  bool done = false;
  Thread thread({.daemon = true}, [&done] { done = true; });
  thread.start();
  EXPECT_TRUE(thread.join());
  EXPECT_TRUE(done);
}

TEST(ThreadTest, may_destroy_its_own_object) {
  for (int round = 0; round < rounds(100); ++round) {
    auto done = std::make_shared<Event>();
    auto* thread = new std::unique_ptr<Thread>;
    Event placed;
    *thread = std::make_unique<Thread>([thread, done, &placed] {
      placed.wait();
      delete thread;
      done->set();
    });
    (*thread)->start();
    placed.set();
    done->wait();
  }
}

TEST(ThreadTest, leaves_nothing_behind_when_it_is_destroyed_at_any_moment) {
  for (int round = 0; round < rounds(300); ++round) {
    std::atomic<int> ran = 0;
    {
      Thread thread([&] { ++ran; });
      thread.start();
      if (round % 3 == 0) static_cast<void>(thread.join(std::chrono::microseconds(round % 40)));
      if (round % 3 == 1) thread.request_stop();
    }
    ASSERT_EQ(ran, 1);
  }
}

// ---- Moving --------------------------------------------------------------------------

static_assert(std::is_nothrow_move_constructible_v<Thread>);
static_assert(!std::is_copy_constructible_v<Thread> && !std::is_copy_assignable_v<Thread>);

TEST(ThreadTest, can_be_kept_in_a_vector) {
  std::atomic<int> sum = 0;
  std::vector<Thread> threads;
  for (int i = 1; i <= 20; ++i) {
    threads.emplace_back([&sum](int n) { sum += n; }, i);
    threads.back().start();  // the vector grows while they run
  }
  for (Thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 210);
}

TEST(ThreadTest, takes_its_thread_along_when_it_moves) {
  Event go;
  Thread first([&] { go.wait(); });
  first.start();
  const std::uint64_t ident = first.ident();
  Thread second(std::move(first));
  EXPECT_EQ(second.ident(), ident);
  EXPECT_TRUE(second.is_alive());
  EXPECT_FALSE(first.is_alive());
  EXPECT_THROW(first.join(), RuntimeError);
  EXPECT_THROW(first.start(), RuntimeError);
  EXPECT_THROW(static_cast<void>(first.name()), RuntimeError);
  go.set();
  EXPECT_TRUE(second.join());
  first = std::move(second);
  EXPECT_TRUE(first.join());
}

TEST(ThreadTest, joins_the_thread_it_was_before_another_is_moved_into_it) {
  std::atomic<bool> done = false;
  Thread thread([&done](std::stop_token token) {
    while (!token.stop_requested()) std::this_thread::yield();
    done = true;
  });
  thread.start();
  thread = Thread([] {});
  EXPECT_TRUE(done);
  thread.start();
  thread.join();
}

// ---- Deriving ------------------------------------------------------------------------

class Adder : public Thread {
 public:
  Adder(int a, int b) : a_(a), b_(b) {}
  ~Adder() override { join_if_started(); }
  int sum() const { return sum_; }

 private:
  void run() override { sum_ = a_ + b_; }

  const int a_, b_;
  int sum_ = 0;
};

static_assert(!std::is_move_constructible_v<Adder> && !std::is_move_assignable_v<Adder>,
              "its run() uses the object, which must stay where it is");

TEST(ThreadTest, runs_what_a_derived_class_overrides) {
  Adder adder(2, 3);
  adder.start();
  adder.join();
  EXPECT_EQ(adder.sum(), 5);
}

TEST(ThreadTest, can_be_kept_in_a_deque_when_derived) {
  std::deque<Adder> adders;
  for (int i = 0; i < 20; ++i) adders.emplace_back(i, 1).start();
  for (Adder& adder : adders) adder.join();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(adders[static_cast<std::size_t>(i)].sum(), i + 1);
}

TEST(ThreadTest, is_joined_in_a_derived_class_by_its_destructor) {
  for (int round = 0; round < rounds(300); ++round) {
    Adder adder(1, 2);
    if (round % 2 == 0) adder.start();
  }
}

// run() uses nothing of its own class but a reference, so the base's destructor will do.
TEST(ThreadTest, runs_what_is_overridden_even_if_it_is_destroyed_at_once) {
  struct Setter : Thread {
    explicit Setter(std::atomic<int>& out) : Thread({.name = "setter"}), out_(out) {}
    void run() override { ++out_; }
    std::atomic<int>& out_;
  };
  std::atomic<int> ran = 0;
  for (int round = 0; round < rounds(500); ++round) {
    Setter setter(ran);
    setter.start();
    EXPECT_EQ(setter.name(), "setter");
  }
  EXPECT_EQ(ran, rounds(500));
}

TEST(ThreadTest, calls_its_callable_from_an_overriding_run_that_asks_for_it) {
  struct Twice : Thread {
    explicit Twice(std::vector<int>& out) : Thread([&out] { out.push_back(2); }), out_(out) {}
    ~Twice() override { join_if_started(); }
    void run() override {
      out_.push_back(1);
      Thread::run();
      Thread::run();  // its callable is gone, and nothing happens
      out_.push_back(3);
    }
    std::vector<int>& out_;
  };
  std::vector<int> out;
  Twice twice(out);
  twice.start();
  twice.join();
  EXPECT_EQ(out, (std::vector<int>{1, 2, 3}));
}

TEST(ThreadTest, finds_the_override_behind_another_base) {
  struct Base {
    virtual ~Base() = default;
    virtual int weight() const { return 1; }
    int filler = 7;
  };
  struct Both : Base, Thread {
    ~Both() override { join_if_started(); }
    void run() override { seen = filler + weight(); }
    int weight() const override { return 2; }
    int seen = 0;
  };
  Both both;
  both.start();
  both.join();
  EXPECT_EQ(both.seen, 9);
}

TEST(ThreadTest, does_nothing_when_derived_without_a_run) {
  struct Idle : Thread {};
  Idle idle;
  idle.start();
  EXPECT_TRUE(idle.join());
}

// ---- Fork ----------------------------------------------------------------------------

TEST(ThreadTest, is_not_alive_in_a_child_process) {
  Waiting waiting;
  Waiting daemon({.daemon = true});
  const pid_t child = fork();
  if (child == 0) {
    const bool right = !waiting.thread.is_alive() && waiting.thread.join() && daemon.thread.join(0s) &&
                       nogil::active_count() == 1 && nogil::main_thread() == nogil::current_thread();
    _exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(waiting.thread.is_alive());
  daemon.go.set();
  daemon.thread.join();
}

TEST(ThreadTest, can_be_started_in_a_child_process_though_another_thread_was_just_starting_it) {
#ifdef NOGIL_TSAN
  GTEST_SKIP() << "ThreadSanitizer starts no threads in a child of a process that had some";
#endif
  for (int round = 0; round < rounds(100); ++round) {
    Thread thread([] {});
    std::atomic<bool> go = false;
    Call starter([&] {
      go = true;
      thread.start();
    });
    while (!go) std::this_thread::yield();
    for (int pauses = 10 * round; pauses > 0; --pauses) nogil::platform::cpu_relax();
    const pid_t child = fork();
    if (child == 0) {
      ::alarm(20);
      try {
        thread.start();
      } catch (const RuntimeError&) {  // it ran already
      }
      _exit(thread.join() ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    starter.result();
    ASSERT_TRUE(thread.join());
  }
}

// The thread has said that it has ended, and another is joining it when a third forks.
TEST(ThreadTest, can_be_joined_in_a_child_process_though_another_thread_was_just_joining_it) {
  static Event ending, go;
  Thread thread([] {
    static const pthread_key_t last = [] {  // made after the library's own key, so its turn comes after
      pthread_key_t key;
      pthread_key_create(&key, [](void*) {
        ending.set();
        go.wait();
      });
      return key;
    }();
    pthread_setspecific(last, &ending);
  });
  thread.start();
  ending.wait();
  Call join([&] { return thread.join(); });
  ASSERT_TRUE(falls_asleep(join));
  const pid_t child = fork();
  if (child == 0) {
    ::alarm(20);
    _exit(thread.join() && thread.join(0s) && !thread.is_alive() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  go.set();
  EXPECT_TRUE(join.result());
}

}  // namespace
}  // namespace thread_test
