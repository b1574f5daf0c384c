// Tests of nogil::mpi::MPIPoolExecutor, with the tasks in threads and in processes of the ranks.

#include "nogil/mpi/mpi_pool_executor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "mpi/support/kinds.hpp"
#include "mpi/support/shared_file.hpp"
#include "nogil/futures/as_completed.hpp"
#include "nogil/mpi/detail/mpi.hpp"
#include "nogil/multiprocessing/value.hpp"
#include "support/threads.hpp"

namespace nogil::testing {
namespace {

using namespace std::chrono_literals;
using mpi::MPIPoolExecutor;
using mpi::RunIn;
using mpi::detail::Packet;

class AnyMPIPool : public InEveryKind {};
NOGIL_IN_EVERY_KIND(AnyMPIPool);

int twice(int x) {
  return 2 * x;
}

// Until number 0 of the file is not 0; number 1 counts those who wait, and came through.
int wait_for_the_door(const std::string& path, int x) {
  const SharedFile file(path);
  ++file[1];
  while (file[0] == 0) std::this_thread::sleep_for(1ms);
  return x;
}

void open_the_door(const SharedFile& file) {
  file[0] = 1;
}

// ---- Results ---------------------------------------------------------------------------

TEST_P(AnyMPIPool, gives_each_call_its_result) {
  MPIPoolExecutor pool(options());
  std::vector<Future<int>> futures;
  for (int i = 0; i < 2000; ++i) futures.push_back(pool.submit(twice, i));
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
  EXPECT_EQ(pool.submit([](const std::string& a, const std::vector<int>& b) { return a + std::to_string(b.size()); },
                        "n=", std::vector<int>{1, 2})
                .result(),
            "n=2");
  pool.submit([] {}).result();
  const auto table = pool.submit([] { return std::map<std::string, int>{{"a", 1}}; }).result();
  EXPECT_EQ(table.at("a"), 1);
  EXPECT_EQ(*pool.submit([](std::unique_ptr<int> x) { return x; }, std::make_unique<int>(5)).result(), 5);
}

TEST_P(AnyMPIPool, carries_what_is_larger_than_a_packet) {
  MPIPoolExecutor pool(options());
  for (const std::size_t size : {Packet::kLarge - 100, Packet::kLarge, Packet::kRoom, std::size_t{5'000'000}}) {
    const std::string text(size, 'x');
    auto there = pool.submit([](const std::string& all) { return all.size(); }, text);
    auto back = pool.submit([](std::size_t n) { return std::string(n, 'y'); }, size);
    auto small = pool.submit(twice, 4);
    auto both = pool.submit([](std::string all) { return all + "!"; }, text);
    EXPECT_EQ(there.result(), size);
    EXPECT_EQ(back.result(), std::string(size, 'y'));
    EXPECT_EQ(both.result(), text + "!");
    EXPECT_EQ(small.result(), 8);
  }
}

TEST_P(AnyMPIPool, carries_more_at_once_than_the_memory_for_bodies_has_room_for) {
  MPIPoolExecutor pool(options());
  const std::string text(4'000'000, 'x');
  std::vector<Future<std::string>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit([](std::string all) { return all + "!"; }, text));
  for (auto& future : futures) EXPECT_EQ(future.result().size(), text.size() + 1);
}

TEST_P(AnyMPIPool, runs_tasks_in_other_processes_than_the_main_function) {
  MPIPoolExecutor pool(options());
  std::set<int> pids;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(pool.submit([] { return static_cast<int>(::getpid()); }));
  for (auto& future : futures) pids.insert(future.result());
  EXPECT_LE(pids.size(), pool.max_workers());
  const bool alone = pids.size() == 1 && *pids.begin() == ::getpid();  // a world of one
  EXPECT_TRUE(alone || pids.count(::getpid()) == 0);
}

TEST_P(AnyMPIPool, is_used_by_many_threads) {
  MPIPoolExecutor pool(options());
  Bunch users(4, [&](int user) {
    for (int i = 0; i < 300; ++i) EXPECT_EQ(pool.submit(twice, user * 1000 + i).result(), 2 * (user * 1000 + i));
  });
  users.join();
}

TEST_P(AnyMPIPool, tells_those_who_wait_for_several) {
  MPIPoolExecutor pool(options());
  std::vector<Future<int>> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(twice, i));
  int sum = 0;
  for (const auto& future : as_completed(futures)) sum += future.result();
  EXPECT_EQ(sum, 2450);
  std::atomic<int> called{0};
  pool.submit(twice, 3).add_done_callback([&](const Future<int>& done) { called = done.result(); });
  EXPECT_TRUE(eventually([&] { return called == 6; }));
  EXPECT_EQ(pool.submit(twice, 3).then([](int x) { return x + 1; }).result(), 7);
}

