// benchmarks/queue/rivals.hpp -- what the queues are compared with, all under the same few names.
//
//   struct Rival {
//     static constexpr const char* kName;
//     template <class T> class Queue {
//       Queue();  explicit Queue(std::size_t capacity);  // the latter: those that have bounds
//       void put(T&& item);                              // waits for room
//       T get();                                         // waits for an element
//       void put_many(const T* items, std::size_t count);
//       std::size_t get_many(T* items, std::size_t at_most);
//       void task_done();  void join();
//     };
//   };
//
// A rival has what its library has, and is left out of the cases that need more.
//
// Tokens     Some are faster when each thread has an object of its own to put or get
//            through. Threads use putter(queue) and getter(queue), for most the queue itself.

#pragma once

#include <semaphore.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <queue>
#include <span>
#include <stack>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "support/cases.hpp"

#ifdef NOGIL_HAVE_MOODYCAMEL
#include <blockingconcurrentqueue.h>
#endif
#ifdef NOGIL_HAVE_TBB
#include <oneapi/tbb/concurrent_priority_queue.h>
#include <oneapi/tbb/concurrent_queue.h>
#endif
#ifdef NOGIL_HAVE_BOOST
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/stack.hpp>
#endif

namespace queues {

template <class Q>
decltype(auto) putter(Q& queue) {
  if constexpr (requires { typename Q::Putter; }) return typename Q::Putter(queue);
  else return (queue);
}

template <class Q>
decltype(auto) getter(Q& queue) {
  if constexpr (requires { typename Q::Getter; }) return typename Q::Getter(queue);
  else return (queue);
}

// ---- nogil -----------------------------------------------------------------------------

template <class Base>
struct OfNogil : Base {
  using T = typename Base::value_type;
  OfNogil() = default;
  explicit OfNogil(std::size_t capacity) : Base(static_cast<std::ptrdiff_t>(capacity)) {}
  void put_many(const T* items, std::size_t count) { Base::put_many(std::span(items, count)); }
};

struct Nogil {
  static constexpr const char* kName = "nogil::Queue";
  template <class T>
  using Queue = OfNogil<nogil::Queue<T>>;
};
struct NogilSimple {
  static constexpr const char* kName = "nogil::SimpleQueue";
  template <class T>
  using Queue = nogil::SimpleQueue<T>;
};
struct NogilLifo {
  static constexpr const char* kName = "nogil::LifoQueue";
  template <class T>
  using Queue = OfNogil<nogil::LifoQueue<T>>;
};
struct NogilPriority {
  static constexpr const char* kName = "nogil::PriorityQueue";
  template <class T>
  using Queue = OfNogil<nogil::PriorityQueue<T>>;
};

// ---- The standard library ----------------------------------------------------------------

// What one writes oneself: a container, a mutex and two conditions. Tells others after it
// has let go of the mutex, and only if somebody can be waiting: the quickest way to write
// it. kCounted: with a count of unfinished work under the same mutex, as Python does it.
template <class T, class Items, bool kCounted = false>
class Monitor {
 public:
  Monitor() = default;
  explicit Monitor(std::size_t capacity) : capacity_(capacity) {}

  void put(T&& item) {
    {
      std::unique_lock guard(mutex_);
      wait_for_room(guard);
      items_.push(std::move(item));
      if constexpr (kCounted) ++unfinished_.count;
    }
    not_empty_.notify_one();
  }

  T get() {
    std::unique_lock guard(mutex_);
    not_empty_.wait(guard, [this] { return !items_.empty(); });
    T item = take();
    guard.unlock();
    if (capacity_ != kUnbounded) not_full_.notify_one();
    return item;
  }

  void put_many(const T* items, std::size_t count) {
    while (count > 0) {
      {
        std::unique_lock guard(mutex_);
        wait_for_room(guard);
        for (; count > 0 && items_.size() < capacity_; --count) items_.push(*items++);
      }
      not_empty_.notify_all();
    }
  }

