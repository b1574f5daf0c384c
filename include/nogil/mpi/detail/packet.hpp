// nogil/mpi/detail/packet.hpp -- what travels between two ranks: many small records in one message.
//
//   u32 how many bodies come apart | record | body | record | body | …
//
// A body that is large is not copied into the packet: it follows in a message of its own,
// which the wire sees to. Its record says how long it is.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

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
  std::uint32_t apart = 0;
  std::uint64_t size = 0;  // of the body
};

class Packet final : public Counted {
 public:
  static constexpr std::size_t kRoom = std::size_t{16} << 10;
  static constexpr std::size_t kHead = sizeof(std::uint32_t);
  static constexpr std::size_t kLarge = 4096;  // from here on a body goes apart

  explicit Packet(int its_peer) noexcept : peer(its_peer) {}

  // ---- Written ---------------------------------------------------------------------------

  bool has_room(std::size_t body) const noexcept { return size + sizeof(Record) + (body < kLarge ? body : 0) <= kRoom; }

  void append(Record record, Bytes&& body) {
    record.size = body.size();
    record.apart = body.size() < kLarge ? 0 : 1;
    std::memcpy(bytes + size, &record, sizeof record);
    size += sizeof record;
    if (record.apart == 0) {
      std::memcpy(bytes + size, body.data(), body.size());
      size += body.size();
    } else {
      bodies.push_back(std::move(body));
    }
    ++records;
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
      if (record.apart == 0) {
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
  std::size_t records = 0;      // written
  std::vector<Bytes> bodies{};  // those apart
  std::string lost{};           // not empty: it is no message, but the news that the peer is gone
  std::byte bytes[kRoom];
};

}  // namespace nogil::mpi::detail
