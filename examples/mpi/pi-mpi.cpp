// pi-mpi -- the ten parts of pi, by the ranks of an MPI job.
//
// What computes pi is the same as in pi-threads and pi-processes (support/pi_demo.hpp): only
// the executor is another, and its workers may be on other machines. The sum is the same to
// the last bit, whoever computed the parts.
//
//     mpirun -n 4 pi-mpi
//
// Python, run by mpiexec -n 4 python -m mpi4py.futures pi.py:
//
//     if __name__ == "__main__":
//         with MPIPoolExecutor() as executor:
//             value = sum(executor.map(integrate_part, args)) * 2
//         print(value)                                    # 3.1415926532923013

#include "nogil/mpi.hpp"
#include "support/pi_demo.hpp"
#include "support/tour.hpp"

namespace {

void pi_mpi(tour::Run& run) {
  tour::PiDemo demo(run, tour::PiDemo::Workers::processes);
  demo.measure("MPIPoolExecutor", [&] {
    nogil::mpi::MPIPoolExecutor executor;  // with MPIPoolExecutor() as executor:
    return demo.pi_by(executor);
  });
  demo.expect_pi();
}

const tour::Demo registered({.id = "pi-mpi",
                             .cell = "4.16",
                             .seconds = 0.2,
                             .teaches = "pi by the ranks of an MPI job: the same bits as with threads and processes"},
                            pi_mpi);

}  // namespace
