// Tests of nogil::mp::Queue, under every start method. Cases of CPython's _TestQueue are among
// them.

#include "nogil/multiprocessing/queue.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::queue_test {
namespace {

using mp::Event;
using mp::Queue;
using mp::Value;

using AnyQueue = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyQueue);

// ---- Between processes -----------------------------------------------------------------------

TEST_P(AnyQueue, carries_elements_to_a_process_and_back) {
  Queue<int> jobs;
  Queue<std::string> results;
  Process worker = process(
      [](Queue<int> from, Queue<std::string> to) {
        for (const int job : from) to.put(std::to_string(job * job));
      },
      jobs, results);
  worker.start();
  for (const int job : {1, 2, 3}) jobs.put(job);
  EXPECT_EQ(results.get(), "1");
  EXPECT_EQ(results.get(kPatience), "4");
  EXPECT_EQ(results.try_get(kPatience), "9");
  EXPECT_EQ(results.try_get(), std::nullopt);
  jobs.shutdown();
  EXPECT_TRUE(worker.join(kPatience));
  EXPECT_EQ(worker.exitcode(), 0);
}

TEST_P(AnyQueue, keeps_what_was_put_before_and_after_a_process_began) {
  Queue<int> queue;
  for (int i = 0; i < 10; ++i) queue.put(i);
  EXPECT_EQ(exitcode(
                [](Queue<int> same) {
                  for (int i = 10; i < 20; ++i) same.put(i);
                },
                queue),
            0);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(queue.get_nowait(), i);
  EXPECT_TRUE(queue.empty());
}

TEST_P(AnyQueue, holds_what_a_process_has_put_that_has_ended) {
  Queue<std::string> queue;
  // In Python the child would not end before somebody has got these 100 MB.
  EXPECT_EQ(exitcode(
                [](Queue<std::string> same) {
                  for (int i = 0; i < 100; ++i) same.put(std::string(1'000'000, static_cast<char>('a' + i % 26)));
                },
                queue),
            0);
  EXPECT_EQ(queue.qsize(), 100u);
  for (int i = 0; i < 100; ++i) {
    const std::string got = queue.get_nowait();
    ASSERT_EQ(got.size(), 1'000'000u);
    EXPECT_EQ(got.find_first_not_of(static_cast<char>('a' + i % 26)), std::string::npos);
  }
  EXPECT_THROW(queue.get_nowait(), Empty);
}

TEST_P(AnyQueue, is_filled_and_emptied_by_many_at_once) {
  constexpr int kEach = 3000;
  Queue<std::pair<int, int>> queue(64);
  Queue<std::pair<int, int>> seen;
  std::vector<Process> all;
  for (int who = 0; who < 2; ++who) {
    all.push_back(process(
        [](Queue<std::pair<int, int>> to, int name) {
          for (int i = 0; i < kEach; ++i) to.put({name, i});
        },
        queue, who));
    all.push_back(process(
        [](Queue<std::pair<int, int>> from, Queue<std::pair<int, int>> to) {
          int last[2] = {-1, -1};
          int count = 0;
          for (const auto& [name, i] : from) {
            if (i <= last[name]) std::_Exit(2);  // out of order
            last[name] = i;
            ++count;
          }
          to.put({count, 0});
        },
        queue, seen));
  }
  for (Process& one : all) one.start();
  all[0].join();
  all[2].join();
  queue.shutdown();
  int total = 0;
  for (int i = 0; i < 2; ++i) total += seen.get(kPatience).first;
  EXPECT_EQ(total, 2 * kEach);
  for (Process& one : all) {
    one.join();
    EXPECT_EQ(one.exitcode(), 0);
  }
}

TEST_P(AnyQueue, makes_a_put_wait_for_room) {
  Queue<int> queue(2);
  Event third;
  Process putter = process(
      [](Queue<int> same, Event event) {
        same.put(1);
        same.put(2);
        if (same.try_put(3)) std::_Exit(2);
        event.set();
        same.put(3);
      },
      queue, third);
  putter.start();
  ASSERT_TRUE(third.wait(kPatience));
  EXPECT_TRUE(queue.full());
  EXPECT_FALSE(putter.join(20ms));
  EXPECT_EQ(queue.get(), 1);
  EXPECT_TRUE(putter.join(kPatience));
  EXPECT_EQ(putter.exitcode(), 0);
  EXPECT_EQ(queue.qsize(), 2u);
}

