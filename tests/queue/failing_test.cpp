// Elements whose copy, move or comparison throws, and memory that runs out: nothing is
// lost, nothing is there twice, and the queue goes on. CPython's FailingQueueTest, and each
// place where an operation can fail in turn.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/elements.hpp"
#include "queue/support/kinds.hpp"
#include "support/allocations.hpp"
#include "support/clocks.hpp"
#include "support/threads.hpp"

namespace nogil::testing::failing_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

template <class KindOfQueue, class KindOfElement>
struct Case {
  using Kind = KindOfQueue;
  using Element = KindOfElement;
  using Q = typename Kind::template Of<Element>;
};
using CopyFails = Fragile<false>;
using AllFails = Fragile<true>;

struct CaseName {
  template <class C>
  static std::string GetName(int index) {
    return KindName::GetName<typename C::Kind>(index) +
           (std::is_same_v<typename C::Element, AllFails> ? "MoveFails" : "CopyFails");
  }
};

// Runs `operation` until it comes through, and makes it fail at the first place where it
// can, then at the second, … After each failure `unchanged` must hold.
template <class Operation, class Check>
void insist(Operation operation, Check unchanged) {
  for (int place = 1;; ++place) {
    Faults::arm(place);
    try {
      operation();
      Faults::arm(0);
      break;
    } catch (const Fault&) {
      Faults::arm(0);
      ASSERT_NO_FATAL_FAILURE(unchanged()) << "after a failure at place " << place;
    }
  }
}

// The same with memory.
template <class Operation, class Check>
void insist_on_memory(Operation operation, Check unchanged) {
  for (int place = 1;; ++place) {
    fail_allocation(place);
    try {
      operation();
      fail_allocation(0);
      break;
    } catch (const std::bad_alloc&) {
      fail_allocation(0);
      ASSERT_NO_FATAL_FAILURE(unchanged()) << "after a failure of allocation " << place;
    }
  }
}

// ---- All four ----------------------------------------------------------------------------

template <class C>
class FailingElement : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(Counted::live, 0);
    Counted::destroyed_twice = 0;
  }
  void TearDown() override {
    EXPECT_EQ(Counted::live, 0);
    EXPECT_EQ(Counted::destroyed_twice, 0);
  }
};
using AllCases = ::testing::Types<Case<FifoKind, CopyFails>, Case<FifoKind, AllFails>, Case<LifoKind, CopyFails>,
                                  Case<LifoKind, AllFails>, Case<PriorityKind, CopyFails>, Case<PriorityKind, AllFails>,
                                  Case<SimpleKind, CopyFails>, Case<SimpleKind, AllFails>>;
TYPED_TEST_SUITE(FailingElement, AllCases, CaseName);

// A random mixture of all verbs, long enough to cross blocks and to grow vectors.
TYPED_TEST(FailingElement, changes_nothing_wherever_it_throws) {
  using Element = typename TypeParam::Element;
  std::mt19937 random(7);
  typename TypeParam::Q queue;
  Model<typename TypeParam::Kind> model;
  int held = 0;  // elements outside the queue
  const auto whole = [&] {
    ASSERT_EQ(queue.qsize(), model.size());
    ASSERT_EQ(Counted::live, static_cast<int>(model.size()) + held);
  };
  for (int step = 0, bias = 50; step < 3000; ++step) {
    if (step % 300 == 0) bias = 30 + static_cast<int>(random() % 40);
    const int value = static_cast<int>(random() % 1000);
    if (static_cast<int>(random() % 100) < bias) {
      Element item(value);
      held = 1;
      const auto intact = [&] {
        ASSERT_NO_FATAL_FAILURE(whole());
        ASSERT_EQ(item.value(), value) << "a put that failed has not touched its argument";
      };
      switch (random() % 4) {
        case 0:
          insist([&] { queue.put(item); }, intact);
          break;
        case 1:
          insist([&] { queue.put(std::move(item)); }, intact);
          break;
        case 2:
          insist_on_memory([&] { queue.put(std::move(item)); }, intact);
          break;
        default:
          insist_on_memory([&] { queue.put_nowait(item); }, intact);
          break;
      }
      model.put(value);
    } else if (!model.empty()) {
      int got = -2;
      switch (random() % 5) {
        case 0:
          insist([&] { got = queue.get().value(); }, whole);
          break;
        case 1:
          insist([&] { got = queue.get_nowait().value(); }, whole);
          break;
        case 2:
          insist([&] { got = queue.get(1h).value(); }, whole);
          break;
        case 3:
          insist([&] { got = queue.try_get()->value(); }, whole);
          break;
        default:
          insist_on_memory([&] { got = queue.try_get(1h)->value(); }, whole);
          break;
      }
      ASSERT_EQ(got, model.get());
    }
    if (::testing::Test::HasFatalFailure()) return;
    held = 0;
    ASSERT_NO_FATAL_FAILURE(whole());
  }
  while (!model.empty()) ASSERT_EQ(queue.get().value(), model.get());
}