  std::size_t get_many(T* items, std::size_t at_most) {
    std::unique_lock guard(mutex_);
    not_empty_.wait(guard, [this] { return !items_.empty(); });
    std::size_t taken = 0;
    for (; taken < at_most && !items_.empty(); ++taken) *items++ = take();
    guard.unlock();
    if (capacity_ != kUnbounded) not_full_.notify_all();
    return taken;
  }

  void task_done() requires kCounted {
    {
      const std::scoped_lock guard(mutex_);
      if (--unfinished_.count != 0) return;
    }
    unfinished_.none.notify_all();
  }
  void join() requires kCounted {
    std::unique_lock guard(mutex_);
    unfinished_.none.wait(guard, [this] { return unfinished_.count == 0; });
  }

 private:
  struct Nothing {};
  struct Unfinished {
    std::condition_variable none;
    std::size_t count = 0;
  };

  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  void wait_for_room(std::unique_lock<std::mutex>& guard) {
    if (capacity_ == kUnbounded) return;
    not_full_.wait(guard, [this] { return items_.size() < capacity_; });
  }

  T take() {
    const auto pop = [this](auto& first) {
      T item = std::move(first);
      items_.pop();
      return item;
    };
    if constexpr (requires { items_.front(); }) return pop(items_.front());
    else return pop(items_.top());
  }

  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  Items items_;
  std::size_t capacity_ = kUnbounded;
  [[no_unique_address]] std::conditional_t<kCounted, Unfinished, Nothing> unfinished_;
};

struct Std {
  static constexpr const char* kName = "std::mutex+condition_variable+queue";
  template <class T>
  using Queue = Monitor<T, std::queue<T>>;
};
struct StdCounted {
  static constexpr const char* kName = Std::kName;
  template <class T>
  using Queue = Monitor<T, std::queue<T>, true>;
};
struct StdLifo {
  static constexpr const char* kName = "std::mutex+condition_variable+stack";
  template <class T>
  using Queue = Monitor<T, std::stack<T, std::vector<T>>>;
};
struct StdPriority {
  static constexpr const char* kName = "std::mutex+condition_variable+priority_queue";
  template <class T>
  using Queue = Monitor<T, std::priority_queue<T, std::vector<T>, std::greater<T>>>;
};

// ---- moodycamel --------------------------------------------------------------------------
// In order per producer only, and without bounds.

#ifdef NOGIL_HAVE_MOODYCAMEL
// g++ 12 mistakes the token's producer for null, once all of it is inlined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
template <class T>
struct MoodycamelQueue : moodycamel::BlockingConcurrentQueue<T> {
  void put(T&& item) { this->enqueue(std::move(item)); }
  T get() {
    T item{};
    this->wait_dequeue(item);
    return item;
  }
  void put_many(const T* items, std::size_t count) { this->enqueue_bulk(items, count); }
  std::size_t get_many(T* items, std::size_t at_most) { return this->wait_dequeue_bulk(items, at_most); }
};

template <class T>
struct MoodycamelTokenQueue : moodycamel::BlockingConcurrentQueue<T> {
  using Base = moodycamel::BlockingConcurrentQueue<T>;
  struct Putter {
    explicit Putter(Base& base) : queue(base), token(base) {}
    void put(T&& item) { queue.enqueue(token, std::move(item)); }
    void put_many(const T* items, std::size_t count) { queue.enqueue_bulk(token, items, count); }
    Base& queue;
    moodycamel::ProducerToken token;
  };
  struct Getter {
    explicit Getter(Base& base) : queue(base), token(base) {}
    T get() {
      T item{};
      queue.wait_dequeue(token, item);
      return item;
    }
    std::size_t get_many(T* items, std::size_t at_most) { return queue.wait_dequeue_bulk(token, items, at_most); }
    Base& queue;
    moodycamel::ConsumerToken token;
  };
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

struct Moodycamel {
  static constexpr const char* kName = "moodycamel::BlockingConcurrentQueue";
  template <class T>
  using Queue = MoodycamelQueue<T>;
};
struct MoodycamelTokens {
  static constexpr const char* kName = "moodycamel::BlockingConcurrentQueue(tokens)";
  template <class T>
  using Queue = MoodycamelTokenQueue<T>;
};
#else
struct Moodycamel : bench::Absent {
  static constexpr const char* kName = "moodycamel::BlockingConcurrentQueue";
};
struct MoodycamelTokens : bench::Absent {
  static constexpr const char* kName = "moodycamel::BlockingConcurrentQueue(tokens)";
};
#endif

// ---- oneTBB ------------------------------------------------------------------------------

// Gives up the core between two looks, and never sleeps.
template <class T, class TryGet>
T get_by_looking(TryGet try_get) {
  T item{};
  while (!try_get(item)) std::this_thread::yield();
  return item;
}

#ifdef NOGIL_HAVE_TBB
template <class T>
class TbbBoundedQueue {
 public:
  TbbBoundedQueue() = default;
  explicit TbbBoundedQueue(std::size_t capacity) { queue_.set_capacity(static_cast<std::ptrdiff_t>(capacity)); }
  void put(T&& item) { queue_.push(std::move(item)); }
  T get() {
    T item{};
    queue_.pop(item);
    return item;
  }