TEST_P(AnyMPIPool, may_be_there_twice_at_a_time) {
  MPIPoolExecutor one(options());
  MPIPoolExecutor other({.run_in = RunIn::threads});
  for (int i = 0; i < 50; ++i) {
    auto a = one.submit(twice, i);
    auto b = other.submit(twice, -i);
    EXPECT_EQ(a.result() + b.result(), 0);
  }
}

TEST_P(AnyMPIPool, finds_results_of_tasks_that_take_long) {
  MPIPoolExecutor pool(options());
  for (const auto length : {1ms, 20ms, 60ms}) {
    EXPECT_EQ(pool.submit(
                      [](std::chrono::milliseconds time) {
                        std::this_thread::sleep_for(time);
                        return 1;
                      },
                      length)
                  .result(),
              1);
  }
}

// ---- What goes wrong -------------------------------------------------------------------

struct Unheard : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST_P(AnyMPIPool, throws_in_the_caller_what_the_task_threw) {
  MPIPoolExecutor pool(options());
  EXPECT_THROW(pool.submit([]() -> int { throw std::out_of_range("far"); }).result(), std::out_of_range);
  EXPECT_THROW(pool.submit([] { throw ValueError("bad"); }).result(), ValueError);
  const auto future = pool.submit([] { throw Unheard("of"); });  // it keeps what is caught
  try {
    future.result();
    ADD_FAILURE();
  } catch (const RemoteError& error) {
    EXPECT_STREQ(error.what(), "of");
    EXPECT_NE(error.type_name().find("Unheard"), std::string::npos);
  }
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
}

struct Unsendable {
  int value = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    if (Archive::is_saving::value && value == 13) throw std::domain_error("not this one");
    archive(value);
  }
};

TEST_P(AnyMPIPool, fails_one_future_for_a_result_that_cannot_be_sent) {
  MPIPoolExecutor pool(options());
  const auto make = [](int x) {
    Unsendable result;
    result.value = x;
    return result;
  };
  std::vector<Future<Unsendable>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(make, i));
  for (int i = 0; i < 20; ++i) {
    auto& future = futures[static_cast<std::size_t>(i)];
    if (i == 13) EXPECT_THROW(future.result(), std::domain_error);
    else EXPECT_EQ(future.result().value, i);
  }
}

TEST_P(AnyMPIPool, refuses_what_lies_in_one_machine) {
  MPIPoolExecutor pool(options());
  const mp::Value<int> shared(1);
  EXPECT_THROW(pool.submit([](mp::Value<int> value) { return value.get(); }, shared), ValueError);
  EXPECT_THROW(pool.submit([] { return mp::Value<int>(7); }).result(), ValueError);
  int local = 0;
  EXPECT_THROW(pool.submit([&local] { return ++local; }), ValueError);
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
}

TEST(MPIPool, loses_one_task_to_a_crash_in_a_process) {
  MPIPoolExecutor pool({.run_in = RunIn::processes});
  std::vector<Future<int>> futures;
  for (int i = 0; i < 40; ++i) {
    futures.push_back(pool.submit(
        [](int n) {
          if (n == 7) {
            ::signal(SIGSEGV, SIG_DFL);
            ::raise(SIGSEGV);
          }
          return n;
        },
        i));
  }
  for (int i = 0; i < 40; ++i) {
    const auto& future = futures[static_cast<std::size_t>(i)];
    if (i == 7) EXPECT_THROW(future.result(), WorkerDied);
    else EXPECT_EQ(future.result(), i);
  }
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
}

TEST(MPIPool, is_for_the_main_function_only) {
  int ranks = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (ranks == 1) GTEST_SKIP() << "the only rank is the first";
  MPIPoolExecutor pool;
  EXPECT_THROW(pool.submit([] { MPIPoolExecutor another; }).result(), RuntimeError);
}

// ---- Initializers ------------------------------------------------------------------------

std::atomic<int> g_initialized{0};

TEST_P(AnyMPIPool, runs_its_initializer_before_the_first_task) {
  MPIPoolExecutor pool(
      options(), [](int to) { g_initialized = to; }, 5);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(pool.submit([] { return g_initialized.load(); }).result(), 5);
}

