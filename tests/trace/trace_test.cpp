// What is recorded, by threads of one process.

#include "nogil/trace.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/reactor.hpp"
#include "nogil/futures/promise.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/queue/queue.hpp"
#include "nogil/threading.hpp"
#include "support/threads.hpp"
#include "trace/support/pictures.hpp"

namespace nogil::testing::trace_test {
namespace {

using namespace std::chrono_literals;

TEST(Trace, records_a_span_from_its_making_to_its_end) {
  const Recording recording;
  const auto before = std::chrono::steady_clock::now();
  {
    const trace::Span span = trace::span("work", "kind of work");
    std::this_thread::sleep_for(2ms);
  }
  const auto length = std::chrono::steady_clock::now() - before;
  const std::vector<Item> spans = items(Recording::stop(), TraceKind::kUser);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].name, "work");
  EXPECT_EQ(spans[0].category, "kind of work");
  EXPECT_GE(spans[0].begin, 0);
  EXPECT_GE(spans[0].end - spans[0].begin, 2'000'000);
  EXPECT_LE(spans[0].end - spans[0].begin, length.count());
}

TEST(Trace, records_a_moment) {
  const Recording recording;
  trace::instant("now");
  const std::vector<Item> moments = items(Recording::stop(), TraceKind::kMoment);
  ASSERT_EQ(moments.size(), 1u);
  EXPECT_EQ(moments[0].name, "now");
  EXPECT_EQ(moments[0].begin, moments[0].end);
}

TEST(Trace, ends_a_span_once) {
  const Recording recording;
  trace::Span span = trace::span("short");
  span.end();
  const std::int64_t end = items(take_picture(), TraceKind::kUser)[0].end;
  std::this_thread::sleep_for(1ms);
  span.end();
  EXPECT_EQ(items(Recording::stop(), TraceKind::kUser)[0].end, end);
}

TEST(Trace, moves_a_span) {
  const Recording recording;
  std::optional<trace::Span> kept;
  {
    trace::Span span = trace::span("moved");
    kept.emplace(std::move(span));
  }
  std::this_thread::sleep_for(1ms);
  kept.reset();
  const std::vector<Item> spans = items(Recording::stop(), TraceKind::kUser);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_GE(spans[0].end - spans[0].begin, 1'000'000);
}

TEST(Trace, draws_an_open_span_up_to_the_end) {
  const Recording recording;
  const trace::Span span = trace::span("open");
  const Picture picture = Recording::stop();
  EXPECT_EQ(items(picture, TraceKind::kUser)[0].end, picture.length);
}

TEST(Trace, draws_outer_spans_before_inner_ones) {
  const Recording recording;
  {
    const trace::Span outer = trace::span("outer");
    const trace::Span inner = trace::span("inner");
  }
  const std::vector<Item> spans = items(Recording::stop(), TraceKind::kUser);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].name, "outer");
  EXPECT_GE(spans[0].end, spans[1].end);
}

TEST(Trace, cuts_long_names_between_two_characters) {
  const Recording recording;
  std::string name;
  while (name.size() < 200) name += "яйцо";
  trace::instant(name, "категория");
  trace::instant(name, name);
  const std::vector<Item> moments = items(Recording::stop(), TraceKind::kMoment);
  EXPECT_EQ(moments[0].category, "категория");
  for (const Item& item : moments) {
    EXPECT_EQ(item.name, name.substr(0, item.name.size()));
    EXPECT_EQ(item.name.size() % 2, 0u) << "each of these letters has two bytes";
    EXPECT_GE(item.name.size(), 44u);
  }
}

TEST(Trace, knows_threads_by_their_names) {
  const Recording recording;
  Thread thread({.name = "worker"}, [] { trace::instant("here"); });
  Thread renamed({.name = "before"}, [] {
    trace::instant("here");
    trace::name_thread("after");
  });
  for (Thread* const t : {&thread, &renamed}) {
    t->start();
    t->join();
  }
  const Picture picture = Recording::stop();
  EXPECT_NE(row_called(picture, "worker"), nullptr);
  EXPECT_NE(row_called(picture, "after"), nullptr);
  EXPECT_EQ(row_called(picture, "before"), nullptr);
}

