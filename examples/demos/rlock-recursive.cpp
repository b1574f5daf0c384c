// rlock-recursive -- a lock that its owner may take again.
//
// A function that holds a lock calls itself. With an RLock the same thread goes in again
// and again, and the lock is free when every level has given it back. A plain Lock does
// not know who holds it: the second acquire() would wait for ever, so it gets a timeout.
//
// Python:
//
//     rlock = threading.RLock()
//
//     def recursive_function(n):
//         with rlock:
//             if n > 0:
//                 recursive_function(n - 1)
//
//     thread = threading.Thread(target=recursive_function, args=(3,))
//     thread.start()
//     thread.join()

#include <chrono>
#include <mutex>
#include <string>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void rlock_recursive(tour::Run& run) {
  nogil::RLock rlock;
  std::size_t deepest = 0;

  auto recursive_function = [&](auto& self, int n) -> void {
    const std::scoped_lock guard(rlock);  // with rlock:
    const std::size_t depth = rlock.recursion_count();
    tour::print(std::string(2 * depth, ' '), "holds it ", depth, depth == 1 ? " time" : " times", ", n = ", n);
    if (depth > deepest) deepest = depth;
    if (n > 0) self(self, n - 1);
  };

  nogil::Thread thread([&] { recursive_function(recursive_function, 3); });
  thread.start();
  thread.join();
  const bool free_again = rlock.try_acquire();
  if (free_again) rlock.release();

  nogil::Lock plain;
  plain.acquire();
  const bool second = plain.acquire(run.scaled(1s));  // plain.acquire(timeout=1)
  tour::print("a plain Lock, taken twice: ", second ? "taken" : "not taken", " within ", tour::seconds(run.scaled(1s)));
  plain.release();

  run.expect("depth", deepest, 4);
  run.expect("Lock taken twice", second, false);
  run.check(free_again, "free after the last release");
}

const tour::Demo registered({.id = "rlock-recursive",
                             .cell = "0.8",
                             .seconds = 1,
                             .teaches = "an RLock lets its owner in again; a Lock does not"},
                            rlock_recursive);

}  // namespace
