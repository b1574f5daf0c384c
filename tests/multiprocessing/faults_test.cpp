// What becomes of a pool when a process dies, is stopped, or runs out of memory: at each step
// that a call takes through a worker, and at any instruction. Always the same is asked for:
// the right task fails, every other result is right, nothing hangs, nothing is left.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "multiprocessing/support/stepper.hpp"
#include "nogil/multiprocessing/array.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/multiprocessing/shared_memory.hpp"
#include "nogil/multiprocessing/value.hpp"
#include "nogil/threading/event.hpp"
#include "support/files.hpp"

namespace nogil::testing::faults_test {
namespace {

using mp::Array;
using mp::ProcessPoolExecutor;
using mp::TaskOptions;
using mp::Value;
using mp::detail::process_lives;
using mp::detail::Who;

int twice(int x) {
  return 2 * x;
}

void sleep_for_ever() {
  for (;;) ::pause();
}

// ---- Ways to go ------------------------------------------------------------------------------

enum class Way { kKilled, kSegmentationFault, kAbort, kExitWith0, kExitWith3, kNoStack, kStopped };

int without_end(int depth) {
  volatile char room[4096] = {};
  room[depth % 4096] = 1;
  return depth < 0 ? 0 : without_end(depth + 1) + room[0];
}

void go(Way way) {
  for (const int signal : {SIGSEGV, SIGABRT}) ::signal(signal, SIG_DFL);  // a sanitizer's handler would exit
  switch (way) {
    case Way::kKilled:
      ::raise(SIGKILL);
      break;
    case Way::kSegmentationFault:
      ::raise(SIGSEGV);
      break;
    case Way::kAbort:
      std::abort();
    case Way::kExitWith0:
      ::_exit(0);
    case Way::kExitWith3:
      ::_exit(3);
    case Way::kNoStack:
      without_end(0);
      break;
    case Way::kStopped:
      ::raise(SIGSTOP);
      break;
  }
}

// A process goes that way when it is sent SIGUSR1 with it: a template runs no code of a user's. It
// is set up before main(), as a template sees no more of the program.
[[maybe_unused]] const int g_goes_by_signal = [] {
  struct ::sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, ::siginfo_t* info, void*) { go(static_cast<Way>(info->si_value.sival_int)); };
  return ::sigaction(SIGUSR1, &action, nullptr);
}();

void make_go(int pid, Way way) {
  ::sigval value{};
  value.sival_int = static_cast<int>(way);
  ::sigqueue(pid, SIGUSR1, value);
}

// Leaves the process so many bytes more than it has; 0: the calling one.
void leave_memory(int pid, std::size_t bytes) {
  const std::string path = pid == 0 ? "/proc/self/statm" : "/proc/" + std::to_string(pid) + "/statm";
  std::FILE* const file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return;
  long pages = 0;
  const bool known = std::fscanf(file, "%ld", &pages) == 1;
  std::fclose(file);
  if (!known) return;
  ::rlimit limit{};
  ::prlimit(pid, RLIMIT_AS, nullptr, &limit);
  limit.rlim_cur = static_cast<::rlim_t>(pages) * 4096 + bytes;
  ::prlimit(pid, RLIMIT_AS, &limit, nullptr);
}

// What the future must say of a task that went that way.
void expect_told(const Future<int>& future, Way way) {
  try {
    ADD_FAILURE() << "it has a result: " << future.result();
  } catch (const WorkerDied& error) {
    switch (way) {
      case Way::kKilled:
        EXPECT_EQ(error.signal(), SIGKILL);
        break;
      case Way::kSegmentationFault:
        EXPECT_EQ(error.signal(), SIGSEGV);
        break;
      case Way::kAbort:
        EXPECT_EQ(error.signal(), SIGABRT);
        break;
      case Way::kExitWith0:
        EXPECT_EQ(error.exit_code(), 0);
        break;
      case Way::kExitWith3:
        EXPECT_EQ(error.exit_code(), 3);
        break;
      case Way::kNoStack:
        EXPECT_EQ(error.signal(), SIGSEGV);
        break;
      case Way::kStopped:
        ADD_FAILURE() << error.what();
        break;
    }
  } catch (const TimeoutError& error) {
    EXPECT_EQ(way, Way::kStopped) << error.what();
  }
}

// ---- Steps of a call ---------------------------------------------------------------------------

enum class Step { kArgument, kCall, kOutput, kResult };

struct Doom {
  Step step = Step::kCall;
  Way way = Way::kKilled;
};

// Goes while the worker decodes it.
struct Argument {
  Doom doom;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(doom);
    if (Archive::is_loading::value && doom.step == Step::kArgument) go(doom.way);
  }
};

