// nogil/mpi/detail/rank_pool.hpp -- one pool, as rank 0 sees it: its tasks, and the ranks that serve it.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/body_memory.hpp"
#include "nogil/mpi/detail/packet.hpp"
#include "nogil/mpi/detail/plan.hpp"
#include "nogil/multiprocessing/detail/pool_core.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
#include "nogil/threading/detail/event_core.hpp"

namespace nogil::mpi::detail {

using multiprocessing::detail::ByteSource;
using multiprocessing::detail::Late;
using multiprocessing::detail::TaskPointer;

class Hub;

// What a rank has of a pool's tasks.
struct Seat {
  // Tasks below this, in ns, are given many at a time.
  static constexpr std::int64_t kQuick = 20'000;
  static constexpr std::size_t kDeep = 256;

  explicit Seat(int its_rank) noexcept : rank(its_rank) {}

  bool quick() const noexcept { return took != 0 && took < kQuick; }

  const int rank;
  std::size_t out = 0;     // tasks that it has
  std::int64_t took = 0;   // how long tasks take there, lately, in ns
  std::int64_t heard = 0;  // when it last sent a result, or else got its first task
  bool recalled = false;   // some are to come back
  bool gone = false;
  bool closed = false;  // it has said so
};

// ChunkedMap and submit_call() see it as a pool core.
class RankPool final : public Counted {
 public:
  struct Options {
    std::size_t max_workers = 0;  // of all ranks
    std::size_t per_rank = 1;
    std::size_t credits = 0;
  };

  struct Stats {
    std::size_t ranks;        // that serve it
    std::uint64_t queued;     // tasks that no rank has
    std::uint64_t sent;       // tasks that a rank has, and has not answered
    std::uint64_t submitted;  // all that were ever
    std::uint64_t done;       // with a result or an exception
    std::uint64_t messages;   // that rank 0 has sent, for all pools
  };

  inline RankPool(Ref<Hub> its_hub, std::uint32_t its_number, const Options& options);
  inline ~RankPool() override;

  const Options& options() const noexcept { return options_; }
  inline void* executor() noexcept;
  ByteSource* call_memory() noexcept { return &BodyMemory::here(); }

  // Throws RuntimeError after shutdown, BrokenExecutor when it is broken.
  inline void submit(TaskPointer task, Late late = Late::kRefused);

  // ---- With the hub's lock ---------------------------------------------------------------------

  std::size_t depth(const Seat& seat) const noexcept {
    if (options_.credits != 0) return options_.credits;
    return seat.quick() ? Seat::kDeep : 2 * options_.per_rank;
  }

  // Who has the fewest tasks, and takes another; null: nobody.
  Seat* find_seat() noexcept {
    Seat* best = nullptr;
    for (Seat& seat : seats) {
      if (seat.gone || seat.out >= depth(seat)) continue;
      if (best == nullptr || seat.out < best->out) best = &seat;
      if (best->out == 0) break;
    }
    return best;
  }

  std::size_t ranks() const noexcept {
    std::size_t there = 0;
    for (const Seat& seat : seats) there += seat.gone ? 0 : 1;
    return there;
  }

  std::size_t out() const noexcept {
    std::size_t all = 0;
    for (const Seat& seat : seats) all += seat.out;
    return all;
  }

  const Ref<Hub> hub;
  const std::uint32_t number;
  // Guarded by the hub's lock:
  std::vector<Seat> seats{};
  std::deque<TaskPointer> backlog{};
  bool closed = false;      // takes no more tasks
  bool close_sent = false;  // the ranks know
  std::exception_ptr broken{};
  std::uint64_t submitted = 0;
  std::uint64_t done = 0;

  nogil::detail::EventCore<platform::Native> ended{};

 private:
  const Options options_;
};

}  // namespace nogil::mpi::detail
