// Tests of nogil::Semaphore and nogil::BoundedSemaphore.
//
// Laid out like CPython's test/lock_tests.py: one suite of behaviours that both
// classes share, then what is special to each.

#include "nogil/threading/semaphore.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/lock_suite.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::semaphore_test {

static_assert(sizeof(Semaphore) <= 16);
static_assert(sizeof(BoundedSemaphore) <= 16);
static_assert(!std::is_convertible_v<int, Semaphore> && !std::is_convertible_v<int, BoundedSemaphore>);
static_assert(std::is_same_v<decltype(std::declval<const Semaphore&>().value()), std::ptrdiff_t>);
static_assert(noexcept(std::declval<const Semaphore&>().value()));

using PermitKinds = ::testing::Types<PermitKind<Semaphore>, PermitKind<BoundedSemaphore>>;
using PermitDoors = ::testing::Types<SemaphoreDoor<Semaphore>, SemaphoreDoor<BoundedSemaphore>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Semaphore, AnyLock, PermitKinds);
NOGIL_WAIT_SUITE(Semaphore, TimedWait, PermitDoors);
NOGIL_WAIT_SUITE(Semaphore, StoppableWait, PermitDoors);
NOGIL_WAIT_SUITE(Semaphore, TimedStoppableWait, PermitDoors);
NOGIL_WAIT_SUITE(Semaphore, WaitForWhatIsFree, PermitDoors);

