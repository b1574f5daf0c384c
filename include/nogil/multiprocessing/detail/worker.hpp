// nogil/multiprocessing/detail/worker.hpp -- what a process of a pool does.
//
// It takes calls out of its ring, one after the other, and puts their results into the
// other one (worker_link.hpp), until it is told to stop.

#pragma once

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <utility>

#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/child_main.hpp"
#include "nogil/multiprocessing/detail/exception_codec.hpp"
#include "nogil/multiprocessing/detail/worker_link.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::multiprocessing::detail {

class Worker {
 public:
  // `number`: which one of its pool.
  Worker(WorkerLink link, std::uint32_t number) noexcept
      : link_(std::move(link)), number_(number % Spinners::kWorkers), arena_(link_.arena(), kArenaSize) {}

  // Says that it is there, and works until it is told to stop.
  void serve() {
    link_->ready.store(true, std::memory_order_release);
    while (await_request()) serve_one();
  }

  // Instead of serve(): the initializer threw.
  void give_up(const std::exception_ptr& error) {
    Frame frame;
    OutputArchive out(frame);
    save_exception(out, error);
    respond(0, frame, true);
  }

 private:
  bool await_request() noexcept {
    WorkerState& state = *link_.operator->();
    for (const auto told = [&state] { return !state.requests.empty() || state.stop.load(std::memory_order_acquire); };
         ;) {
      if (!told() && !link_.bell().spinners().spin(number_, told)) {
        const auto key = state.requested.prepare();
        Wait forever;
        if (told()) state.requested.cancel(key);
        else state.requested.wait(key, forever, platform::kForWork);
        continue;
      }
      return !state.requests.empty();
    }
  }

  void serve_one() {
    Slot& first = link_->requests.first();
    const std::uint64_t id = first.id.load(std::memory_order_relaxed) & ~Slot::kTakenBack;
    const std::int64_t began = monotonic_ns();
    link_->began.store(began, std::memory_order_relaxed);
    link_->running.store(id, std::memory_order_release);
    std::uint64_t seen = id;
    if (!first.id.compare_exchange_strong(seen, id | Slot::kBegun, std::memory_order_acq_rel)) return skip(first);
    Frame result(&arena_);
    bool failed = false;
    try {
      const SlotOwner slot(link_);
      Arrived request = Arrived::call(link_->requests.first(), link_);
      slot.give_back();
      InputArchive in = request.archive();
      OutputArchive out(result);
      const platform::TraceSpan span(platform::TraceKind::kTask, "task", id);
      run_call(in, out);
    } catch (...) {
      failed = true;
      result = Frame();
      OutputArchive out(result);
      save_exception(out, std::current_exception());
    }
    flush_output();
    const std::int64_t took = monotonic_ns() - began;
    took_ = took < kLongest ? static_cast<std::uint32_t>(took) : kLongest;
    respond(id, result, failed);
    std::uint64_t mine = id;
    if (!link_->running.compare_exchange_strong(mine, 0, std::memory_order_release, std::memory_order_relaxed)) {
      for (;;) ::pause();  // condemned: the signal is on its way
    }
  }

  // A call that was taken back. What lies beside it in the socket is taken out of there.
  void skip(const Slot& slot) noexcept {
    link_->running.store(0, std::memory_order_release);
    try {
      if (slot.kind == SlotKind::kFile) Arrived::call(slot, link_);
    } catch (const DecodeError&) {
    }
    link_->requests.pop();
    link_.bell()->call();  // there is room, and no response will say so
  }

  // Gives a slot of the request ring up once, as soon as it can.
  class SlotOwner {
   public:
    explicit SlotOwner(WorkerLink& link) noexcept : link_(link) {}
    SlotOwner(const SlotOwner&) = delete;
    SlotOwner& operator=(const SlotOwner&) = delete;
    ~SlotOwner() { give_back(); }
    void give_back() const noexcept {
      if (!std::exchange(done_, true)) link_->requests.pop();
    }

   private:
    WorkerLink& link_;
    mutable bool done_ = false;
  };

  // There is room: the parent has no more tasks out than there are slots.
  void respond(std::uint64_t id, Frame& frame, bool failed) {
    try {
      fill(id, frame, failed);
    } catch (...) {
      Frame error;
      OutputArchive out(error);
      save_exception(out, std::current_exception());
      fill(id, error, true);
    }
    link_->responses.push();
    link_.bell()->ring();
    link_->responses.prepare_next();
  }

  void fill(std::uint64_t id, Frame& frame, bool failed) {
    const std::uint64_t shared = frame.bytes.shared() ? arena_.begin_of(frame.bytes.data()) : 0;
    Slot& slot = link_->responses.next();
    slot.took = took_;
    while (!fill_slot(slot, link_.socket(), id, frame, failed, shared)) ::usleep(100);
    if (slot.kind == SlotKind::kShared) frame.bytes.let_go();  // the parent gives it back
  }

  static constexpr std::uint32_t kLongest = 0xffff'ffff;

  WorkerLink link_;
  const std::uint32_t number_;
  ArenaWriter arena_;
  std::uint32_t took_ = 0;  // the last task, in ns
};

// A call with what belongs to it, to be made in each worker; or none.
struct InitialCall {
  Frame frame{};
};

template <>
struct Adapter<InitialCall> {
  static void save(OutputArchive& out, const InitialCall& call) {
    out.write_raw(std::uint64_t{call.frame.bytes.size()});
    out.write(call.frame.bytes.data(), call.frame.bytes.size());
    out.write_raw(std::uint64_t{call.frame.files.size()});
    for (const platform::Fd& file : call.frame.files) out.write_file(file.get());
  }
  static InitialCall load(InputArchive& in) {
    InitialCall call;
    const std::size_t size = in.read_count();
    if (size != 0) std::memcpy(call.frame.bytes.extend(size), in.read(size), size);
    for (auto left = in.read_raw<std::uint64_t>(); left != 0; --left) call.frame.files.push_back(in.read_file());
    return call;
  }
};

// What a worker's process runs.
inline void worker_main(WorkerLink link, std::uint32_t number, InitialCall initializer) {
  ::signal(SIGINT, SIG_IGN);  // the parent decides
  const ::sigset_t sigint = only_sigint();
  ::pthread_sigmask(SIG_UNBLOCK, &sigint, nullptr);
  Worker worker(std::move(link), number);
  if (initializer.frame.bytes.size() != 0) {
    try {
      InputArchive in(initializer.frame);
      Frame nothing;
      OutputArchive dropped(nothing);
      run_call(in, dropped);
    } catch (...) {
      worker.give_up(std::current_exception());
      leave(1);
    }
  }
  worker.serve();
}

}  // namespace nogil::multiprocessing::detail
