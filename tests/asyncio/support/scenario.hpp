// tests/asyncio/support/scenario.hpp -- small concurrent programs as data.
//
// A program is some tasks; each runs a block of statements, which may have blocks of their
// own. It can be run here, and by CPython (scenario.py): both note what happens, in order.
//
//   statement   [op, a, b, blocks]
//   sleep a   raise   catch {}   timeout a {}   wait_for a {}   shield {}   gather {}…   settle {}…
//   group {body} {}…   spawn a {}   cancel a   join a   lock a {}   sem a {}   cond a {}
//   cond_wait a   notify a b   set a   clear a   event a   barrier a   reset a   abort a
//   put a b   get a   shutdown a b   wait a b {}…   completed a {}…
//   join_for a b   join_shielded a   join_both a b   uncancel a
//
// join: waits for what was spawned; join_for: b seconds at most; join_both: gathers.
// wait: for a seconds, until the first is done (b = 0), the first has failed (1), or all (2).
// completed: the results in the order of their coming, within a seconds.
//
// When 1000 seconds have passed, whoever is left is cancelled.

#pragma once

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/as_completed.hpp"
#include "nogil/asyncio/barrier.hpp"
#include "nogil/asyncio/condition.hpp"
#include "nogil/asyncio/event.hpp"
#include "nogil/asyncio/gather.hpp"
#include "nogil/asyncio/lock.hpp"
#include "nogil/asyncio/queue.hpp"
#include "nogil/asyncio/semaphore.hpp"
#include "nogil/asyncio/shield.hpp"
#include "nogil/asyncio/task_group.hpp"
#include "nogil/asyncio/timeout.hpp"
#include "nogil/asyncio/wait.hpp"
#include "nogil/asyncio/wait_for.hpp"

namespace nogil::testing {

struct Statement;
using Block = std::vector<Statement>;
struct Statement {
  std::string op;
  int a = 0;
  int b = 0;
  std::vector<Block> blocks = {};
};
using Program = std::vector<Block>;  // a block for each task

inline std::string to_json(const Block& block);
inline std::string to_json(const std::vector<Block>& blocks) {
  std::string text = "[";
  for (const Block& block : blocks) text += (text.size() == 1 ? "" : ",") + to_json(block);
  return text + "]";
}
inline std::string to_json(const Block& block) {
  std::string text = "[";
  for (const Statement& statement : block) {
    if (text.size() != 1) text += ",";
    text += "[\"" + statement.op + "\"," + std::to_string(statement.a) + "," + std::to_string(statement.b) + "," +
            to_json(statement.blocks) + "]";
  }
  return text + "]";
}

// What the tasks of one run share.
class World {
 public:
  static constexpr std::size_t kEach = 2;
  static constexpr std::size_t kSpawned = 4;

  explicit World(asyncio::EventLoop& in) : loop(in), start(in.time()) {}

  void note(const std::string& text) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(loop.time() - start);
    log.push_back(std::to_string(now.count()) + " " + text);
  }

  asyncio::EventLoop& loop;
  std::chrono::steady_clock::time_point start;
  Log log;
  std::array<asyncio::Lock, kEach> locks;
  std::array<asyncio::Semaphore, kEach> semaphores{asyncio::Semaphore(1), asyncio::Semaphore(2)};
  std::array<asyncio::Condition, kEach> conditions;
  std::array<asyncio::Event, kEach> events;
  std::array<asyncio::Barrier, kEach> barriers{asyncio::Barrier(2), asyncio::Barrier(3)};
  std::array<asyncio::Queue<int>, kEach> queues{asyncio::Queue<int>(1), asyncio::Queue<int>(0)};
  std::array<asyncio::Task<>, kSpawned> spawned;
  std::vector<asyncio::Task<>> tasks;
  int puts = 0;  // that have ended well
  int gets = 0;
  int frames = 0;  // coroutines of run_block() that are there
};

struct FrameCount {
  explicit FrameCount(World& world) : frames(world.frames) { ++frames; }
  FrameCount(const FrameCount&) = delete;
  ~FrameCount() { --frames; }
  int& frames;
};

asyncio::Coro<> run_block(World& world, std::string name, const Block& block);
asyncio::Coro<> run_statement(World& world, std::string name, const Statement& statement);
asyncio::Coro<> run_task(World& world, std::string name, const Block& block);

// A whole program. Children that nobody waits for may be left when it ends.
asyncio::Coro<> run_program(World& world, const Program& program);

