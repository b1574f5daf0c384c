// nogil/threading/detail/ref.hpp -- a pointer that shares its object, which counts its owners.
//
//   class State : public Counted { … };
//   const Ref<State> state(new State);          // one owner
//   Ref<State> another = state;                 // two
//
// What std::shared_ptr does, without the second block and without <memory>.
//
// Threads    One object may be shared by many threads; one Ref is for one thread at a
//            time. What any owner did with the object before it let go is visible to
//            the destructor.

#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace nogil::detail {

// Base of what a Ref points to. Made with one owner, the last one to leave deletes it, as a
// Self: a class that is derived from this, with a virtual destructor unless it is final.
template <class Self>
class CountedAs {
 public:
  CountedAs() = default;
  CountedAs(const CountedAs&) = delete;
  CountedAs& operator=(const CountedAs&) = delete;

  void add_owner() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void drop_owner() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete static_cast<Self*>(this);
  }

 protected:
  ~CountedAs() = default;

 private:
  std::atomic<std::uint32_t> owners_{1};
};

// The same, whatever is derived from it. (What small programs reach, such as the excepthook,
// is better off with CountedAs: where one Counted is dropped, a compiler that optimizes
// prepares the destructors of all the others that it has seen.)
class Counted : public CountedAs<Counted> {
 public:
  virtual ~Counted() = default;
};

template <class T>
class Ref {
 public:
  constexpr Ref() noexcept = default;
  constexpr explicit Ref(T* owned) noexcept : object_(owned) {}  // takes over the ownership that `owned` comes with
  Ref(const Ref& other) noexcept : object_(other.object_) {
    if (object_ != nullptr) object_->add_owner();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->drop_owner();
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

  // Gives the ownership away.
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

}  // namespace nogil::detail
