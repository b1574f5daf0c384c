// What neither nogil nor cereal knows is told, also with cereal beside.
// expect: cannot be sent to another process

#include "nogil/multiprocessing/process.hpp"
#if __has_include(<cereal/cereal.hpp>)
#include "nogil/multiprocessing/cereal.hpp"
#endif

class Handle {
 public:
  Handle();
  Handle(const Handle& other);
  ~Handle();
};

void use(const Handle& handle);
nogil::mp::Process process(use, Handle());
