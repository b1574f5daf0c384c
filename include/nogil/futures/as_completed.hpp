// nogil/futures/as_completed.hpp -- as_completed: futures in the order in which they complete.
//
//   for (auto& future : nogil::as_completed(futures)) {      // Python: for future in as_completed(futures):
//     std::cout << future.result() << '\n';
//   }
//
// Takes any range of Future<T>, or a list in braces. Those that are done already come
// first; one that is there twice comes once. Each step waits for the next one. With a limit,
// which counts from the call, a step throws TimeoutError when it is reached.
//
// Lifetime   What was given is copied: handles. A future that has been given out is not held
//            any more, but by the loop's variable until the next step.
// Threads    One goes through it; it cannot be copied or moved.
// Python     concurrent.futures.as_completed.

#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/future_group.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil {

namespace detail {

// What as_completed() returns: an input range. Limit is a Deadline, or a time_point of a
// clock that may be set.
template <class T, class Limit>
class AsCompleted {
 public:
  class Iterator {
   public:
    using value_type = Future<T>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(AsCompleted& range) noexcept : range_(&range) {}

    Future<T>& operator*() const noexcept { return range_->current_; }
    Future<T>* operator->() const noexcept { return &range_->current_; }

    // Waits for the next one. Throws TimeoutError.
    Iterator& operator++() {
      range_->next();
      return *this;
    }
    void operator++(int) { ++*this; }

    friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.over(); }

   private:
    bool over() const noexcept { return !range_->current_.valid(); }

    AsCompleted* range_ = nullptr;
  };

  AsCompleted(std::vector<Future<T>> distinct, const Limit& limit) : limit_(limit), group_(std::move(distinct)) {}

  // Waits for the first one, unless it has been given already. Throws TimeoutError.
  Iterator begin() {
    if (!current_.valid()) next();
    return Iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void next() {
    current_ = Future<T>();
    if (group_.left() == 0) return;
    platform::Wait wait(limit_);
    if (!group_.wait(wait)) {
      throw TimeoutError(
          (platform::Text() << group_.left() << " (of " << group_.size() << ") futures unfinished").take());
    }
    current_ = group_.take();
  }

  const Limit limit_;
  FutureGroup<T> group_;
  Future<T> current_;
};

template <class T>
auto as_completed_of(std::vector<Future<T>> futures) {
  return AsCompleted<T, platform::Deadline>(std::move(futures), platform::Deadline::never());
}
template <class T, class Rep, class Period>
auto as_completed_of(std::vector<Future<T>> futures, const std::chrono::duration<Rep, Period>& timeout) {
  return AsCompleted<T, platform::Deadline>(std::move(futures), platform::Deadline::after(timeout));
}
template <class T, class Clock, class Duration>
auto as_completed_of(std::vector<Future<T>> futures, const std::chrono::time_point<Clock, Duration>& deadline) {
  return AsCompleted<T, std::chrono::time_point<Clock, Duration>>(std::move(futures), deadline);
}

}  // namespace detail

template <detail::FutureRange Range>
[[nodiscard]] auto as_completed(Range&& futures) {
  return detail::as_completed_of(detail::distinct_futures<detail::FutureRangeValue<Range>>(futures));
}
template <class T>
[[nodiscard]] auto as_completed(std::initializer_list<Future<T>> futures) {
  return detail::as_completed_of(detail::distinct_futures<T>(futures));
}

// as_completed(futures, timeout | deadline)
template <detail::FutureRange Range, platform::TimeLimit Limit>
[[nodiscard]] auto as_completed(Range&& futures, const Limit& limit) {
  return detail::as_completed_of(detail::distinct_futures<detail::FutureRangeValue<Range>>(futures), limit);
}
template <class T, platform::TimeLimit Limit>
[[nodiscard]] auto as_completed(std::initializer_list<Future<T>> futures, const Limit& limit) {
  return detail::as_completed_of(detail::distinct_futures<T>(futures), limit);
}

}  // namespace nogil
