// nogil/futures/future.hpp -- Future: the result of something that is still going on.
//
//   nogil::Future<int> future = pool.submit(count_primes, 100'000);   // Python: future = executor.submit(…)
//   …
//   std::cout << future.result();                                     // Python: future.result()
//
//   auto size = pool.submit(fetch, url).then([](const Page& page) { return page.size(); });
//
// Threads    A Future is a handle: copies are handles to the same future, and == says
//            whether two are. Every member may be called from any number of threads at
//            once through copies of their own; one handle is as any other object.
// Ordering   What the task did is visible to whoever finds the future done.
// Result     T may be void, a reference, or move-only. The result stays with the future:
//            result() of a future with a name gives const T&, as long as there is a handle.
//            result() of a temporary or a moved one gives T: moved out if this is the only
//            handle or T cannot be copied, else a copy.
// Callbacks  run in the thread that completes the future: where the task returned, or in
//            cancel(), without any lock, in the order in which they came. Of one that is
//            done already, at once, in the calling thread. What they throw goes to the
//            excepthook (threading/excepthook.hpp).
// Lifetime   To destroy a future never waits, and cancels nothing.
// Limits     result, exception and wait take a timeout or a deadline; wait a stop_token,
//            too. Zero or less looks once. A pool's worker that waits for a task of its
//            pool may run that task itself meanwhile, however long that takes.
// Errors     result() throws what the task threw, or CancelledError. TimeoutError when a
//            limit is reached. InvalidStateError when a result is set twice. RuntimeError
//            when the handle is empty.
// Cost       8 bytes; copying is a locked add. The future itself is one block with its task
//            in it: no allocation for small ones, once warm. done() is one load.
// Python     concurrent.futures.Future. timeout=2 is result(2s); then() is ours.

#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/future_handle.hpp"
#include "nogil/futures/detail/future_then.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil {

template <class T>
class Promise;

template <class T>
class Future : public detail::FutureHandle {
  static_assert(!std::is_rvalue_reference_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                "Future<T>: T is void, a reference, or an object that is not const");

 public:
  using value_type = T;

  // An empty handle: valid() is false.
  constexpr Future() noexcept = default;

  // ---- The result: waits until it is done -------------------------------------------

  // Of a future with a name: const T&, T& for a Future<T&>, nothing for a Future<void>.
  std::add_lvalue_reference_t<const T> result() const& { return see(finished_block()); }
  template <platform::TimeLimit Time>
  std::add_lvalue_reference_t<const T> result(const Time& limit) const& {
    return see(finished_block(limit));
  }

  // Of a temporary, or std::move(future).result(): T.
  T result() && { return take(finished_block()); }
  template <platform::TimeLimit Time>
  T result(const Time& limit) && {
    return take(finished_block(limit));
  }

  // ---- What comes after ---------------------------------------------------------------

  // Calls function(Future<T>) once, when this is done: see Callbacks.
  template <class F>
  requires std::is_invocable_v<std::decay_t<F>, Future>
  void add_done_callback(F&& function) const {
    detail::TaskBlock& mine = block("add_done_callback");
    using Node = detail::CallbackNode<std::decay_t<F>, Future>;
    if (mine.done()) {
      detail::call_reporting([&] { std::decay_t<F>(std::forward<F>(function))(*this); });
      return;
    }
    Node& node = Node::make(std::forward<F>(function));
    if (!mine.observe(node)) node.tell(node, mine);
  }

  // The future of function(result), or of function() for void: called when this has
  // finished, in the same thread as a callback. If this fails or is cancelled, so is the
  // other, and the function is destroyed without being called. Cancelling the other one
  // does not cancel this.
  template <class F>
  requires detail::ContinuationOf<std::decay_t<F>, T>
  auto then(F&& function) const {
    using Task = detail::ThenTask<std::decay_t<F>, T>;
    return detail::FutureAccess::take_over<Future<typename Task::Result>>(
        Task::make(block("then"), std::forward<F>(function)));
  }

  // ---- For executors: a future that a Promise made --------------------------------------

  // Makes it done, with this result: set_result() for void, set_result(T&) for a reference.
  // Throws InvalidStateError, and changes nothing, if it is done; or what T's move throws.
  template <class Value = T>
  requires(!std::is_void_v<T> && detail::ResultOf<Value, T>) void set_result(Value&& value) {
    detail::set_block_result<T>(block("set_result"), std::forward<Value>(value));
  }
  void set_result() requires std::is_void_v<T> { detail::set_block_result<T>(block("set_result")); }

  // The same, with an exception for result() to throw: a std::exception_ptr, or any object.
  template <class E>
  void set_exception(E&& exception) {
    if constexpr (std::is_same_v<std::decay_t<E>, std::exception_ptr>) {
      detail::set_block_exception<T>(block("set_exception"), std::forward<E>(exception));
    } else {
      detail::set_block_exception<T>(block("set_exception"), std::make_exception_ptr(std::forward<E>(exception)));
    }
  }

 private:
  friend struct detail::FutureAccess;
  template <class, class>
  friend class detail::CallbackNode;

  explicit Future(detail::BlockRef owned) noexcept : detail::FutureHandle(std::move(owned)) {}

  static std::add_lvalue_reference_t<const T> see([[maybe_unused]] detail::TaskBlock& finished) {
    if constexpr (std::is_reference_v<T>) return *detail::payload<detail::Kept<T>>(finished);
    else if constexpr (!std::is_void_v<T>) return detail::payload<T>(finished);
  }

  static T take(detail::TaskBlock& finished) {
    if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
      return see(finished);
    } else {
      static_assert(std::is_move_constructible_v<T>,
                    "result() of a temporary: T must be movable, or the future must have a name");
      T& value = detail::payload<T>(finished);
      if constexpr (std::is_trivially_copyable_v<T>) {
        return value;
      } else if constexpr (std::is_copy_constructible_v<T>) {
        if (!finished.has_one_owner()) return std::as_const(value);
      }
      return std::move(value);
    }
  }
};

}  // namespace nogil

template <class T>
struct std::hash<nogil::Future<T>> {
  std::size_t operator()(const nogil::Future<T>& future) const noexcept {
    return std::hash<const void*>()(nogil::detail::FutureAccess::block(future));
  }
};
