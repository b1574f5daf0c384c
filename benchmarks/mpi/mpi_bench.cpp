// Calls into other ranks of an MPI job: nogil's pool, and bare MPI.
//
// Each hold is a job of its own, which mpirun starts on this machine (mpi/job/), over shared
// memory or over TCP's loopback. Its start is no part of the figure. There are two ranks, or
// as many as the number after the name says; there, after the slash of a round trip, are the
// bytes that go there and come back. With more ranks than cores they yield while they wait.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

// ---- The rivals ------------------------------------------------------------------------

#ifdef NOGIL_BENCH_MPIEXEC
struct Here {};
constexpr const char* kMpiexec = NOGIL_BENCH_MPIEXEC;
constexpr const char* kProgram = NOGIL_BENCH_MPI_JOB;
#else
struct Here : bench::Absent {};
constexpr const char* kMpiexec = "";
constexpr const char* kProgram = "";
#endif

struct Text {
  template <std::size_t kSize>
  constexpr Text(const char (&literal)[kSize]) {
    std::copy(literal, literal + kSize, text);
  }

  char text[48] = {};
};

// What its rows say, and what the job is told (mpi/job/job.hpp).
template <Text kRow, Text kOrder>
struct Rival : Here {
  static constexpr const char* kName = kRow.text;
  static constexpr const char* kWord = kOrder.text;
};

using Nogil = Rival<"nogil::mpi::MPIPoolExecutor", "nogil">;
using NogilProcesses = Rival<"nogil::mpi::MPIPoolExecutor,processes", "nogil_processes">;
using Raw = Rival<"MPI_Send and MPI_Recv", "raw">;

// One task in flight for each rank. The dispatcher of mpi4py.futures, in C++: who waits sleeps
// for up to a millisecond; or not at all.
using Backoff = Rival<"MPI, one in flight, as mpi4py", "backoff">;
using Spin = Rival<"MPI, one in flight, no back-off", "spin">;

// What the numbers take one core, divided by the ranks that work, which are all but the first,
// or by the cores, if those are fewer.
using Ideal = Rival<"a loop / workers", "loop">;
using Scatter = Rival<"MPI_Scatter and MPI_Gather", "scatter">;

// ---- Jobs ------------------------------------------------------------------------------

enum class Transport { kSharedMemory, kTcp };

struct Job {
  Transport transport = Transport::kSharedMemory;
  int ranks = 2;
  std::string what;
  std::string rival;
  int size = 0;
};

struct Figures {
  double ns, p50, p99, worst, cpu_per_wall;
};

int usable_cores() {
  return static_cast<int>(bench::usable_cores().size());
}

// What Open MPI needs in a container, as root, and to take this transport, and what our ranks
// need to send everything by it. Others do not look at it.
std::string settings(const Job& job) {
  std::string all =
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1"
      " OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_pml=ob1";
  all += job.transport == Transport::kTcp
             ? " OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=lo NOGIL_MPI_NEIGHBOURS=0"
             : " OMPI_MCA_btl='^tcp,openib'";
  if (job.ranks > usable_cores()) all += " OMPI_MCA_mpi_yield_when_idle=1";
  return all;
}

