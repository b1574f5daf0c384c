// nogil/mpi/detail/station_main.hpp -- what a station does with messages, and when it looks for them.
//
// The rest of station.hpp.

#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/process_workers.hpp"
#include "nogil/mpi/detail/station.hpp"
#include "nogil/mpi/detail/thread_workers.hpp"

namespace nogil::mpi::detail {

inline void Station::serve() noexcept {
  std::int64_t asked_after = 0;  // when we last asked whether rank 0 is lost
  for (bool over = false; !over;) {
    const std::uint32_t seen = exchange_.rung();
    std::deque<Order> orders;
    std::vector<Ref<LocalPool>> pools;
    bool mine = false;
    bool attended = false;
    {
      const platform::RawGuard guard(lock());
      orders.swap(orders_);
      pools = pools_;
      attended = this->attended();
      mine = orders.empty() && exchange_.take();
    }
    for (Order& order : orders) {
      if (order.kind == RecordKind::kStop) over = true;
      else carry_out(order);
    }
    if (!orders.empty()) continue;
    if (const std::int64_t now = Crowd::clock(); mine && now - last_message() > kWorry && now - asked_after > kWorry) {
      asked_after = now;
      exchange_.look_for_lost();
    }
    if (mine && !attended) {
      // Otherwise each of its short sleeps in a long silence would end in a long look.
      watch(Crowd::clock() - last_message() < kLively, [this] { return this->attended(); });
    } else if (mine) {
      while (const Ref<Packet> packet = exchange_.step()) take_in(packet);
      send();
    }
    for (const Ref<LocalPool>& pool : pools) pool->advance(true);
    bool looked = false;
    {
      const platform::RawGuard guard(lock());
      attended = this->attended();
      looked = exchange_.taken();
      if (!orders_.empty()) continue;
    }
    std::int64_t sleep = Patience::sleep_after(Crowd::clock() - last_message());
    // A worker that looks may go to a task at any time, and leave what is on its way behind.
    if (exchange_.moving()) sleep = looked ? 10 * Patience::kFirstSleep : Patience::kFirstSleep;
    else if (attended) sleep = Patience::kLongestSleep;
    exchange_.sleep(seen, sleep);
  }
  // Rank 0 has ended all pools before; what is left is a wire that may still be sending.
  while (!exchange_.idle()) exchange_.step();
}

inline void Station::take_in(const Ref<Packet>& packet) noexcept {
  last_message_.store(Crowd::clock(), std::memory_order_relaxed);
  bool order = false;
  std::vector<Ref<LocalPool>> fed;
  {
    const platform::RawGuard guard(lock());
    if (!packet->lost.empty()) {
      lost_ = true;
      orders_.push_back({RecordKind::kStop, {}});
      order = true;
    }
    packet->for_each([&](const Record& record, const std::byte* body) {
      if (record.kind == RecordKind::kStop) {
        orders_.push_back({RecordKind::kStop, {}});
        order = true;
        return;
      }
      if (record.kind == RecordKind::kOpen) {
        open(record.pool, body, static_cast<std::size_t>(record.size));
        order = true;
        return;
      }
      const Ref<LocalPool> pool = fed.empty() || fed.back()->number != record.pool ? find(record.pool) : fed.back();
      if (!pool) return;
      if (record.kind == RecordKind::kTask) {
        pool->push({record.id, body, static_cast<std::size_t>(record.size), packet});
        if (fed.empty() || fed.back().get() != pool.get()) fed.push_back(pool);
      } else if (record.kind == RecordKind::kRecall) {
        take_back(*pool, record.id);
      } else if (record.kind == RecordKind::kClose) {
        orders_.push_back({RecordKind::kClose, pool});
        order = true;
      }
    });
  }
  if (order) exchange_.ring();
  for (const Ref<LocalPool>& pool : fed) pool->advance(false);
}

// With the lock.
inline void Station::take_back(LocalPool& pool, std::uint64_t most) {
  Job job;
  for (; most != 0 && pool.take_back(job); --most) {
    Bytes call;
    std::memcpy(call.extend(job.size), job.body, job.size);
    exchange_.append(0, {RecordKind::kReturned, pool.number, job.id, 0}, std::move(call));
  }
  exchange_.append(0, {RecordKind::kRecalled, pool.number, 0, 0});
}

// With the lock.
inline void Station::open(std::uint32_t number, const std::byte* body, std::size_t size) {
  InputArchive in(body, size);
  PoolPlan plan = load_plan(in);
  Ref<LocalPool> pool;
  if (plan.run_in == RunIn::threads) pool = Ref<LocalPool>(new ThreadWorkers(*this, number, std::move(plan)));
  else pool = Ref<LocalPool>(new ProcessWorkers(*this, number, std::move(plan)));
  pools_.push_back(pool);
  orders_.push_back({RecordKind::kOpen, std::move(pool)});
}

inline void Station::carry_out(Order& order) noexcept {
  if (order.kind == RecordKind::kOpen) {
    try {
      order.pool->open();
    } catch (...) {
      report_broken(*order.pool, std::current_exception());
    }
    return order.pool->advance(true);
  }
  order.pool->close();
  {
    const platform::RawGuard guard(lock());
    std::erase_if(pools_, [&](const Ref<LocalPool>& pool) { return pool.get() == order.pool.get(); });
  }
  Frame nothing;
  respond(RecordKind::kClosed, *order.pool, 0, 0, nothing, true);
}

}  // namespace nogil::mpi::detail
