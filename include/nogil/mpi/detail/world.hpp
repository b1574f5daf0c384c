// nogil/mpi/detail/world.hpp -- MPI itself: begun, checked, and ended.
//
// Threads    The thread that makes it is the one that ends it, and makes all calls but those
//            of the wire.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/mpi/detail/exchange.hpp"
#include "nogil/mpi/detail/mpi.hpp"
#include "nogil/mpi/detail/mpi_wire.hpp"
#include "nogil/multiprocessing/detail/handshake.hpp"
#include "nogil/multiprocessing/detail/module.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::mpi::detail {

struct OtherProgram : RuntimeError {
  OtherProgram(const std::string& what, int its_rank) : RuntimeError(what), rank(its_rank) {}

  int rank;  // who says so
};

class World {
 public:
  // Begins MPI, unless the program has done so, asking for `wanted` threads. Throws
  // RuntimeError if MPI is over, or does not do what is needed.
  World(int& argc, char**& argv, int wanted) {
    int over = 0;
    MPI_Finalized(&over);
    if (over != 0) throw RuntimeError("nogil::mpi::run: MPI_Finalize() was called before");
    int begun = 0;
    MPI_Initialized(&begun);
    if (begun == 0) {
      check(MPI_Init_thread(&argc, &argv, wanted, &level_), "MPI_Init_thread");
      mine_ = true;
    } else {
      check(MPI_Query_thread(&level_), "MPI_Query_thread");
      int main = 0;
      check(MPI_Is_thread_main(&main), "MPI_Is_thread_main");
      if (main == 0) throw RuntimeError("nogil::mpi::run: call it in the thread that has called MPI_Init_thread()");
    }
    if (level_ < MPI_THREAD_FUNNELED) {
      throw RuntimeError(
          begun != 0 ? "nogil::mpi::run: the program has begun MPI without threads: call MPI_Init_thread() with "
                       "MPI_THREAD_FUNNELED at least, or leave it to run()"
                     : "nogil::mpi::run: this MPI supports no threads (MPI_THREAD_FUNNELED), which it needs");
    }
    check(MPI_Comm_dup(MPI_COMM_WORLD, &communicator_), "MPI_Comm_dup");
    MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(communicator_, &rank_);
    MPI_Comm_size(communicator_, &size_);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    if (communicator_ == MPI_COMM_NULL) return;
    MPI_Comm_free(&communicator_);
    if (mine_) MPI_Finalize();
  }

  MPI_Comm communicator() const noexcept { return communicator_; }
  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }

  // Whether any thread may call MPI, one at a time; else this one alone.
  Turns turns() const noexcept { return level_ >= MPI_THREAD_SERIALIZED ? Turns::kAny : Turns::kOne; }

  // Ends the job at once, where some of its ranks are gone: nothing else ends then.
  [[noreturn]] void abort() noexcept {
    MPI_Abort(communicator_, 1);
    std::abort();
  }

  // All ranks call it. Throws, in all of them, OtherProgram that names those whose program is
  // another than rank 0's.
  void require_one_program() {
    using multiprocessing::detail::ModuleId;
    constexpr std::size_t kName = 64;
    struct Card {
      ModuleId program;
      char host[kName];
    };
    Card mine{multiprocessing::detail::program_module().id, {}};
    char name[MPI_MAX_PROCESSOR_NAME];
    int length = 0;
    MPI_Get_processor_name(name, &length);
    const std::size_t keep = static_cast<std::size_t>(length) < kName ? static_cast<std::size_t>(length) : kName - 1;
    std::memcpy(mine.host, name, keep);
    std::vector<Card> all(static_cast<std::size_t>(size_));
    check(MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all.data(), sizeof mine, MPI_BYTE, communicator_),
          "MPI_Allgather");
    platform::Text others;
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
      if (all[rank].program == all[0].program) continue;
      others << (others.empty() ? "rank " : ", rank ") << std::uint64_t{rank} << " (" << all[rank].host << ")";
    }
    if (others.empty()) return;
    platform::Text text;
    text << "nogil::mpi::run: all ranks must run the same program, but it is another one, or was built anew, in "
         << others.take();
    throw OtherProgram(text.take(), rank_);
  }

 private:
  static void check(int error, const char* what) {
    if (error != MPI_SUCCESS) {
      throw RuntimeError((platform::Text() << "nogil::mpi::run: " << what << ": " << error_text(error)).take());
    }
  }

  MPI_Comm communicator_ = MPI_COMM_NULL;
  int level_ = MPI_THREAD_SINGLE;
  int rank_ = 0;
  int size_ = 1;
  bool mine_ = false;
};

}  // namespace nogil::mpi::detail
