// nogil/futures/detail/row.hpp -- a row of numbered elements, done by the caller and helpers.
//
//   Row row(pool, count, body, context);     // body(context, first, last) for pieces of [0, count)
//   row.run();                               // until all are done
//
// The row is cut into one part for each core that may take part. A thread begins with the
// part of the core that it runs on and takes chunks from its front; when nothing is left
// there, from the others'. So, where elements cost the same, each core goes through one
// stretch of memory, and finds it in its cache if it did the same stretch in the last call,
// be it by another thread; where they do not, nobody is idle while there is more to do.
//
// Threads    As many helpers as the machine has cores besides the caller's; all workers of
//            a pool that has more workers than that, since who asked for them had a reason.
// Waiting    The caller works too; a helper that did not begin by the end is cancelled. So
//            rows may be nested to any depth, and a pool that is busy costs parallelism only.
// Errors     The first exception ends the row: chunks that have begun come to their end, or
//            to an exception of their own, which is lost. run() throws it then.
// Lifetime   Lies on the caller's stack: no helper is left when run() returns.

#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <utility>

#include "nogil/futures/detail/future_await.hpp"
#include "nogil/futures/detail/future_task.hpp"
#include "nogil/futures/detail/pace.hpp"
#include "nogil/futures/detail/pool.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

class Row {
 public:
  using Body = void (*)(void* context, std::uint64_t first, std::uint64_t last);

  Row(Pool& pool, std::uint64_t count, Body body, void* context) noexcept
      : pool_(pool),
        body_(body),
        context_(context),
        count_(count),
        unit_((count >> 32) + 1),
        units_(static_cast<std::uint32_t>((count + unit_ - 1) / unit_)),
        threads_(threads_for(pool, units_)),
        parts_(parts_for(threads_)) {
    for (std::uint32_t i = 0; i < parts_; ++i) ::new (memory_ + i) Part{range(cut(i), cut(i + 1))};
  }
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;

  // Throws what the body threw; RuntimeError and BrokenThreadPool as submit() does, unless
  // a task of the pool calls it.
  void run() {
    if (pool_.refuses() && !pool_.inside()) pool_.refuse();
    struct Helpers {
      TaskBlock* blocks[kMostThreads];
      std::uint32_t count = 0;

      ~Helpers() {
        for (std::uint32_t i = 0; i < count; ++i) {
          platform::Wait forever;
          if (!blocks[i]->cancel()) blocks[i]->wait(forever);
          blocks[i]->drop();
        }
      }
    };
    {
      Helpers helpers;
      while (helpers.count + 1 < threads_) {
        TaskBlock* const block = submit_helper();
        if (block == nullptr) break;
        helpers.blocks[helpers.count++] = block;
      }
      take_part();
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr std::uint32_t kMostThreads = 64;

  struct Helper {
    Row* row;
    void operator()() const noexcept { row->take_part(); }
  };

  // What is left of a part: the first unit, and the one behind the last.
  struct alignas(platform::kCacheLine) Part {
    std::atomic<std::uint64_t> range;
  };
  struct alignas(Part) Memory {
    unsigned char bytes[sizeof(Part)];
  };
  std::atomic<std::uint64_t>& part(std::uint32_t index) noexcept {
    return std::launder(reinterpret_cast<Part*>(memory_ + index))->range;
  }
  static constexpr std::uint64_t range(std::uint64_t first, std::uint64_t last) noexcept { return last << 32 | first; }
  static constexpr std::uint32_t first_of(std::uint64_t range) noexcept { return static_cast<std::uint32_t>(range); }
  static constexpr std::uint32_t last_of(std::uint64_t range) noexcept {
    return static_cast<std::uint32_t>(range >> 32);
  }

  static std::uint32_t threads_for(const Pool& pool, std::uint32_t units) noexcept {
    const auto cores = static_cast<std::uint32_t>(platform::core_count());
    std::uint32_t threads = pool.size() + (pool.inside() ? 0 : 1);
    if (pool.size() <= cores && threads > cores) threads = cores;
    if (threads > kMostThreads) threads = kMostThreads;
    return units < threads ? (units == 0 ? 1 : units) : threads;
  }
  static std::uint32_t parts_for(std::uint32_t threads) noexcept {
    const auto cores = static_cast<std::uint32_t>(platform::core_count());
    return threads < cores ? threads : cores;
  }

  std::uint64_t cut(std::uint32_t part) const noexcept { return std::uint64_t{units_} * part / parts_; }

  // Null: the pool takes no more. (From outside it waits for room, as any submit().)
  TaskBlock* submit_helper() {
    using Call = BoundCall<Helper>;
    BlockRef entry(&Task<Call>::make(2, &pool_, Helper{this}));
    TaskBlock* const block = entry.get();
    BlockRef mine(block);
    if (!pool_.try_submit(entry)) {
      block->cancel();
      return nullptr;
    }
    return mine.release();
  }

  // One thread's whole share.
  void take_part() noexcept {
    Pace pace(0, (threads_ + parts_ - 1) / parts_);
    pace.begin();
    const int core = ::sched_getcpu();
    const std::uint32_t home = core < 0 ? 0 : static_cast<std::uint32_t>(core) % parts_;
    try {
      for (std::uint32_t i = 0; i < parts_; ++i) {
        while (take_chunk(part(home + i < parts_ ? home + i : home + i - parts_), pace)) {
        }
      }
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_acq_rel)) error_ = std::current_exception();
    }
  }

  bool take_chunk(std::atomic<std::uint64_t>& from, Pace& pace) {
    std::uint64_t seen = from.load(std::memory_order_relaxed);
    std::uint32_t count;
    do {
      if (first_of(seen) >= last_of(seen) || failed_.load(std::memory_order_relaxed)) return false;
      count = static_cast<std::uint32_t>(pace.next(last_of(seen) - first_of(seen)));
    } while (!from.compare_exchange_weak(seen, seen + count, std::memory_order_relaxed));
    const std::uint64_t first = first_of(seen) * unit_;
    const std::uint64_t last = first + count * unit_;
    body_(context_, first, last < count_ ? last : count_);
    pace.done(count);
    return true;
  }

  Pool& pool_;
  const Body body_;
  void* const context_;
  const std::uint64_t count_;
  const std::uint64_t unit_;  // elements are counted in units, so that two numbers fit into one word
  const std::uint32_t units_;
  const std::uint32_t threads_;
  const std::uint32_t parts_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;     // by who has set failed_; read when all are gone
  Memory memory_[kMostThreads];  // a Part in the first parts_ of them
};

}  // namespace nogil::detail
