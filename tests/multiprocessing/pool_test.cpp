// Tests of nogil::mp::Pool and AsyncResult, under every start method: the scenarios of
// CPython's _TestPool, _TestPoolWorkerErrors and _TestPoolWorkerLifetime.

#include "nogil/multiprocessing/pool.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "futures/support/ranges.hpp"
#include "futures/support/squares.hpp"
#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/async_result.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/pipe.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::pool_test {
namespace {

using mp::AsyncResult;
using mp::Pool;
using mp::Value;

class AnyProcessPool : public UnderEveryStartMethod {
 protected:
  static Pool::Options options(std::size_t processes) { return {.processes = processes, .start_method = GetParam()}; }
};
NOGIL_UNDER_EVERY_START_METHOD(AnyProcessPool);

int multiply(int x, int y) {
  return x * y;
}

void wait_for(mp::Event event) {
  event.wait();
}

// ---- One call --------------------------------------------------------------------------------

TEST_P(AnyProcessPool, applies_a_callable) {
  Pool pool(options(2));
  EXPECT_EQ(pool.apply(square, 5), 25);
  EXPECT_EQ(pool.apply(multiply, 6, 7), 42);
  EXPECT_EQ(pool.apply([](const std::string& text) { return text + "!"; }, "hey"), "hey!");
  pool.apply([] {});
  EXPECT_THROW(pool.apply([]() -> int { throw std::out_of_range("far"); }), std::out_of_range);
  EXPECT_EQ(*pool.apply_async([](int x) { return std::make_unique<int>(x); }, 3).get(), 3);
}

TEST_P(AnyProcessPool, gives_a_result_that_may_be_waited_for) {
  Pool pool(options(1));
  mp::Event go;
  AsyncResult<int> result = pool.apply_async(
      [](mp::Event event) {
        event.wait();
        return 7;
      },
      go);
  EXPECT_FALSE(result.ready());
  EXPECT_FALSE(result.wait(5ms));
  EXPECT_THROW(static_cast<void>(result.successful()), ValueError);
  EXPECT_THROW(result.get(5ms), TimeoutError);
  go.set();
  EXPECT_EQ(result.get(), 7);
  EXPECT_EQ(result.get(1s), 7);
  EXPECT_TRUE(result.wait());
  EXPECT_TRUE(result.ready());
  EXPECT_TRUE(result.successful());
  AsyncResult<void> failed = pool.apply_async([] { throw ValueError("bad"); });
  EXPECT_TRUE(failed.wait(kPatience));
  EXPECT_FALSE(failed.successful());
  EXPECT_THROW(failed.get(), ValueError);
}

TEST_P(AnyProcessPool, calls_back) {
  Pool pool(options(1));
  std::atomic<int> seen{0};
  pool.apply_async(square, 5).future().add_done_callback([&](Future<int> done) { seen = done.result(); });
  pool.map_async(square, numbers(4)).future().add_done_callback([&](const Future<std::vector<int>>& done) {
    seen = seen + static_cast<int>(done.result().size());
  });
  EXPECT_TRUE(eventually([&] { return seen == 29; }));
}

TEST_P(AnyProcessPool, calls_back_with_what_was_thrown) {
  Pool pool(options(1));
  std::atomic<int> seen{0};
  const auto note = [&seen](const auto& done) {
    try {
      done.result();
    } catch (const std::out_of_range&) {
      ++seen;
    }
  };
  const auto one = pool.apply_async([] { throw std::out_of_range("far"); });
  one.future().add_done_callback(note);
  const auto all = pool.map_async([](int) -> int { throw std::out_of_range("far"); }, numbers(4));
  all.future().add_done_callback(note);
  EXPECT_TRUE(eventually([&] { return seen == 2; }));
}

// ---- A call for each element ----------------------------------------------------------------

TEST_P(AnyProcessPool, maps) {
  Pool pool(options(2));
  EXPECT_EQ(pool.map(square, numbers(10)), squares(10));
  EXPECT_EQ(pool.map(square, numbers(100), 20), squares(100));
  EXPECT_EQ(pool.map(square, numbers(3), 100), squares(3));
  EXPECT_EQ(pool.map(square, once(1000)), squares(1000));
  EXPECT_TRUE(pool.map(square, std::vector<int>()).empty());
  EXPECT_EQ(pool.map([](int x) { return x % 2 == 0; }, numbers(3)), (std::vector<bool>{true, false, true}));
  Value<int> sum(0);
  pool.map([](Value<int> to) { to.with_lock([](int& n) { ++n; }); }, std::vector<Value<int>>(50, sum));
  EXPECT_EQ(sum.get(), 50);
  EXPECT_EQ(*pool.map([](int x) { return std::make_unique<int>(x); }, numbers(5))[4], 4);
}

TEST_P(AnyProcessPool, maps_tuples) {
  Pool pool(options(2));
  std::vector<std::pair<int, int>> pairs;
  for (const int x : numbers(100)) pairs.emplace_back(x, 99 - x);
  std::vector<int> products;
  for (const auto& [x, y] : pairs) products.push_back(x * y);
  EXPECT_EQ(pool.starmap(multiply, pairs), products);
  EXPECT_EQ(pool.starmap(multiply, pairs, 7), products);
  EXPECT_EQ(pool.starmap_async(multiply, pairs).get(), products);
  const std::vector<std::tuple<std::string, int, char>> tuples{{"a", 1, 'x'}, {"b", 2, 'y'}};
  const auto join = [](const std::string& a, int b, char c) { return a + std::to_string(b) + c; };
  EXPECT_EQ(pool.starmap(join, tuples), (std::vector<std::string>{"a1x", "b2y"}));
}

TEST_P(AnyProcessPool, maps_and_lets_go_on) {
  Pool pool(options(2));
  auto result = pool.map_async(square, numbers(1000));
  EXPECT_EQ(result.get(), squares(1000));
  mp::Event go;
  auto waiting = pool.map_async(wait_for, std::vector<mp::Event>(3, go));
  EXPECT_FALSE(waiting.wait(5ms));
  EXPECT_THROW(waiting.get(5ms), TimeoutError);
  go.set();
  waiting.get();
  EXPECT_TRUE(waiting.successful());
}

TEST_P(AnyProcessPool, maps_nothing_to_nothing) {
  Pool pool(options(1));
  const std::vector<int> none;
  EXPECT_TRUE(pool.map(square, none, 1).empty());
  EXPECT_TRUE(pool.map(square, once(0), 1).empty());
  EXPECT_TRUE(pool.map_async(square, none, 1).get(kPatience).empty());
  EXPECT_TRUE(pool.map_async(square, once(0)).get(kPatience).empty());
  EXPECT_TRUE(pool.starmap(multiply, std::vector<std::pair<int, int>>(), 3).empty());
  EXPECT_TRUE(collect(pool.imap(square, none)).empty());
  EXPECT_TRUE(collect(pool.imap_unordered(square, none, 2)).empty());
}

TEST_P(AnyProcessPool, waits_for_all_though_one_has_thrown) {
  Pool pool(options(2));
  mp::Event go;
  Value<int> ran(0);
  const auto result = pool.map_async(
      [](const std::tuple<int, mp::Event, Value<int>>& one) {
        auto [number, event, count] = one;
        if (number == 0) throw std::out_of_range(std::string(1'000'000, 'x'));
        event.wait();
        count.with_lock([](int& n) { ++n; });
      },
      std::vector<std::tuple<int, mp::Event, Value<int>>>{{0, go, ran}, {1, go, ran}, {2, go, ran}}, 1);
  EXPECT_FALSE(result.wait(20ms));
  go.set();
  EXPECT_THROW(result.get(), std::out_of_range);
  EXPECT_EQ(ran.get(), 2);
}

int throws_at_five_and_more(int x) {
  if (x >= 5) throw std::out_of_range(std::to_string(x));
  return x;
}

TEST_P(AnyProcessPool, throws_what_the_first_argument_in_order_has_thrown) {
  Pool pool(options(2));
  for (const std::size_t size : {0u, 1u, 3u, 100u}) {
    try {
      pool.map(throws_at_five_and_more, numbers(40), size);
      ADD_FAILURE();
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "5");
    }
  }
  const auto failed = pool.map_async(throws_at_five_and_more, numbers(40));
  EXPECT_TRUE(failed.wait());
  EXPECT_FALSE(failed.successful());
  EXPECT_EQ(pool.map(square, numbers(10)), squares(10));
}

