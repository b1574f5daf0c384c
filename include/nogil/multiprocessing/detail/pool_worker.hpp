// nogil/multiprocessing/detail/pool_worker.hpp -- what a pool knows of one of its workers.
//
// Invariant: `out` holds, in order, the tasks that were pushed into the worker's ring and
// whose responses have not been taken. So a response belongs to the first of them.

#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/child.hpp"
#include "nogil/multiprocessing/detail/packet.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
#include "nogil/multiprocessing/detail/worker.hpp"
#include "nogil/multiprocessing/errors.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

// What is done with a task when no lock is held, as users' code may run then.
struct Outcome {
  TaskPointer task;
  Arrived result{};  // if there is no error
  std::exception_ptr error{};

  void conclude(const Finisher& finisher) noexcept {
    if (error) return task->fail(std::move(error), finisher);  // it is the future's alone
    try {
      InputArchive in = result.archive();
      if (result.failed()) task->fail(load_exception(in), finisher);
      else task->succeed(in, finisher);
    } catch (...) {
      task->fail(std::current_exception(), finisher);
    }
  }
};

struct PoolWorker {
  // A task that lies in the ring, or runs, or whose response lies in the other ring.
  struct Given {
    TaskPointer task;
    std::uint32_t place;  // in the ring
  };

  // Tasks below this, in ns, are given many at a time.
  static constexpr std::int64_t kQuick = 20'000;
  static constexpr std::size_t kDeep = 48;  // at most the slots of a ring
  static constexpr std::size_t kShallow = 2;
  // Above this it is not worth while to look for a result without sleeping.
  static constexpr std::int64_t kSlow = 150'000;

  SocketPair sockets;
  WorkerLink link;
  const std::uint32_t number;
  nogil::detail::Ref<Child> child{};
  std::deque<Given> out{};
  std::size_t given = 0;         // how many tasks, ever
  std::int64_t took = 0;         // how long tasks take, lately, in ns
  bool late = false;             // it was killed for a task that took too long
  std::exception_ptr refused{};  // what its initializer threw
  std::vector<Frame> kept{};     // of tasks that are given up while it may still read them

  PoolWorker(const PoolBell& bell, const RequestMemory& calls, std::uint32_t its_number)
      : link(bell, calls, sockets.mine.get()), number(its_number) {}

  // Whether it takes another task. `most`: how many in its life; 0: no limit. (Calls that were
  // taken back fill the ring until it comes to them.)
  bool has_room(std::size_t most) const noexcept {
    return !child->ended() && !late && out.size() < depth(most) && link->requests.has_room();
  }

  // How many tasks it may have at most.
  std::size_t depth(std::size_t most) const noexcept {
    const std::size_t deep = quick() ? kDeep : kShallow;
    if (most == 0) return deep;
    const std::size_t left = most - given;
    return deep < out.size() + left ? deep : out.size() + left;
  }

  bool quick() const noexcept { return took != 0 && took < kQuick; }

  // It works, and will not do so for long.
  bool soon() const noexcept { return !out.empty() && took < kSlow; }

  // False: it cannot take it at the moment. Throws if the task can never be sent.
  bool give(TaskPointer& task, const RequestHeap& heap) {
    const Frame& call = task->call;
    const std::uint64_t shared = call.bytes.shared() ? heap.offset(call.bytes.data()) : 0;
    if (!fill_slot(link->requests.next(), link.socket(), task->id, call, false, shared)) return false;
    out.push_back({nullptr, link->requests.place()});
    out.back().task = std::move(task);
    link->requests.push();
    link->requested.notify(1);
    link->requests.prepare_next();
    ++given;
    return true;
  }

  // The last task, if there is another before it and it has not begun; else null.
  TaskPointer take_back() noexcept {
    if (out.size() < 2) return nullptr;
    std::uint64_t id = out.back().task->id;
    if (!link->requests.at(out.back().place)
             .id.compare_exchange_strong(id, id | Slot::kTakenBack, std::memory_order_acq_rel)) {
      return nullptr;
    }
    TaskPointer task = std::move(out.back().task);
    out.pop_back();
    --given;
    return task;
  }

  void take_responses(std::vector<Outcome>& outcomes) {
    while (!link->responses.empty()) {
      Outcome outcome;
      const std::uint64_t id = link->responses.first().id.load(std::memory_order_relaxed);
      if (id != 0) took = (took * 7 + link->responses.first().took + 8) / 8;
      try {
        outcome.result = Arrived::result(link->responses.first(), link);
      } catch (...) {
        outcome.error = std::current_exception();
      }
      link->responses.pop();
      if (id == 0) {
        refused = outcome.error ? outcome.error : error_in(outcome.result);
        continue;
      }
      if (out.empty() || out.front().task->id != id) continue;  // a worker gone mad
      outcome.task = std::move(out.front().task);
      out.pop_front();
      outcomes.push_back(std::move(outcome));
    }
  }

  void tell_to_stop() noexcept {
    if (link->stop.exchange(true, std::memory_order_release)) return;
    link->requested.notify(1);
  }

  // Kills it if its task has taken too long. When to look again, in ns; 0: no need.
  std::int64_t enforce_limit() noexcept {
    if (out.empty() || out.front().task->timeout.count() == 0 || late) return 0;
    const std::int64_t now = monotonic_ns();
    const std::int64_t length = out.front().task->timeout.count();
    if (link->running.load(std::memory_order_acquire) != out.front().task->id) {
      return now + (length < 10'000'000 ? length : 10'000'000);  // not begun, or just done
    }
    const std::int64_t end = link->began.load(std::memory_order_relaxed) + length;
    if (now < end) return end;
    // The worker finds the mark when the task returns at this very moment, and does not go on
    // to another one, which the signal would hit.
    std::uint64_t running = out.front().task->id;
    if (!link->running.compare_exchange_strong(running, running | WorkerState::kCondemned)) return now;
    late = true;
    child->signal(SIGKILL);
    return 0;
  }

  // When it is dead, and its responses are taken: whether it died while it ran the first task.
  bool died_running() const noexcept {
    const std::uint64_t running = link->running.load(std::memory_order_acquire) & ~WorkerState::kCondemned;
    return !out.empty() && running == out.front().task->id;
  }

  std::exception_ptr death() const {
    const int pid = child->info().pid;
    const int exitcode = child->exitcode();
    platform::Text text;
    text << "the worker process " << std::uint64_t(pid) << " died while it ran the task: ";
    if (exitcode < 0) text << "signal " << std::uint64_t(-exitcode);
    else text << "exit code " << std::uint64_t(exitcode);
    if (exitcode == kUnclaimed) text << " (it did not come to freeze_support() in its main())";
    if (exitcode == -SIGKILL) text << " (killed, perhaps because memory ran out)";
    return std::make_exception_ptr(WorkerDied(text.take(), pid, exitcode));
  }

 private:
  static std::exception_ptr error_in(Arrived& arrived) {
    try {
      InputArchive in = arrived.archive();
      return load_exception(in);
    } catch (...) {
      return std::current_exception();
    }
  }
};

}  // namespace nogil::multiprocessing::detail
