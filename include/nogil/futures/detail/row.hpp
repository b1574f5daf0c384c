// nogil/futures/detail/row.hpp -- a row of numbered elements, done by the caller and helpers.
//
//   Row row(pool, count, body, context);     // body(context, first, last) for pieces of [0, count)
//   row.run();                               // until all are done
//
// The row is cut into as many parts as threads may take part. Each begins with a part of
// its own and takes chunks from its front; one that has none left takes half of another's
// rest from the back. So, where elements cost the same, each thread goes through one
// stretch of memory, and finds it in its core's cache if it did the same stretch in the
// last call; where they do not, nobody is idle while another has more than a chunk to do.
//
// Threads    As many helpers as the machine has cores besides the caller's; all workers of
//            a pool that has more workers than that, since who asked for them had a reason.
// Waiting    The caller works too; a helper that did not begin by the end is cancelled. So
//            rows may be nested to any depth, and a pool that is busy costs parallelism only.
// Errors     The first exception ends the row: chunks that have begun come to their end, or
//            to an exception of their own, which is lost. run() throws it then.
// Lifetime   Lies on the caller's stack: no helper is left when run() returns.

#pragma once

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
        parts_(parts_for(pool, units_)) {
    for (std::uint32_t i = 0; i < parts_; ++i) ::new (memory_ + i) Part{range(cut(i), cut(i + 1))};
  }
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;

  // Throws what the body threw; RuntimeError and BrokenThreadPool as submit() does, unless
  // a task of the pool calls it.
  void run() {
    if (pool_.refuses() && !pool_.inside()) pool_.refuse();
    struct Helpers {
      TaskBlock* blocks[kMostParts];
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
      while (helpers.count + 1 < parts_) {
        TaskBlock* const block = submit_helper();
        if (block == nullptr) break;
        helpers.blocks[helpers.count++] = block;
      }
      take_part();
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr std::uint32_t kMostParts = 64;

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

  static std::uint32_t parts_for(const Pool& pool, std::uint32_t units) noexcept {
    const auto cores = static_cast<std::uint32_t>(platform::core_count());
    std::uint32_t threads = pool.size() + (pool.inside() ? 0 : 1);
    if (pool.size() <= cores && threads > cores) threads = cores;
    if (threads > kMostParts) threads = kMostParts;
    return units < threads ? (units == 0 ? 1 : units) : threads;
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
    const std::uint32_t mine = next_.fetch_add(1, std::memory_order_relaxed);
    if (mine >= parts_) return;
    Pace pace(0, 1);
    pace.begin();
    try {
      do {
        while (take_chunk(part(mine), pace)) {
        }
      } while (take_half(mine));
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_acq_rel)) error_ = std::current_exception();
    }
  }

  bool take_chunk(std::atomic<std::uint64_t>& own, Pace& pace) {
    std::uint64_t seen = own.load(std::memory_order_relaxed);
    std::uint32_t count;
    do {
      if (first_of(seen) >= last_of(seen) || failed_.load(std::memory_order_relaxed)) return false;
      count = static_cast<std::uint32_t>(pace.next(last_of(seen) - first_of(seen)));
    } while (!own.compare_exchange_weak(seen, seen + count, std::memory_order_relaxed));
    const std::uint64_t first = first_of(seen) * unit_;
    const std::uint64_t last = first + count * unit_;
    body_(context_, first, last < count_ ? last : count_);
    pace.done(count);
    return true;
  }

  // Takes the back half of the rest of another's part for the own one, which is empty.
  bool take_half(std::uint32_t mine) noexcept {
    for (std::uint32_t i = 1; i < parts_; ++i) {
      std::atomic<std::uint64_t>& other = part(mine + i < parts_ ? mine + i : mine + i - parts_);
      std::uint64_t seen = other.load(std::memory_order_relaxed);
      while (first_of(seen) < last_of(seen) && !failed_.load(std::memory_order_relaxed)) {
        const std::uint32_t middle = first_of(seen) + (last_of(seen) - first_of(seen)) / 2;
        if (other.compare_exchange_weak(seen, range(first_of(seen), middle), std::memory_order_relaxed)) {
          part(mine).store(range(middle, last_of(seen)), std::memory_order_relaxed);
          return true;
        }
      }
    }
    return false;
  }

  Pool& pool_;
  const Body body_;
  void* const context_;
  const std::uint64_t count_;
  const std::uint64_t unit_;  // elements are counted in units, so that two numbers fit into one word
  const std::uint32_t units_;
  const std::uint32_t parts_;
  std::atomic<std::uint32_t> next_{0};  // the part of the next thread to come
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;   // by who has set failed_; read when all are gone
  Memory memory_[kMostParts];  // a Part in the first parts_ of them
};

}  // namespace nogil::detail
