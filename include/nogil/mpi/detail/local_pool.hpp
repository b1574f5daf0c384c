// nogil/mpi/detail/local_pool.hpp -- one pool, as a rank that serves it sees it.
//
// Tasks that have come wait here, and can be given back, until a worker of the rank begins
// them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <string>
#include <utility>

#include "nogil/mpi/detail/exchange.hpp"
#include "nogil/mpi/detail/packet.hpp"
#include "nogil/mpi/detail/plan.hpp"
#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/exception_codec.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/threading/cpu_count.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::mpi::detail {

using multiprocessing::InputArchive;
using multiprocessing::OutputArchive;

class Station;

// A task that has come.
struct Job {
  std::uint64_t id = 0;
  const std::byte* body = nullptr;
  std::size_t size = 0;
  Ref<Packet> packet{};  // which the body lies in
};

class LocalPool : public Counted {
 public:
  LocalPool(Station& its_station, std::uint32_t its_number, PoolPlan its_plan)
      : station(its_station), number(its_number), plan(std::move(its_plan)), workers_(worker_count(plan)) {}

  // With the station's lock.
  void push(Job job) { queue_.push_back(std::move(job)); }
  // The last of those that have not begun; false: there is none.
  bool take_back(Job& job) {
    if (queue_.empty()) return false;
    job = std::move(queue_.back());
    queue_.pop_back();
    return true;
  }

  // Without the lock. By the station's own thread, once each, first and last.
  virtual void open() = 0;
  virtual void close() noexcept = 0;

  // Without the lock, by any thread: begins what can be begun. `urgent`: nobody will soon
  // come to it by himself.
  virtual void advance(bool urgent) noexcept = 0;

  // With the lock: whether a worker is at something, and will look for messages when it is done.
  virtual bool attends() const noexcept = 0;

 protected:
  std::size_t workers() const noexcept { return workers_; }
  bool next(Job& job) {
    if (queue_.empty()) return false;
    job = std::move(queue_.front());
    queue_.pop_front();
    return true;
  }
  std::size_t queued() const noexcept { return queue_.size(); }

 public:
  Station& station;
  const std::uint32_t number;
  const PoolPlan plan;

 private:
  static std::size_t worker_count(const PoolPlan& plan) {
    return plan.workers != 0 ? static_cast<std::size_t>(plan.workers) : cpu_count();
  }

  const std::size_t workers_;
  std::deque<Job> queue_;  // guarded by the station's lock
};

// What comes back is a value, or, from here, an exception.
inline void save_error(Frame& frame, const std::exception_ptr& error) {
  frame = Frame();
  OutputArchive out(frame);
  multiprocessing::detail::save_exception(out, error);
}

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_handle() {
  throw ValueError(
      "mpi: a Lock, a Queue, a Value or the like lies in the memory of one machine, and cannot be sent to another "
      "rank");
}

}  // namespace nogil::mpi::detail
