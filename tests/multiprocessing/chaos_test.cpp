// A pool whose workers are killed at random, while threads give it all kinds of tasks. Each
// task has its own result or says what became of it, runs once at most, and nothing is left.
//
// NOGIL_CHAOS_SECONDS=60 says for how long, for the start methods together; else 2.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/multiprocessing/shared_memory.hpp"

namespace nogil::testing::chaos_test {
namespace {

using mp::ProcessPoolExecutor;
using mp::TaskOptions;

constexpr std::size_t kBatch = 60;

std::chrono::milliseconds length_of_a_run() {
  const char* const seconds = std::getenv("NOGIL_CHAOS_SECONDS");
  const double all = seconds != nullptr ? std::atof(seconds) : 2;
  return std::chrono::milliseconds(static_cast<long>(all * 1000 / 3));
}

// How often each task of a batch has run.
class Runs {
 public:
  Runs() : memory_(mp::SharedMemory::anonymous(kBatch * sizeof(std::atomic<int>))) {
    for (std::size_t i = 0; i < kBatch; ++i) new (&of(memory_, i)) std::atomic<int>(0);
  }
  mp::SharedMemory memory() const { return memory_; }
  int of(std::size_t task) const { return of(memory_, task).load(); }
  static std::atomic<int>& of(const mp::SharedMemory& memory, std::size_t task) {
    return reinterpret_cast<std::atomic<int>*>(memory.buf().data())[task];
  }

 private:
  mp::SharedMemory memory_;
};

// What the killer knows of the pool.
class Targets {
 public:
  void seen(int worker, int parent) {
    const std::scoped_lock guard(lock_);
    workers_.insert(worker);
    template_ = parent;
    ++seen_;
  }

  // A worker that has begun to work, so that it is not taken for one that cannot; 0: none.
  int pick(const std::vector<int>& alive, std::mt19937& random) {
    const std::scoped_lock guard(lock_);
    std::vector<int> known;
    for (const int pid : alive) {
      if (workers_.count(pid) != 0) known.push_back(pid);
    }
    return known.empty() ? 0 : known[random() % known.size()];
  }

  // The template, when enough was done since it was asked for; 0: not now.
  int pick_template() {
    const std::scoped_lock guard(lock_);
    return seen_ < 20 ? 0 : (seen_ = 0, template_);
  }