// The first throw of a process, and the first expectation about one, allocate for good.
template <class Element>
void allocate_what_is_allocated_once() {
  const Element item(1);
  Queue<Element> queue;
  for (int i = 0; i < 100; ++i) insist([&] { queue.put(item); }, [] {});
  Faults::arm(1);
  EXPECT_THROW(queue.put(item), Fault);
  Faults::arm(0);
  while (!queue.empty()) insist([&] { queue.get(); }, [] {});
}

TYPED_TEST(FailingElement, gives_its_memory_back_all_the_same) {
  using Element = typename TypeParam::Element;
  typename TypeParam::Q queue;
  allocate_what_is_allocated_once<Element>();
  const auto before = allocations();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 300; ++i) {
      const Element item(i);
      insist([&] { queue.put(item); }, [] {});
    }
    while (!queue.empty()) insist([&] { queue.get(); }, [] {});
    EXPECT_LE(allocations().live - before.live, 2);
  }
  // At the end of a block, and then one that throws, and another drain.
  for (int i = 0; i < 64; ++i) {
    const Element item(i);
    queue.put(item);
    Faults::arm(1);
    EXPECT_THROW(queue.put(item), Fault);
    Faults::arm(0);
  }
  while (!queue.empty()) queue.get();
  EXPECT_LE(allocations().live - before.live, 2);
}

// As many blocks as there can be: the last of one is taken, and the next could not be begun.
TYPED_TEST(FailingElement, keeps_two_blocks_at_most_after_a_block_that_could_not_be_begun) {
  using Element = typename TypeParam::Element;
  typename TypeParam::Q queue;
  const auto before = allocations();
  const Element item(1);
  for (int size = 1; size <= 3 * 64; ++size) {
    for (int i = 0; i < size; ++i) queue.put(item);
    Faults::arm(1);
    EXPECT_THROW(queue.put(item), Fault);
    Faults::arm(0);
    while (!queue.empty()) queue.get();
    ASSERT_LE(allocations().live - before.live, 2) << "after " << size;
  }
}

// A waiter that was woken for an element, and cannot take it, wakes another: nobody sleeps
// beside an element. get(queue) is what two of three waiters do, and fails.
template <class Q, class Get>
void leaves_it_to_another(Get get) {
  Q queue;
  const auto clumsy = [&] {
    Faults::arm(1);
    get(queue);
  };
  Call first(clumsy);
  ASSERT_TRUE(falls_asleep(first));
  Call second(clumsy);
  ASSERT_TRUE(falls_asleep(second));
  Call third([&] { return queue.try_get(1h).has_value(); });
  ASSERT_TRUE(falls_asleep(third));
  const AllFails item(1);
  queue.put(item);
  ASSERT_TRUE(eventually([&] { return third.returned(); })) << "somebody sleeps beside an element";
  EXPECT_TRUE(third.result());
  // Mostly they were woken first and have failed; whoever was not is woken now.
  while (!first.returned() || !second.returned()) {
    if (queue.empty()) queue.put(item);
    std::this_thread::yield();
  }
  EXPECT_THROW(first.result(), Fault);
  EXPECT_THROW(second.result(), Fault);
  while (!queue.empty()) queue.get();
}