struct Unreadable {
  template <class Archive>
  void serialize(Archive& archive) {
    int nothing = 0;
    archive(nothing);
    if (Archive::is_loading::value) throw std::domain_error("unreadable");
  }
};

struct Unwritable {
  template <class Archive>
  void serialize(Archive& archive) {
    int nothing = 0;
    if (Archive::is_saving::value) throw std::domain_error("unwritable");
    archive(nothing);
  }
};

TEST_P(AnyProcessPool, throws_what_cannot_be_sent_or_read) {
  Pool pool(options(1));
  EXPECT_THROW(pool.apply([] { return Unwritable(); }), std::domain_error);
  EXPECT_THROW(pool.apply([] { return Unreadable(); }), std::domain_error);
  EXPECT_THROW(pool.apply([](Unreadable) {}, Unreadable()), std::domain_error);
  EXPECT_THROW(pool.apply([](Unwritable) {}, Unwritable()), std::domain_error);
  EXPECT_THROW(pool.map([](int) { return Unwritable(); }, numbers(3)), std::domain_error);
  EXPECT_THROW(pool.map([](int) { return Unreadable(); }, numbers(3)), std::domain_error);
  EXPECT_THROW(pool.map([](Unreadable) {}, std::vector<Unreadable>(3)), std::domain_error);
  EXPECT_THROW(pool.map([](Unwritable) {}, std::vector<Unwritable>(3)), std::domain_error);
  EXPECT_EQ(pool.apply(square, 2), 4);
}

