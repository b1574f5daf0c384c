// tests/model/queues.hpp -- queues in the model, and what they do between few threads.
//
// The verbs are BasicQueue's own, over the engine that a test names, so a scenario is one
// for all engines.

#pragma once

#include <cstddef>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/errors.hpp"
#include "nogil/queue/detail/basic_queue.hpp"
#include "nogil/queue/detail/fifo.hpp"
#include "nogil/queue/detail/guarded.hpp"
#include "nogil/queue/detail/stack_bag.hpp"
#include "waits.hpp"

namespace nogil::model {

// An element whose every touch must be ordered with every other.
class Item {
 public:
  Item(int value) : value_(value) {}
  Item(Item&& other) noexcept : value_(other.value_) { other.value_ = 0; }
  Item& operator=(Item&& other) noexcept {
    value_ = other.value_;
    other.value_ = 0;
    return *this;
  }
  ~Item() { value_ = -1; }

  int value() const { return value_; }

 private:
  Plain<int> value_;
};

template <class Store, class P>
class QueueOver : public detail::BasicQueue<Item, Store, P> {
  using Base = detail::BasicQueue<Item, Store, P>;

 public:
  explicit QueueOver(std::ptrdiff_t maxsize = 0) : Base(maxsize) {}

  // try_get(limit), try_put(limit) and join(limit), with a limit of the model.
  std::optional<Item> get_within(platform::BasicWait<P> wait) {
    if (auto item = Base::try_get()) return item;
    return Base::try_get_within(wait);
  }
  bool put_within(Item item, platform::BasicWait<P> wait) {
    return Base::put_slow(std::move(item), wait, detail::PutResult::kFull) == detail::PutResult::kDone;
  }
  bool join_until(platform::BasicWait<P> wait) { return Base::join_within(wait); }

  // A put before the threads begin.
  void fill(int value) { Base::put(value); }

  int take() { return Base::get().value(); }
  // What it gives, or 0 when it is shut down and drained.
  int take_or_end() {
    try {
      return take();
    } catch (const ShutDown&) {
      return 0;
    }
  }
  bool give(int value) {
    try {
      Base::put(Item(value));
      return true;
    } catch (const ShutDown&) {
      return false;
    }
  }
  void finish_one() {
    if (take_or_end() != 0) Base::task_done();
  }
};

// As that thread of a scenario.
template <class Body>
void run_as(int thread, Body body) {
  if (thread == 1) together(body);
  else together([] {}, body);
}

// The ends of the queue belong to threads of the scenario already (queue/detail/end_lock.hpp):
// what another one does there takes them away.
template <class Store, class P, int kPutter, int kTaker>
class OwnedQueueOver : public QueueOver<Store, P> {
  using Base = QueueOver<Store, P>;

 public:
  explicit OwnedQueueOver(std::ptrdiff_t maxsize = 0) : Base(maxsize) {
    for (int turn = 0; turn < 2; ++turn) {
      fill(9);
      run_as(kTaker, [&] { Base::take(); });
      Base::task_done();
    }
  }
  void fill(int value) {
    run_as(kPutter, [&] { Base::put(value); });
  }
};

template <class P>
using FifoQueue = QueueOver<detail::Fifo<Item, P>, P>;
template <class P>
using OwnedFifoQueue = OwnedQueueOver<detail::Fifo<Item, P, 1>, P, 1, 2>;
template <class P>
using FifoQueueOwnedCrosswise = OwnedQueueOver<detail::Fifo<Item, P, 1>, P, 2, 1>;
template <class P>
using StackQueue = QueueOver<detail::Guarded<Item, P, detail::StackBag<Item>>, P>;

// ---- Mutants ---------------------------------------------------------------------------

// Whoever cannot know whether he was seen sleeps all the same, until he is woken.
struct NeverLooksAgain : Platform {
  template <class Word>
  static bool futex_wait(const Word& word, std::uint32_t expected, platform::Deadline deadline) noexcept {
    const bool moment = patience(deadline) == Patience::kMoment;
    return Platform::futex_wait(word, expected, moment ? platform::Deadline::never() : deadline);
  }
};

// Who is about to sleep passes a fence, but those who do not sleep pass none.
struct FenceOnOneSide : Platform {
  static void heavy_fence() noexcept { full_fence(); }
};

// Looks at the word once more after the lock was given back with it.
template <class T>
struct LooksAfterUnlocking : model::Atomic<T> {
  using model::Atomic<T>::Atomic;
  void store(T value, std::memory_order order) noexcept {
    model::Atomic<T>::store(value, order);
    if (order == std::memory_order_release) this->load(std::memory_order_relaxed);
  }
};

// ---- Scenarios, for each queue Q<P> -------------------------------------------------------

template <template <class> class Q, class P>
struct QueueScenarios {
  using Queue = Q<P>;

