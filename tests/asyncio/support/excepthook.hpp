// tests/asyncio/support/excepthook.hpp -- notes what goes to the excepthook.

#pragma once

#include <exception>
#include <string>
#include <vector>

#include "nogil/threading/excepthook.hpp"

namespace nogil::testing {

// For as long as it lives, in one thread.
class Reported {
 public:
  Reported() {
    set_excepthook([this](const ExceptHookArgs& args) { texts.push_back(detail::describe_exception(args.exception)); });
  }
  Reported(const Reported&) = delete;
  Reported& operator=(const Reported&) = delete;
  ~Reported() { set_excepthook(nullptr); }

  std::vector<std::string> texts;
};

}  // namespace nogil::testing
