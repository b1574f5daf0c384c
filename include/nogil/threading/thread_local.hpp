// nogil/threading/thread_local.hpp -- ThreadLocal: one object, a value for each thread.
//
//   nogil::ThreadLocal<std::string> user;               // Python: local = threading.local()
//   *user = "guido";                                    //         local.user = "guido"
//   nogil::ThreadLocal random([] { return std::mt19937(std::random_device()()); });
//   const auto dice = (*random)() % 6;
//
// Unlike the keyword thread_local it can be a member, a local variable, or made at run
// time. A thread's value is made when the thread first asks for it: by default, as a copy
// of a first value, or by a factory, a callable without arguments.
//
// Threads    Everything but construction and destruction may be called from any number of
//            threads at once; each works on its own value. A factory may be called by
//            several at once. A value may be shown to other threads, under rules of your
//            own.
// Lifetime   A value is destroyed at the end of its thread, with the thread's
//            thread_locals, or by the destructor of the ThreadLocal: whichever comes first.
//            When that destructor returns, all values are gone. So a value's destructor
//            must not wait for a thread that is just destroying the ThreadLocal.
// Errors     What the factory throws comes out of the access; the next one tries again.
// Cost       An access is three loads and two tests, about as much as a pointer in a
//            table. The first in a thread takes a lock for a moment, and allocates. Memory
//            for each thread: a pointer for each ThreadLocal alive, and the values.
// Python     threading.local, with one value instead of attributes.

#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "nogil/threading/detail/local_table.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil {

namespace detail {

template <class T>
struct LocalValue final : LocalNode {
  template <class Make>
  explicit LocalValue(Make& make) : value(make()) {}

  T value;
};

template <class T>
class LocalFactory : public Counted {
 public:
  virtual LocalValue<T>* make() = 0;
};

template <class T, class Make>
class LocalFactoryOf final : public LocalFactory<T> {
 public:
  explicit LocalFactoryOf(Make make) : make_(std::move(make)) {}
  LocalValue<T>* make() override { return new LocalValue<T>(make_); }

 private:
  Make make_;
};

}  // namespace detail

template <class T>
class ThreadLocal {
 public:
  // Each thread's value is T().
  ThreadLocal() requires std::default_initializable<T> : ThreadLocal(Made(), [] { return T(); }) {}

  // Each thread's value is a copy of `first`.
  explicit ThreadLocal(T first) requires std::copy_constructible<T>
      : ThreadLocal(Made(), [value = std::move(first)] { return value; }) {}

  // Each thread's value is what factory() returns in that thread.
  template <class F>
  requires std::is_invocable_r_v<T, F&>
  explicit ThreadLocal(F factory) : ThreadLocal(Made(), std::move(factory)) {}

  ThreadLocal(const ThreadLocal&) = delete;
  ThreadLocal& operator=(const ThreadLocal&) = delete;

  // The calling thread's value.
  [[nodiscard]] T& get() const {
    if (detail::LocalNode* const node = key_.find()) [[likely]]
      return value_of(node);
    return make();
  }
  T& operator*() const { return get(); }
  T* operator->() const { return &get(); }

 private:
  struct Made {};

  template <class F>
  ThreadLocal(Made, F factory) : factory_(new detail::LocalFactoryOf<T, F>(std::move(factory))) {}

  static T& value_of(detail::LocalNode* node) noexcept { return static_cast<detail::LocalValue<T>*>(node)->value; }

  [[gnu::noinline, gnu::cold]] T& make() const { return value_of(key_.put(factory_->make())); }

  detail::Ref<detail::LocalFactory<T>> factory_;
  mutable detail::LocalKey key_;  // last: its destructor runs the values', which may need what the factory holds
};

template <class F>
requires std::is_invocable_v<F&> ThreadLocal(F)
->ThreadLocal<std::decay_t<std::invoke_result_t<F&>>>;

}  // namespace nogil
