// main() returns while daemon threads are busy with everything the library has.
//
// Every program in this folder passes if it ends by itself, with exit status 0 and
// nothing on stderr, also under the sanitizers.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/excepthook.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"
#include "nogil/threading/semaphore.hpp"
#include "nogil/threading/thread.hpp"
#include "nogil/threading/thread_local.hpp"
#include "nogil/threading/timer.hpp"
#include "nogil/threading/with.hpp"

namespace {

// What a daemon uses lives for ever. (Statics with a destructor would not.)
struct World {
  nogil::Lock lock;
  nogil::RLock rlock;
  nogil::Semaphore permits{2};
  nogil::Event never;
  nogil::ThreadLocal<std::string> text;
  std::atomic<int> busy{0};
};
World& world() {
  static World* const immortal = new World;
  return *immortal;
}

void work() {
  ++world().busy;
  for (unsigned round = 0;; ++round) {
    nogil::with(world().lock, [] { nogil::with(world().rlock, [] { *world().text += "."; }); });
    if (world().text->size() > 100) *world().text = "";
    static_cast<void>(world().permits.acquire(std::chrono::microseconds(round % 50)) ? world().permits.release()
                                                                                     : void());
    static_cast<void>(nogil::enumerate());
    if (round % 64 == 0) {
      std::puts("a daemon is busy");
      nogil::Thread child({.daemon = true}, [] { *world().text = "child"; });
      child.start();
      nogil::Timer timer({.daemon = true}, std::chrono::hours(1), [] {});
      timer.start();
      timer.cancel();
    }
  }
}

}  // namespace

int main() {
  nogil::set_excepthook([](const nogil::ExceptHookArgs&) {});
  for (int i = 0; i < 3; ++i) nogil::Thread({.name = "busy", .daemon = true}, work).start();
  nogil::Thread({.name = "asleep", .daemon = true}, [] { world().never.wait(); }).start();
  nogil::Thread({.name = "failing", .daemon = true}, [] { throw 1; }).start();
  while (world().busy != 3) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}
