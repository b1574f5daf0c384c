// nogil/threading/cpu_count.hpp -- cpu_count: how many cores this process may use.
//
//   std::vector<nogil::Thread> workers;
//   for (std::size_t i = 0; i < nogil::cpu_count(); ++i) workers.emplace_back(work);
//
// The cores of the machine, less those that the calling thread's affinity forbids
// (taskset, sched_setaffinity), and no more than the quota of the control group that it
// runs in (docker --cpus, Kubernetes limits), rounded up: half a core counts as one.
//
// Threads    May be called from any thread at any time.
// Cost       Reads a few files of /proc and /sys, some 50 us, each time, as both limits
//            may be changed while the process runs: keep the answer rather than ask in a
//            loop.
// Python     os.process_cpu_count (3.13), which knows affinity but not quotas.

#pragma once

#include <cstddef>

#include "nogil/platform/cgroup.hpp"
#include "nogil/platform/cpu.hpp"

namespace nogil {

// At least 1.
template <class Count = std::size_t>
[[nodiscard]] Count cpu_count() {
  const auto allowed = static_cast<Count>(platform::affinity_count());
  const auto granted = static_cast<Count>(platform::cgroup_cores());
  return granted != 0 && granted < allowed ? granted : allowed;
}

}  // namespace nogil