  static void hand_over_one() {
    Queue queue;
    together([&] { require(queue.take() == 1, "another element"); }, [&] { queue.put(1); });
    require(queue.empty(), "an element is left");
  }

  static void hand_over_two() {
    Queue queue;
    int sum = 0;
    together([&] { sum += queue.take(); }, [&] { sum += queue.take(); },
             [&] {
               queue.put(1);
               queue.put(2);
             });
    require(sum == 3 && queue.empty(), "an element was lost, or came twice");
  }

  static void put_from_two_sides() {
    Queue queue;
    int sum = 0;
    together([&] { queue.put(1); }, [&] { queue.put(2); },
             [&] {
               sum += queue.take();
               sum += queue.take();
             });
    require(sum == 3 && queue.empty(), "an element was lost, or came twice");
  }

  // Puts wait for room.
  static void squeeze_through() {
    Queue queue(1);
    together(
        [&] {
          queue.put(1);
          require(queue.qsize() <= 1, "longer than its bound");
          queue.put(2);
        },
        [&] {
          require(queue.take() == 1, "out of order");
          require(queue.take() == 2, "out of order");
        });
  }
  static void squeeze_two_through() {
    Queue queue(1);
    queue.fill(1);
    int sum = 0;
    together([&] { queue.put(2); }, [&] { queue.put(4); },
             [&] {
               for (int i = 0; i < 3; ++i) sum += queue.take();
             });
    require(sum == 7 && queue.empty(), "an element was lost, or came twice");
  }

  // One gives up while the only put wakes somebody; the other stays.
  static void give_up_getting() {
    Queue queue;
    bool got = false;
    together([&] { got = queue.get_within(for_some_time<P>()).has_value(); }, [&] { queue.take(); },
             [&] {
               queue.put(1);
               queue.put(2);
             });
    require(queue.qsize() == (got ? 0u : 1u), "an element was lost, or came twice");
  }
  static void give_up_putting() {
    Queue queue(1);
    queue.fill(1);
    bool put = false;
    together([&] { put = queue.put_within(2, for_some_time<P>()); }, [&] { queue.put(3); },
             [&] {
               queue.take();
               queue.take();
             });
    require(queue.qsize() == (put ? 1u : 0u), "an element was lost, or came twice");
  }
  static void stop_getting() {
    Queue queue;
    platform::BasicStopSignal<P> signal;
    bool got = false;
    together([&] { got = queue.get_within(until(signal)).has_value(); }, [&] { signal.request(); },
             [&] { queue.put(1); });
    require(queue.qsize() == (got ? 0u : 1u), "an element was lost, or came twice");
  }

  // Neither of these can find the queue empty, or full.
  static void never_lie() {
    Queue queue(2);
    const auto use = [&] {
      require(queue.try_put(1), "there was room");
      require(queue.try_get().has_value(), "there was an element");
    };
    together(use, use);
  }

