// support/stopwatch.hpp -- wall and CPU time of a piece of work.

#pragma once

#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <string>

#include "support/print.hpp"
#include "support/tour.hpp"

namespace tour {

// What all threads of this process have computed so far.
inline Seconds cpu_time() {
  std::timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

// The same of its child processes that have ended, and of theirs.
inline Seconds cpu_time_of_children() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  return std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

class Stopwatch {
 public:
  Seconds wall() const { return Clock::now() - wall_; }
  Seconds cpu() const { return cpu_time() - cpu_; }

  // "0.301 s wall, 0.598 s CPU".
  std::string both() const { return seconds(wall(), 3) + " wall, " + seconds(cpu(), 3) + " CPU"; }

 private:
  const Clock::time_point wall_ = Clock::now();
  const Seconds cpu_ = cpu_time();
};

}  // namespace tour