TEST_P(AnyProcessPool, throws_what_reading_the_range_throws) {
  Pool pool(options(1));
  const auto unreadable = [at = 0]() mutable {
    if (at == 100) throw std::out_of_range("unreadable");
    return std::optional<int>(at++);
  };
  EXPECT_THROW(pool.map(square, Generated(unreadable)), std::out_of_range);
  EXPECT_THROW(
      {
        for (const int x : pool.imap(square, Generated(unreadable))) static_cast<void>(x);
      },
      std::out_of_range);
  EXPECT_EQ(pool.apply(square, 2), 4);
}

auto throws_at(int which) {
  return [which, at = 0]() mutable {
    if (at == which) throw std::out_of_range("unreadable");
    return std::optional<int>(at++);
  };
}

TEST_P(AnyProcessPool, gives_what_was_read_before_reading_has_thrown) {
  Pool pool(options(2));
  for (const bool ordered : {true, false}) {
    for (const std::size_t size : {1u, 2u, 4u}) {
      for (const int bad : {0, 3, 7, 200}) {
        SCOPED_TRACE(::testing::Message() << ordered << ", " << size << " at a time, " << bad);
        std::vector<int> seen;
        const auto read = [&seen](auto&& results) {
          for (const int x : results) seen.push_back(x);
        };
        Generated range(throws_at(bad));
        if (ordered) EXPECT_THROW(read(pool.imap(square, range, size)), std::out_of_range);
        else EXPECT_THROW(read(pool.imap_unordered(square, range, size)), std::out_of_range);
        std::sort(seen.begin(), seen.end());
        EXPECT_TRUE(seen == squares(bad)) << seen.size();
      }
    }
  }
  EXPECT_EQ(pool.apply(square, 2), 4);
}