// Cancels them.
asyncio::Coro<> end_all();

// Programs at random. With `fair`, only such in which CPython's queues keep their order, too:
// one task at most waits at each end.
class Generator {
 public:
  Generator(unsigned seed, bool fair) : random_(seed), fair_(fair) {}

  Program program() {
    Program tasks;
    const std::size_t count = 2 + below(3);
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(block(3, i, true));
    return tasks;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  int pick(std::size_t n) { return static_cast<int>(below(n)); }

  // `self`: whose; `alone`: in the task itself, not in one of its children.
  Block block(int depth, std::size_t self, bool alone) {
    Block result;
    const std::size_t length = 1 + below(4);
    for (std::size_t i = 0; i < length; ++i) result.push_back(statement(depth, self, alone));
    return result;
  }
  std::vector<Block> children(int depth, std::size_t self) {
    std::vector<Block> blocks;
    const std::size_t count = 1 + below(3);
    for (std::size_t i = 0; i < count; ++i) blocks.push_back(block(depth - 1, self, false));
    return blocks;
  }
  Statement nest(const char* op, int a, int depth, std::size_t self, bool alone) {
    return {op, a, 0, {block(depth - 1, self, alone)}};
  }

  // Only who has its lock may wait for it, or notify. He joins nobody: one who is cancelled
  // waits for that lock, whatever comes.
  Statement condition(int depth, std::size_t self) {
    const int which = pick(2);
    Block held;
    if (depth > 0 && below(2) == 0) held = block(depth - 1, self, false);
    if (below(2) == 0) held.push_back({"notify", which, 1 + pick(2)});
    else held.push_back({"cond_wait", which});
    if (below(2) == 0) held.push_back({"sleep", pick(2)});
    return {"cond", which, 0, {held}};
  }

  Statement join() {
    const char* const ways[] = {"join", "join_for", "join_shielded", "join_both"};
    return {ways[below(4)], pick(World::kSpawned), pick(World::kSpawned)};
  }

  Statement statement(int depth, std::size_t self, bool alone) {
    const bool may_wait = !fair_ || (alone && self < World::kEach);
    switch (depth > 0 ? below(33) : 12 + below(18)) {
      case 0:
        return nest("catch", 0, depth, self, alone);
      case 1:
      case 2:
        return nest("timeout", pick(4), depth, self, alone);
      case 3:
        return nest("wait_for", pick(4), depth, self, false);
      case 4:
        return nest("shield", 0, depth, self, false);
      case 5:
        return {"gather", 0, 0, children(depth, self)};
      case 6:
        return {"settle", 0, 0, children(depth, self)};
      case 7:
        return {"group", 0, 0, children(depth, self)};
      case 8:
        return nest("spawn", pick(World::kSpawned), depth, self, false);
      case 9:
      case 10:
        return nest("lock", pick(2), depth, self, alone);
      case 11:
        return nest("sem", pick(2), depth, self, alone);
      case 12:
      case 13:
      case 14:
        return condition(depth, self);
      case 15:
        return {"raise"};
      case 16:
      case 17:
        return {"cancel", pick(World::kSpawned)};
      case 18:
        return {below(4) == 0 ? "uncancel" : "cancel", pick(World::kSpawned)};
      case 19:
        if (alone) return join();  // else tasks could wait for each other in a circle
        return {"set", pick(2)};
      case 20:
        return {"set", pick(2)};
      case 21:
        return {"clear", pick(2)};
      case 22:
        return {"event", pick(2)};
      case 23:
        return {"barrier", pick(2)};
      case 24:
      case 25: {
        if (!fair_) return {"put", pick(2), pick(100)};
        return {"put", may_wait && self == 0 ? 0 : 1, pick(100)};
      }
      case 26:
        if (may_wait) return {"get", fair_ ? static_cast<int>(self) : pick(2)};
        return {"sleep", pick(3)};
      case 27:
        if (below(3) == 0) return {below(3) == 0 ? "abort" : "reset", pick(2)};
        if (fair_ && below(4) == 0) return {"shutdown", pick(2), pick(2)};
        return {"sleep", pick(3)};
      case 30:
      case 31:
        return {"wait", pick(4), pick(3), children(depth, self)};
      case 32:
        return {"completed", 1 + pick(3), 0, children(depth, self)};
      default:
        return {"sleep", pick(3)};
    }
  }

  std::mt19937 random_;
  bool fair_;
};

}  // namespace nogil::testing