// Goes while the worker encodes it, or else comes back as a number.
struct Answer {
  Doom doom;
  int number = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    if (!Archive::is_loading::value && doom.step == Step::kResult) go(doom.way);
    archive(number);
  }
};

// Goes when the worker sends its output on its way, after the call.
void go_when_flushed(Way way) {
  static Way chosen;
  chosen = way;
  ::cookie_io_functions_t functions{};
  functions.write = [](void*, const char*, std::size_t size) {
    go(chosen);
    return static_cast<::ssize_t>(size);
  };
  std::fputs("x", ::fopencookie(nullptr, "w", functions));
}

Answer doomed(Argument argument, const std::string& ballast) {
  if (argument.doom.step == Step::kCall) go(argument.doom.way);
  if (argument.doom.step == Step::kOutput) go_when_flushed(argument.doom.way);
  return {argument.doom, static_cast<int>(ballast.size())};
}

// A pool, and what is left when it is gone.
class FaultyPool : public UnderEveryStartMethod {
 protected:
  static ProcessPoolExecutor::Options options(std::size_t workers) {
    return {.max_workers = workers, .start_method = GetParam()};
  }

  void SetUp() override {
    { ProcessPoolExecutor(options(1)).submit(twice, 1).result(); }  // what is made once is there now
    files_ = open_files();
    shared_ = named_memory();
  }

  void TearDown() override {
    EXPECT_TRUE(eventually([this] { return open_files() <= files_; })) << open_files() << " were " << files_;
    EXPECT_EQ(named_memory(), shared_);
    EXPECT_TRUE(mp::active_children().empty());
    EXPECT_TRUE(eventually([] { return no_zombies(); }));
  }

 private:
  std::ptrdiff_t files_ = 0;
  std::ptrdiff_t shared_ = 0;
};
NOGIL_UNDER_EVERY_START_METHOD(FaultyPool);

