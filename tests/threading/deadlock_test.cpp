// Tests of nogil::deadlock: every deadlock ends with one error, and nothing else does.

#include "nogil/threading/deadlock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "nogil/platform/cpu.hpp"
#include "nogil/threading/condition.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"
#include "nogil/threading/thread.hpp"
#include "support/scenario.hpp"
#include "support/threads.hpp"

namespace nogil::testing::deadlock_test {
namespace {

using namespace std::chrono_literals;
using deadlock::Policy;

// A Lock ('L') or an RLock ('R').
class Link {
 public:
  Link(char kind, const std::string& name) {
    if (kind == 'L') deadlock::set_name(*(lock_ = std::make_unique<Lock>()), name);
    else deadlock::set_name(*(rlock_ = std::make_unique<RLock>()), name);
  }
  Link(Link&&) = default;
  ~Link() {
    if (lock_) deadlock::set_name(*lock_, "");
    if (rlock_) deadlock::set_name(*rlock_, "");
  }

  void acquire() { lock_ ? lock_->acquire() : rlock_->acquire(); }
  void release() { lock_ ? lock_->release() : rlock_->release(); }
  bool locked() const { return lock_ ? lock_->locked() : rlock_->locked(); }

 private:
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<RLock> rlock_;
};

// Locks of these kinds, called "a", "b", "c", ….
std::vector<Link> make_links(const std::string& kinds) {
  std::vector<Link> links;
  for (const char kind : kinds) links.emplace_back(kind, std::string(1, static_cast<char>('a' + links.size())));
  return links;
}

// As many threads as locks; each holds one and wants the next one's, `times` times. The
// errors that came of it, in the order of the rounds.
std::vector<std::vector<std::string>> close_rings(const std::string& kinds, int times) {
  std::vector<Link> links = make_links(kinds);
  const std::size_t size = links.size();
  std::atomic<std::size_t> hold = 0;
  std::barrier all_done(static_cast<std::ptrdiff_t>(size));
  std::mutex guard;
  std::vector<std::vector<std::string>> errors(static_cast<std::size_t>(times));
  Bunch threads(static_cast<int>(size), [&](int index) {
    Link& own = links[static_cast<std::size_t>(index)];
    Link& next = links[static_cast<std::size_t>(index + 1) % size];
    for (int round = 0; round < times; ++round) {
      own.acquire();
      // Awake, so that all go on in the same moment, as far as there are cores.
      hold.fetch_add(1);
      for (int looks = 0; hold.load() < size * (static_cast<std::size_t>(round) + 1); ++looks) {
        if (looks % 256 == 255) std::this_thread::yield();
      }
      // … or a little apart, by another length in each round.
      for (int pauses = round * (index + 1) % 32; pauses > 0; --pauses) platform::cpu_relax();
      try {
        next.acquire();
        next.release();
      } catch (const DeadlockError& error) {
        const std::scoped_lock held(guard);
        errors[static_cast<std::size_t>(round)].push_back(error.what());
      }
      own.release();
      all_done.arrive_and_wait();
    }
  });
  threads.join();
  for (const Link& link : links) EXPECT_FALSE(link.locked());
  return errors;
}

// "Thread-3 waits for 'c', held by Thread-4", taken apart.
struct Edge {
  std::string waiter, lock, holder;
};

Edge parse_edge(const std::string& text) {
  const std::string waits = " waits for ", held = ", held by ";
  const std::size_t lock = text.find(waits);
  const std::size_t holder = text.find(held, lock);
  if (lock == std::string::npos || holder == std::string::npos) return {};
  const std::size_t lock_begin = lock + waits.size();
  return {.waiter = text.substr(0, lock),
          .lock = text.substr(lock_begin, holder - lock_begin),
          .holder = text.substr(holder + held.size())};
}

// "deadlock: edge; edge; edge", taken apart.
std::vector<Edge> parse_edges(const std::string& text) {
  const std::string begin = "deadlock: ";
  if (text.compare(0, begin.size(), begin) != 0) return {};
  std::vector<Edge> edges;
  for (std::size_t at = begin.size(); at < text.size();) {
    const std::size_t end = std::min(text.find("; ", at), text.size());
    edges.push_back(parse_edge(text.substr(at, end - at)));
    at = end + 2;
  }
  return edges;
}

// Checks that the text tells of a ring of that many threads, from lock to lock in
// alphabetical order, and back to where it began.
void expect_ring(const std::string& text, std::size_t size) {
  const std::vector<Edge> edges = parse_edges(text);
  ASSERT_EQ(edges.size(), size) << text;
  std::set<std::string> waiters;
  for (std::size_t i = 0; i < size; ++i) {
    const Edge& edge = edges[i];
    const Edge& next = edges[(i + 1) % size];
    ASSERT_EQ(edge.lock.size(), 3u) << text;
    ASSERT_EQ(next.lock.size(), 3u) << text;
    EXPECT_EQ(edge.holder, next.waiter) << text;
    EXPECT_EQ(next.lock[1], 'a' + (edge.lock[1] - 'a' + 1) % static_cast<int>(size)) << text;
    EXPECT_NE(edge.waiter, "") << text;
    waiters.insert(edge.waiter);
  }
  EXPECT_EQ(waiters.size(), size) << text;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class DeadlockTest : public ::testing::Test {
 protected:
  void SetUp() override { deadlock::set_policy(Policy::raise); }
  void TearDown() override { deadlock::set_policy(Policy::off); }
};

// ---- Cycles ------------------------------------------------------------------

TEST_F(DeadlockTest, ends_a_cycle_of_any_length_and_kind_with_one_error_that_names_it) {
  for (const std::string kinds : {"RR", "LL", "LR", "RRR", "LLL", "RLR", "RRRRRRRRRR", "LLLLLLLLLL", "LRRLRLLLRR"}) {
    const auto errors = close_rings(kinds, 1);
    ASSERT_EQ(errors[0].size(), 1u) << kinds;
    expect_ring(errors[0][0], kinds.size());
  }
}

TEST_F(DeadlockTest, ends_each_of_a_thousand_cycles_with_exactly_one_error) {
  for (const std::string kinds : {"RR", "LL", "RLR"}) {
    int round = 0;
    for (const auto& errors : close_rings(kinds, rounds(1000))) {
      ASSERT_EQ(errors.size(), 1u) << kinds << " in round " << round;
      ++round;
      expect_ring(errors[0], kinds.size());
    }
  }
}

TEST_F(DeadlockTest, ends_each_of_many_long_cycles_with_exactly_one_error) {
  for (const auto& errors : close_rings("RRRRRRRRRR", rounds(100))) ASSERT_EQ(errors.size(), 1u);
}

TEST_F(DeadlockTest, takes_a_lock_taken_twice_by_one_thread_for_a_cycle_of_one) {
  Lock lock;
  deadlock::set_name(lock, "a");
  lock.acquire();
  try {
    lock.acquire();
    FAIL() << "it should wait for itself";
  } catch (const DeadlockError& error) {
    const std::vector<Edge> edges = parse_edges(error.what());
    ASSERT_EQ(edges.size(), 1u) << error.what();
    EXPECT_EQ(edges[0].lock, "'a'");
    EXPECT_EQ(edges[0].holder.substr(0, edges[0].waiter.size()), edges[0].waiter) << error.what();
  }
  EXPECT_THROW(lock.lock(), DeadlockError);
  EXPECT_TRUE(lock.locked());
  lock.release();
  EXPECT_FALSE(lock.locked());
  EXPECT_TRUE(lock.acquire());
  lock.release();
  deadlock::set_name(lock, "");
}

TEST_F(DeadlockTest, is_an_error_that_is_caught_with_all_of_the_librarys_and_standards) {
  Lock lock;
  lock.acquire();
  EXPECT_THROW(lock.acquire(), Error);
  EXPECT_THROW(lock.acquire(), std::runtime_error);
}

TEST_F(DeadlockTest, changes_nothing_by_the_acquire_that_throws) {
  RLock mine, theirs;
  mine.acquire();
  mine.acquire();
  Call other([&] {
    theirs.acquire();
    mine.acquire();
    const std::size_t depth = mine.recursion_count();
    mine.release();
    theirs.release();
    return depth;
  });
  ASSERT_TRUE(falls_asleep(other));
  for (int again = 0; again < 3; ++again) {
    EXPECT_THROW(theirs.acquire(), DeadlockError);
    EXPECT_EQ(mine.recursion_count(), 2u);
    EXPECT_FALSE(theirs.is_owned());
    EXPECT_THROW(theirs.release(), RuntimeError);
    EXPECT_TRUE(other.asleep()) << "only the one that closes the cycle gets the error";
  }
  mine.release();
  EXPECT_TRUE(stays([&] { return other.asleep(); }));
  mine.release();
  EXPECT_EQ(other.result(), 1u);
  EXPECT_TRUE(theirs.try_acquire());
  theirs.release();
}

TEST_F(DeadlockTest, leaves_alone_who_waits_for_the_cycle_from_outside) {
  RLock a, b;
  a.acquire();
  Call partner([&] {
    b.acquire();
    a.acquire();
    a.release();
    b.release();
  });
  ASSERT_TRUE(falls_asleep(partner));
  Call outsider([&] {
    b.acquire();
    b.release();
  });
  Call farther([&] {
    a.acquire();
    a.release();
  });
  ASSERT_TRUE(falls_asleep(outsider, farther));
  EXPECT_THROW(b.acquire(), DeadlockError);
  EXPECT_TRUE(stays([&] { return outsider.asleep() && farther.asleep(); }));
  a.release();
  EXPECT_NO_THROW(partner.result());
  EXPECT_NO_THROW(outsider.result());
  EXPECT_NO_THROW(farther.result());
}

// The newcomer walks into a cycle that it is not part of, and must not walk for ever.
TEST_F(DeadlockTest, waits_beside_a_cycle_of_others_that_was_only_reported) {
  deadlock::set_policy(Policy::report);
  ::testing::internal::CaptureStderr();
  Lock a, b;
  Call one([&] {
    a.acquire();
    eventually([&] { return b.locked(); });
    b.acquire();
    b.release();
  });
  Call two([&] {
    b.acquire();
    eventually([&] { return a.locked(); });
    a.acquire();
    a.release();
  });
  ASSERT_TRUE(falls_asleep(one, two));
  deadlock::set_policy(Policy::raise);
  Call outsider([&] {
    a.acquire();
    a.release();
  });
  ASSERT_TRUE(falls_asleep(outsider));
  a.release();
  b.release();
  one.result();
  two.result();
  outsider.result();
  EXPECT_EQ(count(::testing::internal::GetCapturedStderr(), "deadlock: "), 1u);
}

// ---- What is no deadlock -----------------------------------------------------

TEST_F(DeadlockTest, takes_no_wait_for_part_of_a_cycle_that_may_end_by_itself) {
  const auto passes = [](auto... limits) {
    StopSource source;
    RLock a, b;
    b.acquire();
    Call mortal([&] {
      a.acquire();
      const bool got =
          sizeof...(limits) == 0 ? b.acquire(source.get_token()) : b.acquire(limits..., source.get_token());
      a.release();
      return got;
    });
    ASSERT_TRUE(falls_asleep(mortal));
    Call stopper([&, me = native_id()] {
      EXPECT_TRUE(eventually([&] { return asleep(me); }));
      source.request_stop();
    });
    EXPECT_NO_THROW(a.acquire());
    a.release();
    EXPECT_FALSE(mortal.result());
    b.release();
  };
  passes();
  passes(1h);
  passes(std::chrono::steady_clock::now() + 1h);
}

TEST_F(DeadlockTest, lets_a_timed_wait_that_closes_a_cycle_time_out) {
  RLock a, b;
  a.acquire();
  Call partner([&] {
    b.acquire();
    a.acquire();
    a.release();
    b.release();
  });
  ASSERT_TRUE(falls_asleep(partner));
  EXPECT_FALSE(b.acquire(5ms));
  EXPECT_FALSE(b.acquire(std::chrono::steady_clock::now() + 5ms));
  EXPECT_FALSE(b.acquire(stopped_token()));
  EXPECT_FALSE(b.try_acquire());
  EXPECT_FALSE(b.try_lock_for(1ms));
  EXPECT_FALSE(partner.returned());
  EXPECT_THROW(b.acquire(), DeadlockError);
  a.release();
  partner.result();
}

TEST_F(DeadlockTest, takes_a_lock_for_held_by_its_last_taker_and_not_by_an_earlier_one) {
  Lock handed;
  RLock theirs;
  Keeper early, late;
  pid_t early_id = 0;
  std::atomic<bool> wants_theirs = false;
  early.run([&] {
    early_id = native_id();
    handed.acquire();
  });
  late.run([&] {
    handed.release();  // somebody else's
    handed.acquire();
  });
  Call waiter([&] {
    theirs.acquire();
    handed.acquire();  // held by `late`
    handed.release();
    theirs.release();
  });
  ASSERT_TRUE(falls_asleep(waiter));
  Call helper([&] {
    EXPECT_TRUE(eventually([&] { return wants_theirs && asleep(early_id); }));
    late.run([&] { handed.release(); });
  });
  // If `early` still counted as the holder, it would wait for itself here.
  EXPECT_NO_THROW(early.run([&] {
    wants_theirs = true;
    theirs.acquire();
    theirs.release();
  }));
  waiter.result();
  helper.result();
}

TEST_F(DeadlockTest, does_not_mistake_the_lock_of_a_thread_that_has_ended) {
  for (int round = 0; round < 20; ++round) {
    Lock lock;
    Call([&] { lock.acquire(); }).result();
    Call waiter([&] { lock.acquire(); });
    ASSERT_TRUE(falls_asleep(waiter));
    lock.release();
    EXPECT_NO_THROW(waiter.result());
    lock.release();
  }
}

// A cycle closes in the same moment as somebody else releases one of its Locks: either
// one of the two gets the error or none does, and nobody hangs.
TEST_F(DeadlockTest, settles_a_cycle_that_closes_while_another_thread_releases) {
  int raised = 0;
  for (int round = 0; round < rounds(500); ++round) {
    Lock a, b;
    std::atomic<int> errors = 0;
    std::barrier hold(3);
    Call one([&] {
      a.acquire();
      hold.arrive_and_wait();
      try {
        b.acquire();
        b.release();
      } catch (const DeadlockError&) {
        ++errors;
      }
      a.release();
    });
    Call two([&] {
      b.acquire();
      hold.arrive_and_wait();
      try {
        a.acquire();
        a.release();
      } catch (const DeadlockError&) {
        ++errors;
      }
    });
    hold.arrive_and_wait();
    for (int pauses = round % 64; pauses > 0; --pauses) platform::cpu_relax();
    b.release();
    one.result();
    two.result();
    ASSERT_LE(errors, 1);
    ASSERT_FALSE(a.locked());
    ASSERT_FALSE(b.locked());
    raised += errors;
  }
  RecordProperty("raised", raised);
}

TEST_F(DeadlockTest, never_raises_when_locks_are_taken_in_one_order) {
  std::vector<Link> links = make_links("LRLRLR");
  int plain[6] = {};
  Bunch users(8, [&](int index) {
    std::minstd_rand random(static_cast<unsigned>(index + 1));
    for (int i = 0; i < rounds(1500); ++i) {
      const auto wanted = random() % 64;
      for (std::size_t k = 0; k < links.size(); ++k) {
        if ((wanted >> k & 1) == 0) continue;
        links[k].acquire();
        ++plain[k];
        if (random() % 16 == 0) std::this_thread::yield();
      }
      for (std::size_t k = links.size(); k-- > 0;) {
        if ((wanted >> k & 1) != 0) links[k].release();
      }
    }
  });
  EXPECT_NO_THROW(users.join());
}

// In any order there are cycles of every length, also overlapping ones. Everybody gets
// on, and what an error left undone works when tried again.
TEST_F(DeadlockTest, keeps_threads_going_that_take_locks_in_any_order) {
  std::vector<Link> links = make_links("RLRLR");
  int plain[5] = {};
  std::atomic<int> completed = 0;
  Bunch users(6, [&](int index) {
    std::minstd_rand random(static_cast<unsigned>(index + 1));
    for (int i = 0; i < rounds(500); ++i) {
      std::vector<std::size_t> wanted = {0, 1, 2, 3, 4};
      std::shuffle(wanted.begin(), wanted.end(), random);
      wanted.resize(2 + random() % 2);
      std::vector<std::size_t> held;
      while (held.size() < wanted.size()) {
        try {
          links[wanted[held.size()]].acquire();
          held.push_back(wanted[held.size()]);
          ++plain[held.back()];
          if (random() % 4 == 0) std::this_thread::yield();
        } catch (const DeadlockError&) {
          for (const std::size_t k : held) links[k].release();
          held.clear();
        }
      }
      for (const std::size_t k : held) links[k].release();
      ++completed;
    }
  });
  EXPECT_NO_THROW(users.join());
  EXPECT_EQ(completed, 6 * rounds(500));
  for (const Link& link : links) EXPECT_FALSE(link.locked());
}

// ---- Conditions --------------------------------------------------------------

TEST_F(DeadlockTest, sees_a_cycle_through_the_lock_that_a_condition_takes_back) {
  Condition condition;
  RLock other;
  Call waiter([&] {
    const std::scoped_lock both(other);
    const std::scoped_lock guard(condition);
    condition.wait();
  });
  ASSERT_TRUE(falls_asleep(waiter));
  condition.acquire();
  condition.notify();
  // It wants the condition's lock back, which is held here, and holds `other`.
  ASSERT_TRUE(eventually([] { return !deadlock::describe_waits().empty(); }));
  EXPECT_THROW(other.acquire(), DeadlockError);
  condition.release();
  EXPECT_NO_THROW(waiter.result());
}

// A wait must come back with its lock, so it cannot throw: it says so on stderr.
TEST_F(DeadlockTest, only_reports_when_the_condition_itself_closes_the_cycle) {
#ifdef NOGIL_TSAN
  GTEST_SKIP() << "notifies for a thread that holds the lock but is stuck, which ThreadSanitizer takes for a race";
#endif
  LockCondition condition;
  Lock other;
  Call waiter([&] {
    other.acquire();
    const std::scoped_lock guard(condition);
    condition.wait();
  });
  ASSERT_TRUE(falls_asleep(waiter));
  Call holder([&] {
    const std::scoped_lock guard(condition);
    other.acquire();
  });
  ASSERT_TRUE(falls_asleep(holder));
  ::testing::internal::CaptureStderr();
  condition.notify();  // its Lock is held, though not here
  // Published first, then looked for a cycle, then asleep.
  const bool blocked = eventually([] { return count(deadlock::describe_waits(), "\n") == 2; }) && falls_asleep(waiter);
  other.release();
  EXPECT_NO_THROW(holder.result());
  EXPECT_NO_THROW(waiter.result());
  EXPECT_TRUE(blocked);
  EXPECT_EQ(count(::testing::internal::GetCapturedStderr(), "deadlock: "), 1u);
}

// ---- Policies ----------------------------------------------------------------

// A ring of Locks that nobody but the test's own thread can open.
template <class WhileStuck>
std::string stuck_ring(WhileStuck while_stuck) {
  std::vector<Link> links = make_links("LLL");
  std::barrier all_hold(3);
  std::atomic<int> stuck = 0;
  ::testing::internal::CaptureStderr();
  {
    std::vector<std::unique_ptr<Call<void>>> calls;
    for (std::size_t i = 0; i < 3; ++i) {
      calls.push_back(std::make_unique<Call<void>>([&, i] {
        links[i].acquire();
        all_hold.arrive_and_wait();
        ++stuck;
        links[(i + 1) % 3].acquire();
        links[(i + 1) % 3].release();
      }));
    }
    EXPECT_TRUE(eventually([&] { return stuck == 3; }));
    EXPECT_TRUE(falls_asleep(calls));
    EXPECT_TRUE(stays([&] { return calls[0]->asleep() && calls[1]->asleep() && calls[2]->asleep(); }));
    while_stuck();
    for (Link& link : links) link.release();
    for (auto& call : calls) EXPECT_NO_THROW(call->result());
  }
  return ::testing::internal::GetCapturedStderr();
}

TEST_F(DeadlockTest, is_reported_once_and_not_raised_when_the_policy_says_report) {
  deadlock::set_policy(Policy::report);
  for (int round = 0; round < 5; ++round) {
    std::string text = stuck_ring([] {});
    ASSERT_EQ(count(text, "deadlock: "), 1u) << text;
    ASSERT_EQ(text.back(), '\n');
    text.pop_back();
    expect_ring(text, 3);
  }
}

// Both threads close the cycle in the same moment, as far as there are cores.
TEST_F(DeadlockTest, is_reported_once_each_time_however_many_close_it) {
  deadlock::set_policy(Policy::report);
  const int times = rounds(300);
  Lock locks[2];
  std::atomic<int> hold = 0;
  std::barrier all_done(3);
  std::atomic<pid_t> ids[2] = {};
  ::testing::internal::CaptureStderr();
  {
    Bunch threads(2, [&](int me) {
      ids[me] = native_id();
      for (int round = 1; round <= times; ++round) {
        locks[me].acquire();
        ++hold;
        for (int looks = 0; hold < 2 * round; ++looks) {
          if (looks % 256 == 255) std::this_thread::yield();
        }
        for (int pauses = round * (me + 1) % 32; pauses > 0; --pauses) platform::cpu_relax();
        locks[1 - me].acquire();
        locks[1 - me].release();
        all_done.arrive_and_wait();
      }
    });
    for (int round = 1; round <= times; ++round) {
      // Seen asleep twice, each of them sleeps for a Lock and not on its way there.
      EXPECT_TRUE(eventually(
          [&] { return hold == 2 * round && asleep(ids[0]) && asleep(ids[1]) && asleep(ids[0]) && asleep(ids[1]); }));
      locks[0].release();
      locks[1].release();
      all_done.arrive_and_wait();
    }
  }
  EXPECT_EQ(count(::testing::internal::GetCapturedStderr(), "deadlock: "), static_cast<std::size_t>(times));
}

TEST_F(DeadlockTest, is_left_alone_when_the_policy_says_off) {
  deadlock::set_policy(Policy::off);
  EXPECT_EQ(stuck_ring([] {}), "");
}

TEST_F(DeadlockTest, follows_a_policy_that_is_changed_at_run_time) {
  Lock lock;
  lock.acquire();
  EXPECT_THROW(lock.acquire(), DeadlockError);
  deadlock::set_policy(Policy::off);
  EXPECT_EQ(stuck_ring([] {}), "");
  deadlock::set_policy(Policy::raise);
  EXPECT_THROW(lock.acquire(), DeadlockError);
  EXPECT_EQ(close_rings("LL", 1)[0].size(), 1u);
}

// ---- Names -------------------------------------------------------------------

TEST_F(DeadlockTest, describes_who_waits_for_what) {
  Lock lock;
  RLock rlock;
  deadlock::set_name(lock, "the lock");
  deadlock::set_name(rlock, "the rlock");
  EXPECT_EQ(deadlock::describe_waits(), "");
  lock.acquire();
  rlock.acquire();
  Call a([&] { lock.acquire(); });
  Call b([&] { return rlock.acquire(1h); });
  ASSERT_TRUE(falls_asleep(a, b));
  const std::string text = deadlock::describe_waits();
  EXPECT_EQ(count(text, "\n"), 2u) << text;
  EXPECT_EQ(count(text, " waits for 'the lock', held by "), 1u) << text;
  EXPECT_EQ(count(text, " waits for 'the rlock', held by "), 1u) << text;
  lock.release();
  rlock.release();
  a.result();
  EXPECT_TRUE(b.result());
  EXPECT_EQ(deadlock::describe_waits(), "");
  deadlock::set_name(lock, "");
  deadlock::set_name(rlock, "");
}

TEST_F(DeadlockTest, names_a_lock_by_its_last_name_and_without_one_by_its_address) {
  Lock lock;
  lock.acquire();
  const auto text = [&] {
    try {
      lock.acquire();
    } catch (const DeadlockError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(count(text(), " waits for Lock 0x"), 1u) << text();
  deadlock::set_name(lock, "one");
  EXPECT_EQ(count(text(), "'one'"), 1u);
  deadlock::set_name(lock, "another");
  EXPECT_EQ(count(text(), "'another'"), 1u);
  EXPECT_EQ(count(text(), "'one'"), 0u);
  deadlock::set_name(lock, "");
  EXPECT_EQ(count(text(), "another"), 0u);
}

TEST_F(DeadlockTest, calls_threads_by_their_names) {
  RLock a, b;
  deadlock::set_name(a, "a");
  deadlock::set_name(b, "b");
  std::barrier both(2);
  std::string text;  // written by whichever gets the error
  const auto crossing = [&](RLock& mine, RLock& theirs) {
    const std::scoped_lock guard(mine);
    both.arrive_and_wait();
    try {
      const std::scoped_lock other(theirs);
    } catch (const DeadlockError& error) {
      text = error.what();
    }
  };
  Thread ann(Thread::Options{.name = "Ann"}, [&] { crossing(a, b); });
  Thread bob(Thread::Options{.name = "Bob"}, [&] { crossing(b, a); });
  ann.start();
  bob.start();
  ann.join();
  bob.join();
  EXPECT_TRUE(text == "deadlock: Ann waits for 'b', held by Bob; Bob waits for 'a', held by Ann" ||
              text == "deadlock: Bob waits for 'a', held by Ann; Ann waits for 'b', held by Bob")
      << text;
  deadlock::set_name(a, "");
  deadlock::set_name(b, "");
}

// ---- Before a policy is set --------------------------------------------------

// Whether a ring of locks of these kinds ends with an error or waits. Leaves behind
// those who wait.
const char* outcome_of(const std::string& kinds) {
  auto& links = *new std::vector<Link>(make_links(kinds));
  auto& all_hold = *new std::barrier(static_cast<std::ptrdiff_t>(links.size()));
  auto& raised = *new std::atomic<bool>(false);
  auto& stuck = *new std::atomic<std::size_t>(0);
  std::vector<Call<void>*> calls;
  for (std::size_t i = 0; i < links.size(); ++i) {
    calls.push_back(new Call<void>([&, i] {
      links[i].acquire();
      all_hold.arrive_and_wait();
      ++stuck;
      try {
        links[(i + 1) % links.size()].acquire();
        links[(i + 1) % links.size()].release();
      } catch (const DeadlockError&) {
        raised = true;
      }
      links[i].release();
    }));
  }
  const auto all = [&](auto what) { return std::all_of(calls.begin(), calls.end(), what); };
  eventually([&] {
    return raised || (stuck == links.size() && all([](auto* call) { return call->asleep(); }) &&
                      stays([&] { return all([](auto* call) { return call->asleep(); }); }));
  });
  if (!raised) return "waits";
  eventually([&] { return all([](auto* call) { return call->returned(); }); });
  if (!all([](auto* call) { return call->returned(); })) return "raises and hangs";
  for (auto* call : calls) delete call;
  return "raises";
}

const Scenario g_without_policy("deadlock without policy", [] {
  for (const char* const kinds : {"RR", "RRR", "LL", "LR", "L"}) {
    std::printf("%s %s\n", kinds, outcome_of(kinds));
    std::fflush(stdout);
  }
});

const Scenario g_with_policy("deadlock with policy", [] {
  deadlock::set_policy(Policy::raise);
  std::printf("LR %s\n", outcome_of("LR"));
  deadlock::set_policy(Policy::off);
  std::printf("RR %s\n", outcome_of("RR"));
});

TEST(DeadlockDefaultTest, raises_for_rlocks_alone_until_a_policy_is_set) {
  const Outcome outcome = g_without_policy.run({"NOGIL_DEADLOCK="});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, "RR raises\nRRR raises\nLL waits\nLR waits\nL waits\n");
}

TEST(DeadlockDefaultTest, follows_the_environment_until_a_policy_is_set) {
  const Outcome raise = g_without_policy.run({"NOGIL_DEADLOCK=raise"});
  EXPECT_EQ(raise.output, "RR raises\nRRR raises\nLL raises\nLR raises\nL raises\n");
  const Outcome off = g_without_policy.run({"NOGIL_DEADLOCK=off"});
  EXPECT_EQ(off.output, "RR waits\nRRR waits\nLL waits\nLR waits\nL waits\n");
  const Outcome report = g_without_policy.run({"NOGIL_DEADLOCK=report"});
  EXPECT_EQ(count(report.output, " waits\n"), 5u) << report.output;
  EXPECT_EQ(count(report.output, "raises"), 0u) << report.output;
  EXPECT_EQ(count(report.output, "deadlock: "), 5u) << report.output;
}

TEST(DeadlockDefaultTest, prefers_a_policy_that_is_set_to_the_environment) {
  EXPECT_EQ(g_with_policy.run({"NOGIL_DEADLOCK=off"}).output, "LR raises\nRR waits\n");
  EXPECT_EQ(g_with_policy.run({"NOGIL_DEADLOCK=raise"}).output, "LR raises\nRR waits\n");
}

}  // namespace
}  // namespace nogil::testing::deadlock_test
