// nogil/mpi/detail/local_wire.hpp -- packets from thread to thread: a world of one has its workers in itself.
//
// Two wires, each the other's end. A packet that is sent is the packet that arrives.

#pragma once

#include <deque>
#include <utility>

#include "nogil/mpi/detail/wire.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::mpi::detail {

// What has come, from any thread.
class Inbox {
 public:
  void push(Ref<Packet> packet) {
    const platform::RawGuard guard(lock_);
    arrived_.push_back(std::move(packet));
  }

  // Null: nothing.
  Ref<Packet> pop() noexcept {
    const platform::RawGuard guard(lock_);
    if (arrived_.empty()) return {};
    Ref<Packet> packet = std::move(arrived_.front());
    arrived_.pop_front();
    return packet;
  }

 private:
  platform::RawLock lock_;
  std::deque<Ref<Packet>> arrived_;  // guarded by lock_
};

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
    other_->inbox_.push(std::move(packet));
  }

  Ref<Packet> poll() noexcept override { return inbox_.pop(); }

  bool idle() const noexcept override { return true; }

 private:
  const int peer_;
  LocalWire* other_ = nullptr;
  Inbox inbox_;
};

}  // namespace nogil::mpi::detail
