// libstdc++ counts the owners of an exception in code that ThreadSanitizer cannot see: it takes
// the last owner's destruction of what another thread has read for a race. Here is said what the
// counter does: who gives back comes before who destroys. Elsewhere this file is empty.

#include "nogil/platform/fence.hpp"

#ifdef NOGIL_TSAN

#include <dlfcn.h>

#include <exception>

extern "C" {

void __tsan_acquire(void* place);
void __tsan_release(void* place);

static void give_back(void* exception) {
  __tsan_release(exception);
  __tsan_acquire(exception);
}

// std::exception_ptr::_M_release(), whose only member is the exception's place.
void _ZNSt15__exception_ptr13exception_ptr10_M_releaseEv(void** self) {
  static const auto release =
      reinterpret_cast<void (*)(void**)>(::dlsym(RTLD_NEXT, "_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv"));
  if (*self != nullptr) give_back(*self);
  release(self);
}

void __cxa_end_catch() {
  static const auto end_catch = reinterpret_cast<void (*)()>(::dlsym(RTLD_NEXT, "__cxa_end_catch"));
  if (const std::exception_ptr caught = std::current_exception()) {
    give_back(*reinterpret_cast<void* const*>(&caught));
  }
  end_catch();
}

}  // extern "C"

#endif