  // There is one element at least, and never more than two.
  static void look_on() {
    Queue queue(3);
    queue.fill(1);
    together(
        [&] {
          queue.put(2);
          queue.take();
          queue.put(3);
        },
        [&] {
          require(!queue.empty(), "it was not empty");
          const std::size_t size = queue.qsize();
          require(size == 1 || size == 2, "it never had that size");
          require(!queue.full(), "it was not full");
        });
  }

  static void raise_the_bound() {
    Queue queue(1);
    queue.fill(1);
    together([&] { queue.put(2); }, [&] { queue.put(3); }, [&] { queue.set_maxsize(3); });
    require(queue.qsize() == 3, "an element was lost");
  }
  // The bound that the queue tells is the one that it has.
  static void set_two_bounds() {
    Queue queue(3);
    together([&] { queue.set_maxsize(1); }, [&] { queue.set_maxsize(2); });
    std::ptrdiff_t room = 0;
    while (queue.try_put(1)) ++room;
    require(room == queue.maxsize(), "it has another bound than it says");
  }

  static void end_a_get(bool immediate) {
    Queue queue;
    int got = 0;
    bool put = false;
    together([&] { got = queue.take_or_end(); }, [&] { queue.shutdown(immediate); }, [&] { put = queue.give(1); });
    if (!immediate) require(static_cast<int>(queue.qsize()) == put - got, "an element was lost");
    require(!immediate || queue.empty(), "an element is left");
    require(got <= put, "nobody put that");
  }
  static void end_a_put(bool immediate) {
    Queue queue(1);
    queue.fill(1);
    int got = 0;
    bool put = false;
    together([&] { put = queue.give(2); }, [&] { queue.shutdown(immediate); }, [&] { got = queue.take_or_end() != 0; });
    if (!immediate) require(static_cast<int>(queue.qsize()) == 1 + put - got, "an element was lost");
    require(!immediate || queue.empty(), "an element is left");
  }

  static void join_a_worker() {
    Queue queue;
    Plain<int> result = 0;
    queue.fill(1);
    together(
        [&] {
          queue.take();
          result = 5;
          queue.task_done();
        },
        [&] {
          queue.join();
          require(result == 5, "joined too early");
        });
  }
  static void join_a_shutdown() {
    Queue queue;
    queue.fill(1);
    queue.fill(2);
    together([&] { queue.join(); }, [&] { queue.finish_one(); }, [&] { queue.shutdown(true); });
    require(queue.unfinished_tasks() == 0, "something is unfinished");
  }

  // The one who was let through destroys the queue, whatever the other has still to do.
  static void destroy_after_get() {
    std::optional<Queue> queue(std::in_place);
    together([raw = &*queue] { raw->put(1); },
             [&] {
               require(queue->take() == 1, "another element");
               queue.reset();
             });
  }
  static void destroy_after_put() {
    std::optional<Queue> queue(std::in_place, 1);
    queue->fill(1);
    together([raw = &*queue] { raw->take(); },
             [&] {
               queue->put(2);
               queue.reset();
             });
  }
  static void destroy_after_join() {
    std::optional<Queue> queue(std::in_place);
    queue->fill(1);
    together([raw = &*queue] { raw->finish_one(); },
             [&] {
               queue->join();
               queue.reset();
             });
  }
  static void destroy_after_join_of_what_was_dropped() {
    std::optional<Queue> queue(std::in_place);
    queue->fill(1);
    together([raw = &*queue] { raw->shutdown(true); },
             [&] {
               queue->join();
               queue.reset();
             });
  }
  static void destroy_after_shutdown(bool immediate) {
    std::optional<Queue> queue(std::in_place);
    together([raw = &*queue, immediate] { raw->shutdown(immediate); },
             [&] {
               require(queue->take_or_end() == 0, "another element");
               queue.reset();
             });
  }
  static void destroy_after_refused_put() {
    std::optional<Queue> queue(std::in_place, 1);
    queue->fill(1);
    together([raw = &*queue] { raw->shutdown(); },
             [&] {
               require(!queue->give(2), "there was no room");
               queue.reset();
             });
  }
};

}  // namespace nogil::model
