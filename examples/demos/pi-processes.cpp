// pi-processes -- the ten parts of pi, by processes instead of threads.
//
// In CPython this is the way to more than one core, and the notebook promises it in a file
// that is not there. Here threads do as well (pi-threads), and this costs the start of the
// processes on top; the sum is the same to the last bit, whoever computed the parts.
//
// Python:
//
//     if __name__ == "__main__":
//         with ProcessPoolExecutor(4) as executor:
//             value = sum(executor.map(integrate_part, args)) * 2
//         print(value)                                    # 3.1415926532923013

#include <cstddef>

#include "nogil/multiprocessing.hpp"
#include "support/pi_demo.hpp"
#include "support/tour.hpp"

namespace {

void pi_processes(tour::Run& run) {
  tour::PiDemo demo(run, tour::PiDemo::Workers::processes);
  for (const int workers : {1, run.threads(4)}) {
    demo.measure(tour::text("ProcessPoolExecutor(", workers, ")"), [&] {
      nogil::mp::ProcessPoolExecutor executor(
          static_cast<std::size_t>(workers));  // with ProcessPoolExecutor(…) as executor:
      return demo.pi_by(executor);
    });
  }
  const int workers = run.threads(2);
  demo.measure(tour::text("Pool(", workers, ")"), [&] {
    nogil::mp::Pool pool(static_cast<std::size_t>(workers));
    return demo.pi_by(pool);
  });
  demo.expect_pi();
}

const tour::Demo registered({.id = "pi-processes",
                             .cell = "4.16",
                             .seconds = 0.2,
                             .teaches = "pi by processes: the same bits as with threads, and what they cost to start"},
                            pi_processes);

}  // namespace
