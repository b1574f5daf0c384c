// nogil/mpi/run.hpp -- run(): the main function of a program that mpirun starts.
//
//   int main(int argc, char** argv) {
//     return nogil::mpi::run(argc, argv, [] {                      // Python: if __name__ == "__main__":
//       nogil::mpi::MPIPoolExecutor pool;                          //   with MPIPoolExecutor() as pool:
//       for (bool prime : pool.map(is_prime, numbers)) …           //     for prime in pool.map(is_prime, numbers): …
//       return 0;
//     });
//   }
//
//   $ mpirun -n 8 ./program                                        // mpiexec -n 8 python -m mpi4py.futures program.py
//
// Rank 0 runs the function, as main(argc, argv) or without arguments; the others serve its
// executors until it ends. What it returns is run()'s value in rank 0, and so the exit code of
// the job; in all others that is 0. With one rank alone, a thread of this process serves, and
// a line on stderr says so.
//
// Begin      Call it first in main(): it is also freeze_support(). It begins MPI and ends it, unless
//            the program has called MPI_Init_thread() before, with MPI_THREAD_FUNNELED at least.
// Programs   All ranks must run the same one, down to its build-id. If not, rank 0 says which do
//            not, and run() is 1 everywhere.
// Threads    MPI is called by one thread of a rank at a time: by whichever waits, if MPI grants
//            MPI_THREAD_SERIALIZED; else by the one that called run(), and then the function
//            runs in another thread. Inside it, leave MPI alone unless that has granted
//            MPI_THREAD_MULTIPLE.
// Errors     An exception of the function is written to stderr, what is pending is cancelled,
//            what is running comes to its end, and run() is 1. So it is when MPI does not do
//            what is needed, which is said, too. A rank that is lost ends the job, after the
//            function has ended (MPI_Abort), where MPI itself has not ended it at once, as most do.
// End        Executors that were not shut down run what they were given first. A function that
//            calls exit() leaves the other ranks to mpirun, which stops them.
// Waiting    A rank without work looks for messages without sleeping for 0.15 ms, then more and more
//            seldom, down to every millisecond, and after longer silences to every 4 ms: about
//            a hundredth of a core.
// Python     python -m mpi4py.futures, which an exception ends by MPI_Abort.

#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "nogil/mpi/detail/hub.hpp"
#include "nogil/mpi/detail/job.hpp"
#include "nogil/mpi/detail/local_wire.hpp"
#include "nogil/mpi/detail/station_main.hpp"
#include "nogil/mpi/detail/world.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::mpi {

namespace detail {

template <class Main>
int call_main(Main& main, int argc, char** argv) {
  const auto call = [&]() -> decltype(auto) {
    if constexpr (std::is_invocable_v<Main&, int, char**>) return main(argc, argv);
    else return main();
  };
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    return 0;
  } else {
    return static_cast<int>(call());
  }
}

inline void report(const std::string& what) noexcept {
  nogil::detail::write_stderr(what + "\n");
}

// Rank 0: main(), then the end of the job. The exit code. *lost: whether a rank was.
template <class Main>
int lead(Wire& wire, std::size_t ranks, Turns turns, Main main, bool* lost = nullptr) {
  const Ref<Hub> hub(new Hub(wire, ranks, turns));
  int code = 1;
  const auto work = [&] {
    bool failed = true;
    try {
      code = main();
      failed = false;
    } catch (...) {
      report("nogil::mpi::run: the main function threw " + nogil::detail::describe_exception(std::current_exception()));
    }
    hub->finish(failed);
    g_hub.store(nullptr, std::memory_order_release);
  };
  if (turns == Turns::kAny) hub->start();
  g_hub.store(hub.get(), std::memory_order_release);
  if (turns == Turns::kAny) {
    work();
  } else {
    std::thread thread(work);
    hub->watch();
    thread.join();
  }
  if (lost != nullptr) *lost = hub->lost();
  return code;
}

template <class Main>
int run_at(int wanted, int argc, char** argv, Main& main) {
  multiprocessing::freeze_support();
  try {
    World world(argc, argv, wanted);
    world.require_one_program();
    const auto call = [&] { return call_main(main, argc, argv); };
    if (world.size() == 1) {
      report("nogil::mpi::run: a world of one rank (no mpirun -n?): tasks run in this process");
      LocalWire here(1);
      LocalWire there(0);
      here.connect(there);
      Station station(there, Turns::kAny);
      std::thread thread([&station] { station.serve(); });
      const int code = lead(here, 2, Turns::kAny, call);
      thread.join();
      return code;
    }
    MpiWire wire(world.communicator(), world.rank() == 0 ? MPI_ANY_SOURCE : 0,
                 Neighbours(world.communicator(), world.rank(), world.size()));
    if (world.rank() == 0) {
      bool lost = false;
      const int code = lead(wire, static_cast<std::size_t>(world.size()), world.turns(), call, &lost);
      if (lost) world.abort();
      return code;
    }
    Station station(wire, world.turns());
    station.serve();
    if (station.lost()) world.abort();
    return 0;
  } catch (const OtherProgram& other) {
    if (other.rank == 0) report(other.what());
    return 1;
  } catch (...) {
    report(nogil::detail::describe_exception(std::current_exception()));
    return 1;
  }
}

}  // namespace detail

// See above. Waits for everything.
template <class Main>
int run(int argc, char** argv, Main&& main) {
  return detail::run_at(MPI_THREAD_SERIALIZED, argc, argv, main);
}

}  // namespace nogil::mpi