// ---- Lazily ------------------------------------------------------------------------------------

template <class Range>
std::vector<int> sorted(Range&& results) {
  std::vector<int> values = collect(results);
  std::sort(values.begin(), values.end());
  return values;
}

TEST_P(AnyProcessPool, maps_lazily_in_order) {
  Pool pool(options(2));
  EXPECT_EQ(collect(pool.imap(square, numbers(10))), squares(10));
  EXPECT_EQ(collect(pool.imap(square, numbers(1000), 100)), squares(1000));
  EXPECT_EQ(collect(pool.imap(square, once(1000))), squares(1000));
  EXPECT_EQ(collect(pool.imap(square, once(1000), 33)), squares(1000));
  EXPECT_TRUE(collect(pool.imap(square, once(0))).empty());
  EXPECT_THROW(static_cast<void>(pool.imap(square, numbers(3), 0)), ValueError);
}

TEST_P(AnyProcessPool, maps_lazily_in_any_order) {
  Pool pool(options(2));
  EXPECT_EQ(sorted(pool.imap_unordered(square, numbers(10))), squares(10));
  EXPECT_EQ(sorted(pool.imap_unordered(square, numbers(1000), 100)), squares(1000));
  EXPECT_EQ(sorted(pool.imap_unordered(square, once(1000))), squares(1000));
  EXPECT_EQ(sorted(pool.imap_unordered(square, once(1000), 33)), squares(1000));
  EXPECT_TRUE(collect(pool.imap_unordered(square, once(0))).empty());
}

TEST_P(AnyProcessPool, gives_what_is_done_first_first) {
  Pool pool(options(2));
  mp::Event go;
  auto results = pool.imap_unordered(
      [](const std::pair<int, mp::Event>& one) {
        mp::Event event = one.second;
        if (one.first == 0) event.wait();
        return one.first;
      },
      std::vector<std::pair<int, mp::Event>>{{0, go}, {1, go}, {2, go}});
  auto it = results.begin();
  EXPECT_NE(*it, 0);
  go.set();
  ++it;
  ++it;
  ++it;
  EXPECT_TRUE(it == results.end());
}

TEST_P(AnyProcessPool, goes_on_behind_an_exception) {
  Pool pool(options(2));
  for (const bool ordered : {true, false}) {
    for (const std::size_t size : {1u, 4u}) {
      int good = 0;
      int bad = 0;
      const auto count = [&](auto&& results) {
        for (auto it = results.begin(); it != results.end(); ++it) {
          try {
            static_cast<void>(*it);
            ++good;
          } catch (const std::out_of_range&) {
            ++bad;
          }
        }
      };
      if (ordered) count(pool.imap(throws_at_five_and_more, numbers(10), size));
      else count(pool.imap_unordered(throws_at_five_and_more, numbers(10), size));
      EXPECT_EQ(good, 5);
      EXPECT_EQ(bad, 5);
    }
  }
}

TEST_P(AnyProcessPool, reads_an_endless_range_as_it_goes) {
  Pool pool(options(2));
  int read = 0;
  Generated endless([&read] { return std::optional<int>(read++); });
  int seen = 0;
  for (const int x : pool.imap(square, endless)) {
    EXPECT_EQ(x, seen * seen);
    if (++seen == 500) break;
  }
  EXPECT_LE(read, 500 + 33);
  seen = 0;
  for ([[maybe_unused]] const int x : pool.imap_unordered(square, endless, 3)) {
    if (++seen == 500) break;
  }
}

TEST_P(AnyProcessPool, feeds_what_was_begun_before_it_was_closed) {
  Pool pool(options(2));
  auto sized = pool.imap(square, numbers(200));
  auto endless = pool.imap(square, once(200));
  pool.close();
  EXPECT_EQ(collect(endless), squares(200));
  pool.join();
  EXPECT_EQ(collect(sized), squares(200));
}

// ---- Workers -----------------------------------------------------------------------------------

