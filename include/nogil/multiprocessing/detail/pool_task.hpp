// nogil/multiprocessing/detail/pool_task.hpp -- a call that waits in a pool of processes for its result.
//
// What the pool knows of it is PoolTask; PoolTaskOf<R> knows the type of its result, and
// keeps the promise of a Future<R>.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

using nogil::detail::BlockRef;
using nogil::detail::FutureState;
using nogil::detail::TaskBlock;

// Makes blocks done, and lets go of them in the same step: so the result is its readers'
// alone when they see it. Observers are told at once; or, where a thread must not run others'
// code, kept to be told later.
class Finisher {
 public:
  Finisher() noexcept = default;
  explicit Finisher(std::vector<TaskBlock*>& untold) noexcept : untold_(&untold) {}

  // Gives a block its result, which make() leaves in the payload, or the exception that
  // make() throws. Nothing happens if it is done already: cancelled, or set by somebody else.
  template <class Make>
  void set(BlockRef& block, Make make) const noexcept {
    if (!block || block->begin_set() > FutureState::kRunning) return;
    FutureState result = FutureState::kFinished;
    try {
      make();
    } catch (...) {
      result = nogil::detail::keep_exception(*block, std::current_exception());
    }
    finish(block, result);
  }

  void fail(BlockRef& block, std::exception_ptr error) const noexcept {
    if (!block || block->begin_set() > FutureState::kRunning) return;
    finish(block, nogil::detail::keep_exception(*block, std::move(error)));
  }

 private:
  void finish(BlockRef& block, FutureState result) const noexcept {
    TaskBlock* const mine = block.release();
    if (untold_ == nullptr) return mine->set_and_drop(result);
    if (!mine->set_and_drop_untold(result)) return;
    try {
      untold_->push_back(mine);
    } catch (...) {
      mine->tell();
    }
  }

  std::vector<TaskBlock*>* const untold_ = nullptr;
};

class PoolTask {
 public:
  explicit PoolTask(Frame its_call) noexcept : call(std::move(its_call)) {}
  PoolTask(const PoolTask&) = delete;
  PoolTask& operator=(const PoolTask&) = delete;
  virtual ~PoolTask() = default;

  // False: it was cancelled, and is not wanted any more.
  virtual bool begin() noexcept = 0;
  virtual void cancel() noexcept = 0;
  virtual void succeed(InputArchive& result, const Finisher& finisher) = 0;
  virtual void fail(std::exception_ptr error, const Finisher& finisher) noexcept = 0;

  std::uint64_t id = 0;
  Frame call;
  std::chrono::nanoseconds timeout{0};  // 0: none
  std::size_t deaths = 0;               // of workers that ran it
  bool begun = false;
};

using TaskPointer = std::unique_ptr<PoolTask>;

// The block of a future without a callable, that says which pool it waits for.
template <class R>
class PoolBlock {
 public:
  static BlockRef make(void* executor) {
    return BlockRef(::new (nogil::detail::allocate_block<kSize, kAlign>()) TaskBlock(&operate, 1, executor, true));
  }

 private:
  static constexpr std::size_t kSize = nogil::detail::kResultEnd<R>;
  static constexpr std::size_t kAlign = nogil::detail::max_of(alignof(TaskBlock), alignof(nogil::detail::Kept<R>));

  static std::uintptr_t operate(TaskBlock& block, nogil::detail::TaskOp what) noexcept {
    if (what == nogil::detail::TaskOp::kDestroy) {
      nogil::detail::destroy_result<R>(block);
      block.~TaskBlock();
      nogil::detail::free_block<kSize, kAlign>(&block);
    }
    return 0;
  }
};

template <class R>
Future<R> future_of(BlockRef block) noexcept {
  return nogil::detail::FutureAccess::take_over<Future<R>>(*block.release());
}

// Moves the result out of a future that has finished, and that nobody else looks at.
template <class R>
R take_result(const Future<R>& finished) {
  return std::move(nogil::detail::payload<R>(*nogil::detail::FutureAccess::block(finished)));
}

template <class R>
struct LoadResult {
  static R load(InputArchive& in) { return detail::load<R>(in); }
};
template <>
struct LoadResult<void> {};

template <class R, class Load = LoadResult<R>>
class PoolTaskOf final : public PoolTask {
 public:
  PoolTaskOf(Frame its_call, void* executor) : PoolTask(std::move(its_call)), block_(PoolBlock<R>::make(executor)) {}

  Future<R> future() const { return future_of<R>(block_); }

  bool begin() noexcept override { return block_->start_or_notify_cancel() == FutureState::kPending; }

  void cancel() noexcept override { block_->cancel(); }

  void succeed(InputArchive& result, const Finisher& finisher) override {
    finisher.set(block_, [&] {
      if constexpr (std::is_void_v<R>) nogil::detail::construct_result<R>(*block_);
      else nogil::detail::construct_result<R>(*block_, Load::load(result));
    });
  }

  void fail(std::exception_ptr error, const Finisher& finisher) noexcept override {
    finisher.fail(block_, std::move(error));
  }

 private:
  BlockRef block_;
};

}  // namespace nogil::multiprocessing::detail
