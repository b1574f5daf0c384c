// nogil/futures/detail/map_state.hpp -- one call of map(): its elements, their results, who computes them.
//
// Not a task for each element, but a few tasks, the runners, that take the elements in
// order, some at a time (pace.hpp), until there is none left. So an element costs a few
// nanoseconds, and the first to be asked for is the first to be done.
//
// Threads    run() and what it uses: by runners. The rest: by the one thread that has the
//            results.
// Window     With a bound, at most so many elements are read and not yet dropped. Runners
//            end when they can claim nothing; the reader, who makes room, submits new ones.
// Lifetime   Shared by the reader and the runners. It keeps the pool's shared part, too.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/future_result.hpp"
#include "nogil/futures/detail/future_task.hpp"
#include "nogil/futures/detail/map_source.hpp"
#include "nogil/futures/detail/pace.hpp"
#include "nogil/futures/detail/pool.hpp"
#include "nogil/futures/detail/result_row.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::detail {

struct MapSetup {
  std::uint64_t chunksize;   // 0: by measuring
  std::uint64_t buffersize;  // 0: no bound
  platform::Deadline deadline;
};

template <class F, class Source>
class MapState final : public Counted {
 public:
  using Result = typename Source::template Result<F>;
  using Value = FutureValue<Result>;

  template <class Function, class... Ranges>
  MapState(Pool& pool, const MapSetup& setup, Function&& function, Ranges&&... ranges)
      : pool_(&pool),
        setup_(setup),
        function_(std::forward<Function>(function)),
        source_(std::forward<Ranges>(ranges)...) {
    pool.add_owner();  // pool_'s
  }
  ~MapState() override { results_.clear(claimed_.load(std::memory_order_relaxed)); }

  // ---- The reader ----------------------------------------------------------------------

  // Reads as many elements as it may, and has the first runners submitted.
  void start() {
    std::uint64_t count = 0;
    if constexpr (Source::kInPlace) {
      size_ = source_.size();
      count = setup_.buffersize != 0 && setup_.buffersize < size_ ? setup_.buffersize : size_;
    } else {
      source_.reserve(setup_.buffersize);
      while ((setup_.buffersize == 0 || count < setup_.buffersize) && !exhausted_) {
        if (source_.read(count)) ++count;
        else exhausted_ = true;
      }
    }
    if (count == 0) return;
    results_.allocate(count);
    readable_.store(count, std::memory_order_release);
    submit_runners(count);
  }

  bool at_end() const noexcept { return results_.position() == readable_.load(std::memory_order_relaxed); }

  // The next result; waits for it. Throws what the callable threw, TimeoutError,
  // CancelledError, and what submit() throws.
  decltype(auto) current() {
    if (!results_.ready()) await();
    if constexpr (std::is_reference_v<Value>) return static_cast<Value>(*results_.value());
    else return std::move(results_.value());
  }

  // Drops that result, and reads another element in its place.
  void advance() {
    if (!results_.ready()) await();
    results_.drop();
    if (setup_.buffersize != 0) refill();
  }

  // Drops what has not begun, and waits for what has: it may use memory of the caller's.
  void stop() noexcept {
    stopped_.store(true, std::memory_order_seq_cst);
    platform::Wait forever;
    wait_until([this] { return busy_.load(std::memory_order_seq_cst) == 0; }, forever);
  }

 private:
  // A task that runs until nothing can be claimed.
  class Runner {
   public:
    explicit Runner(Ref<MapState> state) noexcept : state_(std::move(state)) {}
    Runner(Runner&&) noexcept = default;
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    ~Runner() {
      if (state_) state_->runner_cancelled();
    }
    void operator()() noexcept {
      const Ref<MapState> state = std::move(state_);
      state->run();
    }

   private:
    Ref<MapState> state_;
  };

  // ---- Runners -------------------------------------------------------------------------

  void run() noexcept {
    Pace pace(setup_.chunksize, pool_->size());
    pace.begin();
    do {
      for (Pace::Length unshown{}; run_chunk(pace);) {
        // The reader is woken for a little work only when there is not more to come.
        unshown += pace.last();
        if (setup_.chunksize == 0 && unshown < kWorthAWakeUp && may_claim()) continue;
        unshown = {};
        changed_.notify(1);
      }
      runners_.fetch_sub(1, std::memory_order_acq_rel);
      // The reader may have made room since, and have counted on this runner.
    } while (may_claim() && (runners_.fetch_add(1, std::memory_order_acq_rel), true));
    changed_.notify(1);
  }

  void runner_cancelled() noexcept {
    cancelled_.store(true, std::memory_order_relaxed);
    runners_.fetch_sub(1, std::memory_order_acq_rel);
    changed_.notify(1);
  }

  bool may_claim() const noexcept {
    return claimed_.load(std::memory_order_acquire) < readable_.load(std::memory_order_acquire) &&
           !stopped_.load(std::memory_order_relaxed);
  }

