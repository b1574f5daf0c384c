// nogil/futures/detail/future_group.hpp -- the distinct futures of a range, watched together.
//
// The base of wait() and as_completed().

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/detail/future_arrivals.hpp"
#include "nogil/futures/detail/future_await.hpp"
#include "nogil/futures/detail/future_handle.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class T>
inline constexpr bool kIsFuture = false;
template <class T>
inline constexpr bool kIsFuture<Future<T>> = true;

template <class Range>
using RangeElement = std::remove_cvref_t<decltype(*std::begin(std::declval<Range&>()))>;

// Anything that `for` goes through, of Future<T>, for one T.
template <class Range>
concept FutureRange = kIsFuture<RangeElement<Range>>;

template <class Range>
using FutureRangeValue = typename RangeElement<Range>::value_type;

// The futures of a range, each once, in the order of their first appearance. Throws
// RuntimeError if one of the handles is empty.
template <class T, class Range>
std::vector<Future<T>> distinct_futures(Range&& range) {
  std::vector<Future<T>> all;
  for (auto&& future : range) {
    if (!future.valid())
      throw RuntimeError("wait, as_completed: one of the futures is empty: default-made, or moved from");
    all.push_back(future);
  }
  // A table with open addressing: half full at most.
  std::vector<TaskBlock*> seen(std::bit_ceil(all.size() * 2 + 1), nullptr);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    TaskBlock* const block = FutureAccess::block(all[i]);
    constexpr std::uint64_t kSpread = 0x9e37'79b9'7f4a'7c15;  // 2^64 by the golden ratio: Knuth's multiplier
    std::size_t place = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(block) * kSpread >> 32);
    while (seen[place &= seen.size() - 1] != nullptr && seen[place] != block) ++place;
    if (seen[place] == block) continue;
    seen[place] = block;
    if (kept != i) all[kept] = std::move(all[i]);
    ++kept;
  }
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(kept), all.end());
  return all;
}

// Watches some futures, and hands them out as they complete. Those that are done to begin
// with come first, in their order.
template <class T>
class FutureGroup {
 public:
  explicit FutureGroup(std::vector<Future<T>> distinct)
      : futures_(std::move(distinct)), watches_(futures_.size()), arrivals_(watches_.data()) {
    std::vector<bool> done(futures_.size());
    for (std::uint32_t i = 0; i < futures_.size(); ++i) {
      done[i] = block(i).done();
      if (done[i]) arrivals_.watch(i, block(i));
    }
    for (std::uint32_t i = 0; i < futures_.size(); ++i) {
      if (!done[i]) arrivals_.watch(i, block(i));
    }
  }
  FutureGroup(const FutureGroup&) = delete;
  FutureGroup& operator=(const FutureGroup&) = delete;
  ~FutureGroup() {
    for (std::uint32_t i = 0; i < futures_.size(); ++i) {
      if (futures_[i].valid()) arrivals_.forget(i, block(i));
    }
  }

  // How many there are, and how many take() has not given yet.
  std::size_t size() const noexcept { return futures_.size(); }
  std::size_t left() const noexcept { return futures_.size() - taken_; }

  // Waits until there is one to take. False: the limit was reached first. left() != 0.
  bool wait(platform::Wait& wait) {
    if (arrivals_.ready()) return true;
    if (wait.immediate()) return false;
    do {
      run_continuations();
      if (t_wait_helper == nullptr || !help(*t_wait_helper)) return arrivals_.wait(wait);
    } while (!arrivals_.ready() && !wait.over());
    return arrivals_.ready();
  }

  // Waits until all are done, in one sleep; not in a worker, who would have to help in
  // between. Nothing can be taken afterwards. There must be one.
  void wait_for_all(platform::Wait& wait) {
    run_continuations();
    arrivals_.skip_to_last(static_cast<std::uint32_t>(futures_.size()));
    arrivals_.wait(wait);
  }

  // The next one; the group does not hold it any more.
  Future<T> take() noexcept {
    ++taken_;
    return std::move(futures_[arrivals_.take()]);
  }

 private:
  TaskBlock& block(std::size_t i) const noexcept { return *FutureAccess::block(futures_[i]); }

  // In a worker: runs something that may be what is waited for, if there is anything.
  bool help(WaitHelper& helper) {
    for (std::size_t i = 0; i < futures_.size(); ++i) {
      if (!futures_[i].valid()) continue;
      if (block(i).done()) return true;
      const BlockRef root = root_of(block(i));
      if (helper.help(root ? *root : block(i), false)) return true;
      helper.awake();
    }
    return false;
  }

  std::vector<Future<T>> futures_;  // empty where it was taken
  std::vector<Arrivals::Watch> watches_;
  Arrivals arrivals_;
  std::size_t taken_ = 0;
};

}  // namespace nogil::detail
