// What gdb is asked to show: tests/gdb/check.cmake runs it, with breakpoints in look() and
// look_at_task().

#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/futures.hpp"
#include "nogil/gdb.hpp"
#include "nogil/queue.hpp"
#include "nogil/threading.hpp"

namespace {

bool asleep(int thread) {
  std::string stat;
  std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/stat"), stat);
  return stat.find(") S ") != std::string::npos;
}

[[gnu::noinline]] void look() {
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void look_at_task([[maybe_unused]] const nogil::asyncio::Task<int>& task) {
  asm volatile("" ::: "memory");
}

nogil::asyncio::Coro<int> answer() {
  co_await nogil::asyncio::yield();
  co_await nogil::asyncio::yield();
  co_return 42;
}

nogil::asyncio::Coro<> wait_for_answer() {
  const nogil::asyncio::Task<int> task = nogil::asyncio::create_task(answer(), "Masha");
  co_await nogil::asyncio::yield();
  look_at_task(task);
  co_await task;
}

}  // namespace

int main() {
  nogil::Lock free_lock, held_lock;
  nogil::RLock rlock, free_rlock;
  nogil::Semaphore semaphore(2);
  nogil::BoundedSemaphore bounded(3);
  nogil::Queue<int> queue(200), empty;
  nogil::SimpleQueue<std::string> simple;
  nogil::LifoQueue<int> lifo;
  nogil::PriorityQueue<int> priority;
  nogil::Promise<int> promise, failing;
  nogil::Promise<std::string> text;
  nogil::Future<int> pending = promise.get_future(), failed = failing.get_future(), nothing;
  nogil::Future<std::string> finished = text.get_future();

  const std::scoped_lock guard(held_lock);
  rlock.acquire();
  rlock.acquire();
  rlock.acquire();
  semaphore.acquire();
  bounded.acquire();
  for (int i = 0; i < 130; ++i) queue.put(i);
  for (int i = 0; i < 127; ++i) queue.get();
  simple.put("one");
  lifo.put(1);
  lifo.put(2);
  priority.put(7);
  failing.set_exception(std::runtime_error("broken"));
  text.set_result("done");
  nogil::Thread waiter({.name = "waiter"}, [&] { empty.get(); });
  waiter.start();
  while (!asleep(waiter.native_id())) std::this_thread::yield();
  look();

  empty.put(1);
  waiter.join();
  promise.set_result(1);
  for (int i = 0; i < 3; ++i) rlock.release();
  nogil::asyncio::run(wait_for_answer());
  return 0;
}
