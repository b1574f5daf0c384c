// nogil/multiprocessing/detail/chunked_map.hpp -- one call of map() of a pool of processes.
//
// The ranges are read by the thread that has the results, and submitted in chunks. What is
// not bounded is read at the call. With a bound, each result that is read makes room for
// another element, and these are submitted when there are enough for a chunk, or when
// nothing else is left to wait for.
//
// Threads    One at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/chunk_feed.hpp"
#include "nogil/multiprocessing/detail/pool_core.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

struct ChunkedMapSetup {
  std::uint64_t chunksize;   // 0: by ChunkSizes
  std::uint64_t buffersize;  // 0: no bound
  platform::Deadline deadline = platform::Deadline::never();
  Late late = Late::kRefused;
};

// The pool goes on as long as this lives.
class Feeding {
 public:
  explicit Feeding(nogil::detail::Ref<PoolCore> core) noexcept : core_(std::move(core)) { core_->add_feeder(); }
  Feeding(const Feeding&) = delete;
  Feeding& operator=(const Feeding&) = delete;
  ~Feeding() { core_->remove_feeder(); }

 private:
  const nogil::detail::Ref<PoolCore> core_;
};

// `Core`: the pool; PoolCore, or another one with the same functions.
template <class Core, class Reader>
class BasicChunkedMap final : public nogil::detail::Counted {
 public:
  using Value = typename Reader::Result;
  using Results = ChunkResults<Value>;

  template <class... Parts>
  BasicChunkedMap(const nogil::detail::Ref<Core>& core, const ChunkedMapSetup& setup, Parts&&... parts)
      : core_(core),
        setup_(setup),
        feed_(setup.chunksize, setup.buffersize, core->options().max_workers, core->call_memory(),
              std::forward<Parts>(parts)...) {
    if constexpr (std::is_same_v<Core, PoolCore>) {
      if (setup.late == Late::kTaken) feed_.keep_error();
      if (setup.buffersize != 0 && setup.late == Late::kTaken) feeding_.emplace(core);
    }
  }
  ~BasicChunkedMap() override { stop(); }

  // Reads as many elements as it may, and submits them all.
  void start() {
    fill();
    flush();
  }

  bool at_end() const noexcept { return given_ == feed_.read() && !feed_.error(); }

  // The next result; waits for it. Throws what the callable threw, TimeoutError,
  // CancelledError, BrokenProcessPool, WorkerDied, and what submit() throws.
  decltype(auto) current() {
    if (given_ == feed_.read()) std::rethrow_exception(feed_.error());
    await_front();
    const Chunk& chunk = chunks_.front();
    chunk.future.result();  // throws what has failed the whole
    Results& results = *results_of(chunk);
    require_size(results, chunk.elements);
    return cursor_.current(results);
  }

  // Goes on behind that result, and reads another element in its place.
  void advance() {
    if (given_ == feed_.read()) return feed_.forget_error();
    await_front();
    const Chunk& chunk = chunks_.front();
    cursor_.advance(results_of(chunk));
    ++given_;
    if (cursor_.number() == chunk.elements) {
      chunks_.pop_front();
      cursor_ = {};
    }
    if (setup_.buffersize != 0) fill();
  }

  // Cancels what lies in no worker's ring; nobody waits for the rest.
  void stop() noexcept {
    for (Chunk& chunk : chunks_) chunk.future.cancel();
    chunks_.clear();
    feeding_.reset();
  }

 private:
  struct Chunk {
    Future<Results> future;
    std::uint64_t elements;
  };

  void fill() {
    feed_.fill(given_, [this](Frame&& frame, std::uint64_t elements) { submit(std::move(frame), elements); });
  }
  void flush() {
    feed_.flush([this](Frame&& frame, std::uint64_t elements) { submit(std::move(frame), elements); });
  }

  void submit(Frame&& frame, std::uint64_t elements) {
    auto task = std::make_unique<ChunkTask<Value>>(std::move(frame), core_->executor());
    Future<Results> future = task->future();
    chunks_.push_back({future, elements});
    try {
      core_->submit(std::move(task), setup_.late);
    } catch (...) {
      future.set_exception(std::current_exception());  // the elements are read: each throws this
      throw;
    }
  }

  void await_front() {
    if (chunks_.empty()) flush();
    platform::Wait wait(setup_.deadline);
    if (!nogil::detail::await(*nogil::detail::FutureAccess::block(chunks_.front().future), wait)) {
      throw TimeoutError("map: the next result was not there in time");
    }
  }

  // Null: it failed as a whole, or was cancelled.
  static Results* results_of(const Chunk& chunk) noexcept {
    TaskBlock& block = *nogil::detail::FutureAccess::block(chunk.future);
    return block.state() == FutureState::kFinished ? &nogil::detail::payload<Results>(block) : nullptr;
  }

  const nogil::detail::Ref<Core> core_;
  const ChunkedMapSetup setup_;
  ChunkFeed<Reader> feed_;
  std::optional<Feeding> feeding_;
  std::deque<Chunk> chunks_;
  ChunkCursor<Value> cursor_{};  // in the first of them
  std::uint64_t given_ = 0;      // results that were gone past
};

template <class Reader>
using ChunkedMap = BasicChunkedMap<PoolCore, Reader>;

}  // namespace nogil::multiprocessing::detail
