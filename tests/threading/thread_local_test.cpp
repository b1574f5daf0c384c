// Tests of nogil::ThreadLocal, after CPython's test_threading_local.
// A test's name completes the sentence "a thread-local ...".

#include "nogil/threading/thread_local.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/thread.hpp"
#include "support/threads.hpp"

namespace thread_local_test {
namespace {

using nogil::Event;
using nogil::Thread;
using nogil::ThreadLocal;
using nogil::testing::Bunch;
using nogil::testing::Call;
using nogil::testing::falls_asleep;
using nogil::testing::rounds;

// Counts how many of its kind are alive.
struct Counted {
  explicit Counted(std::atomic<int>& alive) : alive_(&alive) { ++*alive_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*alive_; }
  std::atomic<int>* alive_;
};

ThreadLocal<Counted> counting(std::atomic<int>& alive) {
  return ThreadLocal<Counted>([&alive] { return Counted(alive); });
}

void in_a_thread(std::function<void()> act) {
  Thread thread(std::move(act));
  thread.start();
  thread.join();
}

// ---- Values --------------------------------------------------------------------------

TEST(ThreadLocalTest, has_a_value_for_each_thread) {
  ThreadLocal<std::string> name;
  *name = "main";
  in_a_thread([&] {
    EXPECT_EQ(*name, "");
    *name = "other";
    EXPECT_EQ(*name, "other");
  });
  EXPECT_EQ(*name, "main");
  EXPECT_EQ(name->size(), 4u);
  EXPECT_EQ(&name.get(), &*name);
}

TEST(ThreadLocalTest, begins_with_a_default_value) {
  ThreadLocal<int> number;
  EXPECT_EQ(*number, 0);
  *number = 5;
  in_a_thread([&] { EXPECT_EQ(*number, 0); });
}

TEST(ThreadLocalTest, begins_with_a_copy_of_a_first_value) {
  ThreadLocal<std::string> text(std::string("first"));
  *text += "!";
  in_a_thread([&] { EXPECT_EQ(*text, "first"); });
}

TEST(ThreadLocalTest, begins_with_what_a_factory_makes) {
  std::atomic<int> made = 0;
  ThreadLocal number([&made] { return ++made; });
  static_assert(std::is_same_v<decltype(number), ThreadLocal<int>>);
  EXPECT_EQ(made, 0) << "nobody has asked";
  EXPECT_EQ(*number, 1);
  EXPECT_EQ(*number, 1);
  in_a_thread([&] { EXPECT_EQ(*number, 2); });
}

TEST(ThreadLocalTest, holds_what_can_neither_be_copied_nor_moved) {
  std::atomic<int> alive = 0;
  {
    const ThreadLocal<Counted> local = counting(alive);
    EXPECT_EQ(alive, 0);
    static_cast<void>(*local);
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(ThreadLocalTest, tries_again_when_its_factory_threw) {
  int calls = 0;
  ThreadLocal<int> number([&calls] {
    if (++calls == 1) throw std::runtime_error("not yet");
    return calls;
  });
  EXPECT_THROW(static_cast<void>(*number), std::runtime_error);
  EXPECT_EQ(*number, 2);
}

TEST(ThreadLocalTest, keeps_the_first_value_when_its_factory_asks_for_another) {
  ThreadLocal<int>* self = nullptr;
  int calls = 0;
  ThreadLocal<int> number([&]() -> int { return ++calls == 1 ? self->get() + 10 : calls; });
  self = &number;
  EXPECT_EQ(*number, 2);
  EXPECT_EQ(*number, 2);
}

TEST(ThreadLocalTest, is_not_mixed_up_with_others) {
  constexpr std::size_t kLocals = 300;
  std::vector<std::unique_ptr<ThreadLocal<std::size_t>>> locals;
  for (std::size_t i = 0; i < kLocals; ++i) locals.push_back(std::make_unique<ThreadLocal<std::size_t>>(i));
  Bunch bunch(4, [&](int index) {
    for (std::size_t i = 0; i < kLocals; ++i) {
      std::size_t& value = **locals[(i * 7) % kLocals];
      ASSERT_EQ(value, (i * 7) % kLocals);
      value += static_cast<std::size_t>(index) * 1000;
    }
    for (std::size_t i = 0; i < kLocals; ++i) ASSERT_EQ(**locals[i], i + static_cast<std::size_t>(index) * 1000);
  });
  bunch.join();
}

// ---- The end of a thread -------------------------------------------------------------

TEST(ThreadLocalTest, destroys_a_value_at_the_end_of_its_thread) {
  std::atomic<int> alive = 0;
  const ThreadLocal<Counted> local = counting(alive);
  static_cast<void>(*local);
  in_a_thread([&] {
    static_cast<void>(*local);
    EXPECT_EQ(alive, 2);
  });
  EXPECT_EQ(alive, 1);
  std::thread([&] { static_cast<void>(*local); }).join();
  EXPECT_EQ(alive, 1) << "of a foreign thread too";
}

TEST(ThreadLocalTest, destroys_a_value_in_its_own_thread) {
  struct Where {
    std::uint64_t* where = nullptr;
    Where() = default;
    Where(const Where&) = delete;
    Where& operator=(const Where&) = delete;
    ~Where() {
      if (where != nullptr) *where = nogil::get_ident();
    }
  };
  std::uint64_t where = 0;
  ThreadLocal<Where> local;
  Thread thread([&] { local->where = &where; });
  thread.start();
  thread.join();
  EXPECT_EQ(where, thread.ident());
}

// A thread_local that was made first is destroyed last, and uses the value once more.
struct LateUser {
  LateUser() = default;
  LateUser(const LateUser&) = delete;
  LateUser& operator=(const LateUser&) = delete;
  ~LateUser() {
    if (local == nullptr) return;
    static_cast<void>(**local);
    ++seen;
  }
  const ThreadLocal<Counted>* local = nullptr;
  static inline std::atomic<int> seen = 0;
};

TEST(ThreadLocalTest, can_be_used_by_destructors_of_thread_locals) {
  std::atomic<int> alive = 0;
  const ThreadLocal<Counted> local = counting(alive);
  in_a_thread([&] {
    static thread_local LateUser user;
    user.local = &local;
    static_cast<void>(*local);
  });
  EXPECT_EQ(LateUser::seen, 1);
  EXPECT_EQ(alive, 0) << "what was made anew is destroyed too";
}

TEST(ThreadLocalTest, may_hold_values_that_use_other_thread_locals_at_their_end) {
  std::atomic<int> alive = 0;
  const ThreadLocal<Counted> other = counting(alive);
  struct User {
    const ThreadLocal<Counted>* other = nullptr;
    User() = default;
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    ~User() {
      if (other != nullptr) static_cast<void>(**other);
    }
  };
  ThreadLocal<User> first, second;
  in_a_thread([&] {
    first->other = &other;
    second->other = &other;
  });
  EXPECT_EQ(alive, 0);
}

struct Phoenix {
  Phoenix() { ++alive; }
  Phoenix(const Phoenix&) = delete;
  Phoenix& operator=(const Phoenix&) = delete;
  ~Phoenix() {
    --alive;
    if (home == nullptr || ++lives > 100) return;
    Phoenix& next = **home;
    next.home = home;
  }
  ThreadLocal<Phoenix>* home = nullptr;
  static inline std::atomic<int> alive = 0;
  static inline std::atomic<int> lives = 0;
};

TEST(ThreadLocalTest, ends_its_thread_even_if_a_value_makes_itself_anew) {
  {
    ThreadLocal<Phoenix> local;
    in_a_thread([&] { local->home = &local; });
    EXPECT_EQ(Phoenix::alive, 1) << "it is left to the ThreadLocal";
    EXPECT_LT(Phoenix::lives, 100);
    Phoenix::lives = 1000;
  }
  EXPECT_EQ(Phoenix::alive, 0);
}

// ---- The end of the object -----------------------------------------------------------

TEST(ThreadLocalTest, destroys_the_values_of_all_threads_with_itself) {
  std::atomic<int> alive = 0;
  std::optional<Event> go(std::in_place);
  std::atomic<int> made = 0;
  auto local = std::make_unique<ThreadLocal<Counted>>([&alive] { return Counted(alive); });
  Bunch bunch(3, [&] {
    static_cast<void>(**local);
    ++made;
    go->wait();
  });
  ASSERT_TRUE(nogil::testing::eventually([&] { return made == 3; }));
  EXPECT_EQ(alive, 3);
  local.reset();
  EXPECT_EQ(alive, 0);
  go->set();
  bunch.join();
  EXPECT_EQ(alive, 0) << "and not once more";
}

TEST(ThreadLocalTest, shows_no_value_of_one_before_it) {
  for (int round = 0; round < 100; ++round) {
    ThreadLocal<std::string> local;
    ASSERT_EQ(*local, "");
    *local = "a text that is long enough to need memory of its own";
  }
}

TEST(ThreadLocalTest, shows_no_value_of_one_before_it_to_other_threads) {
  std::unique_ptr<ThreadLocal<int>> local;
  Event ready[50], used[50];
  Bunch bunch(1, [&] {
    for (int i = 0; i < 50; ++i) {
      ready[i].wait();
      EXPECT_EQ(**local, 0);
      **local = i + 1;
      used[i].set();
    }
  });
  for (int i = 0; i < 50; ++i) {
    local = std::make_unique<ThreadLocal<int>>();
    ready[i].set();
    used[i].wait();
    local.reset();
  }
}

TEST(ThreadLocalTest, comes_and_goes_by_the_thousand) {
  std::atomic<int> alive = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<ThreadLocal<Counted>>> locals;
    for (int i = 0; i < 1000; ++i) {
      locals.push_back(std::make_unique<ThreadLocal<Counted>>([&alive] { return Counted(alive); }));
      if (i % 2 == 0) static_cast<void>(**locals.back());
    }
    ASSERT_EQ(alive, 500);
  }
  EXPECT_EQ(alive, 0);
}

// Either the thread that ends or the object that goes destroys each value, exactly once,
// and before the object is gone.
TEST(ThreadLocalTest, may_go_while_its_threads_end) {
  for (int round = 0; round < rounds(500); ++round) {
    std::atomic<int> alive = 0;
    std::atomic<int> through = 0;
    auto local = std::make_unique<ThreadLocal<Counted>>([&alive] { return Counted(alive); });
    Bunch bunch(3, [&] {
      static_cast<void>(**local);
      ++through;
    });
    while (through != 3) std::this_thread::yield();
    local.reset();
    ASSERT_EQ(alive, 0);
  }
}

TEST(ThreadLocalTest, waits_for_a_value_that_is_just_being_destroyed) {
  Event inside, go;
  struct Slow {
    Event* inside = nullptr;
    Event* go = nullptr;
    Slow() = default;
    Slow(const Slow&) = delete;
    Slow& operator=(const Slow&) = delete;
    ~Slow() {
      if (inside == nullptr) return;
      inside->set();
      go->wait();
    }
  };
  auto local = std::make_unique<ThreadLocal<Slow>>();
  Thread thread([&] {
    (*local)->inside = &inside;
    (*local)->go = &go;
  });
  thread.start();
  inside.wait();
  Call destroying([&] { local.reset(); });
  EXPECT_TRUE(falls_asleep(destroying));
  go.set();
  destroying.result();
}

// A value may own the last reference to the object that holds its ThreadLocal.
TEST(ThreadLocalTest, may_go_in_the_destructor_of_one_of_its_values) {
  struct Owner;
  struct Value {
    std::shared_ptr<Owner> owner;
  };
  struct Owner {
    explicit Owner(std::atomic<bool>& gone) : gone_(gone) {}
    ~Owner() { gone_ = true; }
    ThreadLocal<Value> local;
    std::atomic<bool>& gone_;
  };
  std::atomic<bool> gone = false;
  auto owner = std::make_shared<Owner>(gone);
  Thread thread([owner]() mutable {
    Owner& there = *owner;
    there.local->owner = std::move(owner);
  });
  thread.start();
  owner.reset();
  thread.join();
  EXPECT_TRUE(gone);
}

// ---- Fork ----------------------------------------------------------------------------

TEST(ThreadLocalTest, works_in_a_child_process) {
  Event go, made;
  auto local = std::make_unique<ThreadLocal<std::string>>();
  **local = "kept";
  Bunch bunch(1, [&] {
    **local = "of a thread that is not there in the child";
    made.set();
    go.wait();
  });
  made.wait();
  const pid_t child = fork();
  if (child == 0) {
    const bool right = **local == "kept";
    local.reset();
    const ThreadLocal<int> another(5);
    _exit(right && *another == 5 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  go.set();
}

// A thread that is just destroying its value, and so is waited for, is not there either.
TEST(ThreadLocalTest, can_be_destroyed_in_a_child_process_whatever_ending_threads_were_doing) {
  struct Slow {
    ~Slow() {
      if (ending == nullptr) return;
      ending->set();
      go->wait();
    }
    Event* ending = nullptr;
    Event* go = nullptr;
  };
  Event ending, go;
  auto local = std::make_unique<ThreadLocal<Slow>>();
  Bunch bunch(1, [&] {
    (*local)->go = &go;
    (*local)->ending = &ending;
  });
  ending.wait();
  const pid_t child = fork();
  if (child == 0) {
    ::alarm(20);
    local.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  go.set();
}

}  // namespace
}  // namespace thread_local_test
