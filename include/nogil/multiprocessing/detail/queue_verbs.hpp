// nogil/multiprocessing/detail/queue_verbs.hpp -- the verbs that all queues between processes share.
//
// A SharedFifo holds bytes; this turns values into them and back, in the process that puts
// and in the one that gets, without any lock; and adds Python's verbs, limits and errors.
//
// A queue is a handle: copies, also those that other processes get, are the same queue.
//
// Threads    Every member from any number of threads and processes at once, but close().
// Ordering   What was done before put() is visible to who gets the element.
// Limits     put, get and their try_ forms take what every wait takes: a timeout, a deadline
//            or a stop_token, or the first two with the third. A timeout of zero or less
//            tries once.
// Dying      A process may die inside any of them, or while it waits. An element that it was
//            putting is in the queue or not; one that it was getting is there for the next,
//            unless it had been got. The others go on within 50 ms.
// Failing    What serialize() throws, std::bad_alloc, std::system_error; RuntimeError for an
//            element that holds a Lock, a Queue or another shared object: they go as
//            arguments, or through a Pipe. A put that throws has put nothing. A get whose
//            element cannot be made of its bytes has taken it out.

#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/identity.hpp"
#include "nogil/multiprocessing/detail/shared_fifo.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/queue/detail/basic_queue.hpp"

namespace nogil::multiprocessing::detail {

// The handle itself. Derived: what the shared object says it is.
template <class Derived, class T>
class QueueHandle {
  static_assert(sizeof(Refused<T>) != 0);

 public:
  using value_type = T;

  // Lets go of the queue, in this handle: what is called then throws ValueError. What was put
  // stays. Not while another thread uses this very handle.
  void close() noexcept { memory_ = {}; }

 protected:
  using Fifo = SharedFifo<Platform>;

  // Throws std::system_error when there is no memory or no file descriptor left.
  explicit QueueHandle(std::ptrdiff_t maxsize) : memory_(GrowingMemory::make()) {
    static_assert(sizeof(Room) <= GrowingMemory::kFirst && std::is_trivially_destructible_v<Room>);
    new (memory_->head()) Room{kType, Fifo(maxsize)};
  }
  explicit QueueHandle(Received received) : memory_(GrowingMemory::receive(received.archive)) {
    if (room().type != kType) throw DecodeError("serialize: a shared object is of another type");
  }
  QueueHandle(const QueueHandle&) = default;
  QueueHandle& operator=(const QueueHandle&) = default;
  ~QueueHandle() = default;

  Fifo& fifo() const {
    if (!memory_) [[unlikely]]
      throw ValueError("Queue: it is closed");
    return room().fifo;
  }
  const GrowingMemory& memory() const noexcept { return *memory_; }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_shut_down() { throw ShutDown("the queue is shut down"); }

  static void encode(Frame& frame, const T& item) {
    OutputArchive out(frame);
    save<T>(out, item);
    if (!frame.files.empty()) [[unlikely]] {
      throw RuntimeError(
          "Queue.put: an element that holds a shared object (a Lock, a Queue, …) cannot go through a queue: pass it as "
          "an argument, or through a Pipe; of a SharedMemory, its name");
    }
  }
  static T decode(const Bytes& bytes) {
    InputArchive in(bytes.data(), bytes.size());
    return load<T>(in);
  }

 private:
  friend struct QueueAccess;

  struct alignas(64) Room {
    std::uint64_t type;
    Fifo fifo;
  };
  static constexpr std::uint64_t kType = type_hash<Derived>();

  Room& room() const noexcept { return *static_cast<Room*>(memory_->head()); }

  nogil::detail::Ref<GrowingMemory> memory_;  // null after close()
};

// What all of them have.
template <class Derived, class T>
class QueueVerbs : public QueueHandle<Derived, T> {
  using Base = QueueHandle<Derived, T>;

 public:
  // Waits for an element for as long as it takes. Throws ShutDown when there will be none.
  T get() const {
    Wait forever;
    return required(take(forever));
  }

  // Throws Empty when the limit is reached, ShutDown.
  template <platform::TimeLimit Time>
  T get(const Time& limit) const {
    return platform::within<Platform>([this](Wait& wait) { return required(take(wait)); }, limit);
  }

  // Does not wait. Throws Empty, or ShutDown when it is shut down and drained.
  T get_nowait() const {
    Wait now(platform::Deadline::immediate());
    return required(take(now));
  }

  // Empty: no element (in time), also because it is shut down and drained.
  [[nodiscard]] std::optional<T> try_get() const {
    Wait now(platform::Deadline::immediate());
    return take(now).item;
  }
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] std::optional<T> try_get(const Limits&... limits) const {
    return platform::within<Platform>([this](Wait& wait) { return take(wait).item; }, limits...);
  }

  // How many elements there are, and whether there are none: exact at some moment during
  // the call, out of date when you read it.
  [[nodiscard]] std::size_t qsize() const { return static_cast<std::size_t>(this->fifo().size()); }
  [[nodiscard]] bool empty() const { return this->fifo().empty(); }

 protected:
  using Base::Base;

  struct Taken {
    GetResult result;
    std::optional<T> item;
  };

  Taken take(Wait& wait) const {
    ReusedFrame frame;
    const GetResult result = this->fifo().get(this->memory(), frame->bytes, wait);
    if (result != GetResult::kDone) return {result, std::nullopt};
    return {result, std::optional<T>(Base::decode(frame->bytes))};
  }

