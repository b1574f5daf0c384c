// The deadlock watch under the model checker: detail::WaitGraph. And, step by step, the
// moments that a search rarely meets.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/threading/detail/owner_word.hpp"
#include "nogil/threading/detail/wait_graph.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::LockKind;
using nogil::detail::OwnerWord;
using nogil::detail::WaitGraph;
using nogil::platform::BasicWait;

// ---- Under the model checker -------------------------------------------------------------

using ModelLock = OwnerWord<Platform>;

void take(ModelLock& lock) {
  BasicWait<Platform> wait;
  if (!lock.try_lock(Platform::thread_id())) lock.lock_slow(Platform::thread_id(), wait, [] {});
}

// The threads of one execution, numbered from 1 as Platform::thread_id() does.
struct ModelThreads {
  using Owner = ModelLock;

  struct Record {
    Atomic<std::uint32_t> id;
    ModelLock guard;
    Plain<const ModelLock::Word*> waits_for = nullptr;
    Plain<int> waits_how = 0;
  };

  struct Guard {
    explicit Guard(ModelLock& lock) : held(lock) { take(held); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { held.unlock(); }
    ModelLock& held;
  };

  explicit ModelThreads(std::uint32_t threads) : count(threads) {
    for (std::uint32_t i = 0; i <= threads; ++i) records[i].id.store(i + 1, std::memory_order_relaxed);
    now = this;
  }

  static Record* find(std::uint32_t id) noexcept { return id - 1 <= now->count ? &now->records[id - 1] : nullptr; }
  static ModelLock& watch_lock() noexcept { return now->watch; }
  static void full_fence() noexcept { nogil::model::full_fence(); }