TEST(Trace, keeps_what_threads_recorded_that_have_ended) {
  const Recording recording;
  constexpr int kThreads = 20, kEach = 100;  // more than a chunk
  Bunch(kThreads, [](int index) {
    trace::name_thread("thread " + std::to_string(index));
    for (int i = 0; i < kEach; ++i) trace::span(std::to_string(i)).end();
  }).join();
  const Picture picture = Recording::stop();
  for (int index = 0; index < kThreads; ++index) {
    const Row* const row = row_called(picture, "thread " + std::to_string(index));
    ASSERT_NE(row, nullptr);
    ASSERT_EQ(row->items.size(), static_cast<std::size_t>(kEach));
    for (int i = 0; i < kEach; ++i) EXPECT_EQ(row->items[static_cast<std::size_t>(i)].name, std::to_string(i));
  }
}

TEST(Trace, gives_a_track_a_row_whoever_records_it) {
  const Recording recording;
  const trace::Track track("Masha");
  trace::Span span = track.span("buys curd");
  Bunch(1, [&] {
    span.end();
    track.instant("done");
  }).join();
  const Picture picture = Recording::stop();
  const Row* const row = row_called(picture, "Masha");
  ASSERT_NE(row, nullptr);
  ASSERT_EQ(row->items.size(), 2u);
  EXPECT_EQ(row->items[0].name, "buys curd");
  EXPECT_EQ(row->items[1].name, "done");
  EXPECT_EQ(items(picture, TraceKind::kUser).size(), 1u);
}

TEST(Trace, leaves_a_track_of_another_trace_alone) {
  std::vector<trace::Track> tracks{trace::Track("made before")};
  {
    const Recording recording;
    tracks.emplace_back("of the first");
  }
  const Recording recording;
  for (const trace::Track& track : tracks) {
    track.instant("lost");
    track.span("lost").end();
  }
  trace::instant("kept");
  const Picture picture = Recording::stop();
  EXPECT_EQ(items(picture, TraceKind::kMoment).size(), 1u);
  EXPECT_TRUE(items(picture, TraceKind::kUser).empty());
}

// ---- Start and stop --------------------------------------------------------------------

TEST(Trace, records_nothing_while_it_does_not_run) {
  trace::span("before").end();
  {
    const Recording recording;
    EXPECT_TRUE(trace::running());
  }
  EXPECT_FALSE(trace::running());
  trace::span("after").end();
  trace::instant("after");
  EXPECT_TRUE(items(take_picture(), TraceKind::kUser).empty());
  EXPECT_TRUE(items(take_picture(), TraceKind::kMoment).empty());
  trace::stop();
}

TEST(Trace, forgets_the_last_one_at_the_next_start) {
  {
    const Recording recording;
    trace::instant("old");
  }
  const Recording recording;
  trace::instant("new");
  const std::vector<Item> moments = items(Recording::stop(), TraceKind::kMoment);
  ASSERT_EQ(moments.size(), 1u);
  EXPECT_EQ(moments[0].name, "new");
}

TEST(Trace, is_not_harmed_by_a_span_that_outlives_it) {
  std::optional<trace::Span> late;
  for (int i = 0; i < 3; ++i) {
    const Recording recording;
    late.emplace(trace::span("late"));
    trace::span("in time").end();
  }
  const Recording recording;
  trace::span("next").end();
  late.reset();
  const std::vector<Item> spans = items(Recording::stop(), TraceKind::kUser);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].name, "next");
}

TEST(Trace, cannot_be_started_twice) {
  const Recording recording;
  trace::instant("kept");
  EXPECT_THROW(trace::start(), RuntimeError);
  EXPECT_TRUE(trace::running());
  EXPECT_EQ(items(Recording::stop(), TraceKind::kMoment).size(), 1u);
}

TEST(Trace, says_what_it_had_no_room_for) {
  const Recording recording({.memory = 1});
  for (int i = 0; i < 1000; ++i) trace::span("one of many").end();
  const Picture picture = Recording::stop();
  const std::size_t kept = items(picture, TraceKind::kUser).size();
  EXPECT_GT(kept, 0u);
  EXPECT_EQ(kept + picture.dropped, 1000u);
  EXPECT_NE(trace::detail::text_of(picture, 80).find(std::to_string(picture.dropped)), std::string::npos);
}