// Nothing if the job failed, or was still running after a minute.
std::optional<Figures> run(const Job& job) {
  std::string command = "env " + settings(job) + " timeout 60 " + kMpiexec;
  for (const std::string& word :
       {std::string("-n"), std::to_string(job.ranks), std::string(kProgram), job.what, job.rival,
        std::to_string(job.size), std::to_string(bench::options().window.count())}) {
    command += " " + word;
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(::popen(command.c_str(), "r"), ::pclose);
  Figures figures{};
  if (output == nullptr || std::fscanf(output.get(), "%lf %lf %lf %lf %lf", &figures.ns, &figures.p50, &figures.p99,
                                       &figures.worst, &figures.cpu_per_wall) != 5) {
    return std::nullopt;
  }
  return figures;
}

[[maybe_unused]] void measure(benchmark::State& state, const Job& job) {
  const double before = bench::two_thread_control();
  for (auto _ : state) {
    const std::optional<Figures> figures = run(job);
    bench::check(state, figures.has_value(), "the job failed");
    state.SetIterationTime(figures ? figures->ns * 1e-9 : 1);
    if (!figures) continue;
    if (figures->cpu_per_wall > 0) state.counters["cpu_wall"] = figures->cpu_per_wall;
    if (figures->p50 <= 0) continue;
    state.counters["p50_ns"] = figures->p50;
    state.counters["p99_ns"] = figures->p99;
    state.counters["worst_ns"] = figures->worst;
  }
  bench::report_control(state, before);
}

template <class R>
void mpi_round_trip_shm(benchmark::State& state) {
  measure(state, {.what = "round_trip", .rival = R::kWord, .size = static_cast<int>(state.range(0))});
}

template <class R>
void mpi_round_trip_tcp(benchmark::State& state) {
  measure(state, {.transport = Transport::kTcp,
                  .what = "round_trip",
                  .rival = R::kWord,
                  .size = static_cast<int>(state.range(0))});
}

// One task of 10,000 that are submitted one by one.
template <class R>
void mpi_tiny_tasks(benchmark::State& state) {
  measure(state, {.ranks = static_cast<int>(state.range(0)), .what = "tiny_tasks", .rival = R::kWord});
}

// A million numbers, a microsecond each.
template <class R>
void mpi_map_1e6(benchmark::State& state) {
  const int ranks = static_cast<int>(state.range(0));
  measure(state, {.ranks = ranks, .what = "map", .rival = R::kWord, .size = std::min(ranks - 1, usable_cores())});
}

// What rank 0 itself does for one of 10,000 tasks, with so many ranks, which are not there
// (job/far_ranks.hpp).
template <class R>
void mpi_far_ranks(benchmark::State& state) {
  measure(state, {.ranks = 1, .what = "far_ranks", .rival = R::kWord, .size = static_cast<int>(state.range(0))});
}

// The CPU time that rank 0 and rank 1 use together in 100 ms without tasks, after a burst of
// them. It is this that is reported as the time.
template <class R>
void mpi_idle(benchmark::State& state) {
  measure(state, {.what = "idle", .rival = R::kWord});
}

[[maybe_unused]] const bool registered = [] {
  using std::chrono::microseconds;
  constexpr auto kWindow = bench::Timing::kWindow;
  using Lines = bench::Rivals<Nogil, NogilProcesses, Raw>;
  const bench::Setup round_trips{.threads = {8, 1 << 10, 1 << 16, 1 << 20},
                                 .timing = kWindow,
                                 .goals = {bench::at_most(2, Raw::kName).plus(microseconds(1))}};
  bench::compare(Lines(), BENCH_CASE(mpi_round_trip_shm), round_trips);
  bench::compare(Lines(), BENCH_CASE(mpi_round_trip_tcp), round_trips);
  bench::compare(bench::Rivals<Nogil, Backoff, Spin>(), BENCH_CASE(mpi_tiny_tasks),
                 {.threads = {2, 4}, .timing = kWindow, .goals = {bench::at_least(20, Backoff::kName)}});
  bench::compare(bench::Rivals<Nogil, Ideal, Scatter>(), BENCH_CASE(mpi_map_1e6),
                 {.threads = {2, 3, 4}, .timing = kWindow, .goals = {bench::at_least(0.9, Ideal::kName)}});
  bench::compare(bench::Rivals<Nogil>(), BENCH_CASE(mpi_far_ranks), {.threads = {10, 100, 1000}, .timing = kWindow});
  bench::compare(bench::Rivals<Nogil>(), BENCH_CASE(mpi_idle), {.timing = kWindow});
  return true;
}();

}  // namespace
