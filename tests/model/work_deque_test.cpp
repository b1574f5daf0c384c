// A worker's own tasks under the model checker: detail::WorkDeque.

#include "nogil/futures/detail/work_deque.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::WorkDeque;

// What a task is here: written before it is pushed, read by whoever gets it.
struct Item {
  Plain<int> value = 0;
  int taken = 0;  // the scenario's own: not part of the model
};

// Two at a time, as soon as there are four.
template <class P, int kQuiet = 2>
class Items {
 public:
  explicit Items(std::int64_t capacity = 4) : deque_(capacity) {}

  void push(std::size_t i) {
    items_[i].value = 1;
    deque_.push(&items_[i]);
  }
  bool pop() { return take(deque_.pop()); }
  bool take_oldest() { return take(deque_.take_oldest()); }
  bool steal() { return take(deque_.steal()); }
  std::size_t steal_several() {
    Item* items[2];
    const std::size_t count = deque_.steal(items, 2);
    for (std::size_t i = 0; i < count; ++i) take(items[i]);
    return count;
  }

  // Each of the first `count` was taken once, by somebody.
  void require_all_taken(std::size_t count) {
    while (pop()) {
    }
    for (std::size_t i = 0; i < count; ++i) require(items_[i].taken == 1, "an item was lost, or taken twice");
  }

 private:
  static bool take(Item* item) {
    if (item == nullptr) return false;
    require(item->value == 1, "an item that is not whole");
    ++item->taken;
    return true;
  }

  Item items_[14];
  WorkDeque<Item, P, 2, 4, kQuiet> deque_;
};

// The owner and two thieves meet at the last item.
template <class P>
void the_last_item() {
  Items<P> items;
  together(
      [&] {
        items.push(0);
        items.pop();
        items.push(1);
        items.pop();
      },
      [&] { items.steal(); }, [&] { items.steal(); });
  items.require_all_taken(2);
}

// Items lie there; the owner takes two from below, a thief two from above.
template <class P>
void from_both_ends() {
  Items<P> items;
  for (std::size_t i = 0; i < 3; ++i) items.push(i);
  together(
      [&] {
        items.pop();
        items.pop();
      },
      [&] {
        items.steal();
        items.steal();
      });
  items.require_all_taken(3);
}

// The array grows, and is gone around, while a thief looks into it.
template <class P>
void grows_under_a_thief() {
  Items<P> items(1);
  together(
      [&] {
        items.push(0);
        items.push(1);
        items.pop();
        items.push(2);
      },
      [&] {
        items.steal();
        items.steal();
      });
  items.require_all_taken(3);
}

// The deque is long, so the thief takes two at once; and the owner, meanwhile, all.
template <class P>
void two_at_once() {
  Items<P> items(8);
  for (std::size_t i = 0; i < 5; ++i) items.push(i);
  together(
      [&] {
        for (int i = 0; i < 4; ++i) items.pop();
      },
      [&] { items.steal_several(); });
  items.require_all_taken(5);
}

template <class P>
void two_thieves_take_several() {
  Items<P> items(8);
  for (std::size_t i = 0; i < 6; ++i) items.push(i);
  together(
      [&] {
        items.pop();
        items.pop();
        items.pop();
      },
      [&] { items.steal_several(); }, [&] { items.steal_several(); });
  items.require_all_taken(6);
}

// It becomes short, and long again with other items, while a thief is about to take two; and
// is open all the time.
template <class P>
void short_and_long_again() {
  Items<P, 1000> items(4);
  for (std::size_t i = 0; i < 6; ++i) items.push(i);
  items.steal();
  together(
      [&] {
        for (int i = 0; i < 4; ++i) items.pop();
        for (std::size_t i = 6; i < 14; ++i) items.push(i);
      },
      [&] { items.steal_several(); });
  items.require_all_taken(14);
}

// A thief opens it, the owner closes it again, and takes the rest by plain steps, when the
// thief comes again.
template <class P>
void closes_and_opens() {
  Items<P> items(8);
  for (std::size_t i = 0; i < 3; ++i) items.push(i);
  items.steal();
  items.pop();
  for (std::size_t i = 3; i < 5; ++i) {
    items.push(i);
    items.pop();
  }
  for (std::size_t i = 5; i < 7; ++i) items.push(i);
  together(
      [&] {
        items.pop();
        items.pop();
      },
      [&] {
        items.steal();
        items.steal();
      });
  items.require_all_taken(7);
}

