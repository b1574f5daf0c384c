// nogil/multiprocessing/detail/shared_fifo.hpp -- first in, first out, between processes that may die.
//
// The engine of Queue, JoinableQueue and SimpleQueue. Messages are bytes. They lie in the
// segments of a GrowingMemory: in one, used as a ring, as long as there is room in it; when
// there is none, the next goes to a larger one. So nobody who puts has to wait for memory,
// and nothing is left behind in a process that ends.
//
// Dying      Each end has a lock, which outlives its holder (robust_word.hpp). Whatever the
//            holder did, it is seen when it stores `puts` or `gets`, in one step, and never
//            if it dies before that. So a queue is always whole: a message that was being
//            put is not there, and one that was being got is there still.
// Ordering   What was done before a put is visible to who gets it: by the store of `puts`.
//            What a getter read, it has read before its store of `gets`, after which a
//            putter may write there.
// User code  None runs here: messages are copied in and out.
// Memory     Messages take their bytes, and up to 15 more. A segment that is left gives its
//            memory back. From one that was needed for many messages, the first that comes
//            when the queue is empty goes back to a small one.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/doorbell.hpp"
#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/detail/growing_memory.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/robust_word.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/put_result.hpp"

namespace nogil::multiprocessing::detail {

using nogil::detail::PutResult;

// What became of a try_get.
enum class GetResult { kDone, kEmpty, kShutDown };

template <class Platform>
class SharedFifo {
 public:
  using Wait = platform::BasicWait<Platform>;

  explicit SharedFifo(std::ptrdiff_t maxsize) noexcept : maxsize_(maxsize) {}

  // ---- Put and get: they wait within the limit --------------------------------------------

  // If it throws (std::bad_alloc, std::system_error), nothing has changed.
  PutResult put(const GrowingMemory& memory, const Bytes& message, Wait& wait) {
    bool slept = false;
    for (bool in_time = true;;) {
      const PutResult result = try_put(memory, message, wait);
      if (result == PutResult::kDone) {
        items_.ring();
        if (slept && has_room()) room_.ring();
      }
      if (result != PutResult::kFull || !in_time) return result;
      in_time = room_.wait(wait, slept, [this] { return has_room() || shut(); });
    }
  }

  // Appends the message to `to`. If it throws, the message stays.
  GetResult get(const GrowingMemory& memory, Bytes& to, Wait& wait) {
    bool slept = false;
    for (bool in_time = true;;) {
      if (try_get(memory, to, wait)) {
        room_.ring();
        if (slept && !empty()) items_.ring();
        return GetResult::kDone;
      }
      if (shut() && empty()) return GetResult::kShutDown;  // in this order: nothing is put after shut()
      if (!in_time) return GetResult::kEmpty;
      in_time = items_.wait(wait, slept, [this] { return !empty() || shut(); });
    }
  }

  // ---- Work done ---------------------------------------------------------------------------

  // False, and nothing has changed: all are done.
  bool task_done() noexcept {
    std::uint64_t done = done_.load(std::memory_order_relaxed);
    do {
      if (done == puts_.load(std::memory_order_acquire)) return false;
    } while (!done_.compare_exchange_weak(done, done + 1, std::memory_order_seq_cst, std::memory_order_relaxed));
    if (all_done()) finished_.ring_for_all();
    return true;
  }

  // False: the limit was reached first.
  bool join(Wait& wait) noexcept {
    bool slept = false;
    return finished_.wait(wait, slept, [this] { return all_done(); }) || all_done();
  }

  // ---- Shut down ---------------------------------------------------------------------------

  // With `immediate` what is there is dropped, and counts as done.
  void shut_down(const GrowingMemory& memory, bool immediate) {
    {
      const Guard guard(put_lock_);  // who puts has done so, or will see it
      shut_.store(1, std::memory_order_seq_cst);
    }
    for (bool dropped = immediate; dropped;) {
      const Guard guard(get_lock_);
      dropped = take_first(memory, nullptr);
      if (dropped) drop_one();
    }
    items_.ring_for_all();
    room_.ring_for_all();
    if (all_done()) finished_.ring_for_all();
  }
  bool shut() const noexcept { return shut_.load(std::memory_order_seq_cst) != 0; }

