// Tests of nogil::mp::Process, under every start method. Cases of CPython's _TestProcess are
// among them.

#include "nogil/multiprocessing/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/pipe.hpp"
#include "nogil/multiprocessing/queue.hpp"
#include "nogil/multiprocessing/value.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/thread.hpp"
#include "support/files.hpp"

namespace nogil::testing::process_test {
namespace {

using mp::Value;

using AnyProcess = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyProcess);

void nothing() {}

void sleep_for_ever() {
  for (;;) ::pause();
}

// ---- The call --------------------------------------------------------------------------

TEST_P(AnyProcess, calls_with_the_arguments_that_it_was_made_with) {
  Value<int> sum(0);
  Process worker = process(
      [](const std::vector<int>& numbers, const std::string& text, double factor, Value<int> to) {
        int all = static_cast<int>(static_cast<double>(text.size()) * factor);
        for (const int number : numbers) all += number;
        to.set(all);
      },
      std::vector<int>{1, 2, 3}, "four", 2.5, sum);
  EXPECT_FALSE(worker.is_alive());
  worker.start();
  worker.join();
  EXPECT_EQ(worker.exitcode(), 0);
  EXPECT_EQ(sum.get(), 16);
}

double half(double x) {
  return x / 2;
}

TEST_P(AnyProcess, calls_functions_of_the_program_and_of_libraries) {
  EXPECT_EQ(exitcode(half, 3.0), 0);
  EXPECT_EQ(exitcode(static_cast<double (*)(double)>(std::sqrt), 3.0), 0);
  EXPECT_EQ(exitcode(::usleep, 1u), 0);
}

TEST_P(AnyProcess, takes_a_callable_object_with_its_state) {
  struct Adder {
    std::vector<int> numbers;
    Value<int> to;
    Adder() = default;
    Adder(std::vector<int> n, Value<int> v) : numbers(std::move(n)), to(v) {}
    void serialize(mp::OutputArchive& archive) { archive(numbers, to); }
    void serialize(mp::InputArchive& archive) { archive(numbers, to); }
    void operator()(int extra) {
      for (const int number : numbers) extra += number;
      to.set(extra);
    }
  };
  Value<int> sum(0);
  EXPECT_EQ(exitcode(Adder({1, 2}, sum), 10), 0);
  EXPECT_EQ(sum.get(), 13);
}

TEST_P(AnyProcess, takes_large_arguments) {
  Value<double> sum(0);
  std::vector<double> numbers(1'000'000, 0.5);
  EXPECT_EQ(exitcode(
                [](const std::vector<double>& all, Value<double> to) {
                  double total = 0;
                  for (const double one : all) total += one;
                  to.set(total);
                },
                numbers, sum),
            0);
  EXPECT_EQ(sum.get(), 500'000);
}

TEST_P(AnyProcess, is_refused_when_it_captures_by_reference) {
  int local = 1;
  EXPECT_THROW(process([&local] { ++local; }), ValueError);
}

TEST_P(AnyProcess, has_its_own_memory) {
  static int global = 1;
  EXPECT_EQ(exitcode([] { global = 2; }), 0);
  EXPECT_EQ(global, 1);
}

TEST_P(AnyProcess, has_threads_of_its_own) {
  const int parent = static_cast<int>(main_thread().native_id());
  EXPECT_EQ(exitcode(
                [](int parents) {
                  const ThreadInfo main = main_thread();
                  if (static_cast<int>(main.native_id()) != ::getpid() || ::getpid() == parents) std::_Exit(2);
                  if (current_thread().ident() != main.ident() || main.name() != "MainThread") std::_Exit(3);
                  if (active_count() != 1 || enumerate().size() != 1) std::_Exit(4);
                  Value<int> done(0);
                  {
                    nogil::Thread daemon({.daemon = true}, sleep_for_ever);
                    daemon.start();
                    nogil::Thread worker([done]() mutable { ::usleep(2'000), done.set(1); });
                    worker.start();
                  }
                  if (done.get() != 1) std::_Exit(5);  // one that is no daemon is joined
                },
                parent),
            0);
}

// ---- How it ends -------------------------------------------------------------------------

TEST_P(AnyProcess, tells_how_it_ended) {
  EXPECT_EQ(exitcode(nothing), 0);
  EXPECT_EQ(exitcode([] { ::_exit(3); }), 3);
  EXPECT_EQ(exitcode([](int code) { std::_Exit(code); }, 250), 250);
  EXPECT_EQ(exitcode([] { ::raise(SIGKILL); }), -SIGKILL);
  EXPECT_EQ(exitcode([] { ::signal(SIGSEGV, SIG_DFL), ::raise(SIGSEGV); }), -SIGSEGV);
  EXPECT_EQ(exitcode([] { ::signal(SIGABRT, SIG_DFL), std::abort(); }), -SIGABRT);
}

// Inside a process without the threads of these tests, whose objects exit() destroys.
template <class F>
int exitcode_inside(StartMethod method, const F& callable) {
  Process outer(
      Process::Options{.start_method = StartMethod::spawn},
      [](StartMethod how, const F& inner) {
        Process one(Process::Options{.start_method = how}, inner);
        one.start();
        one.join();
        std::_Exit(one.exitcode().value());
      },
      method, callable);
  outer.start();
  outer.join();
  return outer.exitcode().value();
}

TEST_P(AnyProcess, may_end_by_exit) {
  if (kSanitized && GetParam() == StartMethod::fork) GTEST_SKIP() << "exit() looks for leaks in what was the parent's";
  EXPECT_EQ(exitcode_inside(GetParam(), [] { std::exit(0); }), 0);
  EXPECT_EQ(exitcode_inside(GetParam(), [] { std::exit(8); }), 8);
  Stdout out;
  EXPECT_EQ(exitcode_inside(GetParam(),
                            [] {
                              static Process child(Process::Options{.daemon = true}, sleep_for_ever);
                              child.start();
                              std::printf("by exit");
                              std::exit(3);  // with a supervisor, and a child that is joined then
                            }),
            3);
  EXPECT_EQ(out.text(), "by exit");
}

TEST_P(AnyProcess, ends_with_1_and_a_line_on_stderr_when_an_exception_leaves_it) {
  const std::string said = stderr_of([] {
    Process worker(Process::Options{.name = "thrower", .start_method = GetParam()},
                   [] { throw std::out_of_range("too far"); });
    worker.start();
    worker.join();
    EXPECT_EQ(worker.exitcode(), 1);
  });
  EXPECT_EQ(said, "Exception in process thrower: std::out_of_range: too far\n");
}

TEST_P(AnyProcess, has_written_everything_when_it_has_ended) {
  Stdout out;
  EXPECT_EQ(exitcode([] {
              std::printf("by printf ");
              std::cout << "by cout";
            }),
            0);
  EXPECT_EQ(out.text(), "by printf by cout");
}

TEST_P(AnyProcess, has_written_everything_to_streams_that_are_not_those_of_stdio) {
  Stdout out;
  const std::string said = stderr_of([] {
    EXPECT_EQ(exitcode([] {
                std::ios::sync_with_stdio(false);
                std::cout << "by cout";
                std::clog << "by clog";
                std::wclog << L" and wclog";
              }),
              0);
  });
  EXPECT_EQ(out.text(), "by cout");
  EXPECT_EQ(said, "by clog and wclog");
}

TEST_P(AnyProcess, has_written_everything_when_an_exception_leaves_it) {
  Stdout out;
  const std::string said = stderr_of([] {
    EXPECT_EQ(exitcode([] {
                std::printf("before ");
                std::cout << "it";
                throw std::runtime_error("thrown");
              }),
              1);
  });
  EXPECT_EQ(out.text(), "before it");
  EXPECT_NE(said.find("thrown"), std::string::npos);
}

TEST_P(AnyProcess, ends_well_when_its_output_goes_nowhere) {
  EXPECT_EQ(exitcode([] { ::close(STDOUT_FILENO), ::close(STDERR_FILENO), std::printf("lost"); }), 0);
  EXPECT_EQ(exitcode([] { std::fclose(stdout), std::fclose(stderr), std::fclose(stdin); }), 0);
}

// A parent without standard files, whose numbers others get then.
TEST_P(AnyProcess, is_started_by_one_that_has_closed_its_standard_files) {
  const Stdout quiet;
  for (const int closed : {0, 1, 2, 3}) {
    EXPECT_EQ(exitcode(
                  [](StartMethod method, int which) {
                    for (const int fd : {0, 1, 2}) {
                      if (fd == which || which == 3) ::close(fd);
                    }
                    mp::Queue<int> queue;
                    auto [here, there] = mp::Pipe<int>();
                    auto [more, less] = mp::Pipe<int>();
                    Process inner(
                        Process::Options{.name = method == StartMethod::fork ? "copy" : "new", .start_method = method},
                        [](mp::Queue<int> to, mp::Connection<int> one, mp::Connection<int> two) {
                          if (std::getchar() != EOF) std::_Exit(2);
                          std::printf("to nobody");
                          std::fflush(stdout);
                          to.put(one.recv());
                          two.send(one.recv());
                          mp::Queue<int> again = to;
                          auto line = mp::Pipe<mp::Queue<int>>();
                          line.first.send(again);  // its file is still its own
                          line.second.recv().put(3);
                          if (mp::current_process().name == "copy") return;  // has what the parent has
                          for (const int fd : {1, 2}) {
                            if (::fcntl(fd, F_GETFD) != 0) std::_Exit(5);
                          }
                        },
                        queue, there, less);
                    inner.start();
                    there.close();
                    less.close();
                    here.send(1);
                    here.send(2);
                    if (queue.get(kPatience) != 1 || more.recv(kPatience) != 2 || queue.get(kPatience) != 3) {
                      std::_Exit(3);
                    }
                    inner.join();
                    std::_Exit(inner.exitcode() == 0 ? 0 : 4);
                  },
                  GetParam(), closed),
              0)
        << closed;
  }
}

TEST_P(AnyProcess, reads_nothing_from_standard_input) {
  EXPECT_EQ(exitcode([] { std::_Exit(std::getchar() == EOF ? 0 : 1); }), 0);
}

TEST_P(AnyProcess, ends_when_it_is_asked_to) {
  for (const auto& [ask, expected] : {std::pair{&Process::terminate, -SIGTERM}, std::pair{&Process::kill, -SIGKILL},
                                      std::pair{&Process::interrupt, -SIGINT}}) {
    mp::Event started;
    Process worker = process(
        [](mp::Event event) {
          event.set();
          sleep_for_ever();
        },
        started);
    worker.start();
    started.wait();
    EXPECT_TRUE(worker.is_alive());
    EXPECT_EQ(worker.exitcode(), std::nullopt);
    (worker.*ask)();
    worker.join();
    EXPECT_EQ(worker.exitcode(), expected);
    EXPECT_FALSE(worker.is_alive());
    (worker.*ask)();  // nothing happens
  }
}

TEST_P(AnyProcess, is_ended_by_sigint_even_when_the_parent_ignores_it) {
  const auto before = ::signal(SIGINT, SIG_IGN);
  mp::Event started;
  Process worker = process(
      [](mp::Event event) {
        event.set();
        sleep_for_ever();
      },
      started);
  worker.start();
  started.wait();
  worker.interrupt();
  worker.join();
  EXPECT_EQ(worker.exitcode(), -SIGINT);
  ::signal(SIGINT, before);
}

// What is sent before the child has come to its callable is not lost.
TEST_P(AnyProcess, ends_when_it_is_asked_to_at_once) {
  for (const auto& [ask, signal] : {std::pair{&Process::terminate, SIGTERM}, std::pair{&Process::interrupt, SIGINT}}) {
    for (const auto action : {SIG_DFL, SIG_IGN, +[](int) {}}) {  // of the parent
      const auto before = ::signal(signal, action);
      for (int round = 0; round < rounds(10); ++round) {
        Process worker = process(sleep_for_ever);
        worker.start();
        (worker.*ask)();
        if (!worker.join(kPatience)) worker.kill();
        worker.join();
        EXPECT_EQ(worker.exitcode(), -signal) << (action == SIG_DFL ? "" : "for which the parent has another action");
      }
      ::signal(signal, before);
    }
  }
}

TEST_P(AnyProcess, is_one_of_many) {
  const int count = GetParam() == StartMethod::spawn || kSanitized ? 5 : 100;
  std::vector<Process> all;
  for (int i = 0; i < count; ++i) all.push_back(process(::usleep, 1000u));
  for (Process& one : all) one.start();
  for (Process& one : all) {
    EXPECT_TRUE(one.join(kPatience));
    EXPECT_EQ(one.exitcode(), 0);
  }
  all.clear();
  for (int i = 0; i < count; ++i) all.push_back(process(sleep_for_ever));
  for (Process& one : all) one.start();
  EXPECT_EQ(mp::active_children().size(), all.size());
  for (Process& one : all) one.terminate();
  for (Process& one : all) {
    EXPECT_TRUE(one.join(kPatience));
    EXPECT_EQ(one.exitcode(), -SIGTERM);
  }
}

// ---- Waiting for it --------------------------------------------------------------------------

TEST_P(AnyProcess, is_waited_for_no_longer_than_the_limit) {
  Process worker = process(sleep_for_ever);
  worker.start();
  EXPECT_FALSE(worker.join(0ms));
  EXPECT_FALSE(worker.join(-1s));
  EXPECT_FALSE(worker.join(5ms));
  EXPECT_FALSE(worker.join(stopped_token()));
  worker.kill();
  EXPECT_TRUE(worker.join(kPatience));
  EXPECT_TRUE(worker.join(0ms));
  EXPECT_TRUE(worker.join());
}

// Signals with a handler that come all the time: system calls end early, and must go on.
class Interruptions {
 public:
  Interruptions() {
    struct ::sigaction action {};
    action.sa_handler = [](int) { ++s_count; };  // without SA_RESTART
    ::sigaction(SIGALRM, &action, &before_);
    const ::itimerval often{{0, 200}, {0, 200}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  ~Interruptions() {
    const ::itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

  static int count() { return s_count; }

 private:
  static inline std::atomic<int> s_count{0};
  struct ::sigaction before_ {};
};

TEST_P(AnyProcess, is_started_and_waited_for_while_signals_come) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps signals back, and they come at other moments";
  const Interruptions often;
  for (int round = 0; round < rounds(10); ++round) {
    auto [here, there] = mp::Pipe<std::string>();
    mp::Event begun;
    mp::Queue<int> queue(1);
    mp::Lock lock;
    Process worker = process(
        [](mp::Connection<std::string> line, mp::Event event, mp::Queue<int> to, mp::Lock own) {
          const Interruptions here_too;
          event.set();
          const std::string text = line.recv();
          for (int i = 0; i < 20; ++i) line.send(text);  // more than there is room for
          for (int i = 0; i < 20; ++i) to.put(i);
          own.acquire();
          own.release();
          for (const int last = Interruptions::count(); Interruptions::count() < last + 5;) ::pause();
        },
        there, begun, queue, lock);
    there.close();
    lock.acquire();
    worker.start();
    begun.wait();
    EXPECT_FALSE(worker.join(2ms));
    EXPECT_FALSE(here.poll(2ms));
    EXPECT_THROW(queue.get(2ms), Empty);
    const std::string text(100'000, 'x');
    here.send(text);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(here.recv(), text);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(queue.get(), i);
    EXPECT_FALSE(worker.join(2ms));
    lock.release();
    EXPECT_THROW(here.recv(), EndOfFile);
    worker.join();
    EXPECT_EQ(worker.exitcode(), 0);
  }
  EXPECT_GT(Interruptions::count(), 0);
}

TEST_P(AnyProcess, is_waited_for_by_many_threads) {
  Process worker = process(sleep_for_ever);
  worker.start();
  Bunch waiters(4, [&] {
    EXPECT_TRUE(worker.join());
    EXPECT_EQ(worker.exitcode(), -SIGKILL);
  });
  worker.kill();
  waiters.join();
}

TEST_P(AnyProcess, has_a_file_that_is_readable_when_it_has_ended) {
  Process worker = process(sleep_for_ever);
  worker.start();
  ::pollfd question{worker.sentinel(), POLLIN, 0};
  EXPECT_EQ(::poll(&question, 1, 0), 0);
  worker.kill();
  EXPECT_EQ(::poll(&question, 1, 30'000), 1);
}

TEST_P(AnyProcess, is_joined_by_its_destructor) {
  Value<int> done(0);
  {
    Process worker = process([](Value<int> to) { ::usleep(20'000), to.set(1); }, done);
    worker.start();
  }
  EXPECT_EQ(done.get(), 1);
}

TEST_P(AnyProcess, is_terminated_by_its_destructor_when_it_is_a_daemon) {
  Process worker(Process::Options{.daemon = true, .start_method = GetParam()}, sleep_for_ever);
  EXPECT_TRUE(worker.daemon());
  worker.start();
}

TEST_P(AnyProcess, can_be_moved_while_it_runs) {
  Process worker = process(sleep_for_ever);
  worker.start();
  std::vector<Process> all;
  all.push_back(std::move(worker));
  all.push_back(process(sleep_for_ever));
  all.back().start();
  for (Process& one : all) one.kill();
  for (Process& one : all) EXPECT_TRUE(one.join());
  all[0] = std::move(all[1]);
  EXPECT_EQ(all[0].exitcode(), -SIGKILL);
}

// ---- Misuse ----------------------------------------------------------------------------------

TEST_P(AnyProcess, refuses_what_comes_too_early_or_too_late) {
  Process worker = process(sleep_for_ever);
  EXPECT_THROW(worker.join(), RuntimeError);
  EXPECT_THROW(worker.terminate(), RuntimeError);
  EXPECT_THROW(static_cast<void>(worker.sentinel()), RuntimeError);
  EXPECT_EQ(worker.pid(), 0);
  EXPECT_EQ(worker.exitcode(), std::nullopt);
  worker.start();
  EXPECT_THROW(worker.start(), RuntimeError);
  EXPECT_THROW(worker.close(), ValueError);
  worker.kill();
  worker.join();
  EXPECT_THROW(worker.start(), RuntimeError);
}

TEST_P(AnyProcess, tells_nothing_but_its_name_when_it_is_closed) {
  for (const bool started : {true, false}) {
    Process worker(Process::Options{.name = "closed", .daemon = true, .start_method = GetParam()}, nothing);
    if (started) {
      worker.start();
      worker.join();
    }
    worker.close();
    worker.close();
    EXPECT_THROW(worker.start(), ValueError);
    EXPECT_THROW(worker.join(), ValueError);
    EXPECT_THROW(worker.join(0s), ValueError);
    EXPECT_THROW(worker.terminate(), ValueError);
    EXPECT_THROW(worker.kill(), ValueError);
    EXPECT_THROW(worker.interrupt(), ValueError);
    EXPECT_THROW(static_cast<void>(worker.sentinel()), ValueError);
    EXPECT_THROW(static_cast<void>(worker.is_alive()), ValueError);
    EXPECT_THROW(static_cast<void>(worker.pid()), ValueError);
    EXPECT_THROW(static_cast<void>(worker.exitcode()), ValueError);
    EXPECT_EQ(worker.name(), "closed");
    EXPECT_TRUE(worker.daemon());
  }
}

TEST_P(AnyProcess, is_refused_when_no_file_can_be_opened_and_started_later) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs files to look at memory";
  mp::Event stop;
  Process other = process([](mp::Event event) { event.wait(); }, stop);  // what is made once is there then
  other.start();
  Process worker = process(nothing);
  {
    NoFilesLeft none;
    for (int left = 0; left < 6; ++left) {
      try {
        worker.start();
        break;
      } catch (const std::system_error& error) {
        EXPECT_EQ(error.code().value(), EMFILE);
      }
      none.leave(1);
    }
  }
  if (!worker.is_alive() && worker.pid() == 0) worker.start();
  EXPECT_TRUE(worker.join(kPatience));
  EXPECT_EQ(worker.exitcode(), 0);
  EXPECT_TRUE(other.is_alive()) << "it is no matter of others";
  stop.set();
  other.join();
  EXPECT_EQ(other.exitcode(), 0);
}

// ---- Who is who ----------------------------------------------------------------------------------

TEST_P(AnyProcess, knows_itself_and_its_parent) {
  EXPECT_EQ(mp::current_process().name, "MainProcess");
  EXPECT_EQ(mp::current_process().pid, ::getpid());
  EXPECT_EQ(mp::parent_process(), std::nullopt);
  Process worker(
      Process::Options{.name = "inner", .daemon = true, .start_method = GetParam()},
      [](int parent) {
        const mp::ProcessInfo self = mp::current_process();
        const auto above = mp::parent_process();
        const bool right = self.name == "inner" && self.daemon && self.pid == ::getpid() && above &&
                           above->name == "MainProcess" && above->pid == parent && mp::active_children().empty();
        std::_Exit(right ? 0 : 1);
      },
      ::getpid());
  worker.start();
  worker.join();
  EXPECT_EQ(worker.exitcode(), 0);
  EXPECT_EQ(process(nothing).name().substr(0, 8), "Process-");
}

TEST_P(AnyProcess, is_among_the_active_children_until_it_ends) {
  EXPECT_TRUE(mp::active_children().empty());
  Process worker = process(sleep_for_ever);
  worker.start();
  ASSERT_EQ(mp::active_children().size(), 1u);
  EXPECT_EQ(mp::active_children()[0].pid, worker.pid());
  worker.kill();
  worker.join();
  EXPECT_TRUE(mp::active_children().empty());
}

TEST_P(AnyProcess, may_have_processes_of_its_own) {
  Value<int> sum(0);
  EXPECT_EQ(exitcode(
                [](StartMethod method, Value<int> to) {
                  std::vector<Process> inner;
                  for (int i = 0; i < 2; ++i) {
                    inner.emplace_back(
                        Process::Options{.start_method = method},
                        [](Value<int> shared) { shared.with_lock([](int& n) { ++n; }); }, to);
                    inner.back().start();
                  }
                  for (Process& one : inner) one.join();
                },
                GetParam(), sum),
            0);
  EXPECT_EQ(sum.get(), 2);
}

// Each starts two, one after the other, to a depth of two.
void tell_and_start(StartMethod method, mp::Connection<std::string> to, const std::string& id) {
  to.send(id);
  const std::string mine = mp::current_process().name;
  for (const char branch : {'0', '1'}) {
    if (id.size() == 2) return;
    Process next(
        Process::Options{.name = mine + branch, .start_method = method},
        [](StartMethod how, mp::Connection<std::string> line, const std::string& number, const std::string& parent) {
          const auto above = mp::parent_process();
          if (!above || above->name != parent || above->pid != ::getppid()) {
            if (how != StartMethod::forkserver || !above || above->name != parent) std::_Exit(2);
          }
          tell_and_start(how, line, number);
        },
        method, to, id + branch, mine);
    next.start();
    next.join();
    if (next.exitcode() != 0) throw std::runtime_error("a process further down has failed");
  }
}

TEST_P(AnyProcess, may_be_a_tree) {
  auto [from, to] = mp::Pipe<std::string>(false);
  tell_and_start(GetParam(), to, "");
  to.close();
  std::vector<std::string> told;
  try {
    for (;;) told.push_back(from.recv());
  } catch (const EndOfFile&) {
  }
  EXPECT_EQ(told, (std::vector<std::string>{"", "0", "00", "01", "1", "10", "11"}));
}

// ---- What it has --------------------------------------------------------------------------------

TEST_P(AnyProcess, has_no_more_files_when_others_run) {
  if (GetParam() == StartMethod::fork) GTEST_SKIP() << "it has those of the parent";
  mp::Event stop;
  mp::Queue<std::ptrdiff_t> counts;
  std::vector<Process> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(process(
        [](mp::Event event, mp::Queue<std::ptrdiff_t> to) {
          to.put(open_files());
          event.wait();
        },
        stop, counts));
    all.back().start();
  }
  std::set<std::ptrdiff_t> seen;
  for (int i = 0; i < 5; ++i) seen.insert(counts.get(kPatience));
  EXPECT_EQ(seen.size(), 1u);
  stop.set();
}

TEST_P(AnyProcess, inherits_no_file_that_it_was_not_given) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // without O_CLOEXEC
  // From a parent whose template, too, is made when the pipe is there.
  const int code = exitcode(
      [](StartMethod method, int fd) {
        if (method != StartMethod::fork) {
          if (::fcntl(fd, F_GETFD) >= 0) std::_Exit(2);
          int own[2];
          if (::pipe(own) != 0) std::_Exit(9);
          fd = own[0];
        }
        Process inner(
            Process::Options{.start_method = method},
            [](int number) { std::_Exit(::fcntl(number, F_GETFD) >= 0 ? 3 : 0); }, fd);
        inner.start();
        inner.join();
        std::_Exit(inner.exitcode().value());
      },
      GetParam(), ends[0]);
  EXPECT_EQ(code, GetParam() == StartMethod::fork ? 3 : 0) << "but fork copies all";
  ::close(ends[0]);
  ::close(ends[1]);
}

// ---- Nothing is left --------------------------------------------------------------------------------

TEST_P(AnyProcess, leaves_neither_files_nor_zombies) {
  EXPECT_EQ(exitcode(nothing), 0);  // the supervisor and the template are there now
  const auto before = open_files();
  for (int round = 0; round < 5; ++round) {
    mp::Lock lock;
    EXPECT_EQ(exitcode([](mp::Lock own) { own.acquire(), own.release(); }, lock), 0);
  }
  // The supervisor closes what belonged to a child a moment after its end.
  EXPECT_TRUE(eventually([&] { return open_files() <= before; }));
  int pid = 0;
  {
    Process worker = process(nothing);
    worker.start();
    pid = worker.pid();
    worker.join();
  }
  EXPECT_TRUE(eventually([pid] { return ::kill(pid, 0) != 0; })) << "a zombie has its number still";
}

TEST_P(AnyProcess, dies_with_its_parent_however_that_dies) {
  Value<mp::detail::Who> grandchild(0);
  Process parent = process(
      [](StartMethod method, Value<mp::detail::Who> told) {
        Process child(
            Process::Options{.start_method = method},
            [](Value<mp::detail::Who> to) {
              to.set(mp::detail::this_process());
              sleep_for_ever();
            },
            told);
        child.start();
        sleep_for_ever();
      },
      GetParam(), grandchild);
  parent.start();
  ASSERT_TRUE(eventually([&] { return grandchild.get() != 0; }));
  const mp::detail::Who who = grandchild.get();
  EXPECT_TRUE(mp::detail::process_lives(who));
  parent.kill();
  parent.join();
  EXPECT_TRUE(eventually([&] { return !mp::detail::process_lives(who); }));
}

TEST_P(AnyProcess, may_be_started_by_a_thread_that_ends_soon) {
  std::vector<Process> workers;
  mp::Event release;
  const auto start = [&] {
    workers.push_back(process([](mp::Event event) { event.wait(); }, release));
    workers.back().start();
  };
  if (GetParam() == StartMethod::fork) start();  // no other thread may be there
  else std::thread(start).join();
  EXPECT_FALSE(workers[0].join(20ms)) << "the kernel ends a child with the thread that created it";
  release.set();
  workers[0].join();
  EXPECT_EQ(workers[0].exitcode(), 0);
}

}  // namespace
}  // namespace nogil::testing::process_test
