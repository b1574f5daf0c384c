// process-isolation -- each process has its own memory.
//
// A global variable that a thread changes is changed for everybody. A process changes its
// own copy: the parent's stays what it was. That is what makes processes safe from each
// other, and why everything that one is to learn from another has to be sent, or put into
// memory that both have: a Value, or raw bytes as SharedMemory.
//
// Python:
//
//     counter = 0
//
//     def increment():
//         global counter
//         for _ in range(1000):
//             counter += 1
//         print(f"in the child: {counter}")
//
//     p = Process(target=increment)
//     p.start()
//     p.join()
//     print(f"in the parent: {counter}")                  # 0
//
//     memory = SharedMemory(create=True, size=8)
//     p = Process(target=increment_shared, args=(memory.name,))

#include <atomic>
#include <chrono>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kSteps = 1000;

std::atomic<int> counter{0};  // global

void increment() {
  for (int i = 0; i < kSteps; ++i) ++counter;
}

// How a process tells what it saw: its exit code has 8 bits only.
void increment_and_tell(nogil::mp::Value<int> told) {
  increment();
  told.set(counter);
  tour::print("in the child: ", counter.load());
}

void increment_value(nogil::mp::Value<int> shared) {
  for (int i = 0; i < kSteps; ++i) shared.with_lock([](int& n) { ++n; });  // with shared.get_lock(): shared.value += 1
}

// An atomic number in memory that both processes see needs no lock.
std::atomic<int>& number_in(const nogil::mp::SharedMemory& memory) {
  return *std::launder(reinterpret_cast<std::atomic<int>*>(memory.buf().data()));
}

void increment_memory(nogil::mp::SharedMemory memory) {
  for (int i = 0; i < kSteps; ++i) ++number_in(memory);
}

void process_isolation(tour::Run& run) {
  nogil::mp::Value<int> told(-1);
  nogil::mp::Process child(increment_and_tell, told);
  child.start();
  child.join();
  const int after_process = counter;
  tour::print("in the parent after a process: ", after_process);

  nogil::Thread thread(increment);
  thread.start();
  thread.join();
  const int after_thread = counter;
  tour::print("in the parent after a thread: ", after_thread);

  const int processes = run.threads(2);
  nogil::mp::Value<int> value(0);
  auto memory = nogil::mp::SharedMemory::anonymous(sizeof(std::atomic<int>));
  new (memory.buf().data()) std::atomic<int>(0);
  std::vector<nogil::mp::Process> sharing;
  for (int i = 0; i < processes; ++i) {
    sharing.emplace_back(increment_value, value).start();
    sharing.emplace_back(increment_memory, memory).start();
  }
  for (nogil::mp::Process& p : sharing) p.join();
  tour::print("by ", processes, " processes each: a Value ", value.get(), ", shared memory ", number_in(memory).load());

  run.expect("in the child", told.get(), kSteps);
  run.expect("in the parent after a process", after_process, 0);
  run.expect("after a thread", after_thread, kSteps);
  run.expect("shared Value", value.get(), processes * kSteps);
  run.expect("shared memory", number_in(memory).load(), processes * kSteps);
}

const tour::Demo registered(
    {.id = "process-isolation",
     .cell = "3.8",
     .seconds = 0.1,
     .teaches = "a process changes its own copy of a global; Value and SharedMemory are shared"},
    process_isolation);

}  // namespace
