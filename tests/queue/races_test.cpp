// Many threads at once, more than there are cores: histories that must be possible, and
// timeouts, stops and shutdowns that come in between, without an element lost or a thread
// left asleep.
// How long they race: queue/support/race.hpp.

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/history.hpp"
#include "queue/support/kinds.hpp"
#include "queue/support/race.hpp"
#include "support/threads.hpp"

namespace nogil::testing::races_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

template <class Kind>
using Ints = typename Kind::template Of<int>;

template <class Kind>
class RacingQueue : public ::testing::Test {};
TYPED_TEST_SUITE(RacingQueue, AllKinds, KindName);

// Each thread puts and gets as it likes, and everybody writes down when.
template <class Q>
History record(Q& queue, int threads, int each) {
  History history;
  history.lives.resize(static_cast<std::size_t>(threads * each));
  std::mutex mutex;
  Bunch bunch(threads, [&](int index) {
    std::mt19937 random(static_cast<unsigned>(index));
    std::vector<Interval> empties;
    std::vector<Interval> fulls;
    const auto take = [&] {
      const Moment begin = moment();
      const auto value = queue.try_get();
      const Interval interval{begin, moment()};
      if (value) history.lives[static_cast<std::size_t>(*value)].get = interval;
      else empties.push_back(interval);
      return value.has_value();
    };
    for (int i = 0; i < each;) {
      if (random() % 2 == 0) {
        const int value = index + threads * i;
        bool in = true;
        const Moment begin = moment();
        if constexpr (requires { queue.try_put(value); }) in = queue.try_put(value);
        else queue.put(value);
        const Interval interval{begin, moment()};
        if (!in) {
          fulls.push_back(interval);
          continue;
        }
        Life& life = history.lives[static_cast<std::size_t>(value)];
        life.value = value;
        life.put = interval;
        ++i;
      } else {
        take();
      }
    }
    // Others may need room for what they have still to put.
    while (take()) {
    }
    const std::scoped_lock guard(mutex);
    history.empties.insert(history.empties.end(), empties.begin(), empties.end());
    history.fulls.insert(history.fulls.end(), fulls.begin(), fulls.end());
  });
  bunch.join();
  return history;
}