 private:
  tbb::concurrent_bounded_queue<T> queue_;
};

template <class T, class Q>
struct TbbLookingQueue : Q {
  void put(T&& item) { Q::push(std::move(item)); }
  T get() {
    return get_by_looking<T>([this](T& item) { return this->try_pop(item); });
  }
};

struct Tbb {
  static constexpr const char* kName = "tbb::concurrent_bounded_queue";
  template <class T>
  using Queue = TbbBoundedQueue<T>;
};
struct TbbUnbounded {
  static constexpr const char* kName = "tbb::concurrent_queue";
  static constexpr bool kOnlySpins = true;
  template <class T>
  using Queue = TbbLookingQueue<T, tbb::concurrent_queue<T>>;
};
struct TbbPriority {
  static constexpr const char* kName = "tbb::concurrent_priority_queue";
  static constexpr bool kOnlySpins = true;
  template <class T>
  using Queue = TbbLookingQueue<T, tbb::concurrent_priority_queue<T, std::greater<T>>>;
};
#else
struct Tbb : bench::Absent {
  static constexpr const char* kName = "tbb::concurrent_bounded_queue";
};
struct TbbUnbounded : bench::Absent {
  static constexpr const char* kName = "tbb::concurrent_queue";
};
struct TbbPriority : bench::Absent {
  static constexpr const char* kName = "tbb::concurrent_priority_queue";
};
#endif

// ---- Boost -------------------------------------------------------------------------------
// Takes trivial types only. Its own queues never wait: a semaphore counts the elements.

#ifdef NOGIL_HAVE_BOOST
template <class T, class Items>
class Counted {
 public:
  Counted() { ::sem_init(&elements_, 0, 0); }
  ~Counted() { ::sem_destroy(&elements_); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  void put(T&& item) {
    items_.push(item);
    ::sem_post(&elements_);
  }
  T get() {
    while (::sem_wait(&elements_) != 0) {
    }
    return get_by_looking<T>([this](T& item) { return items_.pop(item); });
  }

 private:
  Items items_{128};
  sem_t elements_;
};

struct Boost {
  static constexpr const char* kName = "boost::lockfree::queue+sem_t";
  template <class T>
  using Queue = Counted<T, boost::lockfree::queue<T>>;
};
struct BoostLifo {
  static constexpr const char* kName = "boost::lockfree::stack+sem_t";
  template <class T>
  using Queue = Counted<T, boost::lockfree::stack<T>>;
};
#else
struct Boost : bench::Absent {
  static constexpr const char* kName = "boost::lockfree::queue+sem_t";
};
struct BoostLifo : bench::Absent {
  static constexpr const char* kName = "boost::lockfree::stack+sem_t";
};
#endif

}  // namespace queues