TEST(Trace, may_be_stopped_and_looked_at_while_threads_record) {
  std::atomic<bool> over = false;
  Bunch threads(3, [&] {
    while (!over) {
      const trace::Span outer = trace::span("outer");
      trace::instant("moment");
      const trace::Span inner = trace::span("inner");
    }
  });
  for (int i = 0; i < rounds(50); ++i) {
    trace::start({.memory = 1 << 16});
    std::this_thread::sleep_for(200us);
    const Picture running = take_picture();
    for (const Item& item : items(running, TraceKind::kUser)) ASSERT_LE(item.begin, item.end);
    trace::stop();
    const Picture picture = take_picture();
    for (const Item& item : items(picture, TraceKind::kUser)) {
      ASSERT_TRUE(item.name == "outer" || item.name == "inner");
      ASSERT_LE(0, item.begin);
      ASSERT_LE(item.begin, item.end);
      ASSERT_LE(item.end, picture.length);
    }
  }
  over = true;
  threads.join();
}

// ---- What the library records ----------------------------------------------------------

struct Waiting {
  const char* what;
  std::function<void()> wait;  // until the other
  std::function<void()> let_go;
};

TEST(Trace, records_what_a_thread_sleeps_for) {
  Lock lock;
  RWLock rwlock;
  Semaphore semaphore(0);
  Event event;
  Condition condition;
  Barrier barrier(2);
  Queue<int> queue;
  Promise<int> promise;
  Future<int> future = promise.get_future();
  Event end;
  Thread thread([&] { end.wait(); });
  thread.start();
  lock.acquire();
  rwlock.acquire_write();
  const std::vector<Waiting> all = {
      {"lock", [&] { std::scoped_lock guard(lock); }, [&] { lock.release(); }},
      {"rwlock to read", [&] { std::shared_lock guard(rwlock); }, [&] { rwlock.release_write(); }},
      {"semaphore", [&] { semaphore.acquire(); }, [&] { semaphore.release(); }},
      {"event", [&] { event.wait(); }, [&] { event.set(); }},
      {"condition",
       [&] {
         std::scoped_lock guard(condition);
         condition.wait();
       },
       [&] {
         std::scoped_lock guard(condition);
         condition.notify();
       }},
      {"barrier", [&] { barrier.wait(); }, [&] { barrier.wait(); }},
      {"queue", [&] { queue.get(); }, [&] { queue.put(1); }},
      {"future", [&] { future.result(); }, [&] { promise.set_result(1); }},
      {"thread", [&] { thread.join(); }, [&] { end.set(); }},
  };
  for (const Waiting& waiting : all) {
    const Recording recording;
    Call waiter([&] { waiting.wait(); });
    ASSERT_TRUE(falls_asleep(waiter)) << waiting.what;
    waiting.let_go();
    waiter.result();
    const std::vector<Item> waits = items(Recording::stop(), TraceKind::kWait, waiting.what);
    ASSERT_FALSE(waits.empty()) << waiting.what;
    EXPECT_GT(waits[0].end, waits[0].begin);
    EXPECT_NE(waits[0].number, 0u) << "the address of what it sleeps on";
  }
}

TEST(Trace, records_no_wait_where_nobody_waits) {
  const Recording recording;
  Lock lock;
  Semaphore semaphore(1);
  Queue<int> queue;
  for (int i = 0; i < 10; ++i) {
    const std::scoped_lock guard(lock, semaphore);
    queue.put(i);
    queue.get();
  }
  EXPECT_TRUE(items(Recording::stop(), TraceKind::kWait).empty());
}

TEST(Trace, records_the_life_of_a_thread) {
  const Recording recording;
  Thread thread({.name = "short life"}, [] { std::this_thread::sleep_for(1ms); });
  thread.start();
  thread.join();
  const Picture picture = Recording::stop();
  const Row* const row = row_called(picture, "short life");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->items[0].kind, TraceKind::kThread);
  EXPECT_GE(row->items[0].end - row->items[0].begin, 1'000'000);
}

