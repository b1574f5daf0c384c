// A queue between processes, one of which dies at any instruction of a put or a get.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <random>
#include <string>

#include "multiprocessing/support/processes.hpp"
#include "multiprocessing/support/stepper.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/queue.hpp"
#include "nogil/multiprocessing/shared_memory.hpp"

namespace nogil::testing::queue_faults_test {
namespace {

using Strings = mp::Queue<std::string>;

constexpr std::size_t kElements = 5;
constexpr int kMostSteps = 50'000;

// Of many sizes, none of them large: to copy a large one is one step for each byte.
std::string element(std::size_t i) {
  return std::string(i % 4 == 3 ? 1'500 : i * 10, static_cast<char>('a' + i));
}

void put_all(mp::Event go, Strings queue) {
  go.wait();
  for (std::size_t i = 0; i < kElements; ++i) queue.put(element(i));
}

std::atomic<std::size_t>& count_in(const mp::SharedMemory& memory) {
  return *std::launder(reinterpret_cast<std::atomic<std::size_t>*>(memory.buf().data()));
}

void get_all(mp::Event go, Strings queue, mp::SharedMemory memory) {
  go.wait();
  for (std::size_t i = 0; i < kElements; ++i) {
    queue.get();
    count_in(memory) = i + 1;
  }
}

// The process that waits for `go`, killed so many steps after that; -1: not at all. How many it
// took; -1: it cannot be done here.
int let_go(Process& process, mp::Event go, int steps) {
  process.start();
  Stepper stepper(process.pid());
  if (!stepper.attached()) return -1;
  go.set();
  int made = 0;
  while (made != steps && made < kMostSteps && stepper.step()) ++made;
  stepper.kill();
  process.join();
  return made;
}

const Process::Options kForked{.start_method = StartMethod::forkserver};

int kill_putter_after(int steps) {
  Strings queue;
  mp::Event go;
  Process putter(kForked, put_all, go, queue);
  const int made = let_go(putter, go, steps);
  std::size_t got = 0;
  while (const auto next = queue.try_get()) {
    EXPECT_TRUE(*next == element(got)) << "element " << got << " after " << made << " steps";
    ++got;
  }
  EXPECT_LE(got, kElements);
  queue.put("again");
  EXPECT_EQ(queue.get(kPatience), "again");
  return made;
}

int kill_getter_after(int steps) {
  Strings queue;
  for (std::size_t i = 0; i < kElements; ++i) queue.put(element(i));
  mp::Event go;
  auto memory = mp::SharedMemory::anonymous(sizeof(std::atomic<std::size_t>));
  new (memory.buf().data()) std::atomic<std::size_t>(0);
  Process getter(kForked, get_all, go, queue, memory);
  const int made = let_go(getter, go, steps);
  const std::size_t counted = count_in(memory);
  std::size_t left = 0;
  while (const auto next = queue.try_get()) {
    const std::size_t i = kElements - 1 - static_cast<std::size_t>(queue.qsize());
    EXPECT_TRUE(*next == element(i)) << "element " << i << " after " << made << " steps";
    ++left;
  }
  EXPECT_TRUE(left == kElements - counted || left + 1 == kElements - counted)
      << "it got " << counted << " or one more, and " << left << " are left, after " << made << " steps";
  queue.put("again");
  EXPECT_EQ(queue.get(kPatience), "again");
  return made;
}

TEST(QueueAtAnyInstruction, is_whole_when_who_puts_dies) {
  const int all = kill_putter_after(-1);
  if (all < 0) GTEST_SKIP() << "no process may be traced here";
  std::mt19937 random(9);
  for (int i = 0; i < rounds(10) && !HasFailure(); ++i) {
    kill_putter_after(std::uniform_int_distribution<int>(0, all)(random));
  }
}

TEST(QueueAtAnyInstruction, is_whole_when_who_gets_dies) {
  const int all = kill_getter_after(-1);
  if (all < 0) GTEST_SKIP() << "no process may be traced here";
  std::mt19937 random(10);
  for (int i = 0; i < rounds(10) && !HasFailure(); ++i) {
    kill_getter_after(std::uniform_int_distribution<int>(0, all)(random));
  }
}

}  // namespace
}  // namespace nogil::testing::queue_faults_test
