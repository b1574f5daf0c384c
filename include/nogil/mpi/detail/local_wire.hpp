// nogil/mpi/detail/local_wire.hpp -- packets from thread to thread: a world of one has its workers in itself.
//
// Two wires, each the other's end. A packet that is sent is the packet that arrives.

#pragma once

#include <deque>
#include <utility>

#include "nogil/mpi/detail/wire.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::mpi::detail {

class LocalWire final : public Wire {
 public:
  // `peer`: whom the packets come from.
  explicit LocalWire(int peer) noexcept : peer_(peer) {}

  // Before anything is sent.
  void connect(LocalWire& other) noexcept {
    other_ = &other;
    other.other_ = this;
  }

  void send(Ref<Packet> packet) noexcept override {
    packet->peer = other_->peer_;
    const platform::RawGuard guard(other_->lock_);
    other_->arrived_.push_back(std::move(packet));
  }

  Ref<Packet> poll() noexcept override {
    const platform::RawGuard guard(lock_);
    if (arrived_.empty()) return {};
    Ref<Packet> packet = std::move(arrived_.front());
    arrived_.pop_front();
    return packet;
  }

  bool idle() const noexcept override { return true; }

 private:
  const int peer_;
  LocalWire* other_ = nullptr;
  platform::RawLock lock_;
  std::deque<Ref<Packet>> arrived_;  // guarded by lock_
};

}  // namespace nogil::mpi::detail
