// queue-producer-consumer -- one thread makes, another consumes, a queue between them.
//
// The queue does the locking and the waiting. What is left to say is when it is over, and
// there are three ways:
//
// 1. A sentinel, as in the notebook: after the last item comes a None, here a nullopt,
//    one for each consumer. The consumer leaves at the None without task_done(), so one
//    task stays unfinished for ever, and a join() of the queue would hang.
// 2. shutdown(): the queue itself says that nothing more will come. Every consumer's loop
//    ends when it is drained, however many there are.
// 3. join(): waits until task_done() was called for each item. The consumer may go on
//    for ever.
//
// At the end 100,000 items without a sleep, to show what an item costs.
//
// Python:
//
//     q = queue.Queue()
//
//     def producer():
//         for i in range(5):
//             item = f"time-{i}"
//             q.put(item)
//             print(f"make {item}")
//             time.sleep(1)
//
//     def consumer():
//         while True:
//             item = q.get()
//             if item is None:
//                 break
//             print(f"consume {item}")
//             q.task_done()
//
//     thread_producer.start()
//     thread_consumer.start()
//     thread_producer.join()
//     q.put(None)
//     thread_consumer.join()

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/queue.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int kItems = 5;

struct WithSentinel {
  int consumed = 0;
  bool in_order = true;
  std::size_t unfinished = 0;
};

WithSentinel with_sentinel(tour::Run& run) {
  nogil::Queue<std::optional<std::string>> q;
  WithSentinel result;
  run.timeline.legend(tour::Paint::work, "makes the next");
  run.timeline.legend(tour::Paint::wait, "waits in get()");
  run.timeline.legend(tour::Paint::hold, "consumes");

  auto producer = [&](tour::Lane& lane) {
    for (int i = 0; i < kItems; ++i) {
      const std::string item = tour::text("time-", i);
      tour::print("make ", item);  // before the put: afterwards the consumer might be quicker to say its line
      q.put(item);
      lane.begin(tour::Paint::work, "sleep(1)");
      run.sleep(1s);
    }
    lane.end();
  };
  auto consumer = [&](tour::Lane& lane) {
    for (;;) {
      lane.begin(tour::Paint::wait, "get()");
      const std::optional<std::string> item = q.get();
      if (!item) break;
      lane.mark(tour::Paint::hold, *item);
      tour::print("consume ", *item);
      result.in_order = result.in_order && *item == tour::text("time-", result.consumed);
      ++result.consumed;
      q.task_done();
    }
    lane.end();
  };

  nogil::Thread thread_producer(producer, std::ref(run.timeline.lane("producer")));
  nogil::Thread thread_consumer(consumer, std::ref(run.timeline.lane("consumer")));
  thread_producer.start();
  thread_consumer.start();
  thread_producer.join();
  q.put(std::nullopt);
  thread_consumer.join();
  run.timeline.print_text();

  result.unfinished = q.unfinished_tasks();
  const bool joined = q.join(run.scaled(0.2s));
  tour::print("unfinished tasks: ", result.unfinished, ", the sentinel; join() within ",
              tour::seconds(run.scaled(0.2s)), ": ", joined);
  return result;
}

// One producer, `consumers` of them, and one shutdown() for all. Returns how many items
// the consumers got.
int with_shutdown(tour::Run& run, int consumers) {
  nogil::Queue<std::string> q;
  std::atomic<int> consumed = 0;
  std::vector<nogil::Thread> threads;
  for (int n = 0; n < consumers; ++n) {
    threads
        .emplace_back([&, n] {
          for (const std::string& item : q) {  // ends when shut down and drained
            tour::print("consumer ", n, ": ", item);
            ++consumed;
          }
        })
        .start();
  }
  for (int i = 0; i < kItems; ++i) {
    q.put(tour::text("time-", i));
    run.sleep(0.1s);
  }
  q.shutdown();
  for (nogil::Thread& t : threads) t.join();

  try {
    q.put("too late");
  } catch (const nogil::ShutDown& error) {
    tour::print("put() after shutdown(): ShutDown: ", error.what());
    return consumed;
  }
  return -1;
}

// Returns how many items were done when join() came back.
int with_join(tour::Run& run) {
  nogil::Queue<std::string> q;
  std::atomic<int> done = 0;
  nogil::Thread consumer([&] {
    for (const std::string& item : q) {
      run.sleep(0.1s);
      tour::print("done: ", item);
      ++done;
      q.task_done();
    }
  });
  consumer.start();
  for (int i = 0; i < kItems; ++i) q.put(tour::text("time-", i));
  q.join();
  const int when_joined = done;
  tour::print("join() is back: ", when_joined, " of ", kItems, " are done, ", q.unfinished_tasks(), " unfinished");
  q.shutdown();
  consumer.join();
  return when_joined;
}

// Sends 0 … items - 1 from one thread to another; last the number `items`. Returns how
// many came, or -1 if one was out of order.
template <class Queue>
long send(std::string_view how, Queue& q, long items) {
  long received = 0;
  const tour::Stopwatch watch;
  nogil::Thread producer([&] {
    for (long i = 0; i <= items; ++i) q.put(i);
  });
  nogil::Thread consumer([&] {
    for (long i = 0; (i = q.get()) != items;) received = i == received ? received + 1 : items + 1;
  });
  producer.start();
  consumer.start();
  producer.join();
  consumer.join();
  tour::print(tour::pad_right(std::string(how), 26), items, " items  ", watch.both(), "  ",
              tour::fixed(watch.wall().count() / static_cast<double>(items) * 1e9, 0), " ns each");
  return received > items ? -1 : received;
}

void queue_producer_consumer(tour::Run& run) {
  tour::print("1. a sentinel:");
  const WithSentinel sentinel = with_sentinel(run);

  const int consumers = run.threads(2);
  tour::print("2. shutdown(), ", consumers, consumers == 1 ? " consumer:" : " consumers:");
  const int drained = with_shutdown(run, consumers);

  tour::print("3. task_done() and join():");
  const int done_when_joined = with_join(run);

  tour::print("4. without a sleep:");
  const long items = run.size(100'000);
  nogil::Queue<long> unbounded;
  nogil::Queue<long> bounded(64);
  nogil::SimpleQueue<long> simple;
  const long received[] = {send("Queue()", unbounded, items), send("Queue(64)", bounded, items),
                           send("SimpleQueue()", simple, items)};

  run.expect("consumed", sentinel.consumed, kItems);
  run.check(sentinel.in_order, "in the order in which they were made");
  run.expect("unfinished because of the sentinel", sentinel.unfinished, 1);
  run.expect("drained after shutdown()", drained, kItems);
  run.expect("done when join() came back", done_when_joined, kItems);
  for (const long n : received) run.check(n == items, "every item comes once and in order");
}

const tour::Demo registered({.id = "queue-producer-consumer",
                             .cell = "0.12",
                             .seconds = 6.3,
                             .teaches = "a Queue between two threads, and three ways to say that it is over"},
                            queue_producer_consumer);

}  // namespace
