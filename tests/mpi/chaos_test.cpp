// Several threads submit to several pools at once what comes to their mind. Each task is run
// once, and each future gets what is its own.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mpi/support/shared_file.hpp"
#include "nogil/mpi/mpi_pool_executor.hpp"
#include "support/threads.hpp"

namespace nogil::testing {
namespace {

using mpi::MPIPoolExecutor;
using mpi::RunIn;

enum class Does : int { kReturns, kThrows, kSleeps, kGrows };

std::string work(const std::string& path, int number, Does what, const std::string& text) {
  static const SharedFile file(path);  // in each process one
  ++file[static_cast<std::size_t>(number)];
  if (what == Does::kThrows) throw std::length_error(std::to_string(number));
  if (what == Does::kSleeps) std::this_thread::sleep_for(std::chrono::microseconds(number % 3000));
  return text + std::to_string(number);
}

TEST(MPIChaos, runs_each_task_once) {
  // One for all tests of this process, as work() opens one only.
  static const SharedFile file;
  constexpr int kThreads = 4;
  constexpr int kEach = 1500;
  std::vector<MPIPoolExecutor*> pools;
  MPIPoolExecutor threads;
  MPIPoolExecutor more({.workers_per_rank = 3});
  MPIPoolExecutor few({.credits = 1});
  MPIPoolExecutor processes({.run_in = RunIn::processes, .workers_per_rank = 2});
  pools = {&threads, &more, &few, &processes};
  std::atomic<int> cancelled{0};
  Bunch users(kThreads, [&](int user) {
    std::mt19937 random(static_cast<unsigned>(user));
    struct Sent {
      int number;
      Does what;
      std::size_t size;
      Future<std::string> future;
      bool cancelled = false;
    };
    std::vector<Sent> sent;
    const auto check = [&](Sent& one) {
      const std::string number = std::to_string(one.number);
      if (one.cancelled) {
        EXPECT_EQ(file[static_cast<std::size_t>(one.number)], 0);
        ++cancelled;
        return;
      }
      if (one.what == Does::kThrows) {
        try {
          one.future.result();
          ADD_FAILURE() << number;
        } catch (const std::length_error& error) {
          EXPECT_EQ(error.what(), number);
        }
      } else {
        EXPECT_EQ(one.future.result(), std::string(one.size, 'x') + number);
      }
      EXPECT_EQ(file[static_cast<std::size_t>(one.number)], 1);
    };
    for (int i = 0; i < kEach; ++i) {
      const int number = user * kEach + i + 1;
      const auto roll = random() % 100;
      const Does what = roll < 10 ? Does::kThrows : roll < 12 ? Does::kSleeps : Does::kReturns;
      const std::size_t size = random() % 50 != 0 ? random() % 200 : random() % 200'000;
      Future<std::string> future =
          pools[random() % pools.size()]->submit(work, file.path(), number, what, std::string(size, 'x'));
      Sent one{number, what, size, std::move(future)};
      one.cancelled = random() % 20 == 0 && one.future.cancel();
      sent.push_back(std::move(one));
      if (random() % 10 == 0) {
        check(sent.back());
        sent.pop_back();
      }
    }
    for (Sent& one : sent) check(one);
  });
  users.join();
}

}  // namespace
}  // namespace nogil::testing
