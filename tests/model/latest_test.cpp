// The copy of the last element beside the count of the tail, under the model checker:
// detail::Latest, as detail::Fifo uses it.

#include "nogil/queue/detail/latest.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/queue/detail/basic_queue.hpp"
#include "nogil/queue/detail/fifo.hpp"

namespace {

using namespace nogil::model;

// Small elements, and ends that belong to a thread after two turns.
template <class P>
class Numbers : public nogil::detail::BasicQueue<int, nogil::detail::Fifo<int, P, 1>, P> {
 public:
  Numbers() : nogil::detail::BasicQueue<int, nogil::detail::Fifo<int, P, 1>, P>(0) { this->put(0); }

  void put_from(int first, int count) {
    for (int i = first; i < first + count; ++i) this->put(i);
  }
  void get_from(int first, int count) {
    for (int i = first; i < first + count; ++i) require(this->get() == i, "another element, or none at all");
  }
};

// One by one: each may be seen in its copy, or after that has been written over.
template <class P>
void one_by_one(int count) {
  Numbers<P> numbers;
  numbers.get_from(0, 1);  // from now on the copies are used
  together([&] { numbers.put_from(1, count); }, [&] { numbers.get_from(1, count); });
}

// Several at once, which are not copied, between others.
template <class P>
void in_rows() {
  Numbers<P> numbers;
  numbers.get_from(0, 1);
  together(
      [&] {
        numbers.put_from(1, 1);
        const int row[] = {2, 3};
        numbers.put_many(row);
        numbers.put_from(4, 2);
      },
      [&] { numbers.get_from(1, 5); });
}

template <class P>
void two_takers() {
  Numbers<P> numbers;
  numbers.get_from(0, 1);
  int sum = 0;
  const auto take = [&] { sum += numbers.get(); };
  together([&] { numbers.put_from(1, 2); }, take, take);
  require(sum == 3, "an element was lost, or taken twice");
}

template <class P>
void destroy_when_it_is_there() {
  std::optional<Numbers<P>> numbers(std::in_place);
  numbers->get_from(0, 1);
  together([raw = &*numbers] { raw->put_from(1, 1); },
           [&] {
             numbers->get_from(1, 1);
             numbers.reset();
           });
}

TEST(ModelLatest, is_what_was_put) {
  EXPECT_TRUE(holds([] { one_by_one<Platform>(1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { one_by_one<Platform>(3); }));
  EXPECT_TRUE(holds([] { one_by_one<Platform>(4); }));
  EXPECT_TRUE(holds(in_rows<Platform>));
  EXPECT_TRUE(holds(two_takers<Platform>));
}

TEST(ModelLatest, may_be_destroyed_by_who_has_got_it) {
  EXPECT_TRUE(holds(destroy_when_it_is_there<Platform>, {.bounds = {.deviations = 6}}));
}

TEST(ModelLatest, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("", [] { one_by_one<WithoutRelease>(3); }));
  EXPECT_TRUE(fails("", [] { one_by_one<WithoutAcquire>(3); }));
}

}  // namespace
