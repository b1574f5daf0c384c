// Tests of thread numbers and of the registry of threads.

#include "nogil/platform/thread_id.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/threads.hpp"

namespace nogil::testing::thread_id_test {
namespace {

using platform::g_threads;
using platform::thread_id;
using platform::ThreadRecord;

int exit_code_of_child(int (*in_child)()) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(in_child());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(ThreadIdTest, is_never_zero_below_two_to_the_thirty_and_stays_the_same) {
  const std::uint32_t id = thread_id();
  EXPECT_NE(id, 0u);
  EXPECT_LT(id, 1u << 30);
  EXPECT_EQ(thread_id(), id);
  EXPECT_EQ(Call([] { return thread_id() == thread_id() && thread_id() != 0; }).result(), true);
  EXPECT_EQ(thread_id(), id);
}

TEST(ThreadIdTest, differs_between_living_threads) {
  constexpr int kThreads = 200;  // more than the first chunk of records holds
  std::mutex guard;
  std::set<std::uint32_t> ids;
  std::barrier all_live(kThreads);
  Bunch threads(kThreads, [&] {
    const std::uint32_t id = thread_id();
    {
      const std::scoped_lock held(guard);
      ids.insert(id);
    }
    all_live.arrive_and_wait();
    EXPECT_EQ(thread_id(), id);
    EXPECT_NE(g_threads.find(id), nullptr);
  });
  threads.join();
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(kThreads));
}

TEST(ThreadIdTest, differs_between_threads_that_come_and_go_while_others_do) {
  std::atomic<int> clashes = 0;
  std::atomic<int> owners[1024] = {};
  Bunch threads(4, [&] {
    for (int i = 0; i < rounds(200); ++i) {
      Call([&] {
        const std::uint32_t id = thread_id();
        std::atomic<int>& owner = owners[id % 1024];  // slots are small numbers: no two living ones meet here
        clashes += owner.fetch_add(1) != 0;
        std::this_thread::yield();
        owner.fetch_sub(1);
      }).result();
    }
  });
  threads.join();
  EXPECT_EQ(clashes, 0);
}

TEST(ThreadIdTest, of_a_thread_that_ended_does_not_come_back_soon) {
  std::uint32_t first = 0;
  Call([&] { first = thread_id(); }).result();
  for (int i = 0; i < 255; ++i) {
    ASSERT_NE(Call([] { return thread_id(); }).result(), first) << "after " << i << " others";
  }
}

TEST(ThreadIdTest, does_not_use_up_slots) {
  const std::uint32_t before = g_threads.slots();
  for (int i = 0; i < 100; ++i) Call([] { thread_id(); }).result();
  EXPECT_LE(g_threads.slots(), before + 1);
}

TEST(ThreadIdTest, finds_the_living_and_only_them) {
  EXPECT_EQ(g_threads.find(0), nullptr);
  EXPECT_EQ(g_threads.find(1u << 20), nullptr);
  EXPECT_EQ(g_threads.find(thread_id() + (1u << 22)), nullptr) << "the same slot, used another time";
  EXPECT_EQ(g_threads.find(thread_id()), &g_threads.enroll());
  std::uint32_t other = 0;
  ThreadRecord* record = nullptr;
  Call([&] {
    other = thread_id();
    record = g_threads.find(other);
    EXPECT_EQ(record->native_id, native_id());
  }).result();
  EXPECT_NE(record, nullptr);
  EXPECT_EQ(g_threads.find(other), nullptr) << "it has ended";
}

TEST(ThreadIdTest, visits_the_living_and_only_them) {
  std::barrier meet(2);
  std::atomic<std::uint32_t> other = 0;
  const auto visited = [](std::uint32_t wanted) {
    int times = 0;
    g_threads.for_each([&](ThreadRecord& record) { times += record.id.load() == wanted; });
    return times;
  };
  {
    Call living([&] {
      other = thread_id();
      meet.arrive_and_wait();
      meet.arrive_and_wait();
    });
    meet.arrive_and_wait();
    EXPECT_EQ(visited(other), 1);
    EXPECT_EQ(visited(thread_id()), 1);
    meet.arrive_and_wait();
  }
  EXPECT_EQ(visited(other), 0);
}

// A thread_local that is destroyed late may still lock something.
struct AsksAtTheEnd {
  std::uint32_t at_first = 0;
  ~AsksAtTheEnd() { still_the_same = at_first == thread_id(); }
  static inline std::atomic<bool> still_the_same = false;
};

TEST(ThreadIdTest, lasts_until_the_threads_own_objects_are_destroyed) {
  Call([] {
    static thread_local AsksAtTheEnd object;
    object.at_first = thread_id();
  }).result();
  EXPECT_TRUE(AsksAtTheEnd::still_the_same);
}

TEST(ThreadIdTest, may_be_asked_for_even_after_it_was_given_back) {
  static pthread_key_t late_key;
  static std::atomic<bool> asked = false;
  ASSERT_EQ(pthread_key_create(&late_key,
                               [](void* round) {
                                 // Keys' destructors run in rounds: ask in one after the registry's own.
                                 if (round == &late_key) pthread_setspecific(late_key, &asked);
                                 else asked = thread_id() != 0;
                               }),
            0);
  Call([] {
    thread_id();
    pthread_setspecific(late_key, &late_key);
  }).result();
  EXPECT_TRUE(asked);
  EXPECT_EQ(pthread_key_delete(late_key), 0);
}

TEST(ThreadIdTest, survives_a_fork) {
  static std::uint32_t parents;
  parents = thread_id();
  EXPECT_EQ(exit_code_of_child([] {
              const ThreadRecord* const record = g_threads.find(parents);
              const bool kept = thread_id() == parents && record != nullptr && record->native_id == ::getpid();
              return kept ? 0 : 1;
            }),
            0);
}

TEST(ThreadIdTest, of_the_parents_other_threads_are_gone_in_the_child) {
  thread_id();  // so that the thread that forks has a record
  std::barrier meet(2);
  static std::uint32_t other;
  Call living([&] {
    other = thread_id();
    meet.arrive_and_wait();
    meet.arrive_and_wait();
  });
  meet.arrive_and_wait();
  EXPECT_EQ(exit_code_of_child([] {
              int living_records = 0;
              g_threads.for_each([&](ThreadRecord&) { ++living_records; });
              return g_threads.find(other) == nullptr && living_records == 1 ? 0 : 1;
            }),
            0);
  EXPECT_NE(g_threads.find(other), nullptr) << "in the parent nothing has changed";
  meet.arrive_and_wait();
}

TEST(ThreadIdTest, works_in_a_child_that_was_forked_while_threads_came_and_went) {
  thread_id();  // so that the thread that forks has a record
  std::atomic<bool> over = false;
  Bunch restless(2, [&] {
    while (!over) Call([] { thread_id(); }).result();
  });
  for (int i = 0; i < rounds(50); ++i) {
    EXPECT_EQ(exit_code_of_child([] {
                int living_records = 0;
                g_threads.for_each([&](ThreadRecord&) { ++living_records; });
                return thread_id() != 0 && living_records == 1 ? 0 : 1;
              }),
              0);
  }
  over = true;
}

}  // namespace
}  // namespace nogil::testing::thread_id_test
