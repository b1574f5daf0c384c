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
#include "nogil/multiprocessing/detail/chunk.hpp"
#include "nogil/multiprocessing/detail/pool_core.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
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

template <class Reader>
class ChunkedMap final : public nogil::detail::Counted {
 public:
  using Value = typename Reader::Result;
  using Results = ChunkResults<Value>;

  template <class... Parts>
  ChunkedMap(const nogil::detail::Ref<PoolCore>& core, const ChunkedMapSetup& setup, Parts&&... parts)
      : core_(core),
        setup_(setup),
        reader_(std::forward<Parts>(parts)...),
        sizes_(fixed_size(), setup.buffersize != 0 ? 0 : reader_.size(), core->options().max_workers) {}
  ~ChunkedMap() override { stop(); }

  // Reads as many elements as it may, and submits them all.
  void start() {
    fill();
    submit();
  }

  bool at_end() const noexcept { return given_ == read_; }

  // The next result; waits for it. Throws what the callable threw, TimeoutError,
  // CancelledError, BrokenProcessPool, WorkerDied, and what submit() throws.
  decltype(auto) current() {
    Results& results = front();
    if (error_ < results.errors.size() && results.errors[error_].first == number_) {
      std::rethrow_exception(results.errors[error_].second);
    }
    if constexpr (std::is_void_v<Value>) return nogil::detail::Nothing();
    else return std::move(results.values[number_ - error_].value);
  }

  // Goes on behind that result, and reads another element in its place.
  void advance() {
    await_front();
    Chunk& chunk = chunks_.front();
    if (const Results* const results = results_of(chunk)) {
      if (error_ < results->errors.size() && results->errors[error_].first == number_) ++error_;
    }
    ++given_;
    if (++number_ == chunk.elements) {
      chunks_.pop_front();
      number_ = 0;
      error_ = 0;
    }
    if (setup_.buffersize != 0) fill();
  }

  // Cancels what lies in no worker's ring; nobody waits for the rest.
  void stop() noexcept {
    for (Chunk& chunk : chunks_) chunk.future.cancel();
    chunks_.clear();
    draft_.reset();
  }

 private:
  struct Chunk {
    Future<Results> future;
    std::uint64_t elements;
  };

  // A chunk that grows.
  struct Draft {
    explicit Draft(PoolCore* core) : task(std::make_unique<ChunkTask<Value>>(core)), out(task->call) {}
    std::unique_ptr<ChunkTask<Value>> task;
    OutputArchive out;
    std::uint64_t elements = 0;
  };

  // With a bound, there are chunks for all workers in it.
  std::uint64_t fixed_size() const noexcept {
    if (setup_.buffersize == 0) return setup_.chunksize;
    if (setup_.chunksize == 0) return 1 + setup_.buffersize / (4 * core_->options().max_workers);
    return setup_.chunksize < setup_.buffersize ? setup_.chunksize : setup_.buffersize;
  }

  bool has_room() const noexcept { return setup_.buffersize == 0 || read_ - given_ < setup_.buffersize; }

  void fill() {
    while (!exhausted_ && has_room()) {
      if (!draft_) {
        draft_.emplace(core_.get());
        reader_.write_head(draft_->out);
      }
      if (!reader_.read(draft_->out)) {
        exhausted_ = true;
        break;
      }
      ++read_;
      ++draft_->elements;
      if (sizes_.full(draft_->elements, read_, draft_->task->call)) submit();
    }
  }

  void submit() {
    if (!draft_ || draft_->elements == 0) return;
    Future<Results> future = draft_->task->future();
    chunks_.push_back({future, draft_->elements});
    std::unique_ptr<ChunkTask<Value>> task = std::move(draft_->task);
    draft_.reset();
    try {
      core_->submit(std::move(task), setup_.late);
    } catch (...) {
      // These elements are read, and have the same exception each.
      future.set_exception(std::current_exception());
      throw;
    }
  }

  void await_front() {
    if (chunks_.empty()) submit();
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

  // The results of the first chunk, when they are there. Throws what failed it.
  Results& front() {
    await_front();
    const Chunk& chunk = chunks_.front();
    chunk.future.result();
    Results& results = *results_of(chunk);
    if (results.size() != chunk.elements) throw_malformed("map: a worker sent another number of results");
    return results;
  }

  const nogil::detail::Ref<PoolCore> core_;
  const ChunkedMapSetup setup_;
  Reader reader_;
  const ChunkSizes sizes_;
  std::optional<Draft> draft_;
  std::deque<Chunk> chunks_;
  std::uint64_t read_ = 0;      // elements
  std::uint64_t given_ = 0;     // of these, results that were gone past
  std::uint64_t number_ = 0;    // of the next result, in the first chunk
  std::size_t error_ = 0;       // how many before it are exceptions
  bool exhausted_ = false;
};

}  // namespace nogil::multiprocessing::detail
