// support/single.cpp -- makes a program of one demo.

#include "support/single.hpp"
#include "nogil/multiprocessing/start_method.hpp"

int main(int argc, char** argv) {
  nogil::mp::freeze_support();  // some demos start this program anew, as a worker
  return tour::run_single(argc, argv);
}
