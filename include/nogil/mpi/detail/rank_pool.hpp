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

  // Its place in RankPool's rows.
  static constexpr std::size_t kNoRow = ~std::size_t{0};
  std::size_t row = kNoRow;
  Seat* before = nullptr;
  Seat* after = nullptr;
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
  ByteSource* call_memory() noexcept { return BodyMemory::here(); }

  // Throws RuntimeError after shutdown, BrokenExecutor when it is broken.
  inline void submit(TaskPointer task, Late late = Late::kRefused);

  // ---- With the hub's lock ---------------------------------------------------------------------

  std::size_t depth(const Seat& seat) const noexcept {
    if (options_.credits != 0) return options_.credits;
    return seat.quick() ? Seat::kDeep : 2 * options_.per_rank;
  }

  // When all seats are there: the first is found first.
  void file_all() {
    for (std::size_t i = seats.size(); i-- > 0;) file(seats[i]);
  }

  // After each change of what the seat's depth depends on, or of `gone`.
  void file(Seat& seat) {
    const std::size_t row = seat.gone || seat.out >= depth(seat) ? Seat::kNoRow : seat.out;
    if (row == seat.row) return;
    if (seat.row != Seat::kNoRow) {
      (seat.before != nullptr ? seat.before->after : rows_[seat.row]) = seat.after;
      if (seat.after != nullptr) seat.after->before = seat.before;
    }
    seat.row = Seat::kNoRow;
    if (row == Seat::kNoRow) return;
    if (row >= rows_.size()) rows_.resize(row + 1);
    seat.row = row;
    seat.before = nullptr;
    seat.after = std::exchange(rows_[row], &seat);
    if (seat.after != nullptr) seat.after->before = &seat;
    if (row < lowest_) lowest_ = row;
  }

  // The seat has one task more, or one fewer.
  void add_task(Seat& seat) {
    ++seat.out;
    ++out_;
    file(seat);
  }
  void drop_task(Seat& seat) {
    --seat.out;
    --out_;
    file(seat);
  }

  // Who has the fewest tasks, and takes another, and of those the last that came to it; null: nobody.
  Seat* find_seat() noexcept {
    for (; lowest_ < rows_.size(); ++lowest_) {
      if (rows_[lowest_] != nullptr) return rows_[lowest_];
    }
    return nullptr;
  }

  // Whether it is time to look through all ranks for work that lies badly: that takes its time
  // with many of them, and no more than a part of all shall be spent so.
  bool may_balance(std::int64_t now) noexcept {
    if (now - balanced_ < kBalanceForEach * static_cast<std::int64_t>(seats.size())) return false;
    balanced_ = now;
    return true;
  }

  // Whether a rank has no task.
  bool any_idle() const noexcept { return !rows_.empty() && rows_[0] != nullptr; }

  std::size_t ranks() const noexcept {
    std::size_t there = 0;
    for (const Seat& seat : seats) there += seat.gone ? 0 : 1;
    return there;
  }

  std::size_t out() const noexcept { return out_; }

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
  static constexpr std::int64_t kBalanceForEach = 20;  // ns from one look to the next, for each seat

  const Options options_;
  // Seats with room, by how many tasks they have: rows_[n] is the first of those with n. A seat
  // changes rows with each task, in constant time, so nobody has to look through all ranks.
  std::vector<Seat*> rows_{};
  std::size_t lowest_ = 0;  // no row before it has any
  std::size_t out_ = 0;     // tasks that the ranks have
  std::int64_t balanced_ = 0;
};

}  // namespace nogil::mpi::detail
