// Tests of nogil::Promise, and of futures of every kind of result.

#include "nogil/futures/promise.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "futures/support/kinds.hpp"
#include "support/threads.hpp"

namespace nogil::testing::promise_test {

static_assert(!std::is_copy_constructible_v<Promise<int>> && !std::is_copy_assignable_v<Promise<int>>);
static_assert(std::is_nothrow_move_constructible_v<Promise<int>> && std::is_nothrow_move_assignable_v<Promise<int>>);
static_assert(sizeof(Promise<int>) == 16 && sizeof(Future<int>) == 8);

namespace {

// What is thrown by this, as text; "" if nothing.
template <class Error, class Function>
std::string text_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool begins_with(const std::string& text, const std::string& beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}
bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

template <class Kind>
class AnyPromise : public ::testing::Test {
 public:
  using T = typename Kind::T;
};
TYPED_TEST_SUITE(AnyPromise, Kinds);

TYPED_TEST(AnyPromise, gives_its_result_to_every_copy_of_its_future) {
  Promise<typename TestFixture::T> promise;
  const auto first = promise.get_future();
  const auto second = promise.get_future();
  const auto third = first;  // NOLINT: a copy is what is tested
  EXPECT_FALSE(first.done() || second.done() || third.done());
  TypeParam::set(promise, 3);
  EXPECT_TRUE(first.done() && second.done() && third.done());
  EXPECT_TRUE(TypeParam::is(first, 3));
  EXPECT_TRUE(TypeParam::is(second, 3));
  EXPECT_TRUE(TypeParam::is(third, 3));
  EXPECT_TRUE(TypeParam::is(first, 3)) << "the result stays";
}

TYPED_TEST(AnyPromise, gives_its_result_to_a_thread_that_waits) {
  Promise<typename TestFixture::T> promise;
  Call waiter([future = promise.get_future()] { return TypeParam::is(future, 4); });
  ASSERT_TRUE(falls_asleep(waiter));
  TypeParam::set(promise, 4);
  EXPECT_TRUE(waiter.result());
}

TYPED_TEST(AnyPromise, gives_its_exception_to_everybody) {
  Promise<typename TestFixture::T> promise;
  const auto future = promise.get_future();
  promise.set_exception(std::make_exception_ptr(std::out_of_range("too far")));
  EXPECT_EQ(text_of<std::out_of_range>([&] { future.result(); }), "too far");
  EXPECT_EQ(text_of<std::out_of_range>([&] { future.result(); }), "too far") << "it stays";
  EXPECT_THROW(std::rethrow_exception(future.exception()), std::out_of_range);
}

TYPED_TEST(AnyPromise, is_kept_once) {
  Promise<typename TestFixture::T> promise;
  auto future = promise.get_future();
  TypeParam::set(promise, 1);
  EXPECT_THROW(TypeParam::set(promise, 2), InvalidStateError);
  EXPECT_THROW(TypeParam::set(future, 2), InvalidStateError);
  EXPECT_THROW(promise.set_exception(ValueError("no")), InvalidStateError);
  EXPECT_THROW(future.set_exception(ValueError("no")), InvalidStateError);
  EXPECT_TRUE(TypeParam::is(future, 1)) << "what was refused has changed nothing";
}

TYPED_TEST(AnyPromise, can_be_kept_through_its_future) {
  Promise<typename TestFixture::T> promise;
  auto future = promise.get_future();
  TypeParam::set(future, 2);
  EXPECT_THROW(TypeParam::set(promise, 1), InvalidStateError);
  EXPECT_TRUE(TypeParam::is(promise.get_future(), 2));
}

TYPED_TEST(AnyPromise, outlives_its_futures_and_they_outlive_it) {
  {
    Promise<typename TestFixture::T> promise;
    { const auto gone = promise.get_future(); }
    TypeParam::set(promise, 1);
  }
  Future<typename TestFixture::T> future;
  {
    Promise<typename TestFixture::T> promise;
    future = promise.get_future();
    TypeParam::set(promise, 2);
  }
  EXPECT_TRUE(TypeParam::is(future, 2));
}

TYPED_TEST(AnyPromise, says_so_when_it_is_broken) {
  Future<typename TestFixture::T> future;
  std::atomic<int> told{0};
  {
    Promise<typename TestFixture::T> promise;
    future = promise.get_future();
    future.add_done_callback([&told](auto) { ++told; });
  }
  EXPECT_EQ(told, 1);
  EXPECT_EQ(text_of<RuntimeError>([&] { future.result(); }), "Promise: it was destroyed without a result");
}

TYPED_TEST(AnyPromise, ends_the_wait_of_who_waits_when_it_is_broken) {
  std::optional<Promise<typename TestFixture::T>> promise(std::in_place);
  Call waiter([future = promise->get_future()] { future.result(); });
  ASSERT_TRUE(falls_asleep(waiter));
  promise.reset();
  EXPECT_THROW(waiter.result(), RuntimeError);
}

TYPED_TEST(AnyPromise, is_no_use_when_its_future_was_cancelled) {
  Promise<typename TestFixture::T> promise;
  auto future = promise.get_future();
  EXPECT_TRUE(future.cancel());
  EXPECT_THROW(TypeParam::set(promise, 1), InvalidStateError);
  EXPECT_THROW(future.result(), CancelledError);
}

TEST(PromiseTest, names_the_state_as_python_does_when_it_is_set_twice) {
  {
    Promise<int> promise;
    auto future = promise.get_future();
    promise.set_result(1);
    const std::string by_promise = text_of<InvalidStateError>([&] { promise.set_result(2); });
    const std::string by_future = text_of<InvalidStateError>([&] { future.set_result(2); });
    EXPECT_TRUE(begins_with(by_future, "FINISHED: <Future at 0x")) << by_future;
    EXPECT_TRUE(ends_with(by_future, " state=finished returned int>")) << by_future;
    EXPECT_EQ(by_promise, by_future);
  }
  {
    Promise<int> promise;
    promise.set_exception(ValueError("no"));
    const std::string text = text_of<InvalidStateError>([&] { promise.set_result(2); });
    EXPECT_TRUE(ends_with(text, " state=finished raised nogil::ValueError>")) << text;
  }
  {
    Promise<int> promise;
    promise.get_future().cancel();
    const std::string text = text_of<InvalidStateError>([&] { promise.set_exception(ValueError("no")); });
    EXPECT_TRUE(begins_with(text, "CANCELLED: <Future at 0x")) << text;
    EXPECT_TRUE(ends_with(text, " state=cancelled>")) << text;
  }
}

TEST(PromiseTest, takes_any_exception_but_none) {
  Promise<int> promise;
  EXPECT_THROW(promise.set_exception(std::exception_ptr()), ValueError);
  EXPECT_FALSE(promise.get_future().done()) << "what was refused has changed nothing";
  promise.set_exception(7);
  EXPECT_THROW(promise.get_future().result(), int);
}

TEST(PromiseTest, is_not_kept_by_a_result_whose_copy_throws) {
  struct Thorny {
    explicit Thorny(bool does) : hurts(does) {}
    Thorny(const Thorny& other) : hurts(other.hurts) {
      if (hurts) throw std::runtime_error("ouch");
    }
    bool hurts;
  };
  Promise<Thorny> promise;
  auto future = promise.get_future();
  const Thorny thorny(true);
  EXPECT_THROW(promise.set_result(thorny), std::runtime_error);
  EXPECT_FALSE(future.done());
  EXPECT_FALSE(future.running());
  promise.set_result(Thorny(false));
  EXPECT_FALSE(future.result().hurts);
}

TEST(PromiseTest, may_be_of_what_is_large_and_aligned) {
  struct alignas(256) Large {
    char text[500] = "large";
  };
  Promise<Large> promise;
  promise.set_result(Large());
  const auto future = promise.get_future();
  EXPECT_STREQ(future.result().text, "large");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&future.result()) % 256, 0u);
}