namespace {

// ---- Both kinds --------------------------------------------------------------

template <class S>
class AnySemaphore : public ::testing::Test {};

using SemaphoreKinds = ::testing::Types<Semaphore, BoundedSemaphore>;
TYPED_TEST_SUITE(AnySemaphore, SemaphoreKinds);

TYPED_TEST(AnySemaphore, starts_with_one_permit_by_default) {
  TypeParam sem;
  EXPECT_EQ(sem.value(), 1);
  EXPECT_TRUE(sem.try_acquire());
  EXPECT_EQ(sem.value(), 0);
  EXPECT_FALSE(sem.try_acquire());
  EXPECT_EQ(sem.value(), 0);
}

TYPED_TEST(AnySemaphore, refuses_a_negative_or_too_large_value) {
  EXPECT_THROW(TypeParam{-1}, ValueError);
  EXPECT_THROW(TypeParam{std::numeric_limits<std::ptrdiff_t>::min()}, ValueError);
  EXPECT_THROW(TypeParam{-1}, std::invalid_argument) << "an error that standard code can catch";
  if constexpr (TypeParam::max_value() < std::numeric_limits<std::ptrdiff_t>::max()) {
    EXPECT_THROW(TypeParam{TypeParam::max_value() + 1}, ValueError);
    EXPECT_THROW(TypeParam{std::numeric_limits<std::ptrdiff_t>::max()}, ValueError);
  }
  EXPECT_NO_THROW(TypeParam{0});
  EXPECT_NO_THROW(TypeParam{TypeParam::max_value()});
  EXPECT_EQ(TypeParam{TypeParam::max_value()}.value(), TypeParam::max_value());
}

TYPED_TEST(AnySemaphore, gives_back_what_it_took) {
  TypeParam sem(2);
  EXPECT_TRUE(sem.acquire());
  EXPECT_TRUE(sem.acquire());
  EXPECT_EQ(sem.value(), 0);
  sem.release();
  EXPECT_EQ(sem.value(), 1);
  sem.release();
  EXPECT_EQ(sem.value(), 2);
}

TYPED_TEST(AnySemaphore, gives_back_several_at_once) {
  TypeParam sem(5);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(sem.try_acquire());
  sem.release(3);
  EXPECT_EQ(sem.value(), 3);
  sem.release(2);
  EXPECT_EQ(sem.value(), 5);
}

TYPED_TEST(AnySemaphore, refuses_to_release_fewer_than_one) {
  TypeParam sem(1);
  sem.acquire();
  EXPECT_THROW(sem.release(0), ValueError);
  EXPECT_THROW(sem.release(-1), ValueError);
  EXPECT_THROW(sem.release(std::numeric_limits<std::ptrdiff_t>::min()), ValueError);
  EXPECT_EQ(sem.value(), 0) << "a refused release changes nothing";
  sem.release();
  EXPECT_EQ(sem.value(), 1);
}

TYPED_TEST(AnySemaphore, refuses_to_hold_more_than_it_can) {
  TypeParam sem(TypeParam::max_value());
  EXPECT_THROW(sem.release(), ValueError);
  EXPECT_THROW(sem.release(TypeParam::max_value()), ValueError);
  EXPECT_THROW(sem.release(std::numeric_limits<std::ptrdiff_t>::max()), ValueError);
  EXPECT_EQ(sem.value(), TypeParam::max_value());
  ASSERT_TRUE(sem.try_acquire());
  EXPECT_THROW(sem.release(2), ValueError);
  EXPECT_EQ(sem.value(), TypeParam::max_value() - 1);
  sem.release();
  EXPECT_EQ(sem.value(), TypeParam::max_value());
}

TYPED_TEST(AnySemaphore, refuses_a_bad_release_while_others_wait) {
  TypeParam sem(1);
  sem.acquire();
  Call waiter([&] { return sem.acquire(); });
  ASSERT_TRUE(falls_asleep(waiter));
  EXPECT_THROW(sem.release(0), ValueError);
  EXPECT_THROW(sem.release(std::numeric_limits<std::ptrdiff_t>::max()), ValueError);
  EXPECT_TRUE(stays([&] { return waiter.asleep(); }));
  EXPECT_EQ(sem.value(), 0);
  sem.release();
  EXPECT_TRUE(waiter.result());
  EXPECT_EQ(sem.value(), 0);
}

TYPED_TEST(AnySemaphore, is_held_by_the_standard_guards) {
  TypeParam a(2), b(1);
  {
    const std::scoped_lock both(a, b);
    EXPECT_EQ(a.value(), 1);
    EXPECT_EQ(b.value(), 0);
    const std::lock_guard another(a);
    EXPECT_EQ(a.value(), 0);
  }
  EXPECT_EQ(a.value(), 2);
  EXPECT_EQ(b.value(), 1);
}

TYPED_TEST(AnySemaphore, lets_exactly_as_many_through_as_it_has_permits) {
  TypeParam sem(7);
  std::atomic<int> through = 0;
  Bunch waiters(17, [&] {
    sem.acquire();
    ++through;
  });
  for (const int more : {0, 1, 2, 4, 3}) {
    const int before = more == 0 ? 7 : through + more;
    if (more != 0) sem.release(more);
    ASSERT_TRUE(eventually([&] { return through == before; }));
    EXPECT_TRUE(stays([&] { return through == before; }));
    EXPECT_EQ(sem.value(), 0);
  }
  waiters.join();
}

// As CPython's test_multirelease.
TYPED_TEST(AnySemaphore, wakes_as_many_sleepers_as_permits_are_released) {
  TypeParam sem(6);
  for (int i = 0; i < 6; ++i) sem.acquire();
  std::vector<std::unique_ptr<Call<bool>>> waiters;
  for (int i = 0; i < 6; ++i) waiters.push_back(std::make_unique<Call<bool>>([&] { return sem.acquire(); }));
  ASSERT_TRUE(falls_asleep(waiters));
  const auto returned = [&] {
    int count = 0;
    for (auto& waiter : waiters) count += waiter->returned();
    return count;
  };
  sem.release(2);
  ASSERT_TRUE(eventually([&] { return returned() == 2; }));
  EXPECT_TRUE(stays([&] { return returned() == 2; }));
  sem.release(3);
  ASSERT_TRUE(eventually([&] { return returned() == 5; }));
  EXPECT_TRUE(stays([&] { return returned() == 5; }));
  sem.release();
  ASSERT_TRUE(eventually([&] { return returned() == 6; }));
  EXPECT_EQ(sem.value(), 0);
}

TYPED_TEST(AnySemaphore, keeps_the_rest_when_more_are_released_than_wait) {
  TypeParam sem(5);
  for (int i = 0; i < 5; ++i) sem.acquire();
  Call a([&] { return sem.acquire(); });
  Call b([&] { return sem.acquire(1h); });
  ASSERT_TRUE(falls_asleep(a, b));
  sem.release(5);
  EXPECT_TRUE(a.result());
  EXPECT_TRUE(b.result());
  EXPECT_EQ(sem.value(), 3);
}

TYPED_TEST(AnySemaphore, counts_the_same_after_waits_that_gave_up) {
  TypeParam sem(1);
  sem.acquire();
  Bunch impatient(8, [&](int index) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_FALSE(sem.acquire(std::chrono::microseconds(100 * index)));
      EXPECT_FALSE(sem.acquire(stopped_token()));
    }
  });
  impatient.join();
  EXPECT_EQ(sem.value(), 0);
  sem.release();
  EXPECT_EQ(sem.value(), 1);
  EXPECT_TRUE(sem.try_acquire());
  EXPECT_FALSE(sem.try_acquire());
}

TYPED_TEST(AnySemaphore, may_be_released_by_another_thread) {
  TypeParam sem(1);
  sem.acquire();
  Call([&] { sem.release(); }).result();
  EXPECT_EQ(sem.value(), 1);
}

TYPED_TEST(AnySemaphore, publishes_what_was_written_before_the_release) {
  TypeParam full(1), empty(1);
  full.acquire();
  int plain = 0;  // not atomic: ThreadSanitizer checks the ordering for us
  Call writer([&] {
    for (int i = 1; i <= rounds(3000); ++i) {
      empty.acquire();
      plain = i;
      full.release();
    }
  });
  for (int i = 1; i <= rounds(3000); ++i) {
    full.acquire();
    ASSERT_EQ(plain, i);
    empty.release();
  }
  writer.result();
}

