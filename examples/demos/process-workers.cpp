// process-workers -- three processes sleep at the same time; one fails, alone.
//
// As thread-workers, with processes instead of threads: a name and a function are enough,
// and together they take 2 s, not 6. What a process has in addition is an exit code. An
// exception that leaves its function ends that process with code 1 and a line on stderr;
// its parent goes on. In the notebook it happens by mistake: args=("dfgb") is no tuple but
// a string of four letters, and the worker takes one argument. Here it would not compile.
//
// Python:
//
//     def worker(name):
//         print(f"process {name} starts to work")
//         time.sleep(2)
//         print(f"process {name} stops working")
//
//     if __name__ == "__main__":
//         processes = []
//         for i in range(3):
//             p = Process(target=worker, args=(f"Process-{i}",))
//             processes.append(p)
//             p.start()
//         for p in processes:
//             p.join()
//
//         p = Process(target=worker, args=("dfgb"))      # TypeError in the child
//         p.start()
//         p.join()
//         print(p.exitcode)                              # 1

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// In a process of its own: what it needs comes as arguments, and what is shared is a handle.
void worker(const std::string& name, std::chrono::nanoseconds length, nogil::mp::Barrier all_here) {
  all_here.wait(1min);  // on a machine so slow that the first would be done before the last begins
  tour::print("process ", name, " starts to work");
  std::this_thread::sleep_for(length);
  tour::print("process ", name, " stops working");
}

void careless_worker(const std::string& page) {
  throw std::runtime_error("no page named " + page);
}

void process_workers(tour::Run& run) {
  const int count = run.threads(3);
  const tour::Stopwatch watch;
  nogil::mp::Barrier all_here(count);

  std::vector<nogil::mp::Process> processes;
  for (int i = 0; i < count; ++i) {
    processes.emplace_back(worker, tour::text("Process-", i), run.scaled(2s), all_here).start();
  }
  for (nogil::mp::Process& p : processes) p.join();
  const tour::Seconds wall = watch.wall();
  tour::print(count, " sleeps of ", tour::seconds(run.scaled(2s)), " took ", tour::seconds(wall));

  int in_order = 0;
  for (const nogil::mp::Process& p : processes) in_order += p.exitcode() == 0;

  nogil::mp::Process careless({.name = "Process-3"}, careless_worker, "dfgb");
  careless.start();
  careless.join();
  tour::print("exit code of ", careless.name(), ": ", careless.exitcode().value_or(-1), "; the parent goes on");

  run.expect("ended with 0", in_order, count);
  run.expect("exit code of the one that throws", careless.exitcode().value_or(-1), 1);
  run.check(!all_here.broken(), "all were there at once");
  run.check(wall >= run.scaled(2s), "took at least one sleep");
}

const tour::Demo registered({.id = "process-workers",
                             .cell = "0.3",
                             .seconds = 2,
                             .teaches = "three processes sleep at once; one that throws ends with exit code 1"},
                            process_workers);

}  // namespace
