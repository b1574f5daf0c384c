// bounded-semaphore -- a semaphore that notices one release too many.
//
// Three threads share two permits. The notebook stops there, before the point: giving
// back more than was taken is a bug, a plain Semaphore quietly grows by it, and a
// BoundedSemaphore raises ValueError.
//
// Python:
//
//     bounded_semaphore = threading.BoundedSemaphore(2)
//
//     def worker(name):
//         bounded_semaphore.acquire()
//         try:
//             pass  # some task
//         finally:
//             bounded_semaphore.release()
//
//     threads = []
//     for i in range(3):
//         t = threading.Thread(target=worker, args=(f"Thread-{i}",))
//         threads.append(t)
//         t.start()
//     for t in threads:
//         t.join()
//
//     bounded_semaphore.release()     # ValueError

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

void bounded_semaphore(tour::Run& run) {
  const int count = run.threads(3);
  nogil::BoundedSemaphore bounded(2);
  std::atomic<int> worked = 0;

  auto worker = [&](const std::string& name) {
    const std::scoped_lock permit(bounded);  // acquire(), try: … finally: release()
    tour::print(name, " has a permit");
    ++worked;
  };

  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(worker, tour::text("Thread-", i)).start();
  for (nogil::Thread& t : threads) t.join();

  std::string error = "no error";
  try {
    bounded.release();
  } catch (const nogil::ValueError& e) {
    error = e.what();
  }
  tour::print("BoundedSemaphore, one release() too many: ", error);

  nogil::Semaphore plain(2);
  plain.release();
  tour::print("Semaphore, one release() too many: no error, and now ", plain.value(), " permits");

  run.expect("worked", worked.load(), count);
  run.check(error.find("released too many times") != std::string::npos, "ValueError says: released too many times");
  run.expect("permits of the bounded one", bounded.value(), 2);
  run.check(plain.value() == 3, "the plain one grew");
}

const tour::Demo registered({.id = "bounded-semaphore",
                             .cell = "0.13",
                             .seconds = 0.1,
                             .teaches = "a BoundedSemaphore raises ValueError at one release() too many"},
                            bounded_semaphore);

}  // namespace