  // ---- Looking -----------------------------------------------------------------------------

  std::uint64_t size() const noexcept {
    const std::uint64_t gets = gets_.load(std::memory_order_acquire);  // first: it never passes the puts
    return puts_.load(std::memory_order_acquire) - gets;
  }
  bool empty() const noexcept { return gets_.load(std::memory_order_seq_cst) == puts_.load(std::memory_order_seq_cst); }
  bool has_room() const noexcept {
    const std::uint64_t puts = puts_.load(std::memory_order_seq_cst);
    const std::uint64_t gets = gets_.load(std::memory_order_seq_cst);
    return puts - gets < limit() || gets > puts;
  }
  std::uint64_t unfinished() const noexcept {
    const std::uint64_t done = done_.load(std::memory_order_acquire);
    return puts_.load(std::memory_order_acquire) - done;
  }

  std::ptrdiff_t maxsize() const noexcept { return maxsize_.load(std::memory_order_relaxed); }
  void set_maxsize(std::ptrdiff_t maxsize) noexcept {
    maxsize_.store(maxsize, std::memory_order_seq_cst);
    room_.ring();  // it rings on for the others
  }

 private:
  template <class T>
  using Atomic = typename Platform::template Atomic<T>;

  // A place in a segment: as many bytes from its beginning as were ever written there since
  // it was entered; modulo its size, that is where they lie. Packed into one word.
  //
  //   bits  0..55   position, a multiple of 8
  //   bits 56..63   segment
  struct Place {
    unsigned segment;
    std::uint64_t position;

    static Place unpack(std::uint64_t word) noexcept {
      return {static_cast<unsigned>(word >> 56), word & ((std::uint64_t{1} << 56) - 1)};
    }
    std::uint64_t pack() const noexcept { return std::uint64_t{segment} << 56 | position; }
  };

  // A message is a header, its length plus one, and its bytes, to a multiple of 8. A header
  // of zero says that the next one lies at the beginning of another segment, next_[this one].
  // There is always room for one more header; and as it is zero, a segment may be given back
  // while a getter still stands before it.
  static constexpr std::uint64_t kHeader = 8;
  static constexpr std::uint64_t kElsewhere = 0;
  static constexpr unsigned kKept = 4;  // 1 MiB: so much, and twice that, a queue keeps when it is empty

  static constexpr std::uint64_t room_for(std::uint64_t length) noexcept { return kHeader + (length + 7) / 8 * 8; }

  // The lock of one end, for as long as it lives. A holder that is stopped, or slow, may be
  // waited for past the limit, by so much: long enough to find out that one is dead.
  class [[nodiscard]] Guard {
   public:
    explicit Guard(RobustWord<Platform>& lock) : lock_(lock) {
      Wait forever;
      held_ = take(forever);
    }
    Guard(RobustWord<Platform>& lock, Wait& wait) : lock_(lock), held_(take(wait)) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      if (held_) lock_.unlock();
    }
    explicit operator bool() const noexcept { return held_; }

   private:
    static constexpr std::chrono::milliseconds kGrace{100};

    bool take(Wait& wait) { return lock_.try_lock(this_process()) || take_slow(wait); }

    [[gnu::noinline]] bool take_slow(Wait& wait) {
      do {
        Wait moment(kGrace);
        Taking taking;
        do {
          taking = lock_.lock_slow(this_process(), moment, process_lives);
        } while (taking == Taking::kOwnerDied);  // it has left the end whole
        if (taking == Taking::kTaken) return true;
      } while (!wait.over());
      return false;
    }

    RobustWord<Platform>& lock_;
    bool held_;
  };

  std::uint64_t limit() const noexcept { return nogil::detail::limit_of(maxsize_.load(std::memory_order_seq_cst)); }
  bool all_done() const noexcept {
    const std::uint64_t done = done_.load(std::memory_order_seq_cst);
    return done == puts_.load(std::memory_order_seq_cst);
  }

  // ---- The end where messages are put ------------------------------------------------------