// The owner closes it while a thief is at it, who goes on when it is open again.
template <class P>
void closes_under_a_thief() {
  Items<P> items(8);
  for (std::size_t i = 0; i < 5; ++i) items.push(i);
  items.steal();
  together(
      [&] {
        for (int i = 0; i < 4; ++i) items.pop();
      },
      [&] { items.steal(); }, [&] { items.steal(); });
  items.require_all_taken(5);
}

// The owner takes from above, too.
template <class P>
void the_owner_from_both_ends() {
  Items<P> items;
  for (std::size_t i = 0; i < 3; ++i) items.push(i);
  together(
      [&] {
        items.take_oldest();
        items.pop();
      },
      [&] { items.steal(); }, [&] { items.steal(); });
  items.require_all_taken(3);
}

TEST(ModelWorkDeque, gives_each_item_to_one_thread) {
  EXPECT_TRUE(holds(the_last_item<Platform>));
  EXPECT_TRUE(holds(from_both_ends<Platform>, {.bounds = {.deviations = 5}}));
  EXPECT_TRUE(holds(grows_under_a_thief<Platform>, {.bounds = {.deviations = 5}}));
}

TEST(ModelWorkDeque, is_closed_and_opened_while_threads_take_from_it) {
  EXPECT_TRUE(holds(closes_and_opens<Platform>, {.bounds = {.deviations = 5}}));
  EXPECT_TRUE(holds(closes_under_a_thief<Platform>));
  EXPECT_TRUE(holds(the_owner_from_both_ends<Platform>));
}

TEST(ModelWorkDeque, gives_several_at_once_to_one_thread) {
  EXPECT_TRUE(holds(two_at_once<Platform>, {.bounds = {.deviations = 5}}));
  EXPECT_TRUE(holds(two_thieves_take_several<Platform>));
  EXPECT_TRUE(holds(short_and_long_again<Platform>, {.bounds = {.deviations = 5}}));

  bool took_two = false;
  EXPECT_TRUE(holds([&] {
    Items<Platform> items(8);
    for (std::size_t i = 0; i < 5; ++i) items.push(i);
    took_two = items.steal_several() == 2;
  }));
  EXPECT_TRUE(took_two);
}

// ---- Mistakes that it must find ----------------------------------------------------------

// Steps are only acquire and release: the owner's store and its look at the other end may
// change places.
template <class T>
struct WithoutOneOrder : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    return nogil::model::Atomic<T>::load(order == std::memory_order_seq_cst ? std::memory_order_acquire : order);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return nogil::model::Atomic<T>::exchange(value,
                                             order == std::memory_order_seq_cst ? std::memory_order_release : order);
  }
};

// The owner takes the last item without asking the thieves.
template <class T>
struct TakesTheLastBlindly : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    nogil::model::Atomic<T>::compare_exchange_strong(expected, desired, success, failure);
    return true;
  }
};

// The owner overlooks that somebody is about to open it. (That is bit 2 of the word.)
template <class T>
struct OverlooksTheAnnouncement : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    const T seen = nogil::model::Atomic<T>::load(order);
    return order == std::memory_order_acquire ? seen & ~T{4} : seen;
  }
};

// The owner comes near to the thieves' end, and lets them go on taking several.
template <class T>
struct GoesOnSharing : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T fetch_and(T, std::memory_order order = std::memory_order_seq_cst) noexcept { return this->load(order); }
};

// The deque is long again, and shared again, though top is where it was. (Shared is the last
// bit: here it is set from the beginning, and never goes.)
template <class T>
struct LooksTheSameAgain : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    const T seen = this->load(std::memory_order_relaxed);
    if ((seen ^ expected) == 1) expected = seen, desired = (desired & ~T{1}) | (seen & 1);
    return nogil::model::Atomic<T>::compare_exchange_strong(expected, desired, success, failure);
  }
};

TEST(ModelWorkDeque, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("taken twice", from_both_ends<PlatformOf<WithoutOneOrder>>));
  EXPECT_TRUE(fails("taken twice", from_both_ends<WithoutHeavyFence>));
  EXPECT_TRUE(fails("taken twice", closes_and_opens<WithoutHeavyFence>));
  EXPECT_TRUE(fails("taken twice", from_both_ends<PlatformOf<OverlooksTheAnnouncement>>));
  EXPECT_TRUE(fails("", the_last_item<PlatformOf<TakesTheLastBlindly>>));
  EXPECT_TRUE(fails("", the_last_item<WithoutRelease>));
  EXPECT_TRUE(fails("", grows_under_a_thief<WithoutRelease>));
  EXPECT_TRUE(fails("taken twice", two_at_once<PlatformOf<GoesOnSharing>>));
  EXPECT_TRUE(fails("taken twice", short_and_long_again<PlatformOf<LooksTheSameAgain>>));
}

}  // namespace
