// preemptive-vs-cooperative -- who decides whose turn it is: the system, or those who run?
//
// One ticks ten times a second, and the other computes for a second. As threads they need not
// know of each other: the system takes the core from the one that computes, in the middle of
// what it does, whenever the other one is due. (Here both have to share one core, or else
// there would be nothing to take.) As coroutines they take turns by themselves, at each
// co_await and nowhere else. So one that computes and never awaits stops all others, and
// one that says yield() now and then stops nobody.
//
// What a coroutine gets for its politeness: between two co_awaits nobody else can touch what
// it works on, and it needs no lock.
//
// Python:
//
//     def hog():
//         while time.perf_counter() < end:
//             compute()
//
//     def ticker():
//         while not over.wait(0.1):
//             print("tick")
//
//     async def hog():
//         while time.perf_counter() < end:
//             compute()
//             await asyncio.sleep(0)              # without it, nobody ticks
//
//     async def ticker():
//         while True:
//             await asyncio.sleep(0.1)
//             print("tick")

#include <sched.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "nogil/asyncio.hpp"
#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

constexpr tour::Seconds kTick = 0.1s, kHog = 1s;
constexpr tour::Seconds kAlone = 0.35s;  // before the other one begins to compute, and afterwards
constexpr int kEnough = 3;               // ticks, to show that it goes on

// Somewhat less than a millisecond of work.
void compute() {
  static volatile std::uint32_t result;
  std::uint32_t number = result;
  for (int i = 0; i < 200'000; ++i) number = number * 1'664'525 + 1'013'904'223;
  result = number;
}

// The ticks of one, and the longest time without.
class Ticker {
 public:
  explicit Ticker(tour::Lane& lane) : lane_(lane) { lane_.begin(tour::Paint::wait); }

  void tick() {
    lane_.mark(tour::Paint::hold, "tick");
    lane_.begin(tour::Paint::wait);
    pause();
    ++ticks_;
  }
  void end() {
    pause();
    lane_.end();
  }

  int ticks() const { return ticks_; }
  tour::Seconds longest_pause() const { return longest_; }

 private:
  void pause() {
    const auto now = tour::Clock::now();
    if (now - last_ > longest_) longest_ = now - last_;
    last_ = now;
  }

  tour::Lane& lane_;
  std::atomic<int> ticks_ = 0;
  tour::Clock::time_point last_ = tour::Clock::now();
  tour::Seconds longest_{0};
};

struct Outcome {
  int ticks = 0;  // while the other one computed
  tour::Seconds longest_pause{0};
};

void print(std::string_view how, const Outcome& outcome, const std::string& turns) {
  tour::print(tour::pad_right(std::string(how), 30), tour::pad_left(std::to_string(outcome.ticks), 3), " ticks, ",
              tour::seconds(outcome.longest_pause, 3), " without at most; ", turns);
}

// ---- Preemptive ---------------------------------------------------------------------

// From now on the threads that have called this share one core.
void share_a_core() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    CPU_ZERO(&allowed);
    CPU_SET(core, &allowed);
    ::sched_setaffinity(0, sizeof allowed, &allowed);
    return;
  }
}

// How often the system has taken the core from this thread.
long interruptions() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used.ru_nivcsw;
}

Outcome preemptive(tour::Run& run) {
  tour::Lane& lane = run.timeline.lane("thread");
  Ticker ticker(run.timeline.lane("beside it"));
  nogil::Event over;
  Outcome outcome;
  long interrupted = 0;

  nogil::Thread ticking([&] {
    share_a_core();
    while (!over.wait(run.scaled(kTick))) ticker.tick();
  });
  nogil::Thread hog([&] {
    share_a_core();
    run.sleep(kAlone);
    const int before = ticker.ticks();
    const long so_far = interruptions();
    lane.begin(tour::Paint::work);
    const auto end = tour::Clock::now() + run.scaled(kHog);
    while (tour::Clock::now() < end || ticker.ticks() - before < kEnough) compute();
    lane.end();
    interrupted = interruptions() - so_far;
    outcome.ticks = ticker.ticks() - before;
    run.sleep(kAlone);
  });
  ticking.start();
  hog.start();
  hog.join();
  over.set();
  ticking.join();
  ticker.end();
  outcome.longest_pause = ticker.longest_pause();
  print("threads:", outcome, tour::text("the core was taken away ", interrupted, " times"));
  return outcome;
}

// ---- Cooperative --------------------------------------------------------------------

asyncio::Coro<> tick_for_ever(tour::Run& run, Ticker& ticker) {
  for (;;) {
    co_await asyncio::sleep(run.scaled(kTick));
    ticker.tick();
  }
}

asyncio::Coro<Outcome> cooperative(tour::Run& run, bool polite) {
  tour::Lane& lane = run.timeline.lane(polite ? "with yield()" : "no co_await");
  Ticker ticker(run.timeline.lane("beside it"));
  Outcome outcome;
  long yields = 0;

  auto ticking = asyncio::create_task(tick_for_ever(run, ticker));
  co_await asyncio::sleep(run.scaled(kAlone));
  const int before = ticker.ticks();
  lane.begin(tour::Paint::work);
  const auto end = tour::Clock::now() + run.scaled(kHog);
  while (tour::Clock::now() < end || (polite && ticker.ticks() - before < kEnough)) {
    compute();
    if (!polite) continue;
    co_await asyncio::yield();
    ++yields;
  }
  lane.end();
  outcome.ticks = ticker.ticks() - before;
  co_await asyncio::sleep(run.scaled(kAlone));
  ticking.cancel();
  co_await asyncio::gather_settled(ticking);
  ticker.end();
  outcome.longest_pause = ticker.longest_pause();
  print(polite ? "coroutines, with yield():" : "coroutines, no co_await:", outcome, tour::text(yields, " yields"));
  co_return outcome;
}

void preemptive_vs_cooperative(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "computes");
  run.timeline.legend(tour::Paint::wait, "waits for its next tick");
  run.timeline.legend(tour::Paint::hold, "tick");

  const Outcome threads = preemptive(run);
  run.timeline.again();
  const Outcome no_await = asyncio::run(cooperative(run, false));
  run.timeline.again();
  const Outcome polite = asyncio::run(cooperative(run, true));
  run.timeline.print_text();

  run.expect("a thread ticks beside one that computes", threads.ticks >= kEnough, true);
  run.expect("ticks beside a coroutine that never awaits", no_await.ticks, 0);
  run.expect("a coroutine ticks beside one that yields", polite.ticks >= kEnough, true);
  run.expect_at_least("without a tick", no_await.longest_pause, run.scaled(kHog));
}

const tour::Demo registered({.id = "preemptive-vs-cooperative",
                             .cell = "3.3",
                             .seconds = 5.1,
                             .teaches = "the system interrupts threads; coroutines have to await"},
                            preemptive_vs_cooperative);

}  // namespace