  PutResult try_put(const GrowingMemory& memory, const Bytes& message, Wait& wait) {
    const Guard guard(put_lock_, wait);
    if (!guard) return PutResult::kFull;
    if (shut()) return PutResult::kShutDown;
    const std::uint64_t puts = puts_.load(std::memory_order_relaxed);
    const std::uint64_t limit = this->limit();
    // Where nobody needs it, `gets` is left alone: its line is the getters'.
    if (limit != nogil::detail::kUnbounded && puts - gets_.load(std::memory_order_acquire) >= limit) {
      return PutResult::kFull;
    }
    const std::uint64_t need = room_for(message.size());
    Place tail = Place::unpack(tails_[puts % 2].load(std::memory_order_relaxed));
    if (!fits(tail, need)) {
      tail = move_on(memory, tail, larger_segment(tail, need));
    } else if (tail.segment > kKept + 1 && segment_for(need) + 1 < tail.segment &&
               puts == gets_.load(std::memory_order_acquire)) [[unlikely]] {
      tail = move_on(memory, tail, segment_for(need));
    }
    std::byte* const segment = memory.segment(tail.segment);
    const std::uint64_t header = message.size() + 1;
    write(segment, tail, 0, reinterpret_cast<const std::byte*>(&header), kHeader);
    write(segment, tail, kHeader, message.data(), message.size());
    tail.position += need;
    tails_[(puts + 1) % 2].store(tail.pack(), std::memory_order_relaxed);
    puts_.store(puts + 1, std::memory_order_seq_cst);
    return PutResult::kDone;
  }

  // The smallest segment that takes this, but no smaller one than a queue may keep.
  static unsigned segment_for(std::uint64_t need) noexcept {
    unsigned segment = kKept;
    while (segment < GrowingMemory::kSegments && GrowingMemory::size_of(segment) < need + kHeader) ++segment;
    return segment;
  }

  // A larger one than the tail's, which nobody uses. In use are those from the head's to the
  // tail's, each larger than the one before; but the head's own may be larger than all, if
  // it has not yet left the one that an empty queue went back from.
  unsigned larger_segment(Place tail, std::uint64_t need) noexcept {
    unsigned segment = segment_for(need);
    if (segment <= tail.segment) segment = tail.segment + 1;
    return segment == look_at_head().segment ? segment + 1 : segment;
  }

  // Whether there is room at the tail, and for a header behind it.
  bool fits(Place tail, std::uint64_t need) noexcept {
    return fits_behind(tail, need, Place::unpack(known_head_.load(std::memory_order_relaxed))) ||
           fits_behind(tail, need, look_at_head());
  }
  static bool fits_behind(Place tail, std::uint64_t need, Place head) noexcept {
    const std::uint64_t size = GrowingMemory::size_of(tail.segment);
    const std::uint64_t used = tail.position - (head.segment == tail.segment ? head.position : 0);
    return used <= size && need + kHeader <= size - used;
  }

  // Where the getters are, or were: from there on nothing may be overwritten. If `gets` has
  // not changed in between, nobody has begun to write the same of the two places.
  Place look_at_head() noexcept {
    for (std::uint64_t gets = gets_.load(std::memory_order_acquire);;) {
      const std::uint64_t head = heads_[gets % 2].load(std::memory_order_acquire);
      const std::uint64_t again = gets_.load(std::memory_order_acquire);
      if (again == gets) {
        known_head_.store(head, std::memory_order_relaxed);
        return Place::unpack(head);
      }
      gets = again;
    }
  }

  // From this segment to the beginning of another one, which nobody uses.
  Place move_on(const GrowingMemory& memory, Place tail, unsigned segment) {
    if (segment >= GrowingMemory::kSegments) throw std::bad_alloc();
    memory.provide(segment);
    static_cast<void>(memory.segment(segment));  // which may throw, so it comes first
    constexpr std::uint64_t elsewhere = kElsewhere;
    write(memory.segment(tail.segment), tail, 0, reinterpret_cast<const std::byte*>(&elsewhere), kHeader);
    next_[tail.segment].store(segment, std::memory_order_relaxed);
    const Place begin{segment, 0};
    known_head_.store(begin.pack(), std::memory_order_relaxed);
    return begin;
  }

