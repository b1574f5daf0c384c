// tests/queue/support/history.hpp -- what threads did with a queue, and whether it can have
// been one queue.
//
// Each value is put once. An operation took effect at some moment between its begin and its
// end; so a value was in the queue for certain from the end of its put to the begin of its
// get. From that follows what cannot be (T. Henzinger, A. Sezgin, V. Vafeiadis, "Aspect-
// oriented linearizability proofs", 2013, for queues; the same thoughts for the others).

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "queue/support/kinds.hpp"

namespace nogil::testing {

using Moment = std::int64_t;

// A store may still be on its way out of the core when the call that made it returns.
// Whoever learns of the call through memory learns of the store first; only a clock could
// outrun it. So the clock is read when all stores have arrived.
inline Moment moment() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

struct Interval {
  Moment begin = std::numeric_limits<Moment>::max();
  Moment end = std::numeric_limits<Moment>::max();
};

// Of one value; a get that never was lies in the infinite future.
struct Life {
  int value = 0;
  Interval put;
  Interval get;
};

struct History {
  std::vector<Life> lives;
  std::vector<Interval> empties;  // calls that found the queue empty
  std::vector<Interval> fulls;    // calls that found it full
};

// Got before it was put.
inline int count_impossible_gets(const History& history) {
  return static_cast<int>(std::count_if(history.lives.begin(), history.lives.end(),
                                        [](const Life& life) { return life.get.end < life.put.begin; }));
}

// Values a, b: a was in before b came, and still there when b had gone.
inline int count_fifo_inversions(const History& history) {
  std::vector<const Life*> by_put_end;
  for (const Life& life : history.lives) by_put_end.push_back(&life);
  std::vector<const Life*> by_put_begin = by_put_end;
  std::sort(by_put_end.begin(), by_put_end.end(), [](auto* a, auto* b) { return a->put.end < b->put.end; });
  std::sort(by_put_begin.begin(), by_put_begin.end(), [](auto* a, auto* b) { return a->put.begin < b->put.begin; });
  int inversions = 0;
  Moment latest = std::numeric_limits<Moment>::min();  // begin of a get among those put before b
  std::size_t next = 0;
  for (const Life* b : by_put_begin) {
    for (; next < by_put_end.size() && by_put_end[next]->put.end < b->put.begin; ++next) {
      latest = std::max(latest, by_put_end[next]->get.begin);
    }
    inversions += b->get.end < latest;
  }
  return inversions;
}

// a lay below b, and went first.
inline int count_lifo_inversions(const History& history) {
  int inversions = 0;
  for (const Life& a : history.lives) {
    for (const Life& b : history.lives) {
      inversions += a.put.end < b.put.begin && b.put.end < a.get.begin && a.get.end < b.get.begin;
    }
  }
  return inversions;
}

// a was smaller than b, and there all the time that b was being taken.
inline int count_priority_inversions(const History& history) {
  int inversions = 0;
  for (const Life& a : history.lives) {
    for (const Life& b : history.lives) {
      inversions += a.value < b.value && a.put.end < b.get.begin && b.get.end < a.get.begin;
    }
  }
  return inversions;
}

// Calls that found the queue empty, though at each moment of them something was in it.
inline int count_false_empties(const History& history) {
  std::vector<Interval> filled;
  for (const Life& life : history.lives) {
    if (life.put.end < life.get.begin) filled.push_back({life.put.end, life.get.begin});
  }
  std::sort(filled.begin(), filled.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::vector<Interval> merged;
  for (const Interval& one : filled) {
    if (!merged.empty() && one.begin < merged.back().end) merged.back().end = std::max(merged.back().end, one.end);
    else merged.push_back(one);
  }
  int lies = 0;
  for (const Interval& empty : history.empties) {
    const auto after = std::upper_bound(merged.begin(), merged.end(), empty.begin,
                                        [](Moment when, const Interval& one) { return when < one.begin; });
    lies += after != merged.begin() && empty.end < (after - 1)->end;
  }
  return lies;
}

// How many elements there were from each moment on, as [when, how many] in order of time:
// those that are counted from came(life) to went(life).
template <class Came, class Went>
std::vector<std::pair<Moment, int>> sizes(const History& history, Came came, Went went) {
  std::vector<std::pair<Moment, int>> steps;
  for (const Life& life : history.lives) {
    if (came(life) >= went(life)) continue;
    steps.emplace_back(came(life), 1);
    steps.emplace_back(went(life), -1);
  }
  std::sort(steps.begin(), steps.end());
  for (std::size_t i = 1; i < steps.size(); ++i) steps[i].second += steps[i - 1].second;
  return steps;
}

// Moments when there were for certain more elements than there may be.
inline int count_overflows(const History& history, int maxsize) {
  const auto certain = sizes(
      history, [](const Life& life) { return life.put.end; }, [](const Life& life) { return life.get.begin; });
  return static_cast<int>(
      std::count_if(certain.begin(), certain.end(), [=](const auto& step) { return step.second > maxsize; }));
}

// Calls that found the queue full, though at each moment of them there was room for certain.
inline int count_false_fulls(const History& history, int maxsize) {
  const auto possible = sizes(
      history, [](const Life& life) { return life.put.begin; }, [](const Life& life) { return life.get.end; });
  int lies = 0;
  for (const Interval& full : history.fulls) {
    auto step = std::upper_bound(possible.begin(), possible.end(), full.begin,
                                 [](Moment when, const auto& one) { return when < one.first; });
    int most = step == possible.begin() ? 0 : (step - 1)->second;
    for (; step != possible.end() && step->first <= full.end; ++step) most = std::max(most, step->second);
    lies += most < maxsize;
  }
  return lies;
}

template <class Kind>
int count_inversions(const History& history) {
  if (Kind::kOrder == Order::kFifo) return count_fifo_inversions(history);
  if (Kind::kOrder == Order::kLifo) return count_lifo_inversions(history);
  return count_priority_inversions(history);
}

}  // namespace nogil::testing
