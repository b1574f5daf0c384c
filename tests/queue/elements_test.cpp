// What the queues hold, how often it is copied, moved and destroyed, and the memory for it.
// Elements that fail are in failing_test.cpp.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/elements.hpp"
#include "queue/support/kinds.hpp"
#include "support/allocations.hpp"
#include "support/threads.hpp"

namespace nogil::testing::elements_test {
namespace {

using namespace std::chrono_literals;

template <class Kind>
class QueueElement : public ::testing::Test {};
TYPED_TEST_SUITE(QueueElement, FullKinds, KindName);

template <class Kind>
using Ints = typename Kind::template Of<int>;

// ---- Elements ------------------------------------------------------------------------

TYPED_TEST(QueueElement, copies_what_it_must_not_move) {
  typename TypeParam::template Of<std::string> queue;
  std::string text = "a text that is too long to be kept in place";
  const std::string constant = text;
  queue.put(text);
  queue.put_nowait(constant);
  EXPECT_EQ(text, constant);
  queue.put(std::move(text));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.get(), constant);
  queue.put("made on the way");
  EXPECT_EQ(queue.get_nowait(), "made on the way");
}

template <class Element, class Kind>
void holds() {
  typename Kind::template Of<Element> queue;
  for (int round = 0; round < 3; ++round) {
    Model<Kind> model;
    for (const int value : {5, 3, 8, 1, 9, 2, 7}) {
      queue.put(Element(value));
      model.put(value);
    }
    EXPECT_EQ(queue.get().value(), model.get());
    EXPECT_EQ(queue.get_nowait().value(), model.get());
    EXPECT_EQ(queue.get(1h).value(), model.get());
    EXPECT_EQ(queue.try_get()->value(), model.get());
    EXPECT_EQ(queue.try_get(0s)->value(), model.get());
    for (int value = 0; value < 300; ++value) {
      queue.put(Element(value));
      model.put(value);
    }
    while (!model.empty()) ASSERT_EQ(queue.get().value(), model.get());
    EXPECT_EQ(queue.qsize(), 0u);
  }
}

TYPED_TEST(QueueElement, holds_elements_that_can_only_be_moved) {
  holds<MoveOnly, TypeParam>();
}
TYPED_TEST(QueueElement, holds_elements_that_cannot_be_assigned) {
  holds<Awkward, TypeParam>();
}
TYPED_TEST(QueueElement, holds_large_elements_with_an_alignment_of_their_own) {
  holds<Large, TypeParam>();
}

TYPED_TEST(QueueElement, holds_elements_of_one_byte_and_optional_ones) {
  typename TypeParam::template Of<bool> bits;
  bits.put(true);
  bits.put(false);
  EXPECT_NE(bits.get(), bits.get());
  typename TypeParam::template Of<std::optional<int>> maybe;
  maybe.put(std::nullopt);
  const std::optional<std::optional<int>> got = maybe.try_get();
  ASSERT_TRUE(got.has_value()) << "an element that is empty is not no element";
  EXPECT_FALSE(got->has_value());
}

TYPED_TEST(QueueElement, keeps_no_reference_to_what_it_gave) {
  typename TypeParam::template Of<std::shared_ptr<int>> queue;
  std::vector<std::weak_ptr<int>> watch;
  for (int i = 0; i < 20; ++i) {
    auto item = std::make_shared<int>(i);
    watch.push_back(item);
    queue.put(std::move(item));
  }
  for (int left = 20; left > 0; --left) {
    queue.get();
    EXPECT_EQ(std::count_if(watch.begin(), watch.end(), [](const auto& item) { return !item.expired(); }), left - 1);
  }
}

TYPED_TEST(QueueElement, destroys_each_element_once) {
  ASSERT_EQ(Counted::live, 0);
  for (const int count : {0, 1, 15, 16, 63, 64, 65, 128, 129, 1000}) {
    for (const int taken : {0, 1, count / 2, count - 1, count}) {
      typename TypeParam::template Of<Counted> queue;
      for (int i = 0; i < count; ++i) queue.put(Counted(i));
      EXPECT_EQ(Counted::live, count);
      for (int i = 0; i < std::clamp(taken, 0, count); ++i) queue.get();
      EXPECT_EQ(Counted::live, count - std::clamp(taken, 0, count));
    }
    EXPECT_EQ(Counted::live, 0);
  }
  EXPECT_EQ(Counted::destroyed_twice, 0);
}

// What a thread did before a put is seen by the one that gets the element: plain memory,
// which ThreadSanitizer watches.
TYPED_TEST(QueueElement, shows_what_was_done_before_the_put) {
  typename TypeParam::template Of<int*> queue;
  std::vector<int> cells(1000);
  Bunch writer(1, [&] {
    for (int& cell : cells) {
      cell = 42;
      queue.put(&cell);
    }
  });
  int sum = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) sum += *queue.get();
  EXPECT_EQ(sum, 42'000);
}

// CPython's test_reentrancy lets a finalizer use the queue that is in use. Ours may use any
// other one: an element that, when it is copied, moved or destroyed, puts into another queue
// and gets from it.
TYPED_TEST(QueueElement, may_use_another_queue) {
  using Other = typename TypeParam::template Of<int>;
  struct Busy {
    explicit Busy(Other& o) : other(&o) {}
    Busy(const Busy& from) : other(from.other) { use(); }
    Busy(Busy&& from) noexcept : other(from.other) { use(); }
    Busy& operator=(Busy&& from) noexcept {
      other = from.other;
      use();
      return *this;
    }
    ~Busy() { use(); }
    bool operator<(const Busy&) const {
      use();
      return false;
    }
    void use() const {
      other->put(1);
      other->put(2);
      other->get();
    }
    Other* other;
  };
  Other other;
  {
    typename TypeParam::template Of<Busy> queue;
    for (int i = 0; i < 100; ++i) queue.put(Busy(other));
    for (int i = 0; i < 50; ++i) queue.get();
  }
  EXPECT_GT(other.qsize(), 300u);
}

// ---- Memory ----------------------------------------------------------------------------

TYPED_TEST(QueueElement, gives_its_memory_back_when_it_is_drained) {
  Ints<TypeParam> queue;
  const auto before = allocations();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100'000; ++i) queue.put(i);
    EXPECT_GE(allocations().bytes - before.bytes, kCountsAllocations ? 400'000 : 0);
    for (int i = 0; i < 100'000; ++i) queue.get();
    EXPECT_LE(allocations().live - before.live, 2);
    EXPECT_LE(allocations().bytes - before.bytes, 8192);
  }
}

TYPED_TEST(QueueElement, gives_all_its_memory_back_when_it_is_destroyed) {
  const auto before = allocations();
  for (const int count : {0, 1, 127, 128, 129, 5000}) {
    typename TypeParam::template Of<std::string> queue;
    for (int i = 0; i < count; ++i) queue.put("a text that is too long to be kept in place");
    for (int i = 0; i < count / 3; ++i) queue.get();
  }
  EXPECT_EQ(allocations().live, before.live);
  EXPECT_EQ(allocations().bytes, before.bytes);
}

TYPED_TEST(QueueElement, stops_allocating_when_it_stays_short) {
  Ints<TypeParam> queue;
  const auto pass = [&] {
    for (int i = 0; i < 10'000; ++i) {
      for (int n = 0; n < 10; ++n) queue.put(n);
      for (int n = 0; n < 10; ++n) queue.get();
    }
  };
  pass();
  const auto before = allocations();
  pass();
  EXPECT_EQ(allocations().made, before.made);
}

}  // namespace
}  // namespace nogil::testing::elements_test