TEST_P(AnyQueue, lets_everybody_through_when_it_is_shut_down) {
  Queue<int> empty;
  Queue<int> full(1);
  full.put(1);
  Process getter = process([](Queue<int> queue) { queue.get(); }, empty);
  Process putter = process([](Queue<int> queue) { queue.put(2); }, full);
  const std::string said = stderr_of([&] {
    getter.start();
    putter.start();
    EXPECT_FALSE(getter.join(20ms));
    empty.shutdown();
    full.shutdown();
    getter.join();
    putter.join();
  });
  EXPECT_EQ(getter.exitcode(), 1);
  EXPECT_EQ(putter.exitcode(), 1);
  EXPECT_NE(said.find("nogil::ShutDown"), std::string::npos);
  EXPECT_EQ(full.get(), 1);
  EXPECT_THROW(full.get(), ShutDown);
}

// Each of them under another start method, and one inside the other.
TEST_P(AnyQueue, is_the_same_whatever_way_processes_were_started) {
  Queue<int> queue;
  for (const StartMethod inner : {StartMethod::fork, StartMethod::forkserver, StartMethod::spawn}) {
#ifdef NOGIL_TSAN  // whose own threads are more there than elsewhere, and look like the program's
    if (GetParam() == StartMethod::forkserver && inner == StartMethod::fork) continue;
#endif
    EXPECT_EQ(exitcode(
                  [](Queue<int> same, StartMethod method) {
                    same.put(0);
                    Process further(
                        Process::Options{.start_method = method},
                        [](Queue<int> again) {
                          again.put(again.get() + 1);
                          again.put(2);
                        },
                        same);
                    further.start();
                    further.join();
                    same.put(3);
                    std::_Exit(further.exitcode().value());
                  },
                  queue, inner),
              0);
    for (const int expected : {1, 2, 3}) EXPECT_EQ(queue.get_nowait(), expected);
  }
  std::vector<Process> all;
  for (const StartMethod method : {StartMethod::fork, StartMethod::forkserver, StartMethod::spawn}) {
    all.emplace_back(
        Process::Options{.start_method = method}, [](Queue<int> same, int number) { same.put(number); }, queue,
        static_cast<int>(method));
    all.back().start();
  }
  int sum = 0;
  for (int i = 0; i < 3; ++i) sum += 1 << queue.get(kPatience);
  EXPECT_EQ(sum, 7);
}

// ---- Processes that die ------------------------------------------------------------------------

// What is at the end of the segment that a queue begins with can be neither read nor written.
void spoil(const Queue<std::string>& queue) {
  std::byte* const segment = mp::detail::QueueAccess::memory(queue).segment(0);
  ::mprotect(segment + 4096, mp::detail::GrowingMemory::kFirst - 4096, PROT_NONE);
  ::signal(SIGSEGV, SIG_DFL);
}