 private:
  std::mutex lock_;
  std::set<int> workers_;
  int template_ = 0;
  int seen_ = 0;
};

struct Counts {
  std::atomic<long> right{0}, threw{0}, late{0}, died{0}, kills{0};
};

enum class Kind { kSmall, kLarge, kCounted, kThrows, kCrashes, kLate, kWho };

Kind kind_of(std::size_t i) {
  if (i == 7) return Kind::kCrashes;
  if (i == 23) return Kind::kLate;
  constexpr Kind kMost[] = {Kind::kSmall, Kind::kLarge, Kind::kCounted, Kind::kThrows, Kind::kWho};
  return kMost[i % 5];
}

int spin(int turns) {
  std::atomic<int> spun{0};
  while (spun.fetch_add(1) < turns) {
  }
  return turns;
}

Future<std::string> submit(ProcessPoolExecutor& pool, Kind kind, std::size_t i, const Runs& runs) {
  const int n = static_cast<int>(i);
  switch (kind) {
    case Kind::kSmall:
      return pool.submit([](int x) { return std::to_string(2 * spin(x * 20)); }, n);
    case Kind::kLarge:
      return pool.submit([](std::string text) { return text + text; }, std::string(i * 500, 'x'));
    case Kind::kCounted:
      return pool.submit(
          [](mp::SharedMemory memory, std::size_t task) {
            ++Runs::of(memory, task);
            return std::to_string(spin(static_cast<int>(task)));
          },
          runs.memory(), i);
    case Kind::kThrows:
      return pool.submit([](int x) -> std::string { throw std::out_of_range(std::to_string(x)); }, n);
    case Kind::kCrashes:
      return pool.submit([]() -> std::string {
        ::raise(SIGKILL);
        return "";
      });
    case Kind::kLate:
      return pool.submit(TaskOptions{.timeout = 3ms}, []() -> std::string {
        for (;;) ::pause();
      });
    case Kind::kWho:
      return pool.submit([] { return std::to_string(::getpid()) + " " + std::to_string(::getppid()); });
  }
  std::abort();
}

void check(Kind kind, std::size_t i, const Future<std::string>& future, const Runs& runs, Targets& targets,
           Counts& counts) {
  try {
    const std::string result = future.result();
    ++counts.right;
    switch (kind) {
      case Kind::kSmall:
        EXPECT_EQ(result, std::to_string(40 * i));
        break;
      case Kind::kLarge:
        EXPECT_EQ(result, std::string(i * 1000, 'x'));
        break;
      case Kind::kCounted:
        EXPECT_EQ(result, std::to_string(i));
        EXPECT_EQ(runs.of(i), 1);
        break;
      case Kind::kWho:
        targets.seen(std::atoi(result.c_str()), std::atoi(std::strchr(result.c_str(), ' ')));
        break;
      default:
        ADD_FAILURE() << "it cannot have the result " << result;
    }
  } catch (const std::out_of_range& error) {
    EXPECT_EQ(kind, Kind::kThrows);
    EXPECT_EQ(error.what(), std::to_string(i));
    ++counts.threw;
  } catch (const TimeoutError&) {
    EXPECT_EQ(kind, Kind::kLate);
    ++counts.late;
  } catch (const WorkerDied&) {
    ++counts.died;
  }
  EXPECT_LE(runs.of(i), 1);
}

void use(ProcessPoolExecutor& pool, Targets& targets, Counts& counts,
         const std::chrono::steady_clock::time_point& end) {
  while (std::chrono::steady_clock::now() < end && !::testing::Test::HasFailure()) {
    const Runs runs;
    std::vector<Future<std::string>> futures;
    for (std::size_t i = 0; i < kBatch; ++i) futures.push_back(submit(pool, kind_of(i), i, runs));
    for (std::size_t i = 0; i < kBatch; ++i) check(kind_of(i), i, futures[i], runs, targets, counts);
  }
}

void kill(ProcessPoolExecutor& pool, StartMethod method, Targets& targets, Counts& counts,
          const std::atomic<bool>& stop) {
  std::mt19937 random(17);
  while (!stop) {
    std::this_thread::sleep_for(std::chrono::microseconds(200 + random() % 5000));
    if (method == StartMethod::forkserver && random() % 50 == 0) {
      if (const int that = targets.pick_template(); that != 0) ::kill(that, SIGKILL);
      continue;
    }
    const int pid = targets.pick(pool.worker_pids(), random);
    if (pid == 0) continue;
    ++counts.kills;
    switch (random() % 4) {
      case 0:
        ::kill(pid, SIGTERM);
        break;
      case 1:  // it sleeps for a while, wherever it is
        ::kill(pid, SIGSTOP);
        std::this_thread::sleep_for(1ms);
        ::kill(pid, SIGCONT);
        break;
      default:
        ::kill(pid, SIGKILL);
    }
  }
}

class Chaos : public UnderEveryStartMethod {};
NOGIL_UNDER_EVERY_START_METHOD(Chaos);

TEST_P(Chaos, spoils_no_result_and_leaves_nothing) {
  { ProcessPoolExecutor({.max_workers = 1, .start_method = GetParam()}).submit(spin, 1).result(); }
  const auto files = open_files();
  const auto memories = named_memory();
  Counts counts;
  {
    ProcessPoolExecutor pool({.max_workers = 2, .start_method = GetParam()});
    Targets targets;
    std::atomic<bool> stop{false};
    const auto end = std::chrono::steady_clock::now() + length_of_a_run();
    {
      std::thread killer([&] { kill(pool, GetParam(), targets, counts, stop); });
      Bunch users(2, [&](int) { use(pool, targets, counts, end); });
      std::exception_ptr error;
      try {
        users.join();
      } catch (...) {
        error = std::current_exception();
      }
      stop = true;
      killer.join();
      if (error) std::rethrow_exception(error);
    }
    EXPECT_EQ(pool.submit(spin, 5).result(), 5);
  }
  EXPECT_TRUE(eventually([&] { return open_files() <= files; })) << open_files() << " were " << files;
  EXPECT_EQ(named_memory(), memories);
  EXPECT_TRUE(mp::active_children().empty());
  EXPECT_TRUE(eventually([] { return no_zombies(); }));
  EXPECT_GT(counts.right, 0);
  if (std::getenv("NOGIL_CHAOS_SECONDS") != nullptr) {
    std::printf("%ld right, %ld threw, %ld late, %ld died; %ld signals\n", counts.right.load(), counts.threw.load(),
                counts.late.load(), counts.died.load(), counts.kills.load());
  }
}

}  // namespace
}  // namespace nogil::testing::chaos_test
