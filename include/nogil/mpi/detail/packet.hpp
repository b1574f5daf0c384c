// nogil/mpi/detail/packet.hpp -- what travels between two ranks: many small records in one message.
//
//   u32 how many bodies come apart | record | body | record | body | …
//
// A body that is large is not copied into the packet: it follows in a message of its own, or
// is read where it lies, which the wire sees to. Its record says how long it is.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/arena.hpp"
#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::mpi::detail {

using multiprocessing::detail::Bytes;
using multiprocessing::detail::Frame;
using nogil::detail::Counted;
using nogil::detail::Ref;

enum class RecordKind : std::uint32_t {
  // From rank 0
  kOpen,    // a pool: PoolPlan
  kTask,    // a call
  kRecall,  // give back up to `id` tasks that have not begun
  kClose,   // the pool: all its tasks are done
  kStop,    // serve no more
  // To rank 0
  kResult,    // of a call
  kError,     // what it threw
  kReturned,  // a task that was recalled: the call
  kRecalled,  // no more come back
  kBroken,    // the initializer failed: what it threw
  kClosed,    // the pool's last word
};

struct Record {
  RecordKind kind;
  std::uint32_t pool;
  std::uint64_t id;    // of a task; opaque to who runs it
  std::uint32_t took;  // of a result or an error: how long the call took, in ns
  std::uint32_t apart = kHere;
  std::uint64_t size = 0;  // of the body

  // Where the body is: behind the record, in a message of its own; or, from kLent on, in the
  // sender's memory, so many pages from its beginning.
  static constexpr std::uint32_t kHere = 0;
  static constexpr std::uint32_t kApart = 1;
  static constexpr std::uint32_t kLent = 2;
};

// One that does not lie in its packet: this process's own, or a neighbour's, who lends it.
struct Body {
  const std::byte* data() const noexcept { return lent ? lent.bytes() : bytes.data(); }

  Bytes bytes{};
  multiprocessing::detail::ArenaPiece lent{};
};

class Packet final : public Counted {
 public:
  static constexpr std::size_t kRoom = std::size_t{16} << 10;
  static constexpr std::size_t kHead = sizeof(std::uint32_t);
  static constexpr std::size_t kLarge = 4096;  // from here on a body goes apart

  explicit Packet(int its_peer) noexcept : peer(its_peer) {}

  // A thread keeps the last two that it has let go of: in a row of single calls, these are the
  // next to be sent and to be received. To keep more was slower with many messages on their way.
  static void* operator new(std::size_t size) {
    Kept& kept = kept_here();
    return kept.count != 0 && kept.all[kept.count - 1] != nullptr ? kept.all[--kept.count] : ::operator new(size);
  }
  static void operator delete(void* memory) noexcept {
    Kept& kept = kept_here();
    if (kept.count < Kept::kMost) kept.all[kept.count++] = memory;
    else ::operator delete(memory);
  }

  // ---- Written ---------------------------------------------------------------------------

  bool has_room(std::size_t body) const noexcept { return size + sizeof(Record) + (body < kLarge ? body : 0) <= kRoom; }

  void append(Record record, Bytes&& body) {
    record.size = body.size();
    record.apart = body.size() < kLarge ? Record::kHere : Record::kApart;
    std::memcpy(bytes + size, &record, sizeof record);
    size += sizeof record;
    if (record.apart == Record::kHere) {
      std::memcpy(bytes + size, body.data(), body.size());
      size += body.size();
    } else {
      bodies.push_back({std::move(body)});
    }
    ++records;
  }

  // Calls place(body) for each of those apart, in the order of their records, which shall say
  // what it returns: where the body is.
  template <class Place>
  void place_bodies(Place&& place) {
    std::size_t next_apart = 0;
    for (std::size_t at = kHead; next_apart < bodies.size();) {
      Record record;
      std::memcpy(&record, bytes + at, sizeof record);
      if (record.apart == Record::kHere) {
        at += sizeof record + record.size;
        continue;
      }
      record.apart = place(bodies[next_apart++]);
      std::memcpy(bytes + at, &record, sizeof record);
      at += sizeof record;
    }
  }

  // When all is written.
  void seal() noexcept {
    const auto apart = static_cast<std::uint32_t>(bodies.size());
    std::memcpy(bytes, &apart, sizeof apart);
  }

  // ---- Read --------------------------------------------------------------------------------

  std::uint32_t apart() const noexcept {
    std::uint32_t count;
    std::memcpy(&count, bytes, sizeof count);
    return count;
  }

  // Calls function(record, body) for each. `body`: null if it lies apart and is not there yet.
  template <class Function>
  void for_each(Function&& function) const {
    std::size_t next_apart = 0;
    for (std::size_t at = kHead; at + sizeof(Record) <= size;) {
      Record record;
      std::memcpy(&record, bytes + at, sizeof record);
      at += sizeof record;
      const std::byte* body = bytes + at;
      if (record.apart == Record::kHere) {
        at += record.size;
      } else {
        body = next_apart < bodies.size() ? bodies[next_apart].data() : nullptr;
        ++next_apart;
      }
      function(record, body);
    }
  }

  int peer;  // whom it goes to, or comes from
  std::size_t size = kHead;
  std::size_t records = 0;     // written
  std::vector<Body> bodies{};  // those apart
  std::string lost{};          // not empty: it is no message, but the news that the peer is gone
  std::byte bytes[kRoom];

 private:
  struct Kept {
    static constexpr int kMost = 2;

    Kept() noexcept = default;
    ~Kept() {
      while (count > 0) ::operator delete(std::exchange(all[--count], nullptr));
      count = kMost;  // what this thread lets go of from now on is not kept
    }

    void* all[kMost] = {};
    int count = 0;
  };

  static Kept& kept_here() noexcept {
    static thread_local Kept kept;
    return kept;
  }
};

}  // namespace nogil::mpi::detail
