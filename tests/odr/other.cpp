#include "odr/other.hpp"

#include "nogil/nogil.hpp"

namespace other {

std::uint64_t ident() {
  return nogil::get_ident();
}
std::size_t active_count() {
  return nogil::active_count();
}
void acquire(nogil::Lock& lock) {
  lock.acquire();
}
void release(nogil::Lock& lock) {
  lock.release();
}

}  // namespace other