TYPED_TEST(FailingElement, is_left_to_another_waiter_by_the_one_who_could_not_take_it) {
  if constexpr (std::is_same_v<typename TypeParam::Element, AllFails>) {
    leaves_it_to_another<typename TypeParam::Q>([](auto& queue) { queue.get(); });
  }
}

TYPED_TEST(FailingElement, loses_nothing_between_threads) {
  using Element = typename TypeParam::Element;
  constexpr int kThreads = 3;
  const int each = rounds(3000);
  typename TypeParam::Q queue;
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(kThreads * each));
  const auto sometimes = [](std::mt19937& random) { Faults::arm(static_cast<int>(random() % 6)); };
  {
    Bunch putters(kThreads, [&](int index) {
      std::mt19937 random(static_cast<unsigned>(index));
      for (int i = 0; i < each; ++i) {
        const Element item(index * each + i);
        for (bool in = false; !in;) {
          try {
            sometimes(random);
            queue.put(item);
            in = true;
          } catch (const Fault&) {
          }
          Faults::arm(0);
        }
      }
    });
    Bunch getters(kThreads, [&](int index) {
      std::mt19937 random(static_cast<unsigned>(100 + index));
      for (int i = 0; i < each;) {
        try {
          sometimes(random);
          const Element item = queue.get();
          ++seen[static_cast<std::size_t>(item.value())];
          ++i;
        } catch (const Fault&) {
        }
        Faults::arm(0);
      }
    });
  }
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& times) { return times == 1; }));
  EXPECT_TRUE(queue.empty());
}

// ---- The three with a bound -----------------------------------------------------------------

template <class C>
class FailingBoundedElement : public FailingElement<C> {};
using BoundedCases =
    ::testing::Types<Case<FifoKind, CopyFails>, Case<FifoKind, AllFails>, Case<LifoKind, CopyFails>,
                     Case<LifoKind, AllFails>, Case<PriorityKind, CopyFails>, Case<PriorityKind, AllFails>>;
TYPED_TEST_SUITE(FailingBoundedElement, BoundedCases, CaseName);

// CPython's failing_queue_test: twice on the same queue.
TYPED_TEST(FailingBoundedElement, does_not_count_what_failed) {
  using Element = typename TypeParam::Element;
  constexpr int kSize = 5;
  typename TypeParam::Q queue(kSize);
  const Element item(1);
  const auto fails = [](auto operation) {
    Faults::arm(1);
    EXPECT_THROW(operation(), Fault);
    Faults::arm(0);
  };
  for (int again = 0; again < 2; ++again) {
    const std::size_t unfinished = queue.unfinished_tasks();
    for (int i = 0; i < kSize - 1; ++i) queue.put(item);
    fails([&] { queue.put_nowait(item); });
    fails([&] { queue.put(item, 100ms); });
    fails([&] { std::ignore = queue.try_put(item, 1h); });
    EXPECT_EQ(queue.unfinished_tasks(), unfinished + kSize - 1);
    queue.put(item);
    EXPECT_TRUE(queue.full());
    for (int timed = 0; timed < 2; ++timed) {
      Call put([&] {
        Faults::arm(1);
        timed ? queue.put(item, 10s) : queue.put(item);
      });
      ASSERT_TRUE(falls_asleep(put));
      queue.get();
      EXPECT_THROW(put.result(), Fault);
      EXPECT_EQ(queue.qsize(), static_cast<std::size_t>(kSize - 1));
      queue.put(item);
      EXPECT_TRUE(queue.full());
    }
    while (!queue.empty()) queue.get();
    EXPECT_EQ(queue.unfinished_tasks(), unfinished + kSize + 2);
    if (std::is_same_v<Element, AllFails>) {
      queue.put(item);
      fails([&] { queue.get(); });
      EXPECT_EQ(queue.qsize(), 1u);
      fails([&] { queue.get(100ms); });
      fails([&] { std::ignore = queue.try_get(); });
      EXPECT_EQ(queue.qsize(), 1u);
      queue.get();
      Call get([&] {
        Faults::arm(1);
        queue.get();
      });
      ASSERT_TRUE(falls_asleep(get));
      queue.put(item);
      EXPECT_THROW(get.result(), Fault);
      EXPECT_EQ(queue.qsize(), 1u) << "the put came through, only the get did not";
      queue.get();
      EXPECT_TRUE(queue.empty());
    }
  }
}

