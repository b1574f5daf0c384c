// nogil/platform/block_hook.hpp -- who wants to know that a thread is about to sleep.
//
// A thread that must not sleep (one that runs an event loop, in debug mode) sets this for
// itself. Looked at in slow paths only, just before the system call: to wait for nothing
// costs nothing.

#pragma once

#include "nogil/platform/thread_id.hpp"

namespace nogil::platform {

// Null: nobody.
using BeforeSleep = void (*)() noexcept;
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local BeforeSleep t_before_sleep = nullptr;

inline void about_to_sleep() noexcept {
  if (t_before_sleep != nullptr) [[unlikely]]
    t_before_sleep();
}

}  // namespace nogil::platform