int g_number = 0;

TEST_P(AnyProcessPool, prepares_each_worker) {
  Pool pool(
      options(2), [](int n) { g_number = n; }, 5);
  EXPECT_EQ(pool.map([](int x) { return x + g_number; }, numbers(3)), (std::vector<int>{5, 6, 7}));
  Pool broken(options(1), [] { throw std::domain_error("not prepared"); });
  EXPECT_THROW(broken.map(square, numbers(3)), BrokenProcessPool);
}

TEST_P(AnyProcessPool, replaces_a_worker_after_so_many_tasks) {
  auto chosen = options(1);
  chosen.maxtasksperchild = 2;
  Pool pool(chosen);
  std::vector<AsyncResult<int>> results;
  for (int i = 0; i < 6; ++i) results.push_back(pool.apply_async([] { return ::getpid(); }));
  std::set<int> pids;
  for (const auto& result : results) pids.insert(result.get());
  EXPECT_EQ(pids.size(), 3u);
  EXPECT_EQ(pool.map(square, numbers(20), 1), squares(20));
}

TEST_P(AnyProcessPool, comes_to_its_end_with_workers_of_one_task_each) {
  auto chosen = options(3);
  chosen.maxtasksperchild = 1;
  Pool pool(chosen);
  std::vector<AsyncResult<int>> results;
  for (int i = 0; i < 6; ++i) results.push_back(pool.apply_async([](int x) { return ::usleep(3000), x * x; }, i));
  const auto all = pool.map_async(square, numbers(10), 2);
  pool.close();
  pool.join();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].get(0s), i * i);
  EXPECT_EQ(all.get(0s), squares(10));
}

TEST_P(AnyProcessPool, may_be_large) {
  const std::size_t count = kSanitized ? 5 : 60;
  Pool pool(options(count));
  Value<int> here(0);
  // Each waits until all are there.
  const auto meet = [](const std::pair<Value<int>, int>& one) {
    one.first.with_lock([](int& n) { ++n; });
    while (one.first.get() < one.second) ::usleep(5000);
    return ::getpid();
  };
  const auto pids = pool.map(meet, std::vector(count, std::pair{here, static_cast<int>(count)}), 1);
  EXPECT_EQ(std::set<int>(pids.begin(), pids.end()).size(), count);
  EXPECT_EQ(pool.map(square, numbers(1000), 1), squares(1000));
}

// A pipe whose other end is gone when nobody in the worker has it any more, nor the pool here.
TEST_P(AnyProcessPool, keeps_nothing_of_what_a_task_was_given_or_gave) {
  Pool pool(options(1));
  const auto use = [](mp::Connection<int> line) {
    line.send(1);
    return line;
  };
  const auto lose = [](mp::Connection<int> line) {
    line.send(1);
    throw std::out_of_range("lost");
  };
  const auto expect_end = [](const mp::Connection<int>& here) {
    EXPECT_EQ(here.recv(kPatience), 1);
    EXPECT_THROW(here.recv(kPatience), EndOfFile);
  };
  for (int round = 0; round < 2; ++round) {
    auto [a, a_there] = mp::Pipe<int>();
    pool.apply(use, a_there);
    a_there.close();
    expect_end(a);
    auto [b, b_there] = mp::Pipe<int>();
    EXPECT_THROW(pool.apply(lose, b_there), std::out_of_range);
    b_there.close();
    expect_end(b);
    auto [c, c_there] = mp::Pipe<int>();
    pool.map(use, std::vector(1, c_there));
    c_there.close();
    expect_end(c);
    auto [d, d_there] = mp::Pipe<int>();
    for ([[maybe_unused]] const auto& back : pool.imap(use, std::vector(1, d_there))) {
    }
    d_there.close();
    expect_end(d);
    auto [e, e_there] = mp::Pipe<int>();
    for ([[maybe_unused]] const auto& back : pool.imap_unordered(use, std::vector(1, e_there))) {
    }
    e_there.close();
    expect_end(e);
  }
}

