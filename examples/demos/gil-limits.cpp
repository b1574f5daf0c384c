// gil-limits -- what a global lock makes of threads that compute.
//
// The notebook promises an example of what the GIL costs, and does not show one. Here it
// is: the same work in several threads, once under a lock that works as CPython's does,
// and once without. Whoever wants the GIL waits 5 ms, then asks for it; the holder looks
// now and then whether anybody asks, lets go, and waits until another has it. So one
// thread computes at a time: several take as long as one would for all the work. Without
// it, they take as long as the cores allow. (A C++ program has no such lock to begin with.)
//
// Python:
//
//     def work(pieces):
//         for i in range(pieces):
//             churn(i, 100)
//
//     for t in threads:                  # the GIL is there by itself
//         t.start()
//     for t in threads:
//         t.join()

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/churn.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

class Gil {
 public:
  static constexpr std::chrono::milliseconds kSwitchInterval = 5ms;  // sys.getswitchinterval()

  void take() {
    const std::scoped_lock guard(changed_);
    while (held_) {
      const long seen = switches_;
      if (!changed_.wait(kSwitchInterval) && switches_ == seen) asked_for_ = true;
    }
    held_ = true;
    asked_for_ = false;
    ++switches_;
    changed_.notify_all();
  }

  void release() {
    const std::scoped_lock guard(changed_);
    held_ = false;
    changed_.notify_all();
  }

  bool asked_for() const { return asked_for_.load(std::memory_order_relaxed); }

  // Lets go of it until somebody else has had it.
  void hand_over() {
    {
      const std::scoped_lock guard(changed_);
      const long seen = switches_;
      held_ = false;
      changed_.notify_all();
      changed_.wait([&] { return switches_ != seen; });
    }
    take();
  }

  long switches() const { return switches_; }

 private:
  nogil::LockCondition changed_;
  bool held_ = false;
  long switches_ = 0;
  std::atomic<bool> asked_for_ = false;
};

// For comparison: nobody waits for it.
struct NoGil {
  void take() {}
  void release() {}
  void hand_over() {}
  static bool asked_for() { return false; }
  static long switches() { return 0; }
};

struct Outcome {
  tour::Seconds wall{0};
  std::uint64_t result = 0;
  long pieces = 0;
  int at_once = 0;
  long switches = 0;
};

template <class Lock>
Outcome work(tour::Run& run, const std::string& name, int threads, long pieces) {
  constexpr long kSteps = 10'000;
  Lock gil;
  Outcome outcome;
  std::atomic<std::uint64_t> result = 0;
  std::atomic<long> done = 0;
  std::atomic<int> inside = 0, most = 0;
  nogil::Barrier begin(threads);

  auto compute = [&](tour::Lane& lane, std::uint64_t seed) {
    const auto with_gil = [&] {
      lane.begin(tour::Paint::work);
      const int now = ++inside;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
    };
    begin.wait();
    lane.begin(tour::Paint::wait);
    gil.take();
    with_gil();
    for (long i = 0; i < pieces; ++i) {
      result ^= tour::churn(seed * 1'000'000 + static_cast<std::uint64_t>(i), kSteps);
      ++done;
      if (!gil.asked_for()) continue;
      --inside;
      lane.begin(tour::Paint::wait);
      gil.hand_over();
      with_gil();
    }
    --inside;
    lane.end();
    gil.release();
  };

  std::vector<nogil::Thread> all;
  const tour::Stopwatch watch;
  for (int n = 0; n < threads; ++n) {
    tour::Lane& lane = run.timeline.lane(tour::text(name, ' ', n + 1));
    all.emplace_back(compute, std::ref(lane), static_cast<std::uint64_t>(n)).start();
  }
  for (nogil::Thread& t : all) t.join();
  outcome.wall = watch.wall();
  outcome.result = result;
  outcome.pieces = done;
  outcome.at_once = most;
  outcome.switches = gil.switches();
  run.timeline.again();
  return outcome;
}

void gil_limits(tour::Run& run) {
  const int threads = run.threads(std::clamp(static_cast<int>(nogil::cpu_count()), 2, 8));
  const long pieces = run.size(4'000, 1'000);
  run.timeline.legend(tour::Paint::work, "computes");
  run.timeline.legend(tour::Paint::wait, "waits for the GIL");

  const Outcome with = work<Gil>(run, "with a GIL", threads, pieces);
  run.progress(0.6);
  const Outcome without = work<NoGil>(run, "without", threads, pieces);
  run.timeline.print_text();

  tour::print(threads, " threads, ", nogil::cpu_count(), " cores, ", pieces, " pieces of work each");
  tour::print("with a GIL:  ", tour::seconds(with.wall, 3), ", handed over ", with.switches - threads,
              " times, at most ", with.at_once, " at once");
  tour::print("without:     ", tour::seconds(without.wall, 3), ", at most ", without.at_once,
              " at once: ", tour::fixed(with.wall / without.wall, 2), " times as fast");

  run.expect("pieces", with.pieces, threads * pieces);
  run.expect("at once, with a GIL", with.at_once, 1);
  run.check(with.result == without.result && without.pieces == with.pieces, "both ways give the same result");
}

const tour::Demo registered({.id = "gil-limits",
                             .cell = "0.17d",
                             .seconds = 0.4,
                             .teaches = "threads that compute, under an emulated GIL and without one"},
                            gil_limits);

}  // namespace
