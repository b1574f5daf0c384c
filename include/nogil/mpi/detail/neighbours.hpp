// nogil/mpi/detail/neighbours.hpp -- the ranks of the same machine, whose memory this one reads.
//
// MPI copies a message twice between processes of one machine, into memory that they share
// and out of it. A large body that was written to the rank's BodyMemory is not sent at all:
// a neighbour, who has that memory mapped, is told where it lies.
//
// Rank 0 and another are neighbours if each has opened the other's memory by /proc, and found in
// it what the other says is there. If the system does not let them (containers of their own,
// other users), or the environment says NOGIL_MPI_NEIGHBOURS=0, MPI carries everything.
//
// Of a neighbour it is also known whether its process still runs, which MPI may not tell.

#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/body_memory.hpp"
#include "nogil/mpi/detail/mpi.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::mpi::detail {

using multiprocessing::detail::ArenaPiece;

class Neighbours {
 public:
  Neighbours() = default;

  // All ranks call it. Says nothing if it cannot be done.
  Neighbours(MPI_Comm communicator, int rank, int size) {
    const Card mine = Card::of_this_process();
    Card first = mine;
    MPI_Bcast(&first, sizeof first, MPI_BYTE, 0, communicator);
    others_.resize(rank == 0 ? static_cast<std::size_t>(size) : 1);
    if (rank != 0) others_[0] = first.open(mine);
    const Answer answer{mine, rank != 0 && others_[0].memory};
    std::vector<Answer> answers(rank == 0 ? static_cast<std::size_t>(size) : 0);
    MPI_Gather(&answer, sizeof answer, MPI_BYTE, answers.data(), sizeof answer, MPI_BYTE, 0, communicator);
    std::vector<char> both(answers.size());
    for (std::size_t other = 1; other < answers.size(); ++other) {
      if (answers[other].has_mine) others_[other] = answers[other].card.open(mine);
      both[other] = others_[other].memory ? 1 : 0;
    }
    char near = 0;
    MPI_Scatter(both.data(), 1, MPI_CHAR, &near, 1, MPI_CHAR, 0, communicator);
    if (rank != 0 && near == 0) others_[0] = {};
  }

  bool near(int rank) const noexcept {
    return static_cast<std::size_t>(rank) < others_.size() && others_[static_cast<std::size_t>(rank)].memory;
  }

  // Calls lost(rank) for each whose process has ended, once. Some system calls for each.
  template <class Lost>
  void for_each_lost(Lost&& lost) noexcept {
    for (std::size_t i = 0; i < others_.size(); ++i) {
      Other& other = others_[i];
      if (!other.memory || other.lost || multiprocessing::detail::process_lives(other.who)) continue;
      other.lost = true;
      lost(static_cast<int>(i));
    }
  }

  // A body that lies in that rank's memory. Throws DecodeError if it does not.
  ArenaPiece body(int rank, std::uint32_t page, std::size_t size) const {
    const RequestMemory& memory = *others_[static_cast<std::size_t>(rank)].memory;
    return {multiprocessing::detail::HandleAccess::memory(memory), memory.begin(), RequestMemory::kSize,
            std::size_t{page} * BodyMemory::kPage, size};
  }

 private:
  struct Other {
    std::optional<RequestMemory> memory{};
    multiprocessing::detail::Who who = 0;
    bool lost = false;
  };

  struct Card {
    BodyMemory::Name name{};
    int process = 0;
    int fd = -1;  // of the memory; none: it lends nothing
    char host[64] = {};

    static Card of_this_process() noexcept {
      Card card;
      const BodyMemory* const memory = BodyMemory::here();
      const char* const wanted = std::getenv("NOGIL_MPI_NEIGHBOURS");
      if (memory == nullptr || (wanted != nullptr && std::strcmp(wanted, "0") == 0)) return card;
      card.name = memory->name();
      card.process = ::getpid();
      card.fd = multiprocessing::detail::HandleAccess::fd(memory->memory());
      ::gethostname(card.host, sizeof card.host - 1);
      return card;
    }

    Other open(const Card& mine) const noexcept {
      if (fd < 0 || mine.fd < 0 || std::strncmp(host, mine.host, sizeof host) != 0) return {};
      platform::Text path;
      path << "/proc/" << static_cast<std::uint64_t>(process) << "/fd/" << static_cast<std::uint64_t>(fd);
      try {
        std::vector<platform::Fd> files;
        files.emplace_back(::open(path.take().c_str(), O_RDWR | O_CLOEXEC));
        if (!files[0]) return {};
        multiprocessing::InputArchive in(nullptr, 0, &files);
        RequestMemory memory{multiprocessing::detail::Received{in}};
        if (memory.at(0, sizeof name) == nullptr || memory.at(0, RequestMemory::kSize) == nullptr) return {};
        if (std::memcmp(memory.begin(), &name, sizeof name) != 0) return {};
        return {std::move(memory), name.who};
      } catch (...) {
        return {};
      }
    }
  };

  struct Answer {
    Card card;
    bool has_mine;
  };

  std::vector<Other> others_{};  // by rank; of another than rank 0 that one alone
};

}  // namespace nogil::mpi::detail
