// thread-workers -- three threads sleep at the same time.
//
// Each worker sleeps for 2 s. Together they take 2 s, not 6: a thread that sleeps keeps
// no other from sleeping. In the notebook the lines of the workers run into each other,
// since print() writes the text and its newline apart; so does std::cout << a << b.
// A line that is put together first and written in one call stays whole.
//
// Python:
//
//     def worker(name):
//         print(f"thread {name} starts to work")
//         time.sleep(2)
//         print(f"thread {name} stops working")
//
//     threads = []
//     for i in range(3):
//         t = threading.Thread(target=worker, args=(f"Thread-{i}",))
//         threads.append(t)
//         t.start()
//     for t in threads:
//         t.join()

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/peak.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// Three threads write "Thread-n Thread-n Thread-n" into one file, many times. Returns
// how many lines came out as something else.
template <class WriteLine>
int torn_lines(long lines_each, WriteLine write_line) {
  std::FILE* const file = std::tmpfile();
  if (file == nullptr) throw std::runtime_error("no temporary file");
  std::setvbuf(file, nullptr, _IONBF, 0);  // each write goes out at once, as on a terminal
  nogil::Barrier start(3);
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads
        .emplace_back([&, name = tour::text("Thread-", i)] {
          start.wait();
          for (long n = 0; n < lines_each; ++n) write_line(file, name);
        })
        .start();
  }
  for (nogil::Thread& t : threads) t.join();

  int torn = 0;
  std::rewind(file);
  for (char line[256]; std::fgets(line, sizeof line, file) != nullptr;) {
    const std::string name = std::string(line).substr(0, 8);
    torn += line != tour::text(name, ' ', name, ' ', name, '\n');
  }
  std::fclose(file);
  return torn;
}

void thread_workers(tour::Run& run) {
  const int count = run.threads(3);
  const tour::Stopwatch watch;
  tour::Peak working(count);
  run.timeline.legend(tour::Paint::work, "sleeps");

  auto worker = [&](const std::string& name, tour::Lane& lane) {
    tour::print("thread ", name, " starts to work");
    working.enter();
    lane.begin(tour::Paint::work, "sleeps");
    run.sleep(2s);
    lane.end();
    working.leave();
    tour::print("thread ", name, " stops working");
  };

  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    const std::string name = tour::text("Thread-", i);
    threads.emplace_back(worker, name, std::ref(run.timeline.lane(name))).start();
  }
  for (nogil::Thread& t : threads) t.join();
  const tour::Seconds wall = watch.wall();
  tour::print(count, " sleeps of ", tour::seconds(run.scaled(2s)), " took ", tour::seconds(wall));

  const long lines = run.size(2'000);
  const int torn_in_pieces = torn_lines(lines, [](std::FILE* file, const std::string& name) {
    for (const std::string& piece : {name, std::string(" "), name, std::string(" "), name, std::string("\n")}) {
      std::fputs(piece.c_str(), file);  // std::cout << name << ' ' << name << …
    }
  });
  const int torn_whole = torn_lines(lines, [](std::FILE* file, const std::string& name) {
    tour::write_line(file, tour::text(name, ' ', name, ' ', name));
  });
  tour::print("of ", 3 * lines, " lines written in pieces ", torn_in_pieces,
              " came out torn; written whole: ", torn_whole);

  run.expect("asleep at once", working.most(), count);
  run.expect("whole lines torn", torn_whole, 0);
  run.check(wall >= run.scaled(2s), "took at least one sleep");
}

const tour::Demo registered({.id = "thread-workers",
                             .cell = "0.1",
                             .seconds = 2,
                             .teaches = "three threads sleep at once: 2 s, not 6; lines stay whole"},
                            thread_workers);

}  // namespace
