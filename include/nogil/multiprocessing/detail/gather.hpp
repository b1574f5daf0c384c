// nogil/multiprocessing/detail/gather.hpp -- the results of several chunks, put together in one.
//
// What Pool::map() and its kin wait for: a future of a vector, or of nothing, that is done
// when the last chunk is. If calls threw, it fails with the exception of the first of them
// in the order of the arguments, whichever came first in time.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/chunk_feed.hpp"
#include "nogil/multiprocessing/detail/pool_core.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

template <class R>
class Gather final : public nogil::detail::Counted {
 public:
  using All = typename std::conditional_t<std::is_void_v<R>, std::type_identity<void>,
                                          std::type_identity<std::vector<R>>>::type;

  // One chunk's; written by who concludes it.
  struct Part {
    ChunkResults<R> results{};
    std::exception_ptr error{};
    std::uint64_t elements = 0;
  };

  explicit Gather(void* executor) : block_(PoolBlock<All>::make(executor)) {}

  Future<All> future() const { return future_of<All>(block_); }

  // By the thread that makes it: another chunk, or all were there.
  Part& expect(std::uint64_t elements) {
    parts_.emplace_back().elements = elements;
    left_.fetch_add(1, std::memory_order_relaxed);
    return parts_.back();
  }
  void all_expected() { one_is_done(Finisher()); }
  // Or: they will not all be there.
  void abandon() noexcept { block_->cancel(); }

  // False: nobody wants it.
  bool begin() noexcept {
    const FutureState found = block_->start_or_notify_cancel();
    return found == FutureState::kPending || found == FutureState::kRunning;
  }

  // By each chunk, once. The last of them finishes the future.
  void one_is_done(const Finisher& finisher) {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::exception_ptr error = first_error();
    if (error) {
      parts_.clear();  // before anybody sees it: it is the future's alone
      return finisher.fail(block_, std::move(error));
    }
    finisher.set(block_, [this] {
      if constexpr (std::is_void_v<R>) nogil::detail::construct_result<void>(*block_);
      else nogil::detail::construct_result<All>(*block_, put_together());
      parts_.clear();
    });
  }

 private:
  std::exception_ptr first_error() const noexcept {
    for (const Part& part : parts_) {
      if (part.error) return part.error;
      if (!part.results.errors.empty()) return part.results.errors.front().second;
    }
    return nullptr;
  }

  auto put_together() requires(!std::is_void_v<R>) {
    std::vector<R> all;
    std::size_t size = 0;
    for (const Part& part : parts_) size += part.results.values.size();
    all.reserve(size);
    for (Part& part : parts_) {
      for (auto& one : part.results.values) all.push_back(std::move(one.value));
    }
    return all;
  }

  BlockRef block_;
  std::deque<Part> parts_;            // which stay where they are
  std::atomic<std::size_t> left_{1};  // chunks, and one for all_expected()
};

template <class R>
class GatheredTask final : public PoolTask {
 public:
  GatheredTask(Frame its_call, nogil::detail::Ref<Gather<R>> to, typename Gather<R>::Part& part)
      : PoolTask(std::move(its_call)), to_(std::move(to)), part_(part) {}

  bool begin() noexcept override { return to_->begin(); }
  void cancel() noexcept override {
    fail(std::make_exception_ptr(CancelledError("Pool.map: it was cancelled")), Finisher());
  }
  void succeed(InputArchive& in, const Finisher& finisher) override {
    ChunkResults<R> results = LoadChunk<R>::load(in);
    require_size(results, part_.elements);
    part_.results = std::move(results);
    to_->one_is_done(finisher);
  }
  void fail(std::exception_ptr error, const Finisher& finisher) noexcept override {
    part_.error = std::move(error);
    to_->one_is_done(finisher);
  }

 private:
  const nogil::detail::Ref<Gather<R>> to_;
  typename Gather<R>::Part& part_;
};

// Reads all there is to read, and submits it. Throws what reading throws, and what submit()
// throws: then what was submitted before is not wanted any more.
template <class Reader, class... Parts>
auto gather(PoolCore& core, std::uint64_t chunksize, Parts&&... parts) {
  using R = typename Reader::Result;
  const nogil::detail::Ref<Gather<R>> all(new Gather<R>(core.executor()));
  ChunkFeed<Reader> feed(chunksize, 0, core.options().max_workers, core.call_memory(), std::forward<Parts>(parts)...);
  const auto send = [&](Frame&& frame, std::uint64_t elements) {
    auto task = std::make_unique<GatheredTask<R>>(std::move(frame), all, all->expect(elements));
    core.submit(std::move(task));
  };
  try {
    feed.fill(0, send);
    feed.flush(send);
  } catch (...) {
    all->abandon();
    throw;
  }
  auto future = all->future();
  all->all_expected();
  return future;
}

}  // namespace nogil::multiprocessing::detail
