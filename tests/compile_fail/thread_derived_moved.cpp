// Its run() uses the object, which must stay where it is.
// expect: deleted|use of deleted

#include <utility>

#include "nogil/threading/thread.hpp"

struct Download : nogil::Thread {
  void run() override {}
};

Download original;
Download moved(std::move(original));
