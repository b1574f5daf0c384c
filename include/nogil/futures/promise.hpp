// nogil/futures/promise.hpp -- Promise: the other end of a Future.
//
//   nogil::Promise<int> promise;
//   nogil::Future<int> future = promise.get_future();
//   nogil::Thread thread([promise = std::move(promise)]() mutable { promise.set_result(42); });
//
// Threads    One at a time, as any object; while any number use its futures, which may
//            cancel, or be set, at the same moment: one of them succeeds.
// Lifetime   A promise that goes without having been kept finishes its future with a
//            RuntimeError that says so. Nobody waits for ever for a promise that is gone.
// Errors     InvalidStateError when the future is done already: set before, or cancelled.
// Cost       16 bytes, and one block of the thread's cache: no allocation once warm.
// Python     What an executor does with a Future of its own making: future = Future().

#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/futures/detail/future_result.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil {

namespace detail {

// A block without a callable.
template <class T>
class PromiseBlock {
 public:
  static TaskBlock& make(std::uint32_t refs) {
    return *::new (allocate_block<kSize, kAlign>()) TaskBlock(&operate, refs, nullptr, true);
  }

 private:
  static constexpr std::size_t kSize = kResultEnd<T>;
  static constexpr std::size_t kAlign = max_of(alignof(TaskBlock), alignof(Kept<T>));

  static std::uintptr_t operate(TaskBlock& block, TaskOp what) noexcept {
    if (what == TaskOp::kDestroy) {
      destroy_result<T>(block);
      block.~TaskBlock();
      free_block<kSize, kAlign>(&block);
    }
    return 0;
  }
};

[[gnu::noinline, gnu::cold]] inline std::exception_ptr broken_promise() noexcept {
  return std::make_exception_ptr(RuntimeError("Promise: it was destroyed without a result"));
}

}  // namespace detail

template <class T>
class Promise {
 public:
  // Throws std::bad_alloc.
  Promise() : block_(&detail::PromiseBlock<T>::make(2)), owns_(true), has_future_(true) {}

  // What was moved from has no future: its members throw RuntimeError.
  Promise(Promise&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        owns_(std::exchange(other.owns_, false)),
        has_future_(std::exchange(other.has_future_, false)) {}
  Promise& operator=(Promise&& other) noexcept {
    Promise old(std::move(*this));
    block_ = std::exchange(other.block_, nullptr);
    owns_ = std::exchange(other.owns_, false);
    has_future_ = std::exchange(other.has_future_, false);
    return *this;
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() {
    if (has_future_) [[unlikely]]
      block_->drop();
    if (owns_) [[unlikely]]
      abandon();
  }

  // A handle to its future. Any number of times until the promise is kept; from then on only
  // if it was never called: RuntimeError.
  [[nodiscard]] Future<T> get_future() {
    detail::TaskBlock& mine = block();
    if (!std::exchange(has_future_, false)) {
      if (!owns_) throw RuntimeError("Promise.get_future: it was kept, and its future was given before; copy that");
      mine.add_ref();
    }
    return detail::FutureAccess::take_over<Future<T>>(mine);
  }

  // As Future::set_result and Future::set_exception.
  template <class Value = T>
  requires(!std::is_void_v<T> && detail::ResultOf<Value, T>) void set_result(Value&& value) {
    keep(std::forward<Value>(value));
  }
  void set_result() requires std::is_void_v<T> { keep(); }
  template <class E>
  void set_exception(E&& exception) {
    detail::TaskBlock& mine = unset_block();
    if constexpr (std::is_same_v<std::decay_t<E>, std::exception_ptr>) {
      detail::set_block_exception<T>(mine, std::forward<E>(exception));
    } else {
      detail::set_block_exception<T>(mine, std::make_exception_ptr(std::forward<E>(exception)));
    }
  }

 private:
  detail::TaskBlock& block() const {
    if (block_ == nullptr) throw RuntimeError("Promise: this object was moved from, and has no future");
    return *block_;
  }

  detail::TaskBlock& unset_block() const {
    detail::TaskBlock& mine = block();
    if (!owns_) throw_kept();
    return mine;
  }

  [[noreturn, gnu::noinline, gnu::cold]] void throw_kept() const {
    throw InvalidStateError(
        detail::describe_future(block_, detail::FutureState::kFinished, detail::type_info_of<T>(), nullptr));
  }

  // A promise that is kept needs its block no more, and lets go of it in the same step.
  template <class... Value>
  void keep(Value&&... value) {
    detail::Setting setting(unset_block(), detail::type_info_of<T>());
    detail::construct_result<T>(*block_, std::forward<Value>(value)...);
    owns_ = false;
    setting.set_and_drop(detail::FutureState::kFinished);
  }

  [[gnu::noinline]] void abandon() noexcept {
    if (!block_->has_one_owner() && block_->begin_set() <= detail::FutureState::kRunning) {
      block_->set(detail::keep_exception(*block_, detail::broken_promise()));
    }
    block_->drop();
  }

  detail::TaskBlock* block_;
  bool owns_;        // the promise's own ownership of the block: until it is kept
  bool has_future_;  // that of the first future, made with the block, so that get_future() costs no step
};

}  // namespace nogil