TYPED_TEST(FailingBoundedElement, is_left_to_another_waiter_by_the_one_who_could_not_take_many) {
  if constexpr (std::is_same_v<typename TypeParam::Element, AllFails>) {
    leaves_it_to_another<typename TypeParam::Q>([](auto& queue) {
      std::vector<AllFails> items;
      queue.get_many(std::back_inserter(items), 5);
    });
  }
}

// A putter that was let in, and whose copy throws, lets another in.
TYPED_TEST(FailingBoundedElement, leaves_the_room_to_another_waiter) {
  typename TypeParam::Q queue(1);
  const typename TypeParam::Element item(1);
  queue.put(item);
  const auto clumsy = [&] {
    Faults::arm(1);
    queue.put(item);
  };
  Call first(clumsy);
  ASSERT_TRUE(falls_asleep(first));
  Call second(clumsy);
  ASSERT_TRUE(falls_asleep(second));
  Call third([&] { return queue.try_put(item, 1h); });
  ASSERT_TRUE(falls_asleep(third));
  queue.get();
  ASSERT_TRUE(eventually([&] { return third.returned(); })) << "somebody sleeps beside the room";
  EXPECT_TRUE(third.result());
  while (!first.returned() || !second.returned()) {
    std::ignore = queue.try_get();
    std::this_thread::yield();
  }
  EXPECT_THROW(first.result(), Fault);
  EXPECT_THROW(second.result(), Fault);
  while (!queue.empty()) queue.get();
}

TYPED_TEST(FailingBoundedElement, puts_the_first_of_many_when_a_later_one_throws) {
  using Element = typename TypeParam::Element;
  std::vector<Element> items;
  for (int i = 0; i < 100; ++i) items.emplace_back(100 - i);
  for (int place = 1; place < 400; ++place) {
    typename TypeParam::Q queue;
    Faults::arm(place);
    bool threw = false;
    try {
      queue.put_many(items);
    } catch (const Fault&) {
      threw = true;
    }
    Faults::arm(0);
    ASSERT_EQ(threw, queue.qsize() < 100);
    ASSERT_EQ(queue.unfinished_tasks(), queue.qsize());
    Model<typename TypeParam::Kind> model;
    for (std::size_t i = 0; i < queue.qsize(); ++i) model.put(items[i].value());
    while (!model.empty()) ASSERT_EQ(queue.get().value(), model.get());
  }
}

TYPED_TEST(FailingBoundedElement, leaves_the_rest_of_many_when_taking_one_throws) {
  using Element = typename TypeParam::Element;
  for (int place = 1; place < 200; ++place) {
    typename TypeParam::Q queue;
    Model<typename TypeParam::Kind> model;
    for (int i = 0; i < 100; ++i) {
      queue.put(Element(100 - i));
      model.put(100 - i);
    }
    std::vector<Element> got;
    got.reserve(100);
    Faults::arm(place);
    try {
      queue.get_many(std::back_inserter(got), 100);
    } catch (const Fault&) {
    }
    Faults::arm(0);
    ASSERT_EQ(queue.qsize() + got.size(), 100u);
    ASSERT_EQ(Counted::live, 100);
    for (const Element& item : got) ASSERT_EQ(item.value(), model.get());
    while (!model.empty()) ASSERT_EQ(queue.get().value(), model.get());
  }
}