TYPED_TEST(RacingQueue, has_a_history_that_is_possible) {
  for (const int threads : {2, 3, 8}) {
    const int each = (TypeParam::kOrder == Order::kFifo ? rounds(20'000) : 2000) / threads;
    Ints<TypeParam> queue;
    const History history = record(queue, threads, each);
    EXPECT_EQ(count_impossible_gets(history), 0);
    EXPECT_EQ(count_inversions<TypeParam>(history), 0);
    EXPECT_EQ(count_false_empties(history), 0);
    EXPECT_EQ(history.fulls.size(), 0u);
  }
}

// The counts above do find something: histories of other queues.
TEST(History, shows_what_is_impossible) {
  const History history = {
      {{1, {0, 1}, {10, 11}}, {2, {2, 3}, {4, 5}}, {3, {20, 21}, {15, 16}}}, {{6, 7}, {12, 13}}, {}};
  EXPECT_EQ(count_impossible_gets(history), 1);
  EXPECT_EQ(count_fifo_inversions(history), 1);
  EXPECT_EQ(count_priority_inversions(history), 1);
  EXPECT_EQ(count_false_empties(history), 1);
  EXPECT_EQ(count_lifo_inversions({{{1, {0, 1}, {4, 5}}, {2, {2, 3}, {6, 7}}}, {}, {}}), 1);
  EXPECT_EQ(count_lifo_inversions({{{1, {0, 1}, {6, 7}}, {2, {2, 3}, {4, 5}}}, {}, {}}), 0);
  EXPECT_EQ(count_fifo_inversions({{{1, {0, 1}, {4, 5}}, {2, {2, 3}, {6, 7}}}, {}, {}}), 0);
  // Two at once, from 4 to 5 perhaps and from 6 to 9 for certain.
  const History two = {{{1, {0, 1}, {9, 10}}, {2, {4, 6}, {11, 12}}}, {}, {{2, 3}, {2, 5}, {7, 8}, {13, 14}}};
  EXPECT_EQ(count_overflows(two, 1), 1);
  EXPECT_EQ(count_overflows(two, 2), 0);
  EXPECT_EQ(count_false_fulls(two, 1), 1);
  EXPECT_EQ(count_false_fulls(two, 2), 2);
  EXPECT_EQ(count_false_fulls(two, 3), 4);
}

// ---- Who gives up ------------------------------------------------------------------------------

// Getters with short timeouts and tokens that are stopped, beside one that waits for ever;
// putters that give up too. All that was put is got, once.
template <class Q>
void give_up_in_between(unsigned seed, Q& queue, bool bounded) {
  constexpr int kThreads = 3;
  const int each = rounds(500);
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(kThreads * each));
  std::atomic<int> left = kThreads * each;
  std::stop_source sources[4];
  Bunch stopper(1, [&] {
    for (std::stop_source& source : sources) {
      std::this_thread::sleep_for(std::chrono::microseconds(100 + seed % 400));
      source.request_stop();
    }
  });
  Bunch putters(kThreads, [&](int index) {
    std::mt19937 random(seed * 100 + static_cast<unsigned>(index));
    for (int i = 0; i < each; ++i) {
      const int value = index * each + i;
      if constexpr (requires { queue.full(); }) {
        while (bounded) {
          bool in = false;
          switch (random() % 3) {
            case 0:
              in = queue.try_put(value, std::chrono::microseconds(random() % 60));
              break;
            case 1:
              in = queue.try_put(value, sources[random() % 4].get_token());
              break;
            default:
              in = queue.try_put(value, 1h, sources[random() % 4].get_token());
              break;
          }
          if (in) break;
        }
        if (bounded) continue;
      }
      queue.put(value);
    }
  });
  Bunch getters(kThreads, [&](int index) {
    std::mt19937 random(seed * 100 + 50 + static_cast<unsigned>(index));
    while (left > 0) {
      std::optional<int> value;
      switch (random() % 3) {
        case 0:
          value = queue.try_get(std::chrono::microseconds(random() % 60));
          break;
        case 1:
          value = queue.try_get(1ms, sources[random() % 4].get_token());
          break;
        default:
          value = queue.try_get(steady_clock::now() + std::chrono::microseconds(random() % 100));
          break;
      }
      if (!value) continue;
      ++seen[static_cast<std::size_t>(*value)];
      --left;
    }
  });
  putters.join();
  getters.join();
  ASSERT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& times) { return times == 1; }));
  ASSERT_TRUE(queue.empty());
}

TYPED_TEST(RacingQueue, loses_nothing_when_threads_give_up) {
  race([](unsigned seed) {
    Ints<TypeParam> queue;
    give_up_in_between(seed, queue, false);
  });
}

// Each element is put when one waits for ever and others are about to give up: the wake-up
// must not go with them.
TYPED_TEST(RacingQueue, wakes_the_one_who_stays_when_others_give_up) {
  Ints<TypeParam> queue;
  std::atomic<int> got = 0;
  std::atomic<bool> over = false;
  Bunch fickle(2, [&](int index) {
    std::mt19937 random(static_cast<unsigned>(index));
    while (!over) {
      if (queue.try_get(std::chrono::microseconds(random() % 100))) ++got;
    }
  });
  Bunch faithful(1, [&] {
    while (queue.get() != std::numeric_limits<int>::max()) ++got;
  });
  int put = 0;
  const auto end = steady_clock::now() + race_time();
  while (steady_clock::now() < end) {
    queue.put(1);
    ++put;
    ASSERT_TRUE(eventually([&] { return got == put; })) << "an element that nobody was woken for";
  }
  over = true;
  fickle.join();
  queue.put(std::numeric_limits<int>::max());
  faithful.join();
}

// Nothing comes after the one element that each waits for: a wake-up that is missed is missed
// for good.
TYPED_TEST(RacingQueue, never_sleeps_beside_an_element) {
  Ints<TypeParam> there;
  Ints<TypeParam> back;
  Bunch partner(1, [&] {
    while (const int value = there.get()) back.put(value);
  });
  std::mt19937 random(1);
  const auto end = steady_clock::now() + race_time();
  while (steady_clock::now() < end) {
    for (int i = 1; i <= 100; ++i) {
      there.put(i);
      for (auto pause = random() % 200; pause > 0; --pause) std::atomic_signal_fence(std::memory_order_seq_cst);
      ASSERT_EQ(back.get(), i);
    }
  }
  there.put(0);
}

