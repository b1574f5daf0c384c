// nogil/mpi/detail/mpi_wire.hpp -- packets over MPI.
//
// A receive for the next packet is posted when one looks for it, or sends: not before what
// came last is seen to. Bodies that come apart are received when the packet that announces
// them is there, into memory of their own, in pieces of 1 GiB, as MPI counts in int. Those
// for a neighbour stay where they are.
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
#include "nogil/mpi/detail/neighbours.hpp"
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
  MpiWire(MPI_Comm communicator, int source, Neighbours neighbours)
      : communicator_(communicator), source_(source), neighbours_(std::move(neighbours)) {}

  // With nothing left to be sent.
  ~MpiWire() override {
    if (receive_ == MPI_REQUEST_NULL) return;
    MPI_Cancel(&receive_);
    MPI_Wait(&receive_, MPI_STATUS_IGNORE);
  }

  void send(Ref<Packet> packet) noexcept override {
    Packet& all = *packet;
    if (!all.bodies.empty() && neighbours_.near(all.peer)) lend_bodies(all);
    MPI_Request request = MPI_REQUEST_NULL;
    int error =
        MPI_Isend(all.bytes, static_cast<int>(all.size), MPI_BYTE, all.peer, kPacketTag, communicator_, &request);
    expect();  // before MPI takes in what has come
    if (error == MPI_SUCCESS && all.bodies.empty()) {
      int done = 0;
      error = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (error == MPI_SUCCESS && done != 0) return;
    }
    Sending sending{std::move(packet), {request}};
    for (Body& body : sending.packet->bodies) {
      if (error != MPI_SUCCESS) break;
      error = in_pieces(body.bytes.data(), body.bytes.size(), sending.requests,
                        [&](std::byte* at, int size, MPI_Request* one) {
                          return MPI_Isend(at, size, MPI_BYTE, sending.packet->peer, kBodyTag, communicator_, one);
                        });
    }
    if (error != MPI_SUCCESS) lose(sending.packet->peer, error);
    sending_.push_back(std::move(sending));
  }

  Ref<Packet> poll() noexcept override {
    if (!sending_.empty()) [[unlikely]]
      see_to_sending();
    expect();
    if (receive_ != MPI_REQUEST_NULL) {
      int done = 0;
      MPI_Status status;
      const int error = MPI_Test(&receive_, &done, &status);
      if (error != MPI_SUCCESS) {
        receive_ = MPI_REQUEST_NULL;
        lose(status.MPI_SOURCE >= 0 ? status.MPI_SOURCE : 0, error);
      } else if (done != 0) {
        Ref<Packet> packet = received(status);
        if (packet->apart() == 0 && arriving_.empty()) return packet;
        begin_bodies(std::move(packet));
      }
    }
    return arriving_.empty() ? Ref<Packet>() : arrived();
  }

  void look_for_lost() noexcept override {
    neighbours_.for_each_lost([this](int rank) {
      for (Sending& one : sending_) {
        if (one.packet->peer != rank) continue;
        one.requests.clear();
        static_cast<void>(one.packet.release());  // for ever: MPI may still read it
      }
      std::erase_if(sending_, [](const Sending& one) { return !one.packet; });
      lose(rank, "its process has ended");
    });
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

  // What lies in the memory that the peer reads is his to give back.
  static void lend_bodies(Packet& packet) {
    packet.place_bodies([](Body& body) {
      BodyMemory& memory = *BodyMemory::here();
      const std::uint32_t page = memory.page_of(body.data());
      if (page == BodyMemory::kNowhere) return Record::kApart;
      memory.lend(page);
      body.bytes.let_go();
      return Record::kLent + page;
    });
    std::erase_if(packet.bodies, [](const Body& body) { return body.bytes.size() == 0; });
  }

  void expect() {
    if (receive_ != MPI_REQUEST_NULL || deaf_) return;
    if (!receiving_) receiving_ = Ref<Packet>(new Packet(source_));
    const int error = MPI_Irecv(receiving_->bytes, static_cast<int>(Packet::kRoom), MPI_BYTE, source_, kPacketTag,
                                communicator_, &receive_);
    if (error == MPI_SUCCESS) return;
    deaf_ = true;
    lose(source_ >= 0 ? source_ : 0, error);
  }

  Ref<Packet> received(const MPI_Status& status) {
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    Ref<Packet> packet = std::move(receiving_);
    packet->size = static_cast<std::size_t>(size);
    packet->peer = status.MPI_SOURCE;
    return packet;
  }

  void begin_bodies(Ref<Packet> packet) {
    Arriving arriving{std::move(packet), {}};
    Packet& all = *arriving.packet;
    int error = MPI_SUCCESS;
    std::vector<Body> bodies;
    all.for_each([&](const Record& record, const std::byte*) {
      if (record.apart == Record::kHere || error != MPI_SUCCESS) return;
      if (record.apart >= Record::kLent) {
        const auto size = static_cast<std::size_t>(record.size);
        bodies.push_back({{}, neighbours_.body(all.peer, record.apart - Record::kLent, size)});
        return;
      }
      bodies.push_back({Bytes(BodyMemory::here()), {}});
      std::byte* const memory = bodies.back().bytes.extend(static_cast<std::size_t>(record.size));
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

  void lose(int peer, int error) { lose(peer, error_text(error)); }

  // That peer is gone: the news comes as a packet of its own.
  void lose(int peer, std::string why) {
    for (Arriving& other : arriving_) {
      if (other.packet->peer != peer) continue;
      if (!other.packet->lost.empty()) return;
      other.packet->lost = std::move(why);  // its bodies will not come
      other.requests.clear();
      return;
    }
    Ref<Packet> news(new Packet(peer));
    news->lost = std::move(why);
    arriving_.push_back({std::move(news), {}});
  }

  MPI_Comm communicator_;
  const int source_;
  Neighbours neighbours_;
  MPI_Request receive_ = MPI_REQUEST_NULL;
  Ref<Packet> receiving_;
  bool deaf_ = false;  // no receive can be posted
  std::deque<Sending> sending_;
  std::deque<Arriving> arriving_;
};

}  // namespace nogil::mpi::detail