TYPED_TEST(FailingBoundedElement, stays_in_the_queue_when_a_loop_cannot_take_it) {
  using Element = typename TypeParam::Element;
  typename TypeParam::Q queue;
  Model<typename TypeParam::Kind> model;
  for (int i = 0; i < 10; ++i) {
    queue.put(Element(i));
    model.put(i);
  }
  queue.shutdown();
  // A loop by reference, which moves nothing itself, begun again after each failure.
  for (int place = 1; !model.empty(); place = place % 20 + 1) {
    try {
      Faults::arm(place);
      for (const Element& item : queue) {
        ASSERT_EQ(item.value(), model.get());
        Faults::arm(place);
      }
    } catch (const Fault&) {
    }
    Faults::arm(0);
    ASSERT_EQ(queue.qsize(), model.size());
  }
}

TYPED_TEST(FailingBoundedElement, is_dropped_whole_by_an_immediate_shutdown) {
  typename TypeParam::Q queue;
  for (int i = 0; i < 100; ++i) queue.put(typename TypeParam::Element(i));
  Faults::arm(1);
  queue.shutdown(true);
  Faults::arm(0);
  EXPECT_EQ(Counted::live, 0);
}

// ---- Slow elements -----------------------------------------------------------------------------

// An element whose copy takes as long as the test likes, with the queue's lock held.
struct Slow {
  Slow() = default;
  Slow(const Slow&) {
    ++copying;
    eventually([] { return !hold; });
  }
  Slow(Slow&&) noexcept = default;
  Slow& operator=(Slow&&) noexcept = default;
  bool operator<(const Slow&) const noexcept { return false; }

  static inline std::atomic<int> copying{0};
  static inline std::atomic<bool> hold{false};
};

// A putter that holds its end's lock all the time leaves a getter in doubt whether it was
// seen. It must wait on nevertheless, and until its own clock says so.
TEST(SlowElement, does_not_make_a_get_give_up_before_its_clock_says_so) {
  Queue<Slow> queue;
  const Slow item;
  Slow::copying = 0;
  Slow::hold = true;
  Call put([&] { queue.put(item); });
  ASSERT_TRUE(eventually([] { return Slow::copying == 1; }));
  const auto deadline = SettableClock::now() + 1ms;
  SettableClock::asked = 0;
  Call standing([&] { return queue.try_get(deadline).has_value(); });
  Call timed([&] { return queue.try_get(5ms).has_value(); });
  Call stopped([&] { return queue.try_get(stopped_token()).has_value(); });
  EXPECT_FALSE(timed.result());
  EXPECT_FALSE(stopped.result());
  EXPECT_TRUE(eventually([&] { return SettableClock::asked > 4 || standing.returned(); }));
  EXPECT_TRUE(stays([&] { return !standing.returned(); })) << "its clock has not moved";
  Slow::hold = false;
  put.result();
  EXPECT_TRUE(standing.result());
}

TEST(SlowElement, lets_a_waiting_get_be_stopped) {
  Queue<Slow> queue;
  const Slow item;
  Slow::copying = 0;
  Slow::hold = true;
  Call put([&] { queue.put(item); });
  ASSERT_TRUE(eventually([] { return Slow::copying == 1; }));
  std::stop_source source;
  Call get([&] { return queue.try_get(source.get_token()).has_value(); });
  EXPECT_TRUE(stays([&] { return !get.returned(); }));
  source.request_stop();
  EXPECT_FALSE(get.result());
  Slow::hold = false;
  put.result();
  queue.get();
}

}  // namespace
}  // namespace nogil::testing::failing_test