TEST_P(AnyMPIPool, is_broken_by_an_initializer_that_throws) {
  MPIPoolExecutor pool(options(), [] { throw std::runtime_error("no licence"); });
  const auto future = pool.submit(twice, 1);
  try {
    future.result();
    ADD_FAILURE();
  } catch (const BrokenExecutor& error) {
    EXPECT_NE(std::string(error.what()).find("no licence"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(eventually([&] {
    try {
      pool.submit(twice, 1);
      return false;
    } catch (const BrokenExecutor&) {
      return true;
    }
  }));
}

// ---- Cancel, and many tasks ------------------------------------------------------------------

TEST_P(AnyMPIPool, cancels_what_no_rank_has) {
  const SharedFile file;
  MPIPoolExecutor pool(options());
  std::vector<Future<int>> held;
  for (std::size_t i = 0; i < 3 * pool.max_workers(); ++i)
    held.push_back(pool.submit(wait_for_the_door, file.path(), 1));
  auto last = pool.submit(twice, 1);
  EXPECT_TRUE(last.cancel());
  EXPECT_THROW(last.result(), CancelledError);
  ASSERT_TRUE(eventually([&] { return file[1] != 0; }));
  EXPECT_FALSE(held.front().cancel());
  open_the_door(file);
  for (auto& future : held) EXPECT_EQ(future.result(), 1);
}

TEST_P(AnyMPIPool, leaves_no_task_behind_a_long_one_while_a_rank_is_idle) {
  const SharedFile file;
  MPIPoolExecutor pool(options());
  if (pool.max_workers() < 2) GTEST_SKIP() << "one worker";
  for (int i = 0; i < 100; ++i) pool.submit(twice, i).result();  // they count as quick: many go to one rank
  std::vector<Future<int>> quick;
  auto held = pool.submit(wait_for_the_door, file.path(), 1);
  for (int i = 0; i < 100; ++i) quick.push_back(pool.submit(twice, i));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(quick[static_cast<std::size_t>(i)].result(), 2 * i);
  EXPECT_FALSE(held.done());
  open_the_door(file);
  EXPECT_EQ(held.result(), 1);
}

TEST_P(AnyMPIPool, runs_as_many_at_once_in_a_rank_as_it_is_told) {
  const SharedFile file;
  auto three = options();
  three.workers_per_rank = 3;
  three.max_workers = 3;
  MPIPoolExecutor pool(three);
  EXPECT_EQ(pool.max_workers(), 3U);
  std::vector<Future<int>> held;
  for (int i = 0; i < 6; ++i) held.push_back(pool.submit(wait_for_the_door, file.path(), i));
  EXPECT_TRUE(eventually([&] { return file[1] == 3; }));
  open_the_door(file);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(held[static_cast<std::size_t>(i)].result(), i);
}

TEST_P(AnyMPIPool, counts_what_it_does) {
  MPIPoolExecutor pool(options());
  for (int i = 0; i < 10; ++i) pool.submit(twice, i).result();
  const auto stats = pool.stats();
  EXPECT_EQ(stats.submitted, 10U);
  EXPECT_EQ(stats.done, 10U);
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_EQ(stats.sent, 0U);
  EXPECT_GE(stats.messages, 2U);
  EXPECT_GE(stats.ranks, 1U);
}

// ---- The end ---------------------------------------------------------------------------------

TEST_P(AnyMPIPool, runs_what_was_submitted_before_its_end) {
  const SharedFile file;
  {
    MPIPoolExecutor pool(options());
    for (int i = 0; i < 200; ++i) {
      pool.submit([](const std::string& path) { ++SharedFile(path)[5]; }, file.path());
    }
  }
  EXPECT_EQ(file[5], 200);
}

TEST_P(AnyMPIPool, takes_nothing_after_shutdown) {
  MPIPoolExecutor pool(options());
  auto future = pool.submit(twice, 4);
  pool.shutdown();
  EXPECT_TRUE(future.done());
  EXPECT_THROW(pool.submit(twice, 4), RuntimeError);
  pool.shutdown();
}

TEST_P(AnyMPIPool, waits_for_its_end_no_longer_than_asked) {
  const SharedFile file;
  MPIPoolExecutor pool(options());
  auto held = pool.submit(wait_for_the_door, file.path(), 1);
  pool.shutdown(false);
  EXPECT_FALSE(pool.shutdown(20ms));
  EXPECT_FALSE(held.done());
  open_the_door(file);
  EXPECT_TRUE(pool.shutdown(30s));
  EXPECT_EQ(held.result(), 1);
}

TEST_P(AnyMPIPool, cancels_what_is_pending_when_it_is_told_to) {
  const SharedFile file;
  MPIPoolExecutor pool(options());
  std::vector<Future<int>> futures;
  for (std::size_t i = 0; i < 3 * pool.max_workers() + 20; ++i) {
    futures.push_back(pool.submit(wait_for_the_door, file.path(), 1));
  }
  ASSERT_TRUE(eventually([&] { return file[1] != 0; }));
  pool.shutdown(false, true);
  EXPECT_TRUE(futures.back().cancelled());
  open_the_door(file);
  pool.shutdown();
  for (auto& future : futures) EXPECT_TRUE(future.done());
  EXPECT_EQ(futures.front().result(), 1);
}

TEST_P(AnyMPIPool, comes_and_goes_with_nothing_to_do) {
  for (int i = 0; i < 10; ++i) MPIPoolExecutor pool(options());
}

}  // namespace
}  // namespace nogil::testing