TEST_P(AnyProcessPool, throws_when_a_worker_dies_and_goes_on) {
  Pool pool(options(2));
  const auto dies_at_five = [](int x) {
    if (x == 5) ::raise(SIGKILL);
    return x;
  };
  EXPECT_THROW(pool.apply(dies_at_five, 5), WorkerDied);
  EXPECT_THROW(pool.map(dies_at_five, numbers(10)), WorkerDied);
  EXPECT_THROW(pool.map(dies_at_five, numbers(10), 3), WorkerDied);
  for (const bool ordered : {true, false}) {
    int good = 0;
    int bad = 0;
    const auto count = [&](auto&& results) {
      for (auto it = results.begin(); it != results.end(); ++it) {
        try {
          static_cast<void>(*it);
          ++good;
        } catch (const WorkerDied&) {
          ++bad;
        }
      }
    };
    if (ordered) count(pool.imap(dies_at_five, numbers(12), 3));
    else count(pool.imap_unordered(dies_at_five, numbers(12), 3));
    EXPECT_EQ(good, 9);
    EXPECT_EQ(bad, 3);
  }
  EXPECT_EQ(pool.map(square, numbers(10)), squares(10));
}

// ---- The end -------------------------------------------------------------------------------------

TEST_P(AnyProcessPool, takes_nothing_when_it_is_closed) {
  Pool pool(options(2));
  EXPECT_THROW(pool.join(), ValueError);
  auto result = pool.map_async(square, numbers(100));
  pool.close();
  EXPECT_THROW(pool.apply(square, 1), ValueError);
  EXPECT_THROW(pool.apply_async(square, 1), ValueError);
  EXPECT_THROW(pool.map(square, numbers(1)), ValueError);
  EXPECT_THROW(static_cast<void>(pool.imap(square, numbers(1))), ValueError);
  EXPECT_THROW(static_cast<void>(pool.imap_unordered(square, numbers(1))), ValueError);
  pool.join();
  EXPECT_TRUE(pool.join(1ms));
  EXPECT_TRUE(result.ready());
  EXPECT_EQ(result.get(), squares(100));
  EXPECT_TRUE(mp::active_children().empty());
}

TEST_P(AnyProcessPool, ends_at_once_when_it_is_terminated) {
  Pool pool(options(2));
  mp::Event never;
  auto running = pool.apply_async(wait_for, never);
  auto pending = pool.map_async(wait_for, std::vector<mp::Event>(100, never));
  pool.terminate();
  pool.join();
  EXPECT_THROW(running.get(), BrokenProcessPool);
  EXPECT_THROW(pending.get(), BrokenProcessPool);
  EXPECT_THROW(pool.apply(square, 1), ValueError);
  Pool idle(options(2));
  idle.terminate();
  idle.join();
}

TEST_P(AnyProcessPool, is_terminated_when_it_goes) {
  mp::Event never;
  std::optional<AsyncResult<void>> pending;
  {
    Pool pool(options(1));
    pending.emplace(pool.apply_async(wait_for, never));
  }
  EXPECT_THROW(pending->get(), BrokenProcessPool);
  EXPECT_TRUE(mp::active_children().empty());
}

TEST_P(AnyProcessPool, is_used_by_many_threads) {
  Pool pool(options(2));
  Bunch users(3, [&](int user) {
    for (int i = 0; i < rounds(50); ++i) {
      EXPECT_EQ(pool.map(square, numbers(user + 3)), squares(user + 3));
      EXPECT_EQ(sorted(pool.imap_unordered(square, numbers(10), 3)), squares(10));
    }
  });
  users.join();
}

TEST(ProcessPool, has_a_worker_for_each_core) {
  EXPECT_EQ(Pool().processes(), cpu_count());
  EXPECT_THROW(Pool(static_cast<std::size_t>(-1)), ValueError);
}

}  // namespace
}  // namespace nogil::testing::pool_test
