// nogil/mpi/detail/hub_tables.hpp -- which rank has which task.
//
// The rest of hub.hpp: pools, and what is done with the lock.

#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "nogil/mpi/detail/hub.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::mpi::detail {

inline Ref<RankPool> Hub::open(const RankPool::Options& options, const PoolPlan& plan, std::size_t most_ranks) {
  add_owner();
  Ref<RankPool> pool;
  {
    const platform::RawGuard guard(exchange_.lock());
    if (over_) throw RuntimeError("MPIPoolExecutor: nogil::mpi::run() is over");
    pool = Ref<RankPool>(new RankPool(Ref<Hub>(this), ++last_number_, options));
    for (std::size_t rank = 1; rank < ranks_ && pool->seats.size() < most_ranks; ++rank) {
      bool there = true;
      for (const int lost : lost_) there = there && lost != static_cast<int>(rank);
      if (there) pool->seats.emplace_back(static_cast<int>(rank));
    }
    if (pool->seats.empty()) throw BrokenExecutor("MPIPoolExecutor: all ranks that serve were lost");
    pool->file_all();
    for (const Seat& seat : pool->seats) {
      Frame frame;
      OutputArchive out(frame);
      save_plan(out, plan);
      exchange_.append(seat.rank, {RecordKind::kOpen, pool->number, 0, 0}, std::move(frame.bytes));
    }
    pools_.push_back(pool);
  }
  exchange_.ring();
  return pool;
}

inline void Hub::submit(RankPool& pool, TaskPointer task) {
  if (!task->call.files.empty()) {
    throw ValueError(
        "mpi: a Lock, a Queue, a Value or the like lies in the memory of one machine, and cannot be sent to another "
        "rank");
  }
  Taken taken;
  bool mine = false;
  bool ring = false;
  {
    const platform::RawGuard guard(exchange_.lock());
    if (pool.broken) std::rethrow_exception(pool.broken);
    if (pool.closed) throw RuntimeError("MPIPoolExecutor: it was shut down, and takes no more tasks");
    ++pool.submitted;
    pool.backlog.push_back(std::move(task));
    dispatch(pool, taken);
    const bool urgent = std::exchange(urgent_, false);
    mine = urgent && exchange_.take();
    ring = !drowsy_ || (urgent && !exchange_.taken());
  }
  if (mine) {
    std::vector<TaskBlock*> untold;
    ring = leave(untold) || ring;
  }
  if (ring) exchange_.ring();
}

inline void Hub::close(RankPool& pool, bool cancel) noexcept {
  std::vector<TaskPointer> cancelled;
  Taken taken;
  {
    const platform::RawGuard guard(exchange_.lock());
    pool.closed = true;
    if (cancel) {
      for (TaskPointer& task : pool.backlog) {
        if (!task->begun) cancelled.push_back(std::move(task));
      }
      std::erase(pool.backlog, nullptr);
    }
    see_to_end(pool, taken);
  }
  for (TaskPointer& task : cancelled) task->cancel();
  conclude(taken, Finisher());
  exchange_.ring();
}

// ---- With the lock ---------------------------------------------------------------------------------

// Moves tasks from the backlog to the ranks, as far as they have room.
inline void Hub::dispatch(RankPool& pool, Taken& taken) {
  while (!pool.backlog.empty()) {
    Seat* const seat = pool.find_seat();
    if (seat == nullptr) return;
    TaskPointer task = std::move(pool.backlog.front());
    pool.backlog.pop_front();
    if (!task->begun && !task->begin()) {
      taken.dropped.push_back(std::move(task));
      continue;
    }
    task->begun = true;
    give(pool, *seat, std::move(task));
  }
}

inline void Hub::give(RankPool& pool, Seat& seat, TaskPointer task) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(given_.size()));
    given_.emplace_back();
  }
  const std::uint32_t place = free_.back();
  free_.pop_back();
  Given& given = given_[place];
  const std::uint64_t id = std::uint64_t{++given.generation} << 32 | place;
  exchange_.append(seat.rank, {RecordKind::kTask, pool.number, id, 0}, std::move(task->call.bytes));
  if (seat.out == 0 || exchange_.waiting(seat.rank) >= kBatch) urgent_ = true;
  given.task = std::move(task);
  given.pool = &pool;
  given.seat = &seat;
  if (seat.out == 0) seat.heard = last_message_;
  pool.add_task(seat);
  ++out_;
}

// Null: a rank gone mad.
inline TaskPointer Hub::take_given(std::uint64_t id, RankPool*& pool, Seat*& seat) {
  const auto place = static_cast<std::uint32_t>(id);
  if (place >= given_.size() || given_[place].generation != id >> 32 || !given_[place].task) return nullptr;
  Given& given = given_[place];
  pool = given.pool;
  seat = given.seat;
  pool->drop_task(*seat);
  --out_;
  free_.push_back(place);
  return std::move(given.task);
}

inline void Hub::take_in(const Ref<Packet>& packet, Taken& taken) {
  if (!packet->lost.empty()) return lose(packet->peer, packet->lost, taken);
  packet->for_each([&](const Record& record, const std::byte* body) { take_record(record, body, packet, taken); });
  for (std::size_t i = pools_.size(); i-- > 0;) {
    RankPool& pool = *pools_[i];
    dispatch(pool, taken);
    balance(pool, last_message_);
    see_to_end(pool, taken);
  }
}