  static T required(Taken taken) {
    if (taken.result == GetResult::kShutDown) Base::throw_shut_down();
    if (taken.result == GetResult::kEmpty) throw Empty("Queue.get: no element came in time");
    return *std::move(taken.item);
  }

  PutResult put_within(const T& item, Wait& wait) const {
    typename Base::Fifo& fifo = this->fifo();
    ReusedFrame frame;
    Base::encode(*frame, item);
    return fifo.put(this->memory(), frame->bytes, wait);
  }
};

// What those have besides that may be bounded, and shut down.
template <class Derived, class T>
class BoundedQueueVerbs : public QueueVerbs<Derived, T> {
  using Base = QueueVerbs<Derived, T>;

 public:
  // Waits for room for as long as it takes. Throws ShutDown.
  void put(const T& item) const {
    Wait forever;
    require(this->put_within(item, forever));
  }

  // Throws Full when the limit is reached, ShutDown.
  template <platform::TimeLimit Time>
  void put(const T& item, const Time& limit) const {
    require(platform::within<Platform>([&](Wait& wait) { return this->put_within(item, wait); }, limit));
  }

  // Does not wait. Throws Full, ShutDown.
  void put_nowait(const T& item) const {
    Wait now(platform::Deadline::immediate());
    require(this->put_within(item, now));
  }

  // False: no room (in time), or shut down.
  [[nodiscard]] bool try_put(const T& item) const {
    Wait now(platform::Deadline::immediate());
    return this->put_within(item, now) == PutResult::kDone;
  }
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool try_put(const T& item, const Limits&... limits) const {
    return platform::within<Platform>([&](Wait& wait) { return this->put_within(item, wait) == PutResult::kDone; },
                                      limits...);
  }

  // Puts each element of the range, in order; waits for room until all are in. Returns how
  // many went in: all, unless the queue is shut down meanwhile. Throws ShutDown if not even
  // the first did.
  template <class Range>
  std::size_t put_many(const Range& range) const {
    std::size_t done = 0;
    for (const auto& item : range) {
      Wait forever;
      const PutResult result = this->put_within(item, forever);
      if (result == PutResult::kShutDown && done != 0) break;
      require(result);
      ++done;
    }
    return done;
  }

  // Waits for the first element, then takes what is there, at most so many, without
  // waiting again. Returns how many; 0: shut down and drained (or at_most is 0).
  template <class Output>
  std::size_t get_many(Output out, std::size_t at_most) const {
    std::size_t taken = 0;
    for (; taken < at_most; ++taken) {
      Wait wait(taken == 0 ? platform::Deadline::never() : platform::Deadline::immediate());
      auto next = this->take(wait);
      if (!next.item) break;
      *out = *std::move(next.item);
      ++out;
    }
    return taken;
  }

  // From now on put() throws ShutDown, in all processes; get() does when nothing is left. With
  // `immediate` what is in the queue is dropped now, and counts as done. May be called again.
  void shutdown(bool immediate = false) const { this->fifo().shut_down(this->memory(), immediate); }
  [[nodiscard]] bool is_shutdown() const { return this->fifo().shut(); }

  // Whether a put would have to wait, at some moment during the call. Never, if it is unbounded.
  [[nodiscard]] bool full() const { return !this->fifo().has_room(); }

  // As it was given; zero or less: unbounded.
  [[nodiscard]] std::ptrdiff_t maxsize() const { return this->fifo().maxsize(); }

  // A larger one lets waiting puts through at once; a smaller one takes nothing out, but
  // puts wait until there is room again.
  void set_maxsize(std::ptrdiff_t maxsize) const { this->fifo().set_maxsize(maxsize); }

  // for (T item : queue): ends when it is shut down and drained.
  nogil::detail::QueueIterator<const BoundedQueueVerbs> begin() const {
    return nogil::detail::QueueIterator<const BoundedQueueVerbs>(*this);
  }
  typename nogil::detail::QueueIterator<const BoundedQueueVerbs>::End end() const noexcept { return {}; }

 protected:
  using Base::Base;

 private:
  friend class nogil::detail::QueueIterator<const BoundedQueueVerbs>;

  static void require(PutResult result) {
    if (result == PutResult::kDone) [[likely]]
      return;
    if (result == PutResult::kShutDown) Base::throw_shut_down();
    throw Full("Queue.put: no room in time");
  }

  // The next element; empty when it is shut down and drained.
  void next(std::optional<T>& item) const {
    Wait forever;
    item = this->take(forever).item;
  }
};

// ---- How a queue is sent -------------------------------------------------------------------

struct QueueAccess {
  template <class Derived, class T>
  static const GrowingMemory& memory(const QueueHandle<Derived, T>& queue) {
    static_cast<void>(queue.fifo());  // closed?
    return queue.memory();
  }
};

template <class Q>
concept IsQueue = requires {
  typename Q::value_type;
}
&&std::is_base_of_v<QueueHandle<Q, typename Q::value_type>, Q>;

template <IsQueue Q>
struct Adapter<Q> {
  static void save(OutputArchive& out, const Q& queue) { out.write_file(QueueAccess::memory(queue).fd()); }
  static Q load(InputArchive& in) { return Q(Received{in}); }
};

}  // namespace nogil::multiprocessing::detail
