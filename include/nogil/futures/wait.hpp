// nogil/futures/wait.hpp -- wait: until the first, or all, of several futures are done.
//
//   auto [done, not_done] = nogil::wait(futures, 2s);                // Python: wait(futures, timeout=2)
//   nogil::wait(futures, nogil::FIRST_COMPLETED);
//
// FIRST_COMPLETED   at least one is done, in whatever way
// FIRST_EXCEPTION   at least one has thrown, or all are done (as one that was cancelled is)
// ALL_COMPLETED     all are done
//
// Takes any range of Future<T>, or a list in braces. A future that is there twice counts
// once. To reach the limit is no error: what is done is in `done`.
//
// Python   concurrent.futures.wait. A cancelled future is done at once here; in Python not
//          before its executor has noticed.

#pragma once

#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "nogil/futures/detail/future_group.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/futures/return_when.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil {

// Both in the order in which they were given.
template <class T>
struct DoneAndNotDone {
  std::vector<Future<T>> done;
  std::vector<Future<T>> not_done;
};

namespace detail {

template <class T>
bool has_failed(const Future<T>& future) {
  return FutureAccess::block(future)->state() == FutureState::kFailed;
}

// Whether there is nothing to wait for.
template <class T>
bool wait_is_over(const std::vector<Future<T>>& futures, ReturnWhen when) {
  bool all = true;
  for (const Future<T>& future : futures) {
    if (!future.done()) {
      all = false;
    } else if (when == ReturnWhen::FIRST_COMPLETED || (when == ReturnWhen::FIRST_EXCEPTION && has_failed(future))) {
      return true;
    }
  }
  return all;
}

template <class T>
void wait_for_several(const std::vector<Future<T>>& futures, platform::Wait& wait, ReturnWhen when) {
  if (when == ReturnWhen::ALL_COMPLETED) {
    // The last first: it is the last to be done, mostly, so this thread sleeps only once. If
    // it is not, those that are left are watched together.
    constexpr int kSleeps = 2;
    int slept = 0;
    for (std::size_t i = futures.size(); i-- != 0;) {
      if (futures[i].done()) continue;
      if (slept++ == kSleeps && t_wait_helper == nullptr) {
        FutureGroup<T>({futures.begin(), futures.begin() + static_cast<std::ptrdiff_t>(i) + 1}).wait_for_all(wait);
        return;
      }
      if (!await(*FutureAccess::block(futures[i]), wait)) return;
    }
    return;
  }
  if (wait_is_over(futures, when)) return;
  for (FutureGroup<T> group(futures); group.left() != 0 && group.wait(wait);) {
    const Future<T> future = group.take();
    if (when == ReturnWhen::FIRST_COMPLETED || has_failed(future)) return;
  }
}

template <class T>
DoneAndNotDone<T> split_by_done(std::vector<Future<T>> futures) {
  DoneAndNotDone<T> result;
  for (Future<T>& future : futures) {
    std::vector<Future<T>>& part = future.done() ? result.done : result.not_done;
    part.push_back(std::move(future));
  }
  return result;
}

template <class T, class... Limits>
DoneAndNotDone<T> wait_for_range(std::vector<Future<T>> futures, ReturnWhen when, const Limits&... limits) {
  if (when != ReturnWhen::ALL_COMPLETED && when != ReturnWhen::FIRST_COMPLETED && when != ReturnWhen::FIRST_EXCEPTION) {
    throw ValueError("wait: no such ReturnWhen");
  }
  if constexpr (sizeof...(Limits) == 0) {
    platform::Wait forever;
    wait_for_several(futures, forever, when);
  } else {
    platform::within([&](platform::Wait& wait) { wait_for_several(futures, wait, when); }, limits...);
  }
  return split_by_done(std::move(futures));
}

}  // namespace detail

// Waits for as long as it takes. In a pool's worker, throws DeadlockError as result() does.
template <detail::FutureRange Range>
auto wait(Range&& futures, ReturnWhen when = ALL_COMPLETED) {
  return detail::wait_for_range(detail::distinct_futures<detail::FutureRangeValue<Range>>(futures), when);
}
template <class T>
DoneAndNotDone<T> wait(std::initializer_list<Future<T>> futures, ReturnWhen when = ALL_COMPLETED) {
  return detail::wait_for_range(detail::distinct_futures<T>(futures), when);
}

// wait(futures, timeout | deadline | stop_token [, when]): no longer than that.
template <detail::FutureRange Range, class Limit>
requires platform::WaitLimits<Limit>
auto wait(Range&& futures, const Limit& limit, ReturnWhen when = ALL_COMPLETED) {
  return detail::wait_for_range(detail::distinct_futures<detail::FutureRangeValue<Range>>(futures), when, limit);
}
template <class T, class Limit>
requires platform::WaitLimits<Limit> DoneAndNotDone<T> wait(std::initializer_list<Future<T>> futures,
                                                            const Limit& limit, ReturnWhen when = ALL_COMPLETED) {
  return detail::wait_for_range(detail::distinct_futures<T>(futures), when, limit);
}

}  // namespace nogil
