// tests/asyncio/stack/awaits.cpp -- a loop of a million awaits uses no more of the stack than one.
//
// A program of its own, since it is compiled with -O0, -O1 and -O2: where a compiler makes a
// call of what could be a jump depends on that (see nogil/asyncio/detail/promise.hpp). Says
// which loop needs more and more, if one does.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stdexcept>

#include "nogil/asyncio/gather.hpp"
#include "nogil/asyncio/lock.hpp"
#include "nogil/asyncio/queue.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/shield.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/task_group.hpp"
#include "nogil/asyncio/timeout.hpp"

namespace nogil::asyncio {
namespace {

constexpr int kMillion = 1'000'000;
constexpr int kFewer = 100'000;  // enough to see it grow
constexpr std::uintptr_t kAtMost = 32 * 1024;

// Between which addresses the stack ends wherever look() is called.
class Stack {
 public:
  [[gnu::noinline]] void look() noexcept {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest_ = std::min(lowest_, here);
    highest_ = std::max(highest_, here);
  }

  // Whether it has stayed about there.
  bool check(const char* loop) const {
    if (lowest_ <= highest_ && highest_ - lowest_ <= kAtMost) return true;
    std::fprintf(stderr, "%s: the stack grows to %zu bytes\n", loop, static_cast<std::size_t>(highest_ - lowest_));
    return false;
  }

 private:
  std::uintptr_t lowest_ = UINTPTR_MAX;
  std::uintptr_t highest_ = 0;
};

Coro<int> one(Stack& stack) {
  stack.look();
  co_return 1;
}
Coro<int> three_deep(Stack& stack, int levels = 2) {
  if (levels == 0) co_return co_await one(stack);
  co_return co_await three_deep(stack, levels - 1);
}
Coro<int> one_later(Stack& stack) {
  co_await yield();
  stack.look();
  co_return 1;
}
Coro<int> fails(Stack& stack, bool later) {
  if (later) co_await yield();
  stack.look();
  throw std::domain_error("expected");
}

Coro<bool> ends_at_once() {
  Stack stack;
  for (int i = 0; i < kMillion; ++i) co_await one(stack);
  co_return stack.check("of a child that does not wait");
}

Coro<bool> ends_at_once_below() {
  Stack stack;
  for (int i = 0; i < kFewer; ++i) co_await three_deep(stack);
  co_return stack.check("of a child whose children do not wait");
}

Coro<bool> ends_later() {
  Stack stack;
  for (int i = 0; i < kFewer; ++i) co_await one_later(stack);
  co_return stack.check("of a child that waits");
}

Coro<bool> waits_now_and_then() {
  Stack stack;
  for (int i = 0; i < kFewer; ++i) {
    if (i % 1000 == 0) co_await one_later(stack);
    else co_await one(stack);
  }
  co_return stack.check("of a child that waits now and then");
}

Coro<bool> throws(bool later) {
  Stack stack;
  for (int i = 0; i < kFewer / 10; ++i) {
    try {
      co_await fails(stack, later);
    } catch (const std::domain_error&) {
    }
  }
  co_return stack.check(later ? "of a child that throws later" : "of a child that throws");
}

Coro<bool> is_ready() {
  Stack stack;
  Lock lock;
  Queue<int> queue;
  const Task<int> done = create_task(one(stack));
  co_await done;
  for (int i = 0; i < kFewer; ++i) {
    const auto guard = co_await lock.guard();
    co_await queue.put(i);
    co_await queue.get();
    co_await done;
    stack.look();
  }
  co_return stack.check("of what is ready");
}

Coro<bool> takes_a_task() {
  Stack stack;
  for (int i = 0; i < kFewer / 10; ++i) {
    co_await create_task(one(stack));
    co_await gather(one(stack), one_later(stack));
    co_await shield(one(stack));
    co_await timeout(std::chrono::hours(1), one(stack));
    co_await task_group([&stack](TaskGroup& group) -> Scoped<> {
      group.create_task(one(stack));
      co_await one(stack);
    });
  }
  co_return stack.check("of a task, a gather, a shield, a timeout and a group");
}

// Each of a row of tasks awaits the one before.
Coro<> joins(Stack& stack, Task<> before) {
  if (before) co_await before;
  stack.look();
}
Coro<bool> is_a_row_of_tasks() {
  Stack stack;
  Task<> last;
  for (int i = 0; i < kFewer; ++i) last = create_task(joins(stack, std::move(last)));
  co_await last;
  co_return stack.check("along a row of tasks");
}

Coro<bool> all_loops() {
  bool well = co_await ends_at_once();
  well = co_await ends_at_once_below() && well;
  well = co_await ends_later() && well;
  well = co_await waits_now_and_then() && well;
  well = co_await throws(false) && well;
  well = co_await throws(true) && well;
  well = co_await is_ready() && well;
  well = co_await takes_a_task() && well;
  well = co_await is_a_row_of_tasks() && well;
  co_return well;
}

}  // namespace
}  // namespace nogil::asyncio

int main() {
  return nogil::asyncio::run(nogil::asyncio::all_loops()) ? 0 : 1;
}
