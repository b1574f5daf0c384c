// Tests of the futex calls: sleep while a word has a value, wake by its address.

#include "nogil/platform/futex.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "nogil/platform/native.hpp"
#include "support/threads.hpp"

namespace nogil::testing::futex_test {
namespace {

using namespace std::chrono_literals;
using platform::Deadline;
using platform::futex_wait;
using platform::futex_wake;
using platform::Native;
using platform::Scope;

const std::uint32_t* address(const std::atomic<std::uint32_t>& word) {
  return Native::address(word);
}

TEST(FutexTest, does_not_sleep_when_the_word_has_changed) {
  const std::atomic<std::uint32_t> word = 7;
  EXPECT_TRUE(futex_wait(address(word), 6, Deadline::never()));
  EXPECT_TRUE(futex_wait(address(word), 6, Deadline::immediate())) << "changed comes before late";
}

TEST(FutexTest, says_when_the_deadline_has_passed) {
  const std::atomic<std::uint32_t> word = 7;
  EXPECT_FALSE(futex_wait(address(word), 7, Deadline::immediate()));
  EXPECT_FALSE(futex_wait(address(word), 7, Deadline::at(std::chrono::steady_clock::now())));
  const auto start = std::chrono::steady_clock::now();
  while (futex_wait(address(word), 7, Deadline::after(20ms)) && std::chrono::steady_clock::now() - start < 20ms) {
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
}

TEST(FutexTest, wakes_as_many_sleepers_as_it_is_told_to) {
  const std::atomic<std::uint32_t> word = 7;
  std::vector<std::unique_ptr<Call<bool>>> sleepers;
  for (int i = 0; i < 4; ++i) {
    sleepers.push_back(std::make_unique<Call<bool>>([&] { return futex_wait(address(word), 7, Deadline::never()); }));
  }
  ASSERT_TRUE(falls_asleep(sleepers));
  const auto awake = [&] {
    int count = 0;
    for (auto& sleeper : sleepers) count += sleeper->returned();
    return count;
  };
  futex_wake(address(word), 1);
  ASSERT_TRUE(eventually([&] { return awake() == 1; }));
  EXPECT_TRUE(stays([&] { return awake() == 1; }));
  futex_wake(address(word), 2);
  ASSERT_TRUE(eventually([&] { return awake() == 3; }));
  futex_wake(address(word), platform::kEveryone);
  for (auto& sleeper : sleepers) EXPECT_TRUE(sleeper->result());
}

TEST(FutexTest, may_wake_at_an_address_where_nothing_is_any_more) {
  void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(::munmap(memory, 4096), 0);
  futex_wake(static_cast<const std::uint32_t*>(memory), 1);
}

TEST(FutexTest, sleeps_on_the_low_half_of_a_64_bit_word) {
  std::atomic<std::uint64_t> word = 0x1234'5678'0000'0007;
  EXPECT_TRUE(Native::futex_wait(word, 6, Deadline::immediate()));
  EXPECT_FALSE(Native::futex_wait(word, 7, Deadline::immediate()));
  word = 7;
  Call sleeper([&] { return Native::futex_wait(word, 7, Deadline::never()); });
  ASSERT_TRUE(falls_asleep(sleeper));
  Native::futex_wake(Native::address(word), 1);
  EXPECT_TRUE(sleeper.result());
}

TEST(FutexTest, wakes_across_processes_in_the_shared_scope) {
  void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& word = *new (memory) std::atomic<std::uint32_t>(0);
  const pid_t child = ::fork();
  if (child == 0) {
    while (word.load() == 0) futex_wait(address(word), 0, Deadline::never(), Scope::kShared);
    ::_exit(word.load() == 1 ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  word = 1;
  futex_wake(address(word), 1, Scope::kShared);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ::munmap(memory, 4096);
}

}  // namespace
}  // namespace nogil::testing::futex_test