  // Computes the next few elements. False: there are none.
  bool run_chunk(Pace& pace) noexcept {
    // Counted as busy before the look at stopped_, as stop() sets that before it looks here.
    busy_.fetch_add(1, std::memory_order_seq_cst);
    std::uint64_t first = claimed_.load(std::memory_order_relaxed);
    std::uint64_t count = 0;
    do {
      const std::uint64_t end = readable_.load(std::memory_order_acquire);
      count = first < end && !stopped_.load(std::memory_order_seq_cst) ? pace.next(end - first) : 0;
    } while (count != 0 && !claimed_.compare_exchange_weak(first, first + count, std::memory_order_acq_rel,
                                                           std::memory_order_relaxed));
    if (count != 0) {
      results_.compute(first, count, stopped_, [this](std::uint64_t index) -> Result { return call(index); });
    }
    const bool last = busy_.fetch_sub(1, std::memory_order_seq_cst) == 1;
    if (last && stopped_.load(std::memory_order_seq_cst)) changed_.notify(1);
    if (count != 0) pace.done(count);
    return count != 0;
  }

  Result call(std::uint64_t index) {
    if constexpr (Source::kInPlace) {
      return static_cast<Result>(source_.call(function_, index));
    } else {
      struct Drop {
        Source& source;
        std::uint64_t index;
        ~Drop() { source.drop(index); }
      } const drop{source_, index};
      return static_cast<Result>(source_.call(function_, index));
    }
  }

  // ---- The reader, too -----------------------------------------------------------------

  // As many as make sense for so many elements.
  void submit_runners(std::uint64_t elements) {
    std::uint64_t wanted = setup_.chunksize > 1 ? (elements + setup_.chunksize - 1) / setup_.chunksize : elements;
    if (wanted > pool_->size()) wanted = pool_->size();
    while (runners_.load(std::memory_order_acquire) < wanted) submit_runner();
  }

  void submit_runner() {
    if (pool_->refuses()) pool_->refuse();
    using Call = BoundCall<Runner>;
    add_owner();
    runners_.fetch_add(1, std::memory_order_acq_rel);
    Runner runner{Ref<MapState>(this)};
    BlockRef entry(&Task<Call>::make(1, pool_.get(), std::move(runner)));
    pool_->submit(entry);
  }

  void refill() {
    const std::uint64_t end = readable_.load(std::memory_order_relaxed);
    if constexpr (Source::kInPlace) {
      if (end == size_) return;
    } else {
      if (exhausted_) return;
      if (!source_.read(end)) {
        exhausted_ = true;
        return;
      }
    }
    readable_.store(end + 1, std::memory_order_release);
    submit_runners(end + 1 - claimed_.load(std::memory_order_relaxed));
  }

  [[gnu::noinline]] void await() {
    // Nobody is at the next element, nor will anybody come to it by himself.
    const auto stalled = [this] {
      return runners_.load(std::memory_order_acquire) == 0 &&
             claimed_.load(std::memory_order_acquire) <= results_.position();
    };
    platform::Wait wait(setup_.deadline);
    for (;;) {
      // A worker of the pool may be the only one: it computes the element itself.
      if (claimed_.load(std::memory_order_acquire) <= results_.position() && pool_->inside()) {
        Pace one_by_one(1, 1);
        run_chunk(one_by_one);
      }
      if (!wait_until([&] { return results_.ready() || stalled(); }, wait)) {
        throw TimeoutError("ThreadPoolExecutor.map: the next result was not there in time");
      }
      if (results_.ready()) return;
      if (cancelled_.load(std::memory_order_relaxed)) {
        if (pool_->broken()) pool_->refuse();
        throw CancelledError("ThreadPoolExecutor.map: cancelled by shutdown()");
      }
      submit_runner();
    }
  }

  // False: the limit was reached first.
  template <class Ready>
  bool wait_until(Ready ready, platform::Wait& wait) noexcept {
    platform::BasicBackoff<platform::Native> backoff(wait);
    while (!ready() && backoff.again()) {
    }
    while (!ready()) {
      const auto key = changed_.prepare();
      if (ready()) {
        changed_.cancel(key);
        return true;
      }
      if (!changed_.wait(key, wait, "map")) return ready();
    }
    return true;
  }

  static constexpr std::chrono::microseconds kWorthAWakeUp{100};

  Ref<Pool> pool_;
  const MapSetup setup_;
  F function_;
  Source source_;
  std::uint64_t size_ = 0;  // in place: of the ranges
  bool exhausted_ = false;  // else: they have no more
  ResultRow<Value> results_;

  // Elements below claimed_ are done, or somebody is at them; those below readable_ may be
  // claimed. Both are counted from the first element of all.
  alignas(platform::kCacheLine) std::atomic<std::uint64_t> claimed_{0};
  std::atomic<std::uint32_t> busy_{0};     // threads in run_chunk()
  std::atomic<std::uint32_t> runners_{0};  // submitted, and not yet at their end
  alignas(platform::kCacheLine) std::atomic<std::uint64_t> readable_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> cancelled_{false};  // a runner, before it began
  platform::EventCount changed_;
};

}  // namespace nogil::detail