  static inline ModelThreads* now = nullptr;
  const std::uint32_t count;
  std::array<Record, 4> records;
  ModelLock watch;
};

using ModelWaits = WaitGraph<ModelThreads>;

// What RLock::acquire does. False: it would close a cycle, and has not waited.
bool acquire(ModelLock& lock) {
  const std::uint32_t me = Platform::thread_id();
  if (lock.try_lock(me)) return true;
  struct Closed {};
  struct Watch {
    void operator()() {
      record = ModelThreads::find(Platform::thread_id());
      ModelWaits::publish(*record, word, LockKind::kRLock, true);
      if (ModelWaits::closes(*record, true, true, [](const ModelWaits::Edge*, std::size_t) {})) throw Closed();
    }
    ~Watch() {
      if (record != nullptr) ModelWaits::withdraw(*record);
    }
    const ModelLock::Word& word;
    ModelThreads::Record* record = nullptr;
  };
  try {
    BasicWait<Platform> wait;
    return lock.lock_slow(me, wait, Watch{lock.word()});
  } catch (const Closed&) {
    return false;
  }
}

// Takes one, then the other; whoever gets an error gives up the first.
void take_both(ModelLock& first, ModelLock& second, int& errors) {
  if (!acquire(first)) {
    ++errors;
    return;
  }
  if (acquire(second)) second.unlock();
  else ++errors;
  first.unlock();
}

TEST(ModelDeadlock, is_always_found_and_ends_with_one_error) {
  EXPECT_TRUE(holds([] {
    ModelThreads threads(2);
    ModelLock a, b;
    int errors = 0;
    together([&] { take_both(a, b, errors); }, [&] { take_both(b, a, errors); });
    require(errors <= 1, "two errors for one cycle");
  }));
}

TEST(ModelDeadlock, is_found_among_three) {
  EXPECT_TRUE(holds(
      [] {
        ModelThreads threads(3);
        ModelLock a, b, c;
        int errors = 0;
        together([&] { take_both(a, b, errors); }, [&] { take_both(b, c, errors); }, [&] { take_both(c, a, errors); });
        require(errors <= 1, "two errors for one cycle");
      },
      {.bounds = {.deviations = 2}, .exhaustive = 20'000}));
}

TEST(ModelDeadlock, is_never_invented) {
  EXPECT_TRUE(holds([] {
    ModelThreads threads(2);
    ModelLock a, b;
    int errors = 0;
    together([&] { take_both(a, b, errors); },
             [&] {
               for (ModelLock* const lock : {&b, &a}) {
                 if (acquire(*lock)) lock->unlock();
                 else ++errors;
               }
             });
    require(errors == 0, "there is no deadlock");
  }));
}

// ---- Step by step ------------------------------------------------------------------------

// Threads that are data: the test says what they do, and when.
struct NoLock {};

struct Puppet {
  std::atomic<std::uint32_t> id{0};
  NoLock guard;
  const std::atomic<std::uint32_t>* waits_for = nullptr;
  int waits_how = 0;
};

struct Puppets {
  using Owner = OwnerWord<nogil::platform::Native>;
  using Record = Puppet;
  struct Guard {
    explicit Guard(NoLock&) {}
  };

  static Record* find(std::uint32_t id) {
    if (on_look) on_look(++looks);
    return &records[id];
  }
  static NoLock& watch_lock() {
    static NoLock lock;
    if (const auto before = std::exchange(on_watch, nullptr)) before();
    return lock;
  }
  static void full_fence() {}

  static inline std::array<Record, 4> records;  // of the threads 1, 2 and 3
  static inline int looks = 0;
  static inline std::function<void(int)> on_look;  // before each look at a thread's edge, from 1
  static inline std::function<void()> on_watch;    // before the watch lock is taken, once
};

using PuppetWaits = WaitGraph<Puppets>;

class StepByStep : public ::testing::Test {
 protected:
  using Lock = Puppets::Owner;

  StepByStep() {
    for (std::uint32_t id = 1; id < Puppets::records.size(); ++id) {
      Puppets::records[id].id = id;
      PuppetWaits::withdraw(Puppets::records[id]);
    }
    Puppets::looks = 0;
  }
  ~StepByStep() override {
    Puppets::on_look = nullptr;
    Puppets::on_watch = nullptr;
  }

  static void holds(std::uint32_t thread, Lock& lock) { ASSERT_TRUE(lock.try_lock(thread)); }
  static void waits(std::uint32_t thread, const Lock& lock, LockKind kind = LockKind::kRLock, bool endless = true) {
    PuppetWaits::publish(Puppets::records[thread], lock.word(), kind, endless);
  }

  // As this thread would do it: whether it closes a cycle, which goes to `told`.
  bool closes(std::uint32_t thread, bool leave = true, bool rlocks_only = true) {
    return PuppetWaits::closes(
        Puppets::records[thread], rlocks_only, leave,
        [this](const PuppetWaits::Edge* cycle, std::size_t length) { told.emplace_back(cycle, cycle + length); });
  }

  void two_in_a_cycle() {
    holds(1, a);
    holds(2, b);
    waits(1, b);
    waits(2, a);
  }

  Lock a, b, c, d;
  std::vector<std::vector<PuppetWaits::Edge>> told;
};

TEST_F(StepByStep, a_cycle_is_told_in_its_order) {
  two_in_a_cycle();
  EXPECT_TRUE(closes(1));
  ASSERT_EQ(told.size(), 1u);
  ASSERT_EQ(told[0].size(), 2u);
  EXPECT_EQ(told[0][0].waiter, 1u);
  EXPECT_EQ(told[0][0].lock, &b.word());
  EXPECT_EQ(told[0][0].holder, 2u);
  EXPECT_EQ(told[0][1].waiter, 2u);
  EXPECT_EQ(told[0][1].lock, &a.word());
  EXPECT_EQ(told[0][1].holder, 1u);
}

// Both have walked round the cycle when the first of them takes the watch lock.
TEST_F(StepByStep, who_raises_is_out_of_the_cycle_for_the_next_to_check) {
  two_in_a_cycle();
  bool second = false;
  Puppets::on_watch = [&] { second = closes(2); };
  EXPECT_FALSE(closes(1)) << "two errors for one cycle";
  EXPECT_TRUE(second);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(StepByStep, what_was_reported_is_not_reported_again) {
  two_in_a_cycle();
  bool second = false;
  Puppets::on_watch = [&] { second = closes(2, false); };
  EXPECT_FALSE(closes(1, false)) << "reported twice";
  EXPECT_TRUE(second);
  EXPECT_FALSE(closes(2, false)) << "reported twice";
  EXPECT_EQ(told.size(), 1u);
}

// A walk sees thread 1 wait for thread 2, 2 for 3 and 3 for 1; twice. But at no moment
// was it so: each time thread 2 went on after the look at what it holds.
TEST_F(StepByStep, edges_of_different_moments_are_no_cycle) {
  holds(1, c);
  holds(2, a);
  holds(3, b);
  holds(3, d);
  waits(1, a);
  waits(2, d);
  Puppets::on_look = [&](int look) {
    if (look == 3) {  // 3 gives d to 2, and will wait for 1 from now on
      d.unlock();
      waits(3, c);
    } else if (look == 5) {  // 2 has had its turn, has given up a and d, and waits for 3
      a.unlock();
      waits(2, b);
    }
  };
  EXPECT_FALSE(closes(1)) << "a is free";
  EXPECT_GT(Puppets::looks, 6) << "it was not even doubted";
  EXPECT_TRUE(told.empty());
}

TEST_F(StepByStep, a_cycle_is_found_by_the_one_that_closes_it) {
  holds(1, a);
  holds(2, b);
  waits(1, b);
  EXPECT_FALSE(closes(1)) << "2 waits for nobody yet";
  waits(2, a);
  EXPECT_TRUE(closes(2));
}

TEST_F(StepByStep, a_cycle_of_others_is_not_followed_for_ever) {
  holds(2, a);
  holds(3, b);
  waits(2, b);
  waits(3, a);
  waits(1, a);
  EXPECT_FALSE(closes(1));
}

TEST_F(StepByStep, a_wait_with_a_limit_breaks_the_chain) {
  two_in_a_cycle();
  waits(2, a, LockKind::kRLock, false);
  EXPECT_FALSE(closes(1));
}

TEST_F(StepByStep, one_lock_that_anybody_may_release_makes_a_cycle_uncertain) {
  two_in_a_cycle();
  waits(2, a, LockKind::kLock);
  EXPECT_FALSE(closes(1));
  EXPECT_TRUE(closes(1, true, false)) << "unless the policy says so";
}

}  // namespace