TEST_P(FaultyPool, fails_the_task_of_a_worker_that_goes_at_any_step_and_no_other) {
  ProcessPoolExecutor pool(options(1));
  for (const Step step : {Step::kArgument, Step::kCall, Step::kOutput, Step::kResult}) {
    for (const Way way : {Way::kKilled, Way::kSegmentationFault, Way::kAbort, Way::kExitWith0, Way::kExitWith3,
                          Way::kNoStack, Way::kStopped}) {
      if (way == Way::kNoStack && kSanitized) continue;  // a sanitizer has its own idea of it
      SCOPED_TRACE(::testing::Message() << "step " << static_cast<int>(step) << ", way " << static_cast<int>(way));
      const TaskOptions limit{.timeout = way == Way::kStopped ? 30ms : 0ms};
      const std::string ballast(static_cast<int>(step) % 2 == 0 ? 10u : 10'000u, 'x');  // in the slot, beside it
      auto before = pool.submit(twice, 1);
      auto fails = pool.submit(
          limit, [](Argument argument, std::string text) { return doomed(argument, text).number; },
          Argument{{step, way}}, ballast);
      auto encoded = pool.submit(limit, doomed, Argument{{step, way}}, ballast);
      auto behind = pool.submit(twice, 2);
      auto large = pool.submit([](const std::string& text) { return text + text; }, std::string(5000, 'y'));
      EXPECT_EQ(before.result(), 2);
      if (step != Step::kResult) expect_told(fails, way);
      else EXPECT_EQ(fails.result(), static_cast<int>(ballast.size()));
      try {
        encoded.result();
        ADD_FAILURE() << "it has a result";
      } catch (const WorkerDied&) {
        EXPECT_NE(way, Way::kStopped);
      } catch (const TimeoutError&) {
        EXPECT_EQ(way, Way::kStopped);
      }
      EXPECT_EQ(behind.result(), 4);
      EXPECT_EQ(large.result(), std::string(10'000, 'y'));
    }
  }
}

TEST_P(FaultyPool, says_that_memory_ran_out_at_any_step) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs more memory than that";
  ProcessPoolExecutor pool(options(1));
  pool.submit([] { leave_memory(0, std::size_t{100} << 20); }).result();
  const int pid = pool.worker_pids().at(0);
  const auto whole = [](std::string text) { return text; };
  EXPECT_THROW(pool.submit(whole, std::string(std::size_t{90} << 20, 'x')).result(), std::exception) << "decoding";
  EXPECT_THROW(pool.submit([] { return std::string(std::size_t{200} << 20, 'x').size(); }).result(), std::bad_alloc);
  EXPECT_THROW(pool.submit([] { return std::string(std::size_t{70} << 20, 'x'); }).result(), std::bad_alloc)
      << "encoding";
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
  EXPECT_EQ(pool.worker_pids().at(0), pid) << "it was no worker's death";
}

TEST_P(FaultyPool, never_makes_the_next_task_pay_for_a_late_one) {
  ProcessPoolExecutor pool(options(1));
  const auto spin = [](int microseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
    while (std::chrono::steady_clock::now() < end) {
    }
    return microseconds;
  };
  int late = 0;
  for (int i = 0; i < rounds(200); ++i) {
    auto close_call = pool.submit(TaskOptions{.timeout = 1ms}, spin, 900 + i);
    auto next = pool.submit(spin, 200);
    try {
      EXPECT_EQ(close_call.result(), 900 + i);
    } catch (const TimeoutError&) {
      ++late;
    }
    EXPECT_EQ(next.result(), 200);
  }
  RecordProperty("late", late);
}

// Results that lay beside their slots, and calls that nobody will read, when the worker died.
// What holds a handle goes by another way than bytes do.
TEST_P(FaultyPool, delivers_the_results_of_a_worker_that_died_since) {
  ProcessPoolExecutor pool(options(1));
  for (int round = 0; round < rounds(30); ++round) {
    std::vector<Future<Value<int>>> handles;
    std::vector<Future<std::string>> texts;
    std::vector<Value<int>> given;
    for (int i = 0; i < 12; ++i) {
      given.emplace_back(i);
      handles.push_back(pool.submit(
          [](Value<int> value) {
            if (value.get() == 4) ::_exit(3);
            return value;
          },
          given.back()));
      texts.push_back(pool.submit([](const std::string& text) { return text + text; }, std::string(3000, 'x')));
    }
    for (int i = 0; i < 12; ++i) {
      const auto n = static_cast<std::size_t>(i);
      EXPECT_EQ(texts[n].result().size(), 6000u);
      if (i == 4) {
        EXPECT_THROW(handles[n].result(), WorkerDied);
        continue;
      }
      EXPECT_EQ(handles[n].result().get(), i);
    }
  }
}

TEST_P(FaultyPool, starts_another_worker_when_one_dies_before_it_is_ready) {
  const std::string name = "nogil-test-" + std::to_string(::getpid());
  auto memory = mp::SharedMemory::create(name, sizeof(std::atomic<int>));
  auto* const starts = new (memory.buf().data()) std::atomic<int>(0);
  ProcessPoolExecutor pool(
      options(1),
      [](const std::string& of) {
        auto here = mp::SharedMemory::open(of);
        auto* const count = reinterpret_cast<std::atomic<int>*>(here.buf().data());
        if (count->fetch_add(1) < 2) ::raise(SIGKILL);
      },
      name);
  EXPECT_EQ(pool.submit(twice, 3).result(), 6);
  EXPECT_EQ(*starts, 3);
}

TEST_P(FaultyPool, leaves_nothing_when_its_initializer_fails) {
  for (const bool dies : {false, true}) {
    ProcessPoolExecutor pool(
        options(2),
        [](bool how) {
          if (how) ::raise(SIGKILL);
          throw std::bad_alloc();
        },
        dies);
    std::vector<Future<int>> futures;
    try {
      for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(twice, i));
    } catch (const BrokenProcessPool&) {
    }
    for (const auto& future : futures) EXPECT_THROW(future.result(), BrokenProcessPool);
    EXPECT_TRUE(eventually([&] { return pool.worker_pids().empty(); }));
    EXPECT_THROW(pool.submit(twice, 1), BrokenProcessPool);
  }
}

// Python: bpo-36511, a pool that could start only some of its processes.
TEST_P(FaultyPool, comes_to_an_end_when_no_file_can_be_opened) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs files to look at memory";
  for (std::size_t left = 0; left < 16; ++left) {
    NoFilesLeft none;
    none.leave(left);
    try {
      ProcessPoolExecutor pool(options(2));
      std::vector<Future<int>> futures;
      for (int i = 0; i < 4; ++i) futures.push_back(pool.submit(twice, i));
      for (int i = 0; i < 4; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
    } catch (const std::system_error&) {
    } catch (const BrokenProcessPool&) {
    } catch (const RuntimeError&) {
    }
  }
  ProcessPoolExecutor pool(options(1));
  EXPECT_EQ(pool.submit(twice, 1).result(), 2);
  {
    const NoFilesLeft none;
    auto dies = pool.submit([] { ::raise(SIGKILL); });
    EXPECT_THROW(dies.result(), WorkerDied);
    auto next = pool.submit(twice, 2);
    try {
      EXPECT_EQ(next.result(), 4);
    } catch (const BrokenProcessPool&) {
    }
  }
}

// ---- At any instruction ------------------------------------------------------------------------

int count_and_twice(Value<int> runs, int x, const std::string&) {
  runs.with_lock([](int& n) { ++n; });
  return 2 * x;
}

// Whoever counted may have died while it did.
int count_of(const Value<int>& runs) {
  try {
    return runs.get();
  } catch (const OwnerDied&) {
    return runs.get();
  }
}

constexpr int kMostSteps = 100'000;

// Kills the worker after that many instructions from when three tasks lie in its ring; -1:
// when they are done. How many instructions it was, or -1: cannot be done here.
int kill_worker_after(int steps, bool beside_the_slot) {
  ProcessPoolExecutor pool({.max_workers = 1, .start_method = StartMethod::forkserver});
  pool.submit(twice, 0).result();
  pool.submit(twice, 0).result();
  Stepper worker(pool.worker_pids().at(0));
  if (!worker.attached()) return -1;
  std::vector<Value<int>> runs;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 3; ++i) {
    runs.emplace_back(0);
    if (beside_the_slot) futures.push_back(pool.submit(count_and_twice, runs.back(), i, std::string(3000, 'x')));
    else futures.push_back(pool.submit(twice, i));
  }
  int made = 0;
  while (made != steps && made < kMostSteps && worker.step()) {
    ++made;
    if (made % 64 == 0 && futures.back().done()) break;  // soon it would sleep
  }
  worker.kill();
  int died = 0;
  for (int i = 0; i < 3; ++i) {
    const auto& future = futures[static_cast<std::size_t>(i)];
    bool failed = false;
    try {
      EXPECT_EQ(future.result(), 2 * i);
    } catch (const WorkerDied& error) {
      EXPECT_EQ(error.signal(), SIGKILL);
      failed = true;
      ++died;
    }
    const int ran = count_of(runs[static_cast<std::size_t>(i)]);  // the calls in the slots do not count
    EXPECT_TRUE(failed || !beside_the_slot ? ran <= 1 : ran == 1) << ran;
  }
  EXPECT_LE(died, 1) << "after " << made << " instructions";
  return made;
}

