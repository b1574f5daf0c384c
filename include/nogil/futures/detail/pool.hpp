// nogil/futures/detail/pool.hpp -- what the workers of one ThreadPoolExecutor share.
//
// Knows blocks of tasks only: everything that depends on callables and results is above,
// in thread_pool_executor.hpp and its like.
//
// Outside    Tasks that come from threads outside the pool lie in a strict queue.
// Inside     Tasks that come from the pool's own tasks lie with the worker that runs these.
// Workers    Are started one by one when there is work and nobody is searching or asleep.
// End        After close() no task comes in; each worker ends when it finds nothing more.
// Lifetime   Belongs to the executor, and to who will yet submit something (a map() with a
//            window). If the executor is destroyed by a task of its own, which
//            cannot wait for itself, the last worker to end takes it along.
// Fork       The child has none of the workers. There the pool refuses everything, and
//            waits for nobody.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/futures/detail/future_await.hpp"
#include "nogil/futures/detail/future_result.hpp"
#include "nogil/futures/detail/parking.hpp"
#include "nogil/futures/detail/pool_registry.hpp"
#include "nogil/futures/detail/shared_callback.hpp"
#include "nogil/futures/detail/task_block.hpp"
#include "nogil/futures/detail/worker.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/fifo.hpp"
#include "nogil/threading/detail/ref.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::detail {

[[gnu::visibility("default")]] inline constinit std::atomic<std::uint64_t> g_pools{0};

class Pool final : public Counted, public RegisteredPool {
 public:
  static constexpr std::uint32_t kMostWorkers = Parking<platform::Native>::kMostSeats;

  struct Setup {
    std::uint32_t workers;
    std::string name;  // of a thread: this, and _ and its number
    SharedCallback initializer;
    std::uint64_t max_queue;
  };

  explicit Pool(Setup setup);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  inline ~Pool() override;

  // ---- Submit ------------------------------------------------------------------------

  // Takes a pending block; `entry` is the ownership that its entry in the queue will have.
  // Waits for room. Throws as refuse() does if it was closed, RuntimeError if the system
  // refuses the first thread, and std::bad_alloc.
  void submit(BlockRef& entry) {
    platform::Wait forever;
    if (!submit_within(entry, forever)) [[unlikely]]
      refuse();
  }

  // False, and `entry` is as it was: it was closed, or there is no room at once.
  bool try_submit(BlockRef& entry) {
    platform::Wait moment(platform::Deadline::immediate());
    return submit_within(entry, moment);
  }

  // Whether try_submit() may succeed. Throws as refuse() does if the pool is broken.
  bool has_room() const {
    if (lost() || broken()) refuse();
    return !closed() && (inside() || !inbox_.full());
  }

  // Why submit() would not take, or has not taken, a block.
  [[noreturn]] void refuse() const;
  bool refuses() const noexcept { return closed_.load(std::memory_order_acquire) || lost(); }

  // ---- End ---------------------------------------------------------------------------

  // No more tasks. Those that are queued are run, or cancelled now.
  void close(bool cancel_queued) noexcept;

  // After close(): waits until everything is done and every worker has ended. False: the
  // limit came first. Not in a task of the pool.
  // `limit` is nothing, or a point in time.
  template <class... Limit>
  bool join(const Limit&... limit);

  // By the executor, as the last thing: closes, joins, and goes.
  void abandon() noexcept;

  // An initializer threw: whatever is queued fails, and nothing is taken any more.
  void break_with(std::exception_ptr cause) noexcept;

  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  bool broken() const noexcept { return broken_.load(std::memory_order_acquire); }

  // ---- Workers -----------------------------------------------------------------------

  bool inside() const noexcept { return Worker::current() != nullptr && &Worker::current()->pool() == this; }
  std::uint32_t size() const noexcept { return size_; }

  // The worker with this number, if it was ever to be started.
  Worker* worker(std::uint32_t index) const noexcept { return workers_[index].load(std::memory_order_acquire); }

  bool has_work() const noexcept;

  // Starts or wakes a worker, if that is wanted.
  void notify() noexcept {
    if (parking_.wanted()) wake_one();
  }
  // The same, cheaper for forks, which follow each other in a few nanoseconds.
  void notify_often() noexcept {
    if (parking_.wanted_often()) wake_one();
  }

