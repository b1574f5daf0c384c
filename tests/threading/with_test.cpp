// Tests of nogil::with. A test's name completes the sentence "with ...".

#include "nogil/threading/with.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <type_traits>

#include "nogil/errors.hpp"
#include "nogil/threading/condition.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"
#include "nogil/threading/semaphore.hpp"
#include "support/threads.hpp"

namespace with_test {
namespace {

using nogil::with;

TEST(WithTest, holds_the_lock_while_the_function_runs) {
  nogil::Lock lock;
  with(lock, [&] { EXPECT_TRUE(lock.locked()); });
  EXPECT_FALSE(lock.locked());
}

TEST(WithTest, returns_what_the_function_returns) {
  nogil::Lock lock;
  int value = 3;
  EXPECT_EQ(with(lock, [] { return 42; }), 42);
  static_assert(std::is_same_v<decltype(with(lock, [&]() -> int& { return value; })), int&>);
  static_assert(std::is_void_v<decltype(with(lock, [] {}))>);
  with(lock, [&]() -> int& { return value; }) = 4;
  EXPECT_EQ(value, 4);
  EXPECT_EQ(*with(lock, [] { return std::make_unique<int>(5); }), 5);
}

TEST(WithTest, takes_every_lock) {
  nogil::RLock rlock;
  nogil::Semaphore semaphore(1);
  nogil::Condition condition;
  std::mutex mutex;
  EXPECT_TRUE(with(rlock, [&] { return with(rlock, [&] { return rlock.is_owned(); }); }));
  EXPECT_EQ(with(semaphore, [&] { return semaphore.value(); }), 0);
  with(condition, [&] { condition.notify_all(); });
  EXPECT_EQ(with(mutex, [] { return 1; }), 1);
}

TEST(WithTest, takes_a_function_that_can_only_be_called_once) {
  struct Once {
    std::unique_ptr<int> value;
    int operator()() && { return *std::move(value); }
  };
  nogil::Lock lock;
  EXPECT_EQ(with(lock, Once{std::make_unique<int>(6)}), 6);
}

TEST(WithTest, releases_the_lock_when_the_function_throws) {
  nogil::Lock lock;
  EXPECT_THROW(with(lock, [] { throw std::out_of_range("boom"); }), std::out_of_range);
  EXPECT_FALSE(lock.locked());
}

TEST(WithTest, tells_of_a_lock_that_the_function_released) {
  nogil::Lock lock;
  EXPECT_THROW(with(lock, [&] { lock.release(); }), nogil::RuntimeError);
  EXPECT_THROW(with(lock,
                    [&] {
                      lock.release();
                      throw std::out_of_range("boom");
                    }),
               std::out_of_range)
      << "the function's own exception counts more";
}

TEST(WithTest, keeps_threads_apart) {
  nogil::Lock lock;
  int plain = 0;
  {
    nogil::testing::Bunch bunch(4, [&] {
      for (int i = 0; i < nogil::testing::rounds(2000); ++i) with(lock, [&] { ++plain; });
    });
  }
  EXPECT_EQ(plain, 4 * nogil::testing::rounds(2000));
}

}  // namespace
}  // namespace with_test
