// tests/queue/support/kinds.hpp -- the four queues, as parameters of typed suites.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "nogil/queue.hpp"

namespace nogil::testing {

enum class Order { kFifo, kLifo, kSmallest };

struct FifoKind {
  template <class T>
  using Of = Queue<T>;
  static constexpr Order kOrder = Order::kFifo;
};
struct LifoKind {
  template <class T>
  using Of = LifoQueue<T>;
  static constexpr Order kOrder = Order::kLifo;
};
struct PriorityKind {
  template <class T>
  using Of = PriorityQueue<T>;
  static constexpr Order kOrder = Order::kSmallest;
};
struct SimpleKind {
  template <class T>
  using Of = SimpleQueue<T>;
  static constexpr Order kOrder = Order::kFifo;
};

using AllKinds = ::testing::Types<FifoKind, LifoKind, PriorityKind, SimpleKind>;
// Those that have a bound, count their work, and can be shut down.
using FullKinds = ::testing::Types<FifoKind, LifoKind, PriorityKind>;
// One of these for each engine: LifoQueue has that of PriorityQueue, and its verbs.
using EngineKinds = ::testing::Types<FifoKind, PriorityKind>;

// Test names with the queue's name in them instead of a number.
struct KindName {
  template <class Kind>
  static std::string GetName(int) {
    if (std::is_same_v<Kind, SimpleKind>) return "SimpleQueue";
    if (std::is_same_v<Kind, FifoKind>) return "Queue";
    return std::is_same_v<Kind, LifoKind> ? "LifoQueue" : "PriorityQueue";
  }
};

// What a queue of this kind must hold, in the order of the puts.
template <class Kind>
class Model {
 public:
  void put(int value) { values_.push_back(value); }
  int next() const { return *choose(); }
  int get() {
    const auto chosen = values_.begin() + (choose() - values_.cbegin());
    const int value = *chosen;
    values_.erase(chosen);
    return value;
  }
  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }

 private:
  std::vector<int>::const_iterator choose() const {
    if (Kind::kOrder == Order::kFifo) return values_.begin();
    if (Kind::kOrder == Order::kLifo) return values_.end() - 1;
    return std::min_element(values_.begin(), values_.end());
  }

  std::vector<int> values_;
};

// Values in the order in which the kind gives them back.
template <class Kind>
std::vector<int> in_order(const std::vector<int>& values) {
  Model<Kind> model;
  for (const int value : values) model.put(value);
  std::vector<int> order;
  while (!model.empty()) order.push_back(model.get());
  return order;
}

// Everything that is there, in the order in which it comes.
template <class Q>
auto drain(Q& queue) {
  std::vector<typename Q::value_type> items;
  while (auto item = queue.try_get()) items.push_back(*std::move(item));
  return items;
}

}  // namespace nogil::testing