class AnyInstruction : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Of, AnyInstruction, ::testing::Values(false, true), [](const auto& which) {
  return which.param ? "calls_beside_the_slots" : "calls_in_the_slots";
});

TEST_P(AnyInstruction, may_be_a_workers_last) {
  const int all = kill_worker_after(-1, GetParam());
  if (all < 0) GTEST_SKIP() << "no process may be traced here";
  RecordProperty("instructions", all);
  std::mt19937 random(7);
  for (int i = 0; i < rounds(GetParam() ? 6 : 20) && !HasFailure(); ++i) {
    kill_worker_after(std::uniform_int_distribution<int>(0, all)(random), GetParam());
  }
}

// Kills the template after that many instructions from when it is asked for a process.
int kill_template_after(int steps) {
  const Process::Options options{.start_method = StartMethod::forkserver};
  Value<int> parent(0);
  Process first(
      options, [](Value<int> to) { to.set(::getppid()); }, parent);
  first.start();
  first.join();
  Stepper that(parent.get());
  if (!that.attached()) return -1;
  Value<int> runs(0);
  Process next(
      options, [](Value<int> n) { n.with_lock([](int& times) { ++times; }); }, runs);
  Call starting([&] {
    next.start();
    return true;
  });
  int made = 0;
  while (made != steps && made < kMostSteps && that.step()) {
    ++made;
    if (steps < 0 && starting.returned()) break;
  }
  that.kill();
  EXPECT_TRUE(starting.result());
  next.join();
  EXPECT_TRUE(next.exitcode() == 0 || next.exitcode() == -SIGKILL) << *next.exitcode();
  EXPECT_TRUE(next.exitcode() == 0 ? count_of(runs) == 1 : count_of(runs) <= 1);
  return made;
}

