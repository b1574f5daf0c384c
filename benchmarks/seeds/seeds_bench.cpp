// The demos that people know from the notebooks, as benchmarks, beside the standard library
// and CPython: primes, pi, a counter under a lock, a condition, pages from a slow server.
//
// Each rival does the whole of a case in its own customary way, with two threads (sixteen
// for the pages). CPython is started anew in each hold and says itself how long it took, so
// that its start is no part of the figure.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/cases.hpp"
#include "support/latency_server.hpp"
#include "support/measure.hpp"
#include "support/pi.hpp"

namespace {

constexpr int kLast = 200'000;  // the notebook's 2,000,000 takes CPython seconds
constexpr int kPrimes = 17'984;
constexpr long kSlices = 500'000;
constexpr int kParts = 10;
constexpr int kTurns = 100'000;
constexpr int kPingPongs = 5'000;
constexpr int kPages = 13;
constexpr std::size_t kFetchers = 16;

bool is_prime(int number) {
  for (int i = 2; i <= number / i; ++i) {
    if (number % i == 0) return false;
  }
  return true;
}

int primes_between(int first, int last) {
  int count = 0;
  for (int number = first; number <= last; ++number) count += is_prime(number) ? 1 : 0;
  return count;
}

double part_of_pi(int part) {
  const double width = 2.0 / kParts;
  const double from = -1 + width * part;
  return 2 * tour::integrate(tour::half_circle, from, from + width, kSlices / kParts);
}

bool is_pi(double value) {
  return value > 3.1415 && value < 3.1416;
}

tour::LatencyServer::Pages pages() {
  tour::LatencyServer::Pages all;
  for (int i = 0; i < kPages; ++i) all["/page" + std::to_string(i)] = std::chrono::milliseconds(20);
  return all;
}

// ---- The rivals ------------------------------------------------------------------------

struct Nogil {
  static constexpr const char* kName = "nogil::";

  static bool primes() {
    nogil::ThreadPoolExecutor pool(2);
    auto first = pool.submit(primes_between, 2, kLast / 2);
    auto second = pool.submit(primes_between, kLast / 2 + 1, kLast);
    return first.result() + second.result() == kPrimes;
  }
  static bool pi() {
    nogil::ThreadPoolExecutor pool(2);
    double sum = 0;
    for (const double part : pool.map(part_of_pi, std::views::iota(0, kParts))) sum += part;
    return is_pi(sum);
  }
  static bool counter() {
    nogil::Lock lock;
    std::int64_t count = 0;
    const auto add = [&] {
      for (int i = 0; i < kTurns; ++i) nogil::with(lock, [&] { ++count; });
    };
    nogil::Thread first(add);
    nogil::Thread second(add);
    first.start();
    second.start();
    return first.join() && second.join() && count == 2 * kTurns;
  }
  static bool condition() {
    nogil::LockCondition turn;
    bool other = false;
    const auto play = [&](bool mine) {
      for (int i = 0; i < kPingPongs; ++i) {
        nogil::with(turn, [&] {
          turn.wait([&] { return other == mine; });
          other = !mine;
          turn.notify();
        });
      }
    };
    nogil::Thread first(play, false);
    nogil::Thread second(play, true);
    first.start();
    second.start();
    return first.join() && second.join();
  }
  static bool fetch(std::uint16_t port) {
    nogil::ThreadPoolExecutor pool(kFetchers);
    std::vector<nogil::Future<std::string>> fetched;
    for (const auto& [path, latency] : pages()) fetched.push_back(pool.submit(tour::http_get, port, path));
    std::size_t bytes = 0;
    for (const auto& page : nogil::as_completed(fetched)) bytes += page.result().size();
    return bytes > 0;
  }
};

struct Std {
  static constexpr const char* kName = "std::async, mutex, condition_variable";