TEST(Trace, records_each_task_of_an_executor) {
  const Recording recording;
  {
    ThreadPoolExecutor pool({.max_workers = 2, .thread_name_prefix = "pool"});
    std::vector<Future<void>> futures;
    for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([] { trace::instant("in a task"); }));
    for (const Future<void>& future : futures) future.result();
    for (int i = 0; i < 10; ++i) pool.post([] { trace::instant("in a task"); });
  }
  const Picture picture = Recording::stop();
  EXPECT_EQ(items(picture, TraceKind::kTask).size(), 20u);
  ASSERT_NE(row_called(picture, "pool_0"), nullptr);
  for (const Process& process : picture.processes) {
    for (const Row& row : process.rows) {
      const Item* task = nullptr;
      for (const Item& item : row.items) {
        if (item.kind == TraceKind::kTask) task = &item;
        if (item.kind != TraceKind::kMoment) continue;
        ASSERT_NE(task, nullptr);
        EXPECT_LE(item.begin, task->end);
      }
    }
  }
}

TEST(Trace, records_tasks_that_are_stolen) {
  const Recording recording;
  ThreadPoolExecutor pool(2);
  // The first worker makes a task, and waits until the other one has taken it.
  pool.submit([&pool] {
        std::atomic<bool> taken = false;
        pool.post([&taken] { taken = true; });
        while (!taken) std::this_thread::yield();
      })
      .result();
  pool.shutdown();
  EXPECT_FALSE(items(Recording::stop(), TraceKind::kSteal).empty());
}

TEST(Trace, records_a_worker_that_has_no_work) {
  const Recording recording;
  ThreadPoolExecutor pool({.max_workers = 1, .thread_name_prefix = "pool"});
  std::atomic<pid_t> worker = 0;
  pool.submit([&] { worker = native_id(); }).result();
  ASSERT_TRUE(eventually([&] { return asleep(worker); }));
  pool.submit([] {}).result();
  pool.shutdown();
  EXPECT_FALSE(items(Recording::stop(), TraceKind::kIdle).empty());
}

TEST(Trace, records_a_loop_that_waits_for_events) {
  asyncio::detail::EpollReactor reactor;
  const Recording recording;
  trace::instant("a row that was only idle would not be there");
  reactor.wait(0);  // only looks
  reactor.wait(reactor.now() + 1'000'000);
  EXPECT_EQ(items(Recording::stop(), TraceKind::kIdle).size(), 1u);
}

TEST(Trace, gives_each_coroutine_a_row_with_its_steps) {
  const Recording recording;
  const auto step = [](const char* name, std::uint64_t number) {
    const platform::TraceSpan span(TraceKind::kStep, name, number);
    std::this_thread::sleep_for(1ms);
  };
  step("Masha", 1);
  step("", 2);
  step("Masha", 1);
  const Picture picture = Recording::stop();
  const Row* const masha = row_called(picture, "Masha");
  ASSERT_NE(masha, nullptr);
  ASSERT_EQ(masha->items.size(), 3u) << "a step, a wait, a step";
  EXPECT_EQ(masha->items[1].kind, TraceKind::kWait);
  EXPECT_EQ(masha->items[1].begin, masha->items[0].end);
  EXPECT_EQ(masha->items[1].end, masha->items[2].begin);
  ASSERT_NE(row_called(picture, "Task-2"), nullptr);
  EXPECT_EQ(row_called(picture, "Task-2")->items.size(), 1u);
  EXPECT_EQ(picture.processes[0].rows.size(), 3u) << "and the thread that ran them";
}

TEST(Trace, tells_tasks_of_one_loop_from_those_of_the_next) {
  const Recording recording;
  for (int loop = 0; loop < 2; ++loop) {
    const platform::TraceSpan life(TraceKind::kThread, "loop");
    const platform::TraceSpan step(TraceKind::kStep, "", 1);
  }
  const Picture picture = Recording::stop();
  ASSERT_EQ(picture.processes[0].rows.size(), 3u) << "a thread, and two tasks";
  EXPECT_EQ(picture.processes[0].rows[1].items.size(), 1u);
  EXPECT_EQ(picture.processes[0].rows[2].items.size(), 1u);
}

}  // namespace
}  // namespace nogil::testing::trace_test
