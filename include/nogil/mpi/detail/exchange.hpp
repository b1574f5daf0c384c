// nogil/mpi/detail/exchange.hpp -- one rank's traffic: what waits to be sent, and whose turn it is.
//
// MPI wants one thread at a time. Whichever has something to send, or to wait for, takes a
// turn: so no message is handed from thread to thread. Who finds the turn taken leaves what
// is to be sent with the exchange, where who has the turn finds it.
//
// Invariant: whoever gives the turn back has seen, with the lock, that nothing is to be sent;
// or leaves it there on purpose, for the one who looks from time to time (the watcher).
//
// Threads    As each member says. With Turns::kOne only the thread that made it gets a turn,
//            which is what MPI_THREAD_FUNNELED grants.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/packet.hpp"
#include "nogil/mpi/detail/patience.hpp"
#include "nogil/mpi/detail/wire.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::mpi::detail {

enum class Turns { kAny, kOne };

class Exchange {
 public:
  Exchange(Wire& wire, std::size_t peers, Turns turns) : wire_(wire), turns_(turns), building_(peers) {
    if (turns == Turns::kOne) owner_ = platform::thread_id();
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Guards the exchange, and what belongs to its owner.
  platform::RawLock& lock() noexcept { return lock_; }

  // Whether the calling thread may ever have the turn.
  bool may_take() const noexcept { return turns_ == Turns::kAny || platform::thread_id() == owner_; }

  // ---- With the lock ------------------------------------------------------------------------

  // Puts a record behind what waits to be sent to that peer.
  void append(int peer, const Record& record, Bytes&& body = {}) {
    Ref<Packet>& packet = building_[static_cast<std::size_t>(peer)];
    if (packet && !packet->has_room(body.size())) ready_.push_back(std::move(packet));
    if (!packet) {
      packet = Ref<Packet>(new Packet(peer));
      open_.push_back(peer);
    }
    packet->append(record, std::move(body));
    outgoing_.store(true, std::memory_order_relaxed);
  }

  // How much of that waits, in records.
  std::size_t waiting(int peer) const noexcept {
    const Ref<Packet>& packet = building_[static_cast<std::size_t>(peer)];
    return packet ? packet->records : 0;
  }
  bool outgoing() const noexcept { return outgoing_.load(std::memory_order_relaxed); }

  // True: the turn is the caller's, until give_back().
  bool take() noexcept {
    if (taken_ || !may_take()) return false;
    taken_ = true;
    return true;
  }
  bool taken() const noexcept { return taken_; }
  void give_back() noexcept { taken_ = false; }

  // ---- With the turn, without the lock --------------------------------------------------------

  // Sends what waits.
  void send() noexcept {
    if (!outgoing()) return;
    {
      const platform::RawGuard guard(lock_);
      sending_.swap(ready_);
      for (const int peer : open_) {
        Ref<Packet>& packet = building_[static_cast<std::size_t>(peer)];
        if (packet) sending_.push_back(std::move(packet));
      }
      open_.clear();
      outgoing_.store(false, std::memory_order_relaxed);
    }
    for (Ref<Packet>& packet : sending_) {
      ++sent_;
      packet->seal();
      if (!packet->bodies.empty()) large_.store(true, std::memory_order_relaxed);
      wire_.send(std::move(packet));
    }
    sending_.clear();
  }

  // The same, and what has come next; null: nothing.
  Ref<Packet> step() noexcept {
    send();
    Ref<Packet> packet = wire_.poll();
    if (packet && packet->bodies.empty()) large_.store(false, std::memory_order_relaxed);
    moving_.store(!wire_.idle(), std::memory_order_relaxed);
    return packet;
  }

  // Some system calls: see wire.hpp.
  void look_for_lost() noexcept { wire_.look_for_lost(); }

  bool idle() const noexcept { return !outgoing() && wire_.idle(); }

  // Whether something large is on its way, as of the last look: from any thread.
  bool moving() const noexcept { return moving_.load(std::memory_order_relaxed); }
  Traffic traffic() const noexcept {
    return moving() ? Traffic::kMoving : large_.load(std::memory_order_relaxed) ? Traffic::kLarge : Traffic::kSmall;
  }

  // Messages sent so far, at some moment.
  std::uint64_t sent() const noexcept { return sent_; }

  // ---- The watcher: the one thread that sleeps between its looks -------------------------------

  // To be read before the last look.
  std::uint32_t rung() const noexcept { return bell_.load(std::memory_order_acquire); }

  // Until so many ns have passed (0: for ever), or somebody has rung since `seen`.
  void sleep(std::uint32_t seen, std::int64_t ns) noexcept {
    asleep_.store(true, std::memory_order_seq_cst);
    const auto until = ns == 0 ? platform::Deadline::never() : platform::Deadline::after(std::chrono::nanoseconds(ns));
    if (bell_.load(std::memory_order_seq_cst) == seen) platform::Native::futex_wait(bell_, seen, until);
    asleep_.store(false, std::memory_order_relaxed);
  }

  // From any thread: the watcher looks again, at once.
  void ring() noexcept {
    // Either this finds the watcher asleep, or he finds the bell rung, before or inside his sleep.
    bell_.fetch_add(1, std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst)) {
      platform::Native::futex_wake(platform::Native::address(bell_), platform::kEveryone);
    }
  }

 private:
  Wire& wire_;
  const Turns turns_;
  std::uint32_t owner_ = 0;

  platform::RawLock lock_;
  bool taken_ = false;                 // guarded by lock_, as are these:
  std::vector<Ref<Packet>> building_;  // for each peer, or null
  std::vector<Ref<Packet>> ready_{};   // full, in order
  std::vector<int> open_{};            // whose building_ is not null; perhaps some twice
  std::atomic<bool> outgoing_{false};  // changed with the lock

  std::vector<Ref<Packet>> sending_{};  // of who has the turn
  std::uint64_t sent_ = 0;              // likewise
  std::atomic<bool> moving_{false};     // written by him
  std::atomic<bool> large_{false};      // likewise: what was sent last, or came since

  alignas(platform::kCacheLine) std::atomic<std::uint32_t> bell_{0};
  std::atomic<bool> asleep_{false};
};

}  // namespace nogil::mpi::detail