// The acquirer may destroy the semaphore while release() is still on its way out.
// ThreadSanitizer is the judge: it knows that nothing orders the end of release()
// before the destruction, however they fall in time.
TYPED_TEST(AnySemaphore, may_be_destroyed_by_the_thread_it_let_through) {
  for (int round = 0; round < rounds(2000); ++round) {
    auto sem = std::make_unique<TypeParam>(1);
    sem->acquire();
    Bunch releaser(1, [raw = sem.get()] { raw->release(); });
    if (round % 2 == 0) sem->acquire();
    else EXPECT_TRUE(sem->acquire(1h));
    sem.reset();
  }
}

// More threads than cores; waits that give up race with releases. No permit may be
// lost or made up.
TYPED_TEST(AnySemaphore, neither_loses_nor_invents_permits_under_stress) {
  constexpr int kPermits = 3;
  TypeParam sem(kPermits);
  std::atomic<int> inside = 0;
  StopSource source;
  Bunch users(16, [&](int index) {
    for (int i = 0; i < rounds(1500); ++i) {
      const auto timeout = std::chrono::microseconds(i % 50);
      if (index % 4 == 0) sem.acquire();
      else if (index % 4 == 1) ASSERT_TRUE(sem.acquire(source.get_token()));
      else if (index % 4 == 2 && !sem.acquire(timeout)) continue;
      else if (index % 4 == 3 && !sem.acquire(timeout, source.get_token())) continue;
      ASSERT_LE(++inside, kPermits);
      if (i % 16 == 0) std::this_thread::yield();
      --inside;
      sem.release();
    }
  });
  users.join();
  EXPECT_EQ(sem.value(), kPermits);
}

// Releases of several permits at once race with as many single acquires.
TYPED_TEST(AnySemaphore, lets_all_through_when_released_in_bulk_under_stress) {
  constexpr int kUsers = 8;
  TypeParam sem(kUsers);
  for (int i = 0; i < kUsers; ++i) sem.acquire();
  std::atomic<int> through = 0;
  Bunch users(kUsers, [&] {
    for (int i = 0; i < rounds(1000); ++i) {
      sem.acquire();
      ++through;
    }
  });
  int released = 0;
  for (int bulk = 1; released < kUsers * rounds(1000); bulk = bulk % 5 + 1) {
    const int n = std::min(bulk, kUsers * rounds(1000) - released);
    ASSERT_TRUE(eventually([&] { return released - through <= kUsers - n; }));
    sem.release(n);
    released += n;
  }
  users.join();
  EXPECT_EQ(through, kUsers * rounds(1000));
  EXPECT_EQ(sem.value(), 0);
}

// ---- Semaphore ---------------------------------------------------------------

TEST(SemaphoreTest, may_be_released_above_its_first_value) {
  Semaphore sem(1);
  sem.release();
  sem.release(3);
  EXPECT_EQ(sem.value(), 5);
}

TEST(SemaphoreTest, starts_with_none_and_lets_through_what_is_released) {
  Semaphore sem(0);
  EXPECT_FALSE(sem.try_acquire());
  Call waiter([&] { return sem.acquire(); });
  ASSERT_TRUE(falls_asleep(waiter));
  sem.release();
  EXPECT_TRUE(waiter.result());
}

// ---- BoundedSemaphore --------------------------------------------------------

TEST(BoundedSemaphoreTest, refuses_to_be_released_above_its_first_value) {
  BoundedSemaphore sem(2);
  EXPECT_THROW(sem.release(), ValueError);
  EXPECT_EQ(sem.value(), 2);
  sem.acquire();
  EXPECT_THROW(sem.release(2), ValueError);
  EXPECT_EQ(sem.value(), 1) << "a refused release changes nothing";
  sem.release();
  EXPECT_EQ(sem.value(), 2);
  EXPECT_THROW(sem.release(), ValueError);
}

TEST(BoundedSemaphoreTest, of_none_cannot_be_released_at_all) {
  BoundedSemaphore sem(0);
  EXPECT_FALSE(sem.try_acquire());
  EXPECT_THROW(sem.release(), ValueError);
  EXPECT_EQ(sem.value(), 0);
}

TEST(BoundedSemaphoreTest, says_what_is_wrong_as_python_does) {
  BoundedSemaphore sem;
  try {
    sem.release();
    FAIL() << "released too many times";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("Semaphore released too many times"), std::string::npos) << error.what();
  }
}

// Every release above the bound is refused, however they race; what is within it is kept.
TEST(BoundedSemaphoreTest, keeps_its_bound_when_releases_race) {
  for (int round = 0; round < rounds(200); ++round) {
    BoundedSemaphore sem(3);
    sem.acquire();
    sem.acquire();
    std::atomic<int> refused = 0;
    Bunch releasers(4, [&] {
      try {
        sem.release();
      } catch (const ValueError&) {
        ++refused;
      }
    });
    releasers.join();
    ASSERT_EQ(refused, 2);
    ASSERT_EQ(sem.value(), 3);
  }
}

}  // namespace
}  // namespace nogil::testing::semaphore_test
