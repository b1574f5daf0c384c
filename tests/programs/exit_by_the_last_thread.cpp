// main() ends by pthread_exit(): the program goes on until its last thread has had enough.

#include <pthread.h>

#include <cstdlib>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/thread.hpp"

int main() {
  static nogil::Event go;
  nogil::Thread({.name = "last", .daemon = true}, [] {
    go.wait();
    while (nogil::active_count() != 1) {
    }
    if (nogil::current_thread().name() != "last" || nogil::main_thread().name() != "MainThread") std::abort();
    std::exit(0);  // ThreadSanitizer's own thread would outlive the last of ours
  }).start();
  go.set();
  pthread_exit(nullptr);
}