  std::uint64_t queued() const noexcept;
  std::uint64_t submitted() const noexcept { return inbox_.puts(); }

  template <class Visit>
  void for_each_worker(Visit visit) const {
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (Worker* const worker = this->worker(i)) visit(*worker);
    }
  }

 private:
  friend class Worker;
  using PoolParking = Parking<platform::Native>;
  using Inbox = Fifo<TaskBlock*, platform::Native>;

  // Of more workers than twice this only half may search at a time, so that they do not
  // hinder each other. To lie down and be woken costs far more than to look once more.
  static constexpr std::uint32_t kAllSearch = 8;

  static constexpr const char* kBroken = "A thread initializer failed, the thread pool is not usable anymore";

  bool wake_one() noexcept;
  bool start(std::uint32_t index) noexcept;
  void worker_ends() noexcept;
  PutResult put(TaskBlock& block);
  bool submit_within(BlockRef& entry, platform::Wait& wait);
  template <class Visit>
  void take_all(Visit visit) noexcept;

  const std::uint32_t size_;
  const std::uint32_t most_searching_;
  const bool bounded_;
  const std::string name_;
  const SharedCallback initializer_;
  PoolParking::Seat* const seats_;
  std::atomic<Worker*>* const workers_;

  Inbox inbox_;
  PoolParking parking_;
  alignas(2 * platform::kCacheLine) std::atomic<bool> closed_{false};
  std::atomic<bool> broken_{false};      // cause_ is there
  std::atomic<bool> abandoned_{false};   // by a task of its own
  std::atomic<std::uint32_t> alive_{0};  // workers that were started and have not ended
  std::exception_ptr cause_;             // guarded by lock_ until broken_
  mutable platform::RawLock lock_;       // held for a few instructions, never for user code
};

// ---- Make ------------------------------------------------------------------------------

inline Pool::Pool(Setup setup)
    : RegisteredPool(this),
      size_(setup.workers),
      most_searching_(setup.workers > 2 * kAllSearch ? setup.workers / 2 : kAllSearch),
      bounded_(setup.max_queue != 0),
      name_(std::move(setup.name)),
      initializer_(std::move(setup.initializer)),
      seats_(new PoolParking::Seat[setup.workers]),
      workers_(new std::atomic<Worker*>[setup.workers] {}),
      inbox_(setup.max_queue == 0 ? kUnbounded : setup.max_queue),
      parking_(seats_, setup.workers) {}

inline Pool::~Pool() {
  for_each_worker([](Worker& worker) { delete &worker; });
  delete[] workers_;
  delete[] seats_;
}

// ---- Submit ----------------------------------------------------------------------------

inline PutResult Pool::put(TaskBlock& block) {
  if (!inside()) return inbox_.try_put(&block);
  Worker::current()->push(block);
  return PutResult::kDone;
}

// False: closed, or no room within the limit.
inline bool Pool::submit_within(BlockRef& entry, platform::Wait& wait) {
  TaskBlock& block = *entry;
  PutResult result = put(block);
  while (result == PutResult::kFull) {
    if (!inbox_.wait_for_room(wait)) return false;
    result = put(block);
  }
  if (result == PutResult::kShutDown) return false;
  static_cast<void>(entry.release());
  if (parking_.wanted() && !wake_one() && alive_.load(std::memory_order_relaxed) == 0) [[unlikely]] {
    if (block.cancel()) throw RuntimeError("ThreadPoolExecutor: can't start new thread");
  }
  return true;
}

inline void Pool::refuse() const {
  if (lost()) throw_lost();
  if (broken()) throw BrokenThreadPool(kBroken, cause_);
  throw RuntimeError("cannot schedule new futures after shutdown");
}

// ---- Workers ---------------------------------------------------------------------------

inline bool Pool::has_work() const noexcept {
  if (!inbox_.empty()) return true;
  for (std::uint32_t i = 0; i < size_; ++i) {
    const Worker* const worker = this->worker(i);
    if (worker != nullptr && worker->has_work()) return true;
  }
  return false;
}

inline std::uint64_t Pool::queued() const noexcept {
  std::uint64_t count = inbox_.size();
  for_each_worker([&](const Worker& worker) { count += worker.size(); });
  return count;
}