template <class Kind>
class RacingBoundedQueue : public ::testing::Test {};
TYPED_TEST_SUITE(RacingBoundedQueue, EngineKinds, KindName);

TYPED_TEST(RacingBoundedQueue, loses_nothing_when_threads_give_up) {
  race([](unsigned seed) {
    Ints<TypeParam> queue(1 + seed % 4);
    give_up_in_between(seed, queue, true);
  });
}

TYPED_TEST(RacingBoundedQueue, has_a_history_that_is_possible) {
  for (const int maxsize : {1, 3, 64}) {
    for (const int threads : {2, 8}) {
      const int each = (TypeParam::kOrder == Order::kFifo ? rounds(10'000) : 2000) / threads;
      Ints<TypeParam> queue(maxsize);
      const History history = record(queue, threads, each);
      EXPECT_EQ(count_impossible_gets(history), 0);
      EXPECT_EQ(count_inversions<TypeParam>(history), 0);
      EXPECT_EQ(count_false_empties(history), 0);
      EXPECT_EQ(count_false_fulls(history, maxsize), 0);
      EXPECT_EQ(count_overflows(history, maxsize), 0);
    }
  }
}

// ---- Two bounds at once ---------------------------------------------------------------------------

TYPED_TEST(RacingBoundedQueue, has_the_bound_that_it_tells_when_two_set_it_at_once) {
  Ints<TypeParam> queue;
  std::atomic<int> round = 0;
  std::atomic<int> set = 0;
  std::atomic<bool> over = false;
  Bunch setters(2, [&](int index) {
    for (int next = 1;; ++next) {
      while (round < next) std::this_thread::yield();
      if (over) return;
      queue.set_maxsize(1 + index);
      ++set;
    }
  });
  const auto end = steady_clock::now() + race_time();
  int wrong = 0;
  while (steady_clock::now() < end) {
    ++round;
    while (set != 2 * round) std::this_thread::yield();
    std::ptrdiff_t room = 0;
    while (queue.try_put(1)) ++room;
    wrong += room != queue.maxsize();
    drain(queue);
  }
  over = true;
  ++round;
  EXPECT_EQ(wrong, 0);
}

// ---- Shutting down --------------------------------------------------------------------------------

// Puts and gets in all ways there are, with limits that are reached and some that are not.
// What was put and got is counted, and its sum.
template <class Q>
class Traffic {
 public:
  Traffic(Q& queue, unsigned seed) : queue_(queue), seed_(seed) {}

  // Until it is shut down.
  void put(int index) {
    std::mt19937 random(seed_ * 10 + static_cast<unsigned>(index));
    try {
      for (int i = 1; !queue_.is_shutdown(); ++i) {
        if (put_one(random, i)) {
          ++put_;
          sum_ += i;
        }
      }
    } catch (const ShutDown&) {
    }
  }

  // Until it is drained, too.
  void get(int index) {
    std::mt19937 random(seed_ * 10 + 5 + static_cast<unsigned>(index));
    try {
      while (!queue_.is_shutdown() || !queue_.empty()) get_some(random);
    } catch (const ShutDown&) {
    }
    for (const int item : queue_) got(item);
  }

  // Ends some waits, again and again, until it is shut down.
  void stop() {
    for (std::size_t i = 0; !queue_.is_shutdown(); i = (i + 1) % kSources) {
      std::this_thread::sleep_for(50us);
      const std::scoped_lock guard(mutex_);
      sources_[i].request_stop();
      sources_[i] = std::stop_source();
    }
  }

  int put_so_far() const { return put_; }
  int got_so_far() const { return got_; }
  std::int64_t sum() const { return sum_; }  // of what was put, less what was got

 private:
  static constexpr std::size_t kSources = 2;

  std::stop_token token(std::mt19937& random) {
    const std::scoped_lock guard(mutex_);
    return sources_[random() % kSources].get_token();
  }

  bool put_one(std::mt19937& random, int i) {
    switch (random() % 6) {
      case 0:
        queue_.put(i);
        return true;
      case 1:
        queue_.put(i, 1h);
        return true;
      case 2:
        return queue_.try_put(i);
      case 3:
        return queue_.try_put(i, std::chrono::microseconds(random() % 60));
      case 4:
        return queue_.try_put(i, token(random));
      default:
        return queue_.put_many(std::array{i}) == 1;
    }
  }

  void get_some(std::mt19937& random) {
    std::optional<int> item;
    switch (random() % 5) {
      case 0:
        item = queue_.get();
        break;
      case 1:
        item = queue_.try_get(std::chrono::microseconds(random() % 60));
        break;
      case 2:
        item = queue_.try_get(1h, token(random));
        break;
      case 3: {
        std::vector<int> items;
        queue_.get_many(std::back_inserter(items), 3);
        for (const int one : items) got(one);
        break;
      }
      default:
        item = queue_.try_get();
        break;
    }
    if (item) got(*item);
  }

  void got(int item) {
    ++got_;
    sum_ -= item;
    queue_.task_done();
  }

  Q& queue_;
  const unsigned seed_;
  std::atomic<int> put_ = 0;
  std::atomic<int> got_ = 0;
  std::atomic<std::int64_t> sum_ = 0;
  std::mutex mutex_;
  std::stop_source sources_[kSources];
};

// Whatever a put has accepted is got, or dropped by an immediate shutdown; everybody ends.
TYPED_TEST(RacingBoundedQueue, loses_nothing_when_it_is_shut_down_in_between) {
  race([](unsigned seed) {
    const bool immediate = seed % 2 == 0;
    Ints<TypeParam> queue(seed % 5);
    Traffic traffic(queue, seed);
    Bunch putters(3, [&](int index) { traffic.put(index); });
    Bunch getters(3, [&](int index) { traffic.get(index); });
    Bunch stopper(1, [&] { traffic.stop(); });
    for (unsigned i = 0; i < seed % 20; ++i) std::this_thread::sleep_for(std::chrono::microseconds(seed % 50));
    queue.shutdown(immediate);
    ASSERT_TRUE(queue.join());
    putters.join();
    getters.join();
    stopper.join();
    ASSERT_TRUE(queue.empty());
    ASSERT_EQ(queue.unfinished_tasks(), 0u);
    if (immediate) {
      ASSERT_LE(traffic.got_so_far(), traffic.put_so_far());
    } else {
      ASSERT_EQ(traffic.got_so_far(), traffic.put_so_far());
      ASSERT_EQ(traffic.sum(), 0);
    }
  });
}

// ---- One core ---------------------------------------------------------------------------------

// All threads of the test on one core, where who waits keeps others from running.
class OnOneCore {
 public:
  OnOneCore() {
    CPU_ZERO(&before_);
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (!CPU_ISSET(core, &before_)) continue;
      CPU_SET(core, &one);
      break;
    }
    sched_setaffinity(0, sizeof one, &one);  // threads that this one starts inherit it
  }
  OnOneCore(const OnOneCore&) = delete;
  OnOneCore& operator=(const OnOneCore&) = delete;
  ~OnOneCore() { sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

TYPED_TEST(RacingBoundedQueue, works_on_a_single_core) {
  const OnOneCore pinned;
  for (const int maxsize : {0, 1, 3}) {
    Ints<TypeParam> queue(maxsize);
    const int each = rounds(2000);
    std::atomic<std::int64_t> sum = 0;
    Bunch getters(4, [&] {
      for (const int item : queue) {
        sum += item;
        queue.task_done();
      }
    });
    Bunch putters(4, [&] {
      for (int i = 0; i < each; ++i) queue.put(i);
    });
    putters.join();
    EXPECT_TRUE(queue.join());
    queue.shutdown();
    getters.join();
    EXPECT_EQ(sum, std::int64_t{each} * (each - 1) * 2);
  }
}

}  // namespace
}  // namespace nogil::testing::races_test
