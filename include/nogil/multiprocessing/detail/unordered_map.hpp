// nogil/multiprocessing/detail/unordered_map.hpp -- one call of imap_unordered(): chunks as they are done.
//
// Each chunk that is done goes into a queue of arrivals, which its reader takes them from.
// While that is empty, the reader waits for a block, which the next arrival finishes.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "nogil/multiprocessing/detail/chunk_feed.hpp"
#include "nogil/multiprocessing/detail/chunked_map.hpp"
#include "nogil/multiprocessing/detail/pool_core.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

// Shared by the reader and the chunks that are on their way.
template <class R>
class ChunkArrivals final : public nogil::detail::Counted {
 public:
  struct Arrival {
    ChunkResults<R> results{};
    std::exception_ptr error{};  // instead
    std::uint64_t elements = 0;
  };

  void arrive(Arrival&& arrival, const Finisher& finisher = {}) {
    BlockRef waiting;
    {
      const platform::RawGuard guard(lock_);
      arrivals_.push_back(std::move(arrival));
      waiting = std::move(waiting_);
    }
    if (waiting) finisher.set(waiting, [&] { nogil::detail::construct_result<void>(*waiting); });
  }

  // By the one reader: waits for the next. There must be one to come.
  Arrival take(void* executor) {
    for (;;) {
      BlockRef block;
      {
        const platform::RawGuard guard(lock_);
        if (!arrivals_.empty()) {
          Arrival first = std::move(arrivals_.front());
          arrivals_.pop_front();
          return first;
        }
        waiting_ = block = PoolBlock<void>::make(executor);
      }
      platform::Wait forever;
      nogil::detail::await(*block, forever);
    }
  }

  // Nobody wants what has not begun.
  void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

 private:
  platform::RawLock lock_;
  std::deque<Arrival> arrivals_;  // guarded by lock_, as waiting_
  BlockRef waiting_;              // the reader's, while it waits
  std::atomic<bool> stopped_{false};
};

template <class R>
class ArrivingTask final : public PoolTask {
 public:
  using Arrivals = ChunkArrivals<R>;

  ArrivingTask(Frame its_call, nogil::detail::Ref<Arrivals> to, std::uint64_t elements)
      : PoolTask(std::move(its_call)), to_(std::move(to)), elements_(elements) {}

  bool begin() noexcept override { return !to_->stopped(); }
  void cancel() noexcept override {
    fail(std::make_exception_ptr(CancelledError("imap_unordered: it was cancelled")), Finisher());
  }
  void succeed(InputArchive& in, const Finisher& finisher) override {
    typename Arrivals::Arrival arrival{LoadChunk<R>::load(in), {}, elements_};
    require_size(arrival.results, elements_);
    to_->arrive(std::move(arrival), finisher);
  }
  void fail(std::exception_ptr error, const Finisher& finisher) noexcept override {
    to_->arrive({{}, std::move(error), elements_}, finisher);
  }

 private:
  const nogil::detail::Ref<Arrivals> to_;
  const std::uint64_t elements_;
};

template <class Reader>
class UnorderedMap final : public nogil::detail::Counted {
 public:
  using Value = typename Reader::Result;
  using Arrivals = ChunkArrivals<Value>;

  template <class... Parts>
  UnorderedMap(const nogil::detail::Ref<PoolCore>& core, const ChunkedMapSetup& setup, Parts&&... parts)
      : core_(core),
        setup_(setup),
        arrivals_(new Arrivals),
        feed_(setup.chunksize, setup.buffersize, core->options().max_workers, core->call_memory(),
              std::forward<Parts>(parts)...) {
    feed_.keep_error();
    if (setup.buffersize != 0 && setup.late == Late::kTaken) feeding_.emplace(core);
  }
  ~UnorderedMap() override { stop(); }

  void start() {
    fill();
    flush();
  }

  bool at_end() const noexcept { return given_ == feed_.read() && !feed_.error(); }

  decltype(auto) current() {
    if (given_ == feed_.read()) std::rethrow_exception(feed_.error());
    await();
    if (here_->error) std::rethrow_exception(here_->error);
    return cursor_.current(here_->results);
  }

  void advance() {
    if (given_ == feed_.read()) return feed_.forget_error();
    await();
    cursor_.advance(here_->error ? nullptr : &here_->results);
    ++given_;
    if (cursor_.number() == here_->elements) {
      here_.reset();
      cursor_ = {};
    }
    if (setup_.buffersize != 0) fill();
  }

  void stop() noexcept {
    arrivals_->stop();
    feeding_.reset();
  }

 private:
  void fill() {
    feed_.fill(given_, [this](Frame&& frame, std::uint64_t elements) { submit(std::move(frame), elements); });
  }
  void flush() {
    feed_.flush([this](Frame&& frame, std::uint64_t elements) { submit(std::move(frame), elements); });
  }

  void submit(Frame&& frame, std::uint64_t elements) {
    auto task = std::make_unique<ArrivingTask<Value>>(std::move(frame), arrivals_, elements);
    try {
      core_->submit(std::move(task), setup_.late);
    } catch (...) {
      arrivals_->arrive({{}, std::current_exception(), elements});
      throw;
    }
    sent_ += elements;
  }

  void await() {
    if (here_) return;
    if (sent_ == given_) flush();
    here_.emplace(arrivals_->take(core_->executor()));
  }

  const nogil::detail::Ref<PoolCore> core_;
  const ChunkedMapSetup setup_;
  const nogil::detail::Ref<Arrivals> arrivals_;
  ChunkFeed<Reader> feed_;
  std::optional<Feeding> feeding_;
  std::optional<typename Arrivals::Arrival> here_;  // the chunk that is read
  ChunkCursor<Value> cursor_{};                     // in it
  std::uint64_t sent_ = 0;                          // elements
  std::uint64_t given_ = 0;                         // results that were gone past
};

}  // namespace nogil::multiprocessing::detail