TEST_P(AnyQueue, is_whole_when_a_process_died_in_the_middle_of_a_put) {
  Queue<std::string> queue;
  queue.put("first");
  EXPECT_NE(exitcode(
                [](Queue<std::string> same) {
                  spoil(same);
                  same.put(std::string(30'000, 'x'));
                },
                queue),
            0);
  EXPECT_EQ(queue.qsize(), 1u);
  queue.put("second", kPatience);
  EXPECT_EQ(queue.get(kPatience), "first");
  EXPECT_EQ(queue.get(kPatience), "second");
  EXPECT_TRUE(queue.empty());
}

TEST_P(AnyQueue, keeps_an_element_that_a_process_died_in_the_middle_of_getting) {
  Queue<std::string> queue;
  const std::string large(30'000, 'x');
  queue.put(large);
  queue.put("second");
  EXPECT_NE(exitcode(
                [](Queue<std::string> same) {
                  spoil(same);
                  same.get();
                },
                queue),
            0);
  EXPECT_EQ(queue.get(kPatience), large);
  EXPECT_EQ(queue.get(kPatience), "second");
}

TEST_P(AnyQueue, is_whole_when_a_process_died_that_made_it_larger) {
  Queue<std::string> queue;
  const std::string large(30'000, 'x');
  queue.put(large);
  EXPECT_NE(exitcode(
                [](Queue<std::string> same) {
                  spoil(same);  // so that the way to the next segment cannot be written
                  same.put(std::string(50'000, 'y'));
                },
                queue),
            0);
  queue.put(std::string(50'000, 'z'));
  EXPECT_EQ(queue.get(kPatience), large);
  EXPECT_EQ(queue.get(kPatience), std::string(50'000, 'z'));
}

TEST_P(AnyQueue, goes_on_when_a_process_dies_that_waits_for_an_element) {
  Queue<int> queue;
  Process first = process([](Queue<int> same) { same.get(); }, queue);
  first.start();
  EXPECT_FALSE(first.join(20ms));
  first.kill();
  first.join();
  Process second = process([](Queue<int> same) { std::_Exit(same.get()); }, queue);
  second.start();
  EXPECT_FALSE(second.join(20ms));
  queue.put(5);
  EXPECT_TRUE(second.join(kPatience));
  EXPECT_EQ(second.exitcode(), 5);
}

// What a process puts that may be killed: who it is, a number, and bytes that follow from it.
struct Item {
  int who = 0;
  int number = 0;
  std::string bytes;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(who, number, bytes);
  }
  static std::string bytes_of(int number) {
    return std::string(static_cast<std::size_t>(number * 37 % 5000), static_cast<char>('a' + number % 26));
  }
};

TEST_P(AnyQueue, stays_whole_when_processes_are_killed_at_any_moment) {
  Queue<Item> queue;
  Queue<Item> behind;
  const auto put = [](Queue<Item> to, int who) {
    for (int number = 0;; ++number) to.put({who, number, Item::bytes_of(number)});
  };
  const auto pass = [](Queue<Item> from, Queue<Item> to) {
    for (;;) to.put(from.get());
  };
  std::vector<int> last(1, -1);
  int taken = 0;
  const auto drain = [&]() noexcept {  // an exception would wait for the processes to end
    for (int round = 0; round < 2000; ++round) {
      const auto item = behind.try_get();
      if (!item) return;
      ASSERT_LT(static_cast<std::size_t>(item->who), last.size());
      ASSERT_LT(last[static_cast<std::size_t>(item->who)], item->number) << "out of order, or twice";
      last[static_cast<std::size_t>(item->who)] = item->number;
      ASSERT_EQ(item->bytes, Item::bytes_of(item->number));
      ++taken;
    }
  };
  for (int round = 0; round < 12; ++round) {
    Process putter = process(put, queue, round);
    Process passer = process(pass, queue, behind);
    putter.start();
    passer.start();
    ASSERT_TRUE(eventually([&, before = taken] {
      drain();
      return taken > before;
    }));
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(round);
    while (std::chrono::steady_clock::now() < end) drain();
    putter.kill();
    passer.kill();
    putter.join();
    passer.join();
    queue = Queue<Item>();
    last.push_back(-1);
  }
  while (!behind.empty()) drain();
  behind.put({0, 1 << 30, ""}, kPatience);
  EXPECT_EQ(behind.get(kPatience).number, 1 << 30);
}

// ---- Its memory --------------------------------------------------------------------------------

std::size_t memory_used(const auto& queue) {
  struct ::stat status {};
  ::fstat(mp::detail::QueueAccess::memory(queue).fd(), &status);
  return static_cast<std::size_t>(status.st_blocks) * 512;
}

TEST(MpQueue, gives_back_the_memory_of_a_long_row_of_elements) {
  Queue<std::string> queue;
  for (int i = 0; i < 64; ++i) queue.put(std::string(1'000'000, 'x'));
  EXPECT_GT(memory_used(queue), 60'000'000u);
  for (int i = 0; i < 64; ++i) queue.get();
  for (int i = 0; i < 3; ++i) queue.put("short"), queue.get();
  EXPECT_LT(memory_used(queue), 5'000'000u);
}

TEST(MpQueue, keeps_order_across_all_sizes) {
  Queue<std::string> queue;
  std::size_t put = 0;
  std::size_t got = 0;
  const auto text = [](std::size_t number) {
    const std::size_t size = number * number * 131 % (number % 50 == 0 ? 3'000'000 : 20'000);
    return std::string(size, static_cast<char>('a' + number % 26));
  };
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < round % 7 * 10; ++i) queue.put(text(put++));
    for (int i = 0; i < round % 5 * 12 && got < put; ++i) ASSERT_EQ(queue.get_nowait(), text(got++));
  }
  while (got < put) ASSERT_EQ(queue.get_nowait(), text(got++));
  EXPECT_TRUE(queue.empty());
}

TEST(MpQueue, leaves_no_file_open) {
  const auto before = open_files();
  {
    Queue<int> queue;
    Queue<int> copy = queue;
    copy.put(1);
    EXPECT_EQ(queue.get(), 1);
  }
  EXPECT_EQ(open_files(), before);
}

// ---- Its verbs ---------------------------------------------------------------------------------

TEST(MpQueue, says_when_there_is_nothing_or_no_room) {
  Queue<int> queue(1);
  EXPECT_EQ(queue.maxsize(), 1);
  EXPECT_THROW(queue.get_nowait(), Empty);
  EXPECT_THROW(queue.get(1ms), Empty);
  EXPECT_EQ(queue.try_get(1ms), std::nullopt);
  EXPECT_EQ(queue.try_get(stopped_token()), std::nullopt);
  EXPECT_TRUE(queue.try_put(1));
  EXPECT_THROW(queue.put_nowait(2), Full);
  EXPECT_THROW(queue.put(2, 1ms), Full);
  EXPECT_FALSE(queue.try_put(2));
  EXPECT_FALSE(queue.try_put(2, 1ms));
  EXPECT_FALSE(queue.try_put(2, stopped_token()));
  EXPECT_EQ(queue.try_get(stopped_token()), 1) << "what is there is taken whatever the limit";
  EXPECT_TRUE(queue.try_put(3, 0s));
  EXPECT_EQ(queue.get(-1s), 3);
}

TEST(MpQueue, never_gives_up_early) {
  Queue<int> queue;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THROW(queue.get(30ms), Empty);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 30ms);
}

TEST(MpQueue, is_waited_for_by_threads_until_a_stop_is_requested) {
  Queue<int> queue;
  StopSource source;
  Call getter([&] { return queue.try_get(source.get_token()).has_value(); });
  ASSERT_TRUE(falls_asleep(getter));
  source.request_stop();
  EXPECT_FALSE(getter.result());
}

TEST(MpQueue, wakes_as_many_as_there_are_elements) {
  Queue<int> queue;
  std::atomic<int> sum{0};
  Bunch getters(4, [&] { sum += queue.get(); });
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(queue.put_many(std::vector<int>{1, 2, 3, 4}), 4u);
  getters.join();
  EXPECT_EQ(sum, 10);
}

TEST(MpQueue, lets_waiting_puts_through_when_it_is_made_larger) {
  Queue<int> queue(1);
  queue.put(0);
  Bunch putters(3, [&] { queue.put(1); });
  std::this_thread::sleep_for(5ms);
  queue.set_maxsize(0);
  putters.join();
  EXPECT_EQ(queue.qsize(), 4u);
  EXPECT_FALSE(queue.full());
}

TEST(MpQueue, gives_many_at_once) {
  Queue<int> queue;
  queue.put_many(std::vector<int>{1, 2, 3});
  std::vector<int> got;
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 2), 2u);
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 5), 1u);
  EXPECT_EQ(got, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 0), 0u);
  queue.shutdown();
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 5), 0u);
}

