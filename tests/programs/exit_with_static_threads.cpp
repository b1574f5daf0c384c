// Threads in static objects: the one is joined when statics are destroyed, after main();
// the other, a daemon, goes on even then.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/thread.hpp"
#include "nogil/threading/thread_local.hpp"

namespace {

std::atomic<bool> g_done{false};

struct Check {
  ~Check() {
    if (!g_done) std::abort();
  }
};

Check g_check;  // destroyed after the threads
nogil::ThreadLocal<std::vector<int>> g_values([] { return std::vector<int>(100); });
std::optional<nogil::Thread> g_worker;
std::optional<nogil::Thread> g_daemon;

}  // namespace

int main() {
  g_values->push_back(1);
  g_worker.emplace([](std::stop_token token) {
    g_values->push_back(2);
    while (!token.stop_requested()) std::this_thread::yield();
    if (nogil::main_thread().name() != "MainThread") std::abort();
    g_done = true;
  });
  g_worker->start();
  g_daemon.emplace(nogil::Thread::Options{.name = "endless", .daemon = true}, [] {
    for (;;) static_cast<void>(nogil::current_thread());
  });
  g_daemon->start();
}