// False: there should be another worker, but the system refuses a thread.
[[gnu::noinline]] inline bool Pool::wake_one() noexcept {
  for (;;) {
    PoolParking::Posture was;
    PoolParking::Seat* const seat = parking_.claim(was);
    if (seat == nullptr) return true;
    if (was == PoolParking::kSeated) {
      parking_.wake(*seat);
      return true;
    }
    if (start(static_cast<std::uint32_t>(seat - seats_))) return true;
    if (alive_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      parking_.vacate(*seat);
      return false;
    }
    // The pool goes on with the workers that it has, and this seat is given up.
    if (!parking_.leave_search() || !has_work()) return false;
  }
}

inline bool Pool::start(std::uint32_t index) noexcept {
  alive_.fetch_add(1, std::memory_order_acq_rel);
  try {
    Worker* worker = this->worker(index);
    if (worker == nullptr) {
      worker = new Worker(*this, index);
      workers_[index].store(worker, std::memory_order_release);
    }
    worker->start();
    return true;
  } catch (...) {
    return false;
  }
}

// The last thing that a worker's thread does here: the pool may be gone when it returns.
inline void Pool::worker_ends() noexcept {
  if (alive_.fetch_sub(1, std::memory_order_acq_rel) != 1 || !abandoned_.load(std::memory_order_acquire)) return;
  for_each_worker([](Worker& worker) {
    if (&worker != Worker::current()) worker.join();
  });
  drop_owner();  // the thread, which cannot join itself, detaches
}

// ---- End -------------------------------------------------------------------------------

inline void Pool::close(bool cancel_queued) noexcept {
  if (lost()) return closed_.store(true, std::memory_order_release);
  struct Nobody {
    void wake() const noexcept {}
  };
  inbox_.shut_down(false, [](std::uint64_t, std::uint64_t) { return Nobody(); });
  // Not sooner: a worker that sees it, and no work, ends, and there must come none after that.
  closed_.store(true, std::memory_order_release);
  platform::Native::light_fence();  // against that of Parking::sit_down()
  PoolParking::Posture was;
  while (PoolParking::Seat* const seat = parking_.claim(was, false)) parking_.wake(*seat);
  if (cancel_queued) {
    take_all([](TaskBlock& block) { block.cancel(); });
  }
}

inline void Pool::break_with(std::exception_ptr cause) noexcept {
  {
    const platform::RawGuard guard(lock_);
    if (!broken_.load(std::memory_order_relaxed)) cause_ = std::move(cause);
    broken_.store(true, std::memory_order_release);
  }
  close(false);
  take_all([this](TaskBlock& block) {
    if (block.begin_set() != FutureState::kPending) return;
    block.ask(TaskOp::kDiscard);
    block.set(keep_exception(block, std::make_exception_ptr(BrokenThreadPool(kBroken, cause_))));
  });
}

// Takes all that is queued, and gives up the entries' ownerships.
template <class Visit>
void Pool::take_all(Visit visit) noexcept {
  for (;;) {
    TaskBlock* blocks[64];
    std::size_t count = 0;
    inbox_.take_many(std::size(blocks), [&](TaskBlock*&& block) { blocks[count++] = block; });
    if (count == 0) break;
    for (std::size_t i = 0; i < count; ++i) {
      visit(*blocks[i]);
      blocks[i]->drop();
    }
  }
  for_each_worker([&](Worker& worker) {
    while (worker.has_work()) {
      if (TaskBlock* const block = worker.steal()) {
        visit(*block);
        block->drop();
      }
    }
  });
}

template <class... Limit>
bool Pool::join(const Limit&... limit) {
  if (lost()) return true;
  for (;;) {
    const bool over = alive_.load(std::memory_order_acquire) == 0 && !has_work();
    bool in_time = true;
    for_each_worker([&](Worker& worker) { in_time = in_time && (!worker.started() || worker.join(limit...)); });
    if (!in_time) return false;
    if (over) return true;
    // A submit() is under way in another thread, which has yet to start a worker.
    notify();
    platform::Native::yield();
  }
}

inline void Pool::abandon() noexcept {
  close(false);
  if (lost()) {
    // The parts may be as another thread, which is not there, was about to change them.
    return;
  }
  if (inside()) {
    abandoned_.store(true, std::memory_order_release);
  } else {
    join();
    drop_owner();
  }
}

}  // namespace nogil::detail

#include "nogil/futures/detail/worker_life.hpp"
