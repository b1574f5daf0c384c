// Tests of nogil::synchronized. A test's name completes the sentence "synchronized ...".

#include "nogil/threading/synchronized.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <forward_list>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/threads.hpp"

namespace synchronized_test {
namespace {

using nogil::synchronized;
using nogil::testing::Bunch;

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// 0, 1, …, count - 1.
auto counting(int count) {
  return [next = 0, count]() mutable { return next < count ? std::optional<int>(next++) : std::nullopt; };
}

// What several threads get from it, all together, in the order of each.
template <class Source>
std::vector<std::vector<int>> read_by_many(Source& source, int threads) {
  std::vector<std::vector<int>> got(static_cast<std::size_t>(threads));
  std::atomic<int> there = 0;
  Bunch bunch(threads, [&](int index) {
    for (++there; there != threads;) std::this_thread::yield();
    for (int item : source) got[static_cast<std::size_t>(index)].push_back(item);
  });
  bunch.join();
  return got;
}

void expect_each_once_in_order(const std::vector<std::vector<int>>& got, int count) {
  std::vector<int> all;
  for (const std::vector<int>& part : got) {
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
    all.insert(all.end(), part.begin(), part.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, numbers(count));
}

TEST(SynchronizedTest, gives_the_elements_in_order_then_nothing) {
  const std::vector<int> list{1, 2, 3};
  auto source = synchronized(list);
  EXPECT_EQ(source.next(), 1);
  EXPECT_EQ(source.next(), 2);
  EXPECT_EQ(source.next(), 3);
  EXPECT_EQ(source.next(), std::nullopt);
  EXPECT_EQ(source.next(), std::nullopt);
}

TEST(SynchronizedTest, gives_each_element_to_one_thread) {
  const std::vector<int> list = numbers(5000);
  auto source = synchronized(list);
  expect_each_once_in_order(read_by_many(source, 4), 5000);
}

TEST(SynchronizedTest, gives_each_value_of_a_generator_to_one_thread) {
  auto source = synchronized(counting(5000));
  expect_each_once_in_order(read_by_many(source, 4), 5000);
}

TEST(SynchronizedTest, refers_to_an_lvalue) {
  std::vector<int> list{1};
  auto source = synchronized(list);
  list.push_back(2);
  EXPECT_EQ(source.next(), 1);
  list[1] = 5;
  EXPECT_EQ(source.next(), 5);

  auto generator = counting(3);
  auto counted = synchronized(generator);
  EXPECT_EQ(counted.next(), 0);
  EXPECT_EQ(generator(), 1) << "it is the same generator";
  EXPECT_EQ(counted.next(), 2);
}

TEST(SynchronizedTest, keeps_an_rvalue) {
  const auto make = [] { return synchronized(std::vector<std::string>{"a", "b"}); };
  auto source = make();
  EXPECT_EQ(source.next(), "a");
  EXPECT_EQ(source.next(), "b");
  EXPECT_FALSE(source.next());
}

TEST(SynchronizedTest, copies_elements_that_can_be_copied) {
  std::vector<std::string> list{"a text that is long enough to need memory of its own"};
  auto source = synchronized(list);
  const std::optional<std::string> got = source.next();
  EXPECT_EQ(*got, list.front());
  EXPECT_FALSE(list.front().empty());
}

TEST(SynchronizedTest, moves_elements_that_cannot) {
  std::vector<std::unique_ptr<int>> list;
  list.push_back(std::make_unique<int>(1));
  list.push_back(std::make_unique<int>(2));
  auto source = synchronized(std::move(list));
  int sum = 0;
  for (std::unique_ptr<int> item : source) sum += *item;
  EXPECT_EQ(sum, 3);

  auto made = synchronized([left = 2]() mutable -> std::optional<std::unique_ptr<int>> {
    if (left == 0) return std::nullopt;
    return std::make_unique<int>(left--);
  });
  EXPECT_EQ(**made.next(), 2);
  EXPECT_EQ(**made.next(), 1);
  EXPECT_FALSE(made.next());
}

TEST(SynchronizedTest, takes_every_kind_of_range) {
  int array[] = {1, 2};
  auto from_array = synchronized(array);
  EXPECT_EQ(from_array.next(), 1);

  const std::map<std::string, int> map{{"a", 1}};
  auto from_map = synchronized(map);
  EXPECT_EQ(from_map.next()->second, 1);

  auto from_list = synchronized(std::forward_list<int>{7});
  EXPECT_EQ(from_list.next(), 7);
  EXPECT_FALSE(from_list.next());

  std::vector<bool> bits{true, false};
  auto from_bits = synchronized(bits);
  EXPECT_EQ(from_bits.next(), true);
  EXPECT_EQ(from_bits.next(), false);

  auto empty = synchronized(std::vector<int>());
  EXPECT_FALSE(empty.next());
}

#if defined(__cpp_lib_ranges) && !(defined(__clang__) && __clang_major__ < 16)
TEST(SynchronizedTest, takes_views) {
  auto squares = synchronized(std::views::iota(1, 4) | std::views::transform([](int n) { return n * n; }));
  EXPECT_EQ(squares.next(), 1);
  EXPECT_EQ(squares.next(), 4);
  EXPECT_EQ(squares.next(), 9);
  EXPECT_FALSE(squares.next());
}

TEST(SynchronizedTest, reads_no_further_than_asked) {
  std::istringstream text("1 2 3");
  auto source = synchronized(std::ranges::istream_view<int>(text));
  EXPECT_EQ(source.next(), 1);
  int rest = 0;
  text >> rest;
  EXPECT_EQ(rest, 2) << "still there for others";
  EXPECT_EQ(source.next(), 3);
  EXPECT_FALSE(source.next());
}
#endif

TEST(SynchronizedTest, never_ends_with_a_generator_that_does_not) {
  auto source = synchronized([n = 0]() mutable { return n++; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(source.next(), i);
}

TEST(SynchronizedTest, stays_ended) {
  bool more = false;
  auto source = synchronized([&more]() -> std::optional<int> { return more ? std::optional<int>(1) : std::nullopt; });
  EXPECT_FALSE(source.next());
  more = true;
  EXPECT_FALSE(source.next());
}

TEST(SynchronizedTest, goes_on_after_an_exception) {
  auto source = synchronized([n = 0]() mutable -> std::optional<int> {
    if (++n == 2) throw std::runtime_error("second");
    return n <= 3 ? std::optional<int>(n) : std::nullopt;
  });
  EXPECT_EQ(source.next(), 1);
  EXPECT_THROW(source.next(), std::runtime_error);
  EXPECT_EQ(source.next(), 3);
  EXPECT_FALSE(source.next());
}

// An iterator that throws when its second element is read.
struct Thorny {
  struct Iterator {
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    int at = 0;
    int operator*() const {
      if (at == 1) throw std::runtime_error("second");
      return at;
    }
    Iterator& operator++() {
      ++at;
      return *this;
    }
    Iterator operator++(int) { return Iterator{at++}; }
    bool operator==(const Iterator&) const = default;
  };
  Iterator begin() const { return {0}; }
  Iterator end() const { return {3}; }
};

TEST(SynchronizedTest, passes_over_an_element_that_cannot_be_read) {
  auto source = synchronized(Thorny());
  EXPECT_EQ(source.next(), 0);
  EXPECT_THROW(source.next(), std::runtime_error);
  EXPECT_EQ(source.next(), 2);
  EXPECT_FALSE(source.next());
}

TEST(SynchronizedTest, calls_its_source_by_one_thread_at_a_time) {
  int plain = 0;  // not atomic: ThreadSanitizer checks that calls exclude each other
  auto source = synchronized(
      [&plain]() -> std::optional<int> { return plain < 3000 ? std::optional<int>(plain++) : std::nullopt; });
  expect_each_once_in_order(read_by_many(source, 4), 3000);
}

}  // namespace
}  // namespace synchronized_test