TEST(MpQueue, drains_after_shutdown_and_drops_all_when_it_is_immediate) {
  Queue<int> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  queue.shutdown();
  EXPECT_TRUE(queue.is_shutdown());
  EXPECT_THROW(queue.put(3), ShutDown);
  EXPECT_THROW(queue.put_nowait(3), ShutDown);
  EXPECT_FALSE(queue.try_put(3));
  EXPECT_EQ(queue.get(), 0);
  queue.shutdown(true);
  EXPECT_THROW(queue.get(), ShutDown);
  EXPECT_THROW(queue.get_nowait(), ShutDown);
  EXPECT_EQ(queue.try_get(), std::nullopt);
  int left = 0;
  for (const int item : queue) left += item;
  EXPECT_EQ(left, 0);
}

TEST(MpQueue, refuses_everything_when_its_handle_was_closed) {
  Queue<int> queue;
  Queue<int> copy = queue;
  queue.put(1);
  queue.close();
  EXPECT_THROW(queue.put(2), ValueError);
  EXPECT_THROW(queue.get(), ValueError);
  EXPECT_THROW(static_cast<void>(queue.empty()), ValueError);
  EXPECT_EQ(copy.get(), 1);
  copy.join_thread();
}

TEST(MpQueue, is_an_error_at_put_when_an_element_cannot_be_sent) {
  struct Stubborn {
    bool refuses = false;
    void serialize(mp::OutputArchive& archive) {
      if (refuses) throw std::runtime_error("no");
      archive(refuses);
    }
    void serialize(mp::InputArchive& archive) { archive(refuses); }
  };
  Queue<Stubborn> queue;
  EXPECT_THROW(queue.put({true}), std::runtime_error);
  queue.put({false});
  EXPECT_EQ(queue.qsize(), 1u);
  Queue<Stubborn> small(1);
  EXPECT_THROW(small.put({true}), std::runtime_error);
  EXPECT_THROW(small.put_nowait({true}), std::runtime_error);
  EXPECT_TRUE(small.empty() && !small.full());
  small.put_nowait({false});
  EXPECT_TRUE(small.full());
  EXPECT_FALSE(small.get().refuses);
  EXPECT_TRUE(small.empty());
  Queue<mp::Lock> locks;
  EXPECT_THROW(locks.put(mp::Lock()), RuntimeError);
  EXPECT_TRUE(locks.empty());
}

TEST(MpQueue, is_not_taken_for_another) {
  Queue<int> queue;
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(queue, queue);
  mp::InputArchive in(frame);
  EXPECT_THROW(in.get<Queue<long>>(), DecodeError);
  in.get<Queue<int>>().put(1);
  EXPECT_EQ(queue.get(), 1);
}

}  // namespace
}  // namespace nogil::testing::queue_test