TEST(AnyInstructionOfTheTemplate, may_be_its_last) {
  const int all = kill_template_after(-1);
  if (all < 0) GTEST_SKIP() << "no process may be traced here";
  std::mt19937 random(8);
  for (int i = 0; i < rounds(20) && !HasFailure(); ++i) {
    kill_template_after(std::uniform_int_distribution<int>(0, all)(random));
  }
}

// ---- The template --------------------------------------------------------------------------------

void expect_end_with_template(StartMethod method, Way way) {
  ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
  Value<int> parent(0);
  mp::Event begun;
  auto running = pool.submit(
      [](Value<int> to, mp::Event begins) {
        to.set(::getppid());
        begins.set();
        sleep_for_ever();
      },
      parent, begun);
  std::vector<Future<int>> behind;
  begun.wait();
  make_go(parent.get(), way);
  for (int i = 0; i < 10; ++i) {
    try {
      behind.push_back(pool.submit(twice, i));
    } catch (const BrokenProcessPool&) {
      EXPECT_EQ(method, StartMethod::fork);
    }
  }
  EXPECT_THROW(running.result(), BrokenProcessPool);
  for (std::size_t i = 0; i < behind.size(); ++i) {
    try {
      EXPECT_EQ(behind[i].result(), 2 * static_cast<int>(i));
    } catch (const WorkerDied&) {
    } catch (const BrokenProcessPool&) {
      EXPECT_EQ(method, StartMethod::fork) << "there is no other copy of the parent as it was";
    }
  }
  if (method == StartMethod::forkserver) {
    EXPECT_EQ(pool.submit(twice, 5).result(), 10);
  }
}

