// nogil/mpi/detail/mpi_wire.hpp -- packets over MPI.
//
// A receive for the next packet is always posted. Bodies that come apart are received when
// the packet that announces them is there, into memory of their own, in pieces of 1 GiB, as
// MPI counts in int.
//
// Errors     The communicator returns them (MPI_ERRORS_RETURN). One that has to do with a peer
//            is news of that peer: its next packet says that it is lost, and why.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/body_memory.hpp"
#include "nogil/mpi/detail/mpi.hpp"
#include "nogil/mpi/detail/wire.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::mpi::detail {

inline std::string error_text(int error) {
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (MPI_Error_string(error, text, &length) != MPI_SUCCESS) return "an error of MPI";
  return std::string(text, static_cast<std::size_t>(length));
}

class MpiWire final : public Wire {
 public:
  // `source`: whom packets come from; MPI_ANY_SOURCE.
  MpiWire(MPI_Comm communicator, int source) : communicator_(communicator), source_(source) { post(); }

  // With nothing left to be sent.
  ~MpiWire() override {
    if (receive_ == MPI_REQUEST_NULL) return;
    MPI_Cancel(&receive_);
    MPI_Wait(&receive_, MPI_STATUS_IGNORE);
  }

  void send(Ref<Packet> packet) noexcept override {
    Packet& all = *packet;
    MPI_Request request = MPI_REQUEST_NULL;
    int error =
        MPI_Isend(all.bytes, static_cast<int>(all.size), MPI_BYTE, all.peer, kPacketTag, communicator_, &request);
    if (error == MPI_SUCCESS && all.bodies.empty()) {
      int done = 0;
      error = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (error == MPI_SUCCESS && done != 0) return;
    }
    Sending sending{std::move(packet), {request}};
    for (Bytes& body : sending.packet->bodies) {
      if (error != MPI_SUCCESS) break;
      error = in_pieces(body.data(), body.size(), sending.requests, [&](std::byte* at, int size, MPI_Request* one) {
        return MPI_Isend(at, size, MPI_BYTE, sending.packet->peer, kBodyTag, communicator_, one);
      });
    }
    if (error != MPI_SUCCESS) lose(sending.packet->peer, error);
    sending_.push_back(std::move(sending));
  }

  Ref<Packet> poll() noexcept override {
    if (!sending_.empty()) [[unlikely]]
      see_to_sending();
    if (receive_ != MPI_REQUEST_NULL) {
      int done = 0;
      MPI_Status status;
      const int error = MPI_Test(&receive_, &done, &status);
      if (error != MPI_SUCCESS) {
        receive_ = MPI_REQUEST_NULL;
        lose(status.MPI_SOURCE >= 0 ? status.MPI_SOURCE : 0, error);
        post();
      } else if (done != 0) {
        Ref<Packet> packet = received(status);
        if (packet->apart() == 0 && arriving_.empty()) return packet;
        begin_bodies(std::move(packet));
      }
    }
    return arriving_.empty() ? Ref<Packet>() : arrived();
  }

  bool idle() const noexcept override { return sending_.empty() && arriving_.empty(); }

 private:
  static constexpr int kPacketTag = 1;
  static constexpr int kBodyTag = 2;
  static constexpr std::size_t kPiece = std::size_t{1} << 30;

  struct Sending {
    Ref<Packet> packet;
    std::vector<MPI_Request> requests;
  };

  // A packet whose bodies are on their way.
  using Arriving = Sending;

  template <class Begin>
  static int in_pieces(std::byte* bytes, std::size_t size, std::vector<MPI_Request>& requests, Begin begin) {
    for (std::size_t at = 0; at < size;) {
      const std::size_t piece = size - at < kPiece ? size - at : kPiece;
      MPI_Request request = MPI_REQUEST_NULL;
      if (const int error = begin(bytes + at, static_cast<int>(piece), &request)) return error;
      requests.push_back(request);
      at += piece;
    }
    return MPI_SUCCESS;
  }

  void post() {
    receiving_ = Ref<Packet>(new Packet(source_));
    const int error = MPI_Irecv(receiving_->bytes, static_cast<int>(Packet::kRoom), MPI_BYTE, source_, kPacketTag,
                                communicator_, &receive_);
    if (error != MPI_SUCCESS) lose(source_ >= 0 ? source_ : 0, error);
  }

  Ref<Packet> received(const MPI_Status& status) {
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    Ref<Packet> packet = std::move(receiving_);
    packet->size = static_cast<std::size_t>(size);
    packet->peer = status.MPI_SOURCE;
    post();
    return packet;
  }

  void begin_bodies(Ref<Packet> packet) {
    Arriving arriving{std::move(packet), {}};
    Packet& all = *arriving.packet;
    int error = MPI_SUCCESS;
    std::vector<Bytes> bodies;
    all.for_each([&](const Record& record, const std::byte*) {
      if (record.apart == 0 || error != MPI_SUCCESS) return;
      bodies.emplace_back(&BodyMemory::here());
      std::byte* const memory = bodies.back().extend(static_cast<std::size_t>(record.size));
      error = in_pieces(memory, static_cast<std::size_t>(record.size), arriving.requests,
                        [&](std::byte* at, int size, MPI_Request* one) {
                          return MPI_Irecv(at, size, MPI_BYTE, all.peer, kBodyTag, communicator_, one);
                        });
    });
    all.bodies = std::move(bodies);
    if (error != MPI_SUCCESS) return lose(all.peer, error);
    arriving_.push_back(std::move(arriving));
  }

  // The first that is complete, and has none of the same peer before it.
  Ref<Packet> arrived() {
    for (std::size_t i = 0; i < arriving_.size(); ++i) {
      const int peer = arriving_[i].packet->peer;
      bool first = true;
      for (std::size_t before = 0; before < i; ++before) first = first && arriving_[before].packet->peer != peer;
      if (!first || !complete(arriving_[i])) continue;
      Ref<Packet> packet = std::move(arriving_[i].packet);
      arriving_.erase(arriving_.begin() + static_cast<std::ptrdiff_t>(i));
      return packet;
    }
    return {};
  }

  void see_to_sending() {
    for (std::size_t i = 0; i < sending_.size();) {
      if (complete(sending_[i])) sending_.erase(sending_.begin() + static_cast<std::ptrdiff_t>(i));
      else ++i;
    }
  }

  // Also if nothing more will come of it.
  bool complete(Sending& some) {
    if (some.requests.empty()) return true;
    int done = 0;
    const int error =
        MPI_Testall(static_cast<int>(some.requests.size()), some.requests.data(), &done, MPI_STATUSES_IGNORE);
    if (error == MPI_SUCCESS) return done != 0;
    lose(some.packet->peer, error);
    return true;
  }

  // That peer is gone: the news comes as a packet of its own.
  void lose(int peer, int error) {
    for (Arriving& other : arriving_) {
      if (other.packet->peer != peer) continue;
      if (!other.packet->lost.empty()) return;
      other.packet->lost = error_text(error);  // its bodies will not come
      other.requests.clear();
      return;
    }
    Ref<Packet> news(new Packet(peer));
    news->lost = error_text(error);
    arriving_.push_back({std::move(news), {}});
  }

  MPI_Comm communicator_;
  const int source_;
  MPI_Request receive_ = MPI_REQUEST_NULL;
  Ref<Packet> receiving_;
  std::deque<Sending> sending_;
  std::deque<Arriving> arriving_;
};

}  // namespace nogil::mpi::detail
