// To start a process, and to wait for its end, while the parent has 256 MiB of memory.

#include <benchmark/benchmark.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

#include "multiprocessing/rivals.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using nogil::mp::Process;
using nogil::mp::StartMethod;

void nothing() {}

bool start_and_join(StartMethod method) {
  Process one({.start_method = method}, nothing);
  one.start();
  one.join();
  return one.exitcode() == 0;
}

bool wait_for(::pid_t pid) {
  int status = -1;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct Forkserver {
  static constexpr const char* kName = "nogil::mp::Process";
  static bool run() { return start_and_join(StartMethod::forkserver); }
};

struct Spawn {
  static constexpr const char* kName = "nogil::mp::Process,spawn";
  static bool run() { return start_and_join(StartMethod::spawn); }
};

struct RawFork {
  static constexpr const char* kName = "fork()";
  static bool run() {
    const ::pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    return wait_for(pid);
  }
};

struct RawSpawn {
  static constexpr const char* kName = "posix_spawn(/bin/true)";
  static bool run() {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    ::pid_t pid = -1;
    return ::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, environ) == 0 && wait_for(pid);
  }
};

// Pages of 4 KiB that are all there.
class Memory {
 public:
  Memory() : at_(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) std::abort();
    ::madvise(at_, kSize, MADV_NOHUGEPAGE);
    for (std::size_t page = 0; page < kSize; page += 4096) static_cast<char*>(at_)[page] = 1;
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::munmap(at_, kSize); }

 private:
  static constexpr std::size_t kSize = std::size_t{256} << 20;
  void* const at_;
};

template <class R>
void measure_starts(benchmark::State& state) {
  bool right = R::run();
  const double before = bench::two_thread_control();
  for (auto _ : state) right = R::run() && right;
  bench::report_control(state, before);
  bench::check(state, right, "a process did not end as it should");
}

template <class R>
void process_start_join(benchmark::State& state) {
  measure_starts<R>(state);
}

template <class R>
void process_start_join_256mib(benchmark::State& state) {
  const Memory memory;
  measure_starts<R>(state);
}

[[maybe_unused]] const bool registered = [] {
  using All = bench::Rivals<Forkserver, Spawn, RawFork, RawSpawn>;
  bench::compare(All(), BENCH_CASE(process_start_join));
  bench::compare(All(), BENCH_CASE(process_start_join_256mib), {.goals = {bench::at_most(0.1, RawFork::kName)}});
  return true;
}();

}  // namespace
