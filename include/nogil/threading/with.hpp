// nogil/threading/with.hpp -- with: run a function while holding a lock.
//
//   const int sum = nogil::with(lock, [&] { return a + b; });   // Python: with lock: …
//
// For anything that has lock() and unlock(): every lock, semaphore and condition of this
// library, and std's. std::scoped_lock does the same for a scope; `with` is for one
// expression, and returns what that returns.

#pragma once

#include <exception>
#include <utility>

namespace nogil {

template <class L>
concept BasicLockable = requires(L& lock) {
  lock.lock();
  lock.unlock();
};

// Returns what f() returns: a value, a reference or nothing. The lock is released when f
// has returned or thrown. An error of unlock() is thrown too (with a nogil lock: f has
// released it itself), unless f's own is on its way.
template <BasicLockable L, class F>
decltype(auto) with(L& lockable, F&& f) {
  class Holder {
   public:
    explicit Holder(L& lock) : lock_(lock) { lock_.lock(); }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() noexcept(false) {
      try {
        lock_.unlock();
      } catch (const std::exception&) {
        if (std::uncaught_exceptions() == before_) throw;
      }
    }

   private:
    L& lock_;
    const int before_ = std::uncaught_exceptions();
  };

  const Holder holder(lockable);
  return std::forward<F>(f)();
}

}  // namespace nogil
