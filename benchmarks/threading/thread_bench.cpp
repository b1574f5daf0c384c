// Threads side by side: nogil, the standard library, POSIX.

#include <benchmark/benchmark.h>
#include <pthread.h>

#include <cstdint>
#include <thread>

#include "nogil/threading/thread.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

// ---- The rivals: run(f) starts a thread that calls f() and waits for its end -------------

struct Nogil {
  static constexpr const char* kName = "nogil::Thread";
  template <class F>
  static void run(F f) {
    nogil::Thread thread(f);
    thread.start();
    thread.join();
  }
};

struct Std {
  static constexpr const char* kName = "std::thread";
  template <class F>
  static void run(F f) {
    std::thread thread(f);
    thread.join();
  }
};

#ifdef __cpp_lib_jthread
struct StdJthread {
  static constexpr const char* kName = "std::jthread";
  template <class F>
  static void run(F f) {
    std::jthread thread(f);
    thread.join();
  }
};
#else
struct StdJthread : bench::Absent {
  static constexpr const char* kName = "std::jthread";
};
#endif

struct Posix {
  static constexpr const char* kName = "pthread_t";
  template <class F>
  static void run(F f) {
    pthread_t thread;
    const auto call = [](void* function) -> void* {
      (*static_cast<F*>(function))();
      return nullptr;
    };
    if (pthread_create(&thread, nullptr, call, &f) == 0) pthread_join(thread, nullptr);
  }
};

using Threads = bench::Rivals<Nogil, Std, StdJthread, Posix>;

// ---- The cases -------------------------------------------------------------------------

// One thread starts another that does next to nothing, and waits for its end: the price of
// a thread. Nearly all of it is the kernel's; what is left is names, exceptions, registry.
template <class T>
void thread_start_join(benchmark::State& state) {
  std::int64_t ran = 0;
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { T::run([&ran] { ++ran; }); });
  bench::check(state, ran == state.iterations() + 1, "a thread did not run");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Threads(), BENCH_CASE(thread_start_join));

  bench::size_of<nogil::Thread>("nogil::Thread");
  bench::size_of<std::thread>("std::thread");
  return true;
}();

}  // namespace