TEST_P(FaultyPool, ends_every_task_when_its_template_goes_in_any_way) {
  if (GetParam() == StartMethod::spawn) GTEST_SKIP() << "it has none";
  for (const Way way : {Way::kKilled, Way::kSegmentationFault, Way::kAbort, Way::kExitWith0, Way::kNoStack}) {
    if (way == Way::kNoStack && kSanitized) continue;  // a sanitizer has its own idea of it
    SCOPED_TRACE(static_cast<int>(way));
    expect_end_with_template(GetParam(), way);
  }
}

// Its children have no more than it has.
TEST_P(FaultyPool, fails_or_goes_on_when_its_template_has_no_memory_left) {
  if (GetParam() == StartMethod::spawn) GTEST_SKIP() << "it has none";
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs more memory than that";
  for (const std::size_t left : {std::size_t{0}, std::size_t{50'000}, std::size_t{1} << 20, std::size_t{20} << 20}) {
    int that = 0;
    {
      ProcessPoolExecutor pool(options(2));
      that = pool.submit([] { return ::getppid(); }).result();
      leave_memory(that, left);
      auto dies = pool.submit([] { ::raise(SIGKILL); });
      std::vector<Future<int>> futures;
      try {
        for (int i = 0; i < 10; ++i) futures.push_back(pool.submit(twice, i));
      } catch (const BrokenProcessPool&) {
      }
      EXPECT_THROW(dies.result(), BrokenProcessPool) << "it died, or no other worker could be started";
      for (std::size_t i = 0; i < futures.size(); ++i) {
        try {
          EXPECT_EQ(futures[i].result(), 2 * static_cast<int>(i));
        } catch (const BrokenProcessPool&) {
        }
      }
    }
    if (GetParam() == StartMethod::forkserver) ::kill(that, SIGKILL);  // else others would have it, too
  }
}

TEST_P(FaultyPool, gives_up_a_template_that_stays_stopped) {
  if (GetParam() == StartMethod::spawn) GTEST_SKIP() << "it has none";
  ProcessPoolExecutor pool(options(1));
  const int that = pool.submit([] { return ::getppid(); }).result();
  const std::int64_t patience = mp::detail::g_template_patience.exchange(300);
  Process other(Process::Options{.start_method = StartMethod::spawn}, [] {});
  other.start();  // the supervisor wakes, and reads the new number
  other.join();
  ::kill(that, SIGSTOP);
  auto late = pool.submit(TaskOptions{.timeout = 10ms}, sleep_for_ever);
  EXPECT_TRUE(late.wait(kPatience)) << "nobody says that its worker is dead";
  mp::detail::g_template_patience.store(patience);
  EXPECT_THROW(late.result(), TimeoutError);
  try {
    EXPECT_EQ(pool.submit(twice, 4).result(), 8);
  } catch (const BrokenProcessPool&) {
    EXPECT_EQ(GetParam(), StartMethod::fork) << "there is no other copy of the parent as it was";
  }
}

TEST_P(FaultyPool, goes_on_when_its_template_was_stopped_for_a_while) {
  if (GetParam() == StartMethod::spawn) GTEST_SKIP() << "it has none";
  ProcessPoolExecutor pool(options(1));
  const int that = pool.submit([] { return ::getppid(); }).result();
  ::kill(that, SIGSTOP);
  auto dies = pool.submit([] { ::raise(SIGKILL); });
  auto next = pool.submit(twice, 7);
  EXPECT_FALSE(next.wait(20ms));
  ::kill(that, SIGCONT);
  EXPECT_THROW(dies.result(), WorkerDied);
  EXPECT_EQ(next.result(), 14);
}

TEST_P(FaultyPool, and_everything_else_goes_on_while_its_template_is_stopped) {
  if (GetParam() == StartMethod::spawn) GTEST_SKIP() << "it has none";
  ProcessPoolExecutor pool(options(2));
  const int that = pool.submit([] { return ::getppid(); }).result();
  mp::Event go_on;
  mp::Event begun;
  auto first = pool.submit(
      [](mp::Event begins, mp::Event event) {
        begins.set();
        event.wait();
      },
      begun, go_on);
  begun.wait();
  ::kill(that, SIGSTOP);
  auto second = pool.submit(twice, 3);  // wants another worker, which has to wait
  EXPECT_FALSE(second.wait(20ms));
  const Process::Options otherwise{.start_method = StartMethod::spawn};
  Process other(otherwise, [] { ::_exit(7); });
  other.start();
  EXPECT_TRUE(other.join(kPatience));
  EXPECT_EQ(other.exitcode(), 7) << "others are started, and seen to end";
  nogil::Event told;
  first.add_done_callback([&told](const auto&) { told.set(); });
  go_on.set();
  EXPECT_TRUE(told.wait(kPatience)) << "results are taken in, and told of";
  EXPECT_EQ(second.result(), 6) << "by the worker that is there";
  ::kill(that, SIGCONT);
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
}

// ---- The parent ------------------------------------------------------------------------------------

// A parent with a busy pool; when both workers are busy, it goes.
void parent_that_goes(StartMethod method, Way way, Array<Who> whos, mp::Event told) {
  ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
  for (int i = 0; i < 2; ++i) {
    pool.submit(
        [](Array<Who> all, int mine) {
          all[2] = mp::detail::make_who(::getppid(), ("/proc/" + std::to_string(::getppid()) + "/stat").c_str());
          all[static_cast<std::size_t>(mine)] = mp::detail::this_process();
          sleep_for_ever();
        },
        whos, i);
  }
  pool.submit([](const std::string& text) { return text; }, std::string(100'000, 'x'));
  while (whos[0] == 0 || whos[1] == 0) ::usleep(500);
  told.set();
  if (way == Way::kStopped) sleep_for_ever();  // to be killed from outside
  go(way);
}

TEST_P(FaultyPool, is_gone_with_its_parent_however_that_goes) {
  for (const Way way :
       {Way::kStopped, Way::kKilled, Way::kSegmentationFault, Way::kAbort, Way::kExitWith0, Way::kNoStack}) {
    if (way == Way::kNoStack && kSanitized) continue;  // a sanitizer has its own idea of it
    Array<Who> whos(3);
    mp::Event told;
    Process parent = process(parent_that_goes, GetParam(), way, whos, told);
    parent.start();
    ASSERT_TRUE(told.wait(kPatience));
    if (way == Way::kStopped) parent.kill();
    parent.join();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(eventually([&] { return !process_lives(whos[i]); })) << i;
    }
  }
}

// Much more when it is encoded.
struct Ballast {
  std::string text;
  int times = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(times);
    for (int i = 0; i < times; ++i) archive(text);
  }
};

// What a parent without memory cannot have is an error; the rest is right. Then it ends with 0.
int parent_without_memory(StartMethod method) {
  ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
  if (pool.submit(twice, 1).result() != 2) return 1;
  leave_memory(0, std::size_t{30} << 20);
  const auto fails = [](const auto& task) {
    try {
      task();
      return false;
    } catch (const std::bad_alloc&) {
      return true;
    } catch (const std::system_error&) {
      return true;
    }
  };
  const Ballast much{std::string(std::size_t{1} << 20, 'x'), 100};
  for (int i = 0; i < 3; ++i) {
    auto before = pool.submit(twice, i);
    auto result = pool.submit([] { return std::string(std::size_t{60} << 20, 'x'); });
    auto behind = pool.submit(twice, i + 1);
    if (before.result() != 2 * i) return 2;
    if (!fails([&] { result.result(); })) return 3;
    if (behind.result() != 2 * i + 2) return 4;
    if (!fails([&] { pool.submit([](const Ballast& all) { return all.text.size(); }, much); })) {
      return 5;
    }
  }
  return 0;
}

TEST_P(FaultyPool, goes_on_when_its_parent_has_no_memory_for_a_call_or_a_result) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs more memory than that";
  EXPECT_EQ(exitcode([](StartMethod method) { ::_exit(parent_without_memory(method)); }, GetParam()), 0);
}

// Always busy, and right in all it gets: then it ends with 0.
int parent_that_is_stopped(StartMethod method, mp::Event told) {
  ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(rounds(200));
  const TaskOptions limit{.timeout = 10s};
  for (int turn = 0; turn < 10 || std::chrono::steady_clock::now() < end; ++turn) {
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(limit, twice, i));
    auto large = pool.submit([](std::string text) { return text; }, std::string(100'000, 'x'));
    for (int i = 0; i < 100; ++i) {
      if (futures[static_cast<std::size_t>(i)].result() != 2 * i) return 1;
    }
    if (large.result().size() != 100'000) return 2;
    told.set();
  }
  return 0;
}

TEST_P(FaultyPool, loses_nothing_while_its_parent_is_stopped) {
  mp::Event told;
  Process parent = process([](StartMethod method, mp::Event event) { ::_exit(parent_that_is_stopped(method, event)); },
                           GetParam(), told);
  parent.start();
  ASSERT_TRUE(told.wait(kPatience));
  for (int i = 0; i < 10; ++i) {
    ::kill(parent.pid(), SIGSTOP);
    std::this_thread::sleep_for(5ms);
    ::kill(parent.pid(), SIGCONT);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(parent.join(kPatience));
  EXPECT_EQ(parent.exitcode(), 0);
}

TEST_P(FaultyPool, is_gone_with_a_parent_that_was_stopped_first) {
  Array<Who> whos(3);
  mp::Event told;
  Process parent = process(parent_that_goes, GetParam(), Way::kStopped, whos, told);
  parent.start();
  ASSERT_TRUE(told.wait(kPatience));
  ::kill(parent.pid(), SIGSTOP);
  parent.kill();
  parent.join();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] { return !process_lives(whos[i]); })) << i;
  }
}

