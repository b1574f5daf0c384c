// A thread calls exit() while main() waits for it and others are busy.

#include <cstdlib>
#include <optional>
#include <stop_token>
#include <thread>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/thread.hpp"

namespace {

// Destroyed by exit(), in the thread itself: which then cannot be joined.
std::optional<nogil::Thread> g_ending;
std::optional<nogil::Thread> g_worker;

}  // namespace

int main() {
  g_worker.emplace([](std::stop_token token) {
    while (!token.stop_requested()) std::this_thread::yield();
  });
  g_worker->start();
  nogil::Thread({.name = "busy", .daemon = true}, [] {
    for (;;) static_cast<void>(nogil::enumerate());
  }).start();
  static nogil::Event placed;
  g_ending.emplace([] {
    placed.wait();
    std::exit(0);
  });
  g_ending->start();
  placed.set();
  nogil::Event().wait();
}
