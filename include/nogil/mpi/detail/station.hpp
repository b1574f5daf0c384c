// nogil/mpi/detail/station.hpp -- a rank that serves: takes tasks in, has them run, sends results.
//
// The station's own thread, in serve(), opens and closes pools, and is the watcher: it looks
// for messages when no worker does. A worker that has sent its result and finds no other task
// looks for the next one itself, for a moment (watch()): so in a row of tasks none changes
// threads, and while all workers are at long tasks, messages are still received.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/exchange.hpp"
#include "nogil/mpi/detail/local_pool.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::mpi::detail {

class Station {
 public:
  Station(Wire& wire, Turns turns) : exchange_(wire, 1, turns) {}

  // Until rank 0 says that it is over, or is lost.
  void serve() noexcept;

  // Whether it was the latter.
  bool lost() const noexcept { return lost_; }

  Exchange& exchange() noexcept { return exchange_; }
  platform::RawLock& lock() noexcept { return exchange_.lock(); }

  // ---- By workers, without the lock -----------------------------------------------------------

  // Says what became of a task. `hurry`: nothing will soon be sent along with it.
  void respond(RecordKind kind, const LocalPool& pool, std::uint64_t id, std::uint32_t took, Frame& frame, bool hurry) {
    {
      const platform::RawGuard guard(lock());
      exchange_.append(0, {kind, pool.number, id, took}, std::move(frame.bytes));
      if (exchange_.taken() || (!hurry && exchange_.waiting(0) < kBatch)) return;
      hurry = exchange_.take();
    }
    if (hurry) send();
    else exchange_.ring();
  }

  // The pool cannot run anything any more.
  void report_broken(const LocalPool& pool, const std::exception_ptr& error) {
    Frame frame;
    save_error(frame, error);
    respond(RecordKind::kBroken, pool, 0, 0, frame, true);
  }

  // Sends what waits; then gives the turn back, which the caller has.
  void send() noexcept {
    for (;;) {
      exchange_.send();
      const platform::RawGuard guard(lock());
      if (exchange_.outgoing()) continue;
      return exchange_.give_back();
    }
  }

  // With the turn: looks for messages until enough(), asked with the lock, or patience ends.
  // Who is not patient looks once, until a message has come. Gives the turn back in the step
  // that ends it.
  template <class Enough>
  void watch(bool patient, Enough enough) noexcept {
    for (Patience patience;;) {
      const Ref<Packet> packet = exchange_.step();
      if (packet) {
        take_in(packet);
        patience.reset();
        patient = true;
      } else if ((patient || exchange_.moving()) && patience.again(exchange_.traffic())) {
        continue;
      }
      const platform::RawGuard guard(lock());
      if (exchange_.outgoing() || (packet && orders_.empty() && !enough())) continue;
      return exchange_.give_back();
    }
  }

  // Nobody has anything to do: the station's own thread looks without sleeping.
  void expect_message() noexcept {
    last_message_.store(Crowd::clock(), std::memory_order_relaxed);
    exchange_.ring();
  }

  std::int64_t last_message() const noexcept { return last_message_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kBatch = 64;           // results that are sent in one message
  static constexpr std::int64_t kLively = 2'000'000;  // ns after a message in which others are likely

  struct Order {
    RecordKind kind;
    Ref<LocalPool> pool;
  };

  // With the turn.
  void take_in(const Ref<Packet>& packet) noexcept;
  void take_back(LocalPool& pool, std::uint64_t most);
  void open(std::uint32_t number, const std::byte* body, std::size_t size);
  Ref<LocalPool> find(std::uint32_t number) const {
    for (const Ref<LocalPool>& pool : pools_) {
      if (pool->number == number) return pool;
    }
    return {};
  }

  void carry_out(Order& order) noexcept;
  bool attended() const noexcept {
    for (const Ref<LocalPool>& pool : pools_) {
      if (pool->attends()) return true;
    }
    return false;
  }

  Exchange exchange_;
  // Guarded by the lock:
  std::vector<Ref<LocalPool>> pools_;
  std::deque<Order> orders_;  // for the station's own thread
  bool lost_ = false;

  std::atomic<std::int64_t> last_message_{Crowd::clock()};
};

}  // namespace nogil::mpi::detail