  static void write(std::byte* segment, Place at, std::uint64_t offset, const std::byte* from, std::uint64_t length) {
    const std::uint64_t size = GrowingMemory::size_of(at.segment);
    const std::uint64_t begin = (at.position + offset) % size;
    const std::uint64_t first = length < size - begin ? length : size - begin;
    std::memcpy(segment + begin, from, first);
    if (first < length) std::memcpy(segment, from + first, length - first);
  }

  // ---- The end where messages are got ------------------------------------------------------

  bool try_get(const GrowingMemory& memory, Bytes& to, Wait& wait) {
    const Guard guard(get_lock_, wait);
    return guard && take_first(memory, &to);
  }

  // With the lock. False: there is none. `to` is null: it is dropped.
  bool take_first(const GrowingMemory& memory, Bytes* to) {
    const std::uint64_t gets = gets_.load(std::memory_order_relaxed);
    if (gets == known_puts_.load(std::memory_order_relaxed)) {
      const std::uint64_t puts = puts_.load(std::memory_order_seq_cst);
      if (gets == puts) return false;
      known_puts_.store(puts, std::memory_order_relaxed);
    }
    Place head = Place::unpack(heads_[gets % 2].load(std::memory_order_relaxed));
    std::uint64_t header = header_at(memory, head);
    if (header == kElsewhere) [[unlikely]] {
      memory.give_back(head.segment);
      head = {next_[head.segment].load(std::memory_order_relaxed), 0};
      header = header_at(memory, head);
    }
    const std::uint64_t length = header - 1;
    if (length >= GrowingMemory::size_of(head.segment)) throw DecodeError("Queue: its shared memory was overwritten");
    if (to != nullptr) {
      std::byte* const bytes = to->extend(static_cast<std::size_t>(length));
      read(memory.segment(head.segment), head, kHeader, bytes, length);
    }
    head.position += room_for(length);
    heads_[(gets + 1) % 2].store(head.pack(), std::memory_order_release);
    gets_.store(gets + 1, std::memory_order_seq_cst);
    return true;
  }

  static std::uint64_t header_at(const GrowingMemory& memory, Place head) {
    std::uint64_t header;
    read(memory.segment(head.segment), head, 0, reinterpret_cast<std::byte*>(&header), kHeader);
    return header;
  }

  static void read(const std::byte* segment, Place at, std::uint64_t offset, std::byte* to, std::uint64_t length) {
    const std::uint64_t size = GrowingMemory::size_of(at.segment);
    const std::uint64_t begin = (at.position + offset) % size;
    const std::uint64_t first = length < size - begin ? length : size - begin;
    std::memcpy(to, segment + begin, first);
    if (first < length) std::memcpy(to + first, segment, length - first);
  }

  // As Python, does not go past the puts if task_done() was called for it already.
  void drop_one() noexcept { static_cast<void>(task_done()); }

  // Invariants, whoever dies when:
  //
  //   gets <= puts, and done <= puts
  //   tails_[puts % 2] is where the next message goes, heads_[gets % 2] where the next one is.
  //   The other one of each pair is the scratch of who holds the lock: nobody believes it
  //   before `puts` or `gets` says so.
  //   From the head to the tail lie puts - gets messages.
  alignas(platform::kCacheLine) RobustWord<Platform> put_lock_;
  Atomic<std::uint64_t> tails_[2]{};
  Atomic<std::uint64_t> known_head_{0};  // guarded by put_lock_; the head was there once
  Atomic<std::uint32_t> next_[GrowingMemory::kSegments]{};

  alignas(platform::kCacheLine) Atomic<std::uint64_t> puts_{0};
  Doorbell<Platform> items_;

  alignas(platform::kCacheLine) RobustWord<Platform> get_lock_;
  Atomic<std::uint64_t> heads_[2]{};
  Atomic<std::uint64_t> known_puts_{0};  // guarded by get_lock_; there were so many at least

  alignas(platform::kCacheLine) Atomic<std::uint64_t> gets_{0};
  Doorbell<Platform> room_;

  alignas(platform::kCacheLine) Atomic<std::uint64_t> done_{0};
  Doorbell<Platform> finished_;

  alignas(platform::kCacheLine) Atomic<std::ptrdiff_t> maxsize_;  // seldom written, often read
  Atomic<std::uint32_t> shut_{0};
};

}  // namespace nogil::multiprocessing::detail
