// nogil/mpi/detail/wire.hpp -- brings packets from rank to rank.
//
// Contract   Packets from one peer come in the order in which they were sent to us.
// Threads    One at a time: who has the exchange's turn (exchange.hpp).

#pragma once

#include "nogil/mpi/detail/packet.hpp"

namespace nogil::mpi::detail {

class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  // Begins to send it, and keeps it until it is sent. Waits for nothing.
  virtual void send(Ref<Packet> packet) noexcept = 0;

  // What has come next; null: nothing, now. Also sees to what is being sent.
  virtual Ref<Packet> poll() noexcept = 0;

  // From time to time in a silence: whether peers are gone, as far as it can be known. Their
  // last packet, which says so, comes by poll().
  virtual void look_for_lost() noexcept {}

  // Whether nothing is on its way that would come further by poll().
  virtual bool idle() const noexcept = 0;
};

}  // namespace nogil::mpi::detail