TEST(PromiseTest, may_be_of_what_can_neither_be_copied_nor_moved) {
  struct Pinned {
    explicit Pinned(int n) : number(n) {}
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    int number;
  };
  Promise<Pinned> promise;
  const auto future = promise.get_future();
  promise.set_result(5);
  EXPECT_EQ(future.result().number, 5);
}

TEST(PromiseTest, can_be_moved) {
  Promise<int> first;
  const auto future = first.get_future();
  Promise<int> second = std::move(first);
  EXPECT_THROW(first.set_result(1), RuntimeError);  // NOLINT: what is left is to be seen
  EXPECT_THROW(first.set_exception(1), RuntimeError);
  EXPECT_THROW(static_cast<void>(first.get_future()), RuntimeError);
  Promise<int> third;
  const auto broken = third.get_future();
  third = std::move(second);
  EXPECT_THROW(broken.result(), RuntimeError) << "who is assigned to gives up the promise it was";
  third.set_result(5);
  EXPECT_EQ(future.result(), 5);
}

TEST(PromiseTest, gives_its_first_future_also_when_it_is_kept) {
  Promise<int> promise;
  promise.set_result(1);
  EXPECT_EQ(promise.get_future().result(), 1);
  EXPECT_THROW(static_cast<void>(promise.get_future()), RuntimeError) << "it was given before";
}

TEST(PromiseTest, can_be_made_and_go_without_anybody_caring) {
  Promise<std::string> unused;
  Promise<std::string> kept;
  kept.set_result("nobody reads this");
}

TEST(PromiseTest, is_kept_by_one_of_many) {
  for (int round = 0; round < rounds(300); ++round) {
    Promise<std::string> promise;
    const auto future = promise.get_future();
    std::atomic<int> successes{0};
    std::atomic<int> ready{0};
    Bunch setters(3, [&, mine = future](int index) mutable {
      ++ready;
      while (ready != 3) std::this_thread::yield();
      try {
        mine.set_result(std::string(40, static_cast<char>('a' + index)));
        ++successes;
      } catch (const InvalidStateError&) {
      }
    });
    const std::string seen = future.result();
    setters.join();
    EXPECT_EQ(successes, 1);
    EXPECT_EQ(seen, future.result());
    EXPECT_EQ(seen.find_first_not_of(seen[0]), std::string::npos);
  }
}

TEST(PromiseTest, is_either_kept_or_cancelled) {
  for (int round = 0; round < rounds(500); ++round) {
    Promise<std::string> promise;
    auto future = promise.get_future();
    std::atomic<bool> go{false};
    bool cancelled = false;
    std::thread canceller([&, mine = future]() mutable {
      while (!go) std::this_thread::yield();
      cancelled = mine.cancel();
    });
    go = true;
    bool kept = true;
    try {
      promise.set_result(std::string(40, 'x'));
    } catch (const InvalidStateError&) {
      kept = false;
    }
    canceller.join();
    EXPECT_NE(kept, cancelled);
    EXPECT_EQ(future.cancelled(), cancelled);
  }
}

TEST(PromiseTest, is_kept_before_the_eyes_of_many) {
  for (int round = 0; round < rounds(200); ++round) {
    int plain = 0;  // ordered by the future alone
    Promise<int> promise;
    Bunch readers(3, [&plain, future = promise.get_future()] {
      EXPECT_EQ(future.result(), 9);
      EXPECT_EQ(plain, 1);
    });
    plain = 1;
    promise.set_result(9);
    readers.join();
  }
}

}  // namespace
}  // namespace nogil::testing::promise_test
