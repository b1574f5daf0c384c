// main() returns while pools are there: a static one, with queued work, is shut down by its
// destructor; one that nobody destroys, with workers asleep and at work, is no obstacle.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "nogil/futures/thread_pool_executor.hpp"

namespace {

std::atomic<int> g_done{0};

struct CheckAtExit {
  ~CheckAtExit() {
    if (g_done != 100) std::_Exit(1);  // the pool, made later, is destroyed earlier
  }
} const g_check;

nogil::ThreadPoolExecutor g_pool(2);

}  // namespace

int main() {
  for (int i = 0; i < 100; ++i) g_pool.post([] { ++g_done; });

  static auto& leaked = *new nogil::ThreadPoolExecutor(3);
  leaked.submit([] {}).result();
  for (int i = 0; i < 2; ++i) {
    leaked.post([] {
      for (;;) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  }
}
