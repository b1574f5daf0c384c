// benchmarks/support/cases.hpp -- cases, their rivals, and the goals that we set ourselves.
//
//   struct Nogil : nogil::Lock { static constexpr const char* kName = "nogil::Lock"; };
//   struct Std : std::mutex { static constexpr const char* kName = "std::mutex"; };
//
//   template <class L>
//   void lock_uncontended(benchmark::State& state) { ... }     // one template for all rivals
//
//   const bool registered = [] {
//     bench::compare(bench::Rivals<Nogil, Std>(), BENCH_CASE(lock_uncontended),
//                    {.goals = {bench::at_most(0.92, "std::mutex")}});
//     return true;
//   }();
//
// registers lock_uncontended<nogil::Lock> and lock_uncontended<std::mutex>; with
// .threads = {2, 8} also /2 and /8 of each.
//
// Rivals   The first of a list is ours. Others named nogil:: are ours too, and shown, but
//          they are nobody's peer. The first named std:: is the one behind "ours/std".
// Absent   A rival that is not installed derives from Absent; it is named in the output.

#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

// ---- Goals ---------------------------------------------------------------------------

// The peer of a goal that is whoever is fastest among those that sleep while they wait.
inline const std::string kBestPeer = "best peer";

struct Goal {
  enum class Of { kTime, kThroughput, kShare, kCpu };

  Of of;
  double bound;
  std::string peer;
  int from_threads = 0;
  double plus_ns = 0;  // of kTime: what ours may take beside its part of the peer's

  // The same goal, for this many threads or more.
  Goal from(int threads) const {
    Goal goal = *this;
    goal.from_threads = threads;
    return goal;
  }

  // The same goal of kTime, and so much more whatever the peer takes.
  Goal plus(std::chrono::nanoseconds more) const {
    Goal goal = *this;
    goal.plus_ns = static_cast<double>(more.count());
    return goal;
  }
};

// Time of ours / time of the peer.
inline Goal at_most(double ratio, std::string peer) {
  return {Goal::Of::kTime, ratio, std::move(peer)};
}

// Throughput of ours / throughput of the peer.
inline Goal at_least(double ratio, std::string peer) {
  return {Goal::Of::kThroughput, ratio, std::move(peer)};
}

// Turns of our slowest thread / turns of our fastest thread.
inline Goal share_at_least(double share) {
  return {Goal::Of::kShare, share, ""};
}

// CPU time that the process used / wall time.
inline Goal cpu_at_most(double cores) {
  return {Goal::Of::kCpu, cores, ""};
}

// ---- Cases ---------------------------------------------------------------------------

struct Absent {};

// A rival that burns its core until it is let through says `kOnlySpins = true`. It is
// shown, but it is no peer of something that sleeps.
template <class R>
inline constexpr bool kOnlySpins = false;
template <class R>
requires requires {
  R::kOnlySpins;
}
inline constexpr bool kOnlySpins<R> = R::kOnlySpins;

template <class... R>
struct Rivals {};

enum class Timing {
  kLoop,    // the library repeats the body for --benchmark_min_time
  kWindow,  // the case runs once and sets its time itself (fight() in measure.hpp)
};

struct Setup {
  std::vector<int> threads = {};  // run once with each of these as the argument
  Timing timing = Timing::kLoop;
  std::vector<Goal> goals = {};
};

struct Rival {
  std::string name;
  bool only_spins = false;
};

struct Case {
  std::string module;  // the folder of the file that has it
  std::string name;
  std::vector<Rival> rivals;  // those that are here; the first is ours
  Setup setup;
};

struct Size {
  std::string module;
  std::string name;
  std::size_t (*bytes)();
  std::size_t at_most;  // 0: a peer, or no goal
};

inline std::vector<Case>& all_cases() {
  static std::vector<Case> cases;
  return cases;
}

inline std::vector<Size>& all_sizes() {
  static std::vector<Size> sizes;
  return sizes;
}

inline std::set<std::string>& absent_rivals() {
  static std::set<std::string> names;
  return names;
}

// benchmarks/queue/queue_bench.cpp: queue.
inline std::string module_of(std::string_view file) {
  const std::size_t end = file.rfind('/');
  if (end == std::string_view::npos) return "";
  const std::size_t begin = file.rfind('/', end - 1);
  return std::string(file.substr(begin + 1, end - begin - 1));
}

inline std::string benchmark_name(const std::string& name, const std::string& rival) {
  return name + "<" + rival + ">";
}

template <class R, class Function>
void add_rival(Case& added, Function function) {
  if constexpr (std::derived_from<R, Absent>) {
    absent_rivals().insert(R::kName);
  } else {
    auto* const entry =
        benchmark::RegisterBenchmark(benchmark_name(added.name, R::kName).c_str(),
                                     [function](benchmark::State& state) { function.template operator()<R>(state); });
    for (const int threads : added.setup.threads) entry->Arg(threads);
    if (added.setup.timing == Timing::kWindow) entry->Iterations(1)->UseManualTime();
    else entry->UseRealTime();
    added.rivals.push_back({R::kName, kOnlySpins<R>});
  }
}

// Runs the case on every rival. Call it through BENCH_CASE, which makes the name and the
// function of a function template. `file` is the caller's.
template <class... R, class Function>
void compare(Rivals<R...>, const char* name, Function function, Setup setup = {}, const char* file = __builtin_FILE()) {
  Case added{module_of(file), name, {}, std::move(setup)};
  (add_rival<R>(added, function), ...);
  all_cases().push_back(std::move(added));
}

// clang-format off
#define BENCH_CASE(function) #function, []<class R>(benchmark::State& state) { function<R>(state); }
// clang-format on

// Puts sizeof(T) into the table of sizes.
template <class T>
void size_of(const char* name, std::size_t at_most_bytes = 0, const char* file = __builtin_FILE()) {
  all_sizes().push_back({module_of(file), name, [] { return sizeof(T); }, at_most_bytes});
}

// Puts what bytes() says into the table of sizes. It is called when the table is printed.
inline void size_row(std::string name, std::size_t (*bytes)(), std::size_t at_most_bytes = 0,
                     const char* file = __builtin_FILE()) {
  all_sizes().push_back({module_of(file), std::move(name), bytes, at_most_bytes});
}

}  // namespace bench