// ---- Locks that other threads hold -------------------------------------------------------------------

TEST_P(FaultyPool, starts_workers_while_threads_hold_the_locks_of_stdio_and_malloc) {
  auto chosen = options(2);
  chosen.max_tasks_per_child = 1;
  ProcessPoolExecutor pool(chosen);  // before the threads: with fork, that is when the parent is copied
  int right = 0;
  const int tasks = rounds(30);
  {
    std::atomic<bool> stop{false};
    std::atomic<int> there{0};
    Bunch threads(3, [&](int number) {
      if (number == 0) {
        ::flockfile(stdout);
        ::flockfile(stderr);
        ++there;
        while (!stop) std::this_thread::sleep_for(1ms);
        ::funlockfile(stderr);
        ::funlockfile(stdout);
        return;
      }
      ++there;
      for (std::size_t size = 1; !stop; size = size * 7 % 100'003) std::string(size, 'x').shrink_to_fit();
    });
    while (there != 3) std::this_thread::yield();
    std::vector<Future<int>> futures;
    for (int i = 0; i < tasks; ++i) {
      futures.push_back(pool.submit(
          [](int n) {
            std::fputs("", stdout);
            std::fputs("", stderr);
            return static_cast<int>(std::string(static_cast<std::size_t>(1000 + n), 'x').size());
          },
          i));
    }
    for (int i = 0; i < tasks; ++i) right += futures[static_cast<std::size_t>(i)].result() == 1000 + i;
    stop = true;
    threads.join();
  }
  EXPECT_EQ(right, tasks);
}

}  // namespace
}  // namespace nogil::testing::faults_test
