// pi-threads -- the ten parts of pi, by a pool of 1, 4 and 8 threads.
//
// In CPython all three take as long as no pool at all: the GIL lets one thread compute
// at a time, and the notebook ends with "no gain". Here the parts really run at once.
// The results come back in the order of the parts, whoever computed them and whenever,
// so the sum is the same to the last bit with any number of threads.
//
// Python:
//
//     with ThreadPoolExecutor(4) as executor:
//         value = sum(executor.map(lambda args: integrate(F, **args), args)) * 2
//     value                                           # 3.1415926532923013

#include <cstddef>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/pi_demo.hpp"
#include "support/tour.hpp"

namespace {

void pi_threads(tour::Run& run) {
  tour::print(nogil::cpu_count(), " cores for us");
  tour::PiDemo demo(run);
  for (const int workers : {1, 4, run.threads(8)}) {
    demo.measure(tour::text("ThreadPoolExecutor(", workers, ")"), [&] {
      nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(workers));  // with ThreadPoolExecutor(…) as executor:
      return demo.pi_by(executor);
    });
  }
  demo.expect_pi();
}

const tour::Demo registered({.id = "pi-threads",
                             .cell = "4.15",
                             .seconds = 0.1,
                             .teaches = "pi on all cores, and bit for bit the same with 1, 4 or 8 threads"},
                            pi_threads);

}  // namespace
