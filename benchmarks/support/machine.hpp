// benchmarks/support/machine.hpp -- what we measure on, and whether it is ours alone.

#pragma once

#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "support/measure.hpp"
#include "support/table.hpp"

namespace bench {

struct Machine {
  std::string cpu;
  std::size_t cores = 0;  // that this process may use
  std::string governor;   // empty: the kernel does not say
  double load = 0;        // of the last minute, for all cores
  double control = 0;     // cpu/wall of two threads that only count
  std::string kernel;
  std::string compiler;
  std::string date;

  // What speaks against believing the figures; nothing, on a good machine.
  std::vector<std::string> objections() const {
    std::vector<std::string> all;
    if (cores < 2) all.push_back("one core only: cases with threads are void");
    else if (control < kControlFloor) all.push_back(text("two busy threads got %.2f cores", control));
    if (load > 0.5) all.push_back(text("something else runs: the load of the last minute is %.2f", load));
    if (!governor.empty() && governor != "performance") {
      all.push_back("the clock varies: cpufreq's governor is " + governor + ", not performance");
    }
    return all;
  }
};

inline std::string first_line_of(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

inline std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

inline std::string compiler_name() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

inline Machine this_machine() {
  Machine machine;
  machine.cpu = cpu_name();
  machine.cores = usable_cores().size();
  machine.governor = first_line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  double load[1];
  if (::getloadavg(load, 1) == 1) machine.load = load[0];
  machine.control = two_thread_control();
  utsname system;
  if (::uname(&system) == 0) machine.kernel = std::string(system.sysname) + " " + system.release;
  machine.compiler = compiler_name();
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts;
  if (::gmtime_r(&now, &parts) != nullptr && std::strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &parts) > 0) {
    machine.date = date;
  }
  return machine;
}

}  // namespace bench