  static bool primes() {
    auto first = std::async(std::launch::async, primes_between, 2, kLast / 2);
    auto second = std::async(std::launch::async, primes_between, kLast / 2 + 1, kLast);
    return first.get() + second.get() == kPrimes;
  }
  static bool pi() {
    const auto half = [](int from) {
      double sum = 0;
      for (int part = from; part < from + kParts / 2; ++part) sum += part_of_pi(part);
      return sum;
    };
    auto first = std::async(std::launch::async, half, 0);
    auto second = std::async(std::launch::async, half, kParts / 2);
    return is_pi(first.get() + second.get());
  }
  static bool counter() {
    std::mutex lock;
    std::int64_t count = 0;
    const auto add = [&] {
      for (int i = 0; i < kTurns; ++i) {
        const std::scoped_lock hold(lock);
        ++count;
      }
    };
    std::thread first(add);
    std::thread second(add);
    first.join();
    second.join();
    return count == 2 * kTurns;
  }
  static bool condition() {
    std::mutex lock;
    std::condition_variable turn;
    bool other = false;
    const auto play = [&](bool mine) {
      for (int i = 0; i < kPingPongs; ++i) {
        std::unique_lock hold(lock);
        turn.wait(hold, [&] { return other == mine; });
        other = !mine;
        turn.notify_one();
      }
    };
    std::thread first(play, false);
    std::thread second(play, true);
    first.join();
    second.join();
    return true;
  }
  static bool fetch(std::uint16_t port) {
    std::vector<std::future<std::string>> fetched;
    for (const auto& [path, latency] : pages()) {
      fetched.push_back(std::async(std::launch::async, tour::http_get, port, path));
    }
    std::size_t bytes = 0;
    for (auto& page : fetched) bytes += page.get().size();
    return bytes > 0;
  }
};

#ifdef NOGIL_BENCH_PYTHON
struct CPython {
  static constexpr const char* kName = "CPython";

  // The seconds that the script says the case took; none if it failed.
  static std::optional<double> run(const std::string& case_and_arguments) {
    const std::string command =
        std::string(NOGIL_BENCH_PYTHON " " NOGIL_BENCH_SCRIPTS "/seeds_bench.py ") + case_and_arguments;
    const auto close = [](std::FILE* pipe) { ::pclose(pipe); };
    const std::unique_ptr<std::FILE, decltype(close)> output(::popen(command.c_str(), "r"), close);
    double seconds = 0;
    if (output == nullptr || std::fscanf(output.get(), "%lf", &seconds) != 1) return std::nullopt;
    return seconds;
  }
};
#else
struct CPython : bench::Absent {
  static constexpr const char* kName = "CPython";
};
#endif

// Runs one hold: `ours` of a C++ rival, or the case of that name by CPython.
template <class R, class Body>
void seed(benchmark::State& state, const std::string& python, Body body) {
  for (auto _ : state) {
    if constexpr (requires { R::run(python); }) {
      const std::optional<double> seconds = R::run(python);
      bench::check(state, seconds.has_value(), "the script failed");
      state.SetIterationTime(seconds.value_or(1));
    } else {
      const bench::Usage usage;
      const auto began = bench::Clock::now();
      const bool right = body.template operator()<R>();
      state.SetIterationTime(bench::Seconds(bench::Clock::now() - began).count());
      state.counters["cpu_wall"] = usage.cpu_per_wall();
      bench::check(state, right, "a wrong result");
    }
  }
}

template <class R>
void seed_primes(benchmark::State& state) {
  seed<R>(state, "primes", []<class Rival>() { return Rival::primes(); });
}
template <class R>
void seed_pi(benchmark::State& state) {
  seed<R>(state, "pi", []<class Rival>() { return Rival::pi(); });
}
template <class R>
void seed_counter(benchmark::State& state) {
  seed<R>(state, "counter", []<class Rival>() { return Rival::counter(); });
}
template <class R>
void seed_condition(benchmark::State& state) {
  seed<R>(state, "condition", []<class Rival>() { return Rival::condition(); });
}
template <class R>
void seed_url_fetch(benchmark::State& state) {
  tour::LatencyServer server(pages());
  const std::uint16_t port = server.port();
  seed<R>(state, "fetch " + std::to_string(port), [port]<class Rival>() { return Rival::fetch(port); });
}

[[maybe_unused]] const bool registered = [] {
  constexpr auto kWindow = bench::Timing::kWindow;
  using All = bench::Rivals<Nogil, Std, CPython>;
  bench::compare(All(), BENCH_CASE(seed_primes), {.timing = kWindow});
  bench::compare(All(), BENCH_CASE(seed_pi), {.timing = kWindow});
  bench::compare(All(), BENCH_CASE(seed_counter), {.timing = kWindow});
  bench::compare(All(), BENCH_CASE(seed_condition), {.timing = kWindow});
  bench::compare(All(), BENCH_CASE(seed_url_fetch), {.timing = kWindow});
  return true;
}();

}  // namespace