inline void Hub::take_record(const Record& record, const std::byte* body, const Ref<Packet>& packet, Taken& taken) {
  RankPool* pool = nullptr;
  Seat* seat = nullptr;
  const auto size = static_cast<std::size_t>(record.size);
  switch (record.kind) {
    case RecordKind::kResult:
    case RecordKind::kError:
      if (TaskPointer task = take_given(record.id, pool, seat)) {
        seat->took = (seat->took * 7 + record.took + 8) / 8;
        pool->file(*seat);
        seat->heard = last_message_;
        ++pool->done;
        taken.outcomes.push_back({std::move(task), packet, body, size, record.kind == RecordKind::kError});
      }
      break;
    case RecordKind::kReturned:
      if (TaskPointer task = take_given(record.id, pool, seat)) {
        task->call = Frame();
        std::memcpy(task->call.bytes.extend(size), body, size);
        pool->backlog.push_front(std::move(task));
      }
      break;
    default:
      for (const Ref<RankPool>& one : pools_) {
        if (one->number != record.pool) continue;
        for (Seat& each : one->seats) {
          if (each.rank != packet->peer) continue;
          if (record.kind == RecordKind::kClosed) each.closed = true;
          if (record.kind == RecordKind::kRecalled) each.recalled = false;
        }
        if (record.kind == RecordKind::kBroken) {
          InputArchive in(body, size);
          const std::exception_ptr cause = multiprocessing::detail::load_exception(in);
          platform::Text text;
          text << "MPIPoolExecutor: rank " << static_cast<std::uint64_t>(packet->peer)
               << " cannot run tasks, perhaps because the initializer failed: "
               << nogil::detail::describe_exception(cause);
          break_pool(*one, std::make_exception_ptr(BrokenExecutor(text.take(), cause)), taken);
        }
        break;
      }
  }
}

// A rank without work gets some of what waits in another. So no task waits for one before it,
// of which nobody knows how long it takes, longer than it must. What will soon be done anyway is
// left where it is.
inline void Hub::balance(RankPool& pool, std::int64_t now) {
  if (!pool.backlog.empty() || !pool.any_idle() || !pool.may_balance(now)) return;
  const std::size_t workers = pool.options().per_rank;
  Seat* most = nullptr;
  for (Seat& seat : pool.seats) {
    if (seat.gone || seat.recalled || seat.out <= workers || (most != nullptr && seat.out <= most->out)) continue;
    const auto soon = static_cast<std::int64_t>(seat.out - workers) * seat.took;
    if (seat.took == 0 || soon > kWorthMoving || now - seat.heard > kWorthMoving) most = &seat;
  }
  if (most == nullptr) return;
  most->recalled = true;
  const std::size_t waiting = most->out - workers;
  exchange_.append(most->rank, {RecordKind::kRecall, pool.number, (waiting + 1) / 2, 0});
  urgent_ = true;
}

// Everything that it has to do fails.
inline void Hub::break_pool(RankPool& pool, const std::exception_ptr& error, Taken& taken) {
  if (pool.broken) return;
  pool.broken = error;
  pool.closed = true;
  for (TaskPointer& task : pool.backlog) taken.outcomes.push_back({std::move(task), {}, nullptr, 0, true, error});
  pool.backlog.clear();
  for (std::uint32_t place = 0; place < given_.size(); ++place) {
    if (!given_[place].task || given_[place].pool != &pool) continue;
    RankPool* its_pool = nullptr;
    Seat* seat = nullptr;
    TaskPointer task = take_given(std::uint64_t{given_[place].generation} << 32 | place, its_pool, seat);
    taken.outcomes.push_back({std::move(task), {}, nullptr, 0, true, error});
  }
}

inline void Hub::lose(int rank, const std::string& why, Taken& taken) {
  lost_.push_back(rank);
  const std::exception_ptr error = std::make_exception_ptr(
      BrokenExecutor((platform::Text() << "MPIPoolExecutor: rank " << static_cast<std::uint64_t>(rank)
                                       << " was lost, which had this task: " << why)
                         .take()));
  for (std::size_t i = pools_.size(); i-- > 0;) {
    RankPool& pool = *pools_[i];
    bool any = false;
    for (Seat& seat : pool.seats) {
      if (seat.rank == rank) seat.gone = seat.closed = true;
      pool.file(seat);
      any = any || !seat.gone;
    }
    for (std::uint32_t place = 0; place < given_.size(); ++place) {
      if (!given_[place].task || given_[place].pool != &pool || given_[place].seat->rank != rank) continue;
      RankPool* its_pool = nullptr;
      Seat* seat = nullptr;
      TaskPointer task = take_given(std::uint64_t{given_[place].generation} << 32 | place, its_pool, seat);
      taken.outcomes.push_back({std::move(task), {}, nullptr, 0, true, error});
    }
    if (!any) break_pool(pool, error, taken);
    dispatch(pool, taken);
    see_to_end(pool, taken);
  }
}

// Tells the ranks when a closed pool has no more tasks; and lets go of it when all have ended it.
inline void Hub::see_to_end(RankPool& pool, Taken& taken) {
  if (!pool.closed || !pool.backlog.empty() || pool.out() != 0) return;
  bool all = true;
  for (Seat& seat : pool.seats) {
    if (!pool.close_sent && !seat.gone) {
      exchange_.append(seat.rank, {RecordKind::kClose, pool.number, 0, 0});
      urgent_ = true;
    }
    all = all && seat.closed;
  }
  pool.close_sent = true;
  if (!all) return;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (pools_[i].get() != &pool) continue;
    taken.ended.push_back(std::move(pools_[i]));
    pools_.erase(pools_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

}  // namespace nogil::mpi::detail
