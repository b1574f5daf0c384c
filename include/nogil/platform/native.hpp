// nogil/platform/native.hpp -- what the algorithms ask of a machine: atomics, sleep, fences.
//
// Every algorithm of the library (threading/detail/, event_count.hpp) takes one of
// these as its `Platform` parameter, so that the same source runs between threads
// (Native), between processes (Shared), and under the model checker of tests/model,
// which brings its own atomics and its own sleep and tries their interleavings.
//
//   Atomic<T>      std::atomic, or a model of it
//   Address        names a futex word after its object may be gone
//   futex_wait     sleep while the word (the low half of a 64-bit one) equals `expected`;
//                  false only when the deadline has passed
//   futex_wake     wake up to `count` sleepers of an address
//   pause, yield   let the sibling core, or another thread, go on
//   may_spin       whether waiting without sleeping can help: not on a single core
//   room_for       whether so many threads may run at the same time
//   thread_id      who asks: never 0, below 2^30, survives fork
//   light_fence    the cheap side of an asymmetric fence, and its dear one: either the
//   heavy_fence    light side's stores before it are seen by loads after the heavy one,
//                  or the heavy side's by loads after the light one
//   full_fence     one that pairs with itself, where both sides run seldom

#pragma once

#include <sched.h>

#include <atomic>
#include <bit>
#include <cstdint>

#include "nogil/platform/block_hook.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/fence.hpp"
#include "nogil/platform/futex.hpp"
#include "nogil/platform/thread_id.hpp"

namespace nogil::platform {

template <Scope kScope>
struct Machine {
  template <class T>
  using Atomic = std::atomic<T>;
  using Address = const std::uint32_t*;

  // Algorithms wait for a moment before they sleep, unless this is off.
  static constexpr bool kSpins = true;

  template <class T>
  static Address address(const Atomic<T>& word) noexcept {
    static_assert(sizeof(Atomic<T>) == sizeof(T) && Atomic<T>::is_always_lock_free, "a futex needs the bare bits");
    return reinterpret_cast<Address>(&word) + (sizeof(T) == 8 && std::endian::native == std::endian::big);
  }

  template <class T>
  static bool futex_wait(const Atomic<T>& word, std::uint32_t expected, Deadline deadline) noexcept {
    about_to_sleep();
    return platform::futex_wait(address(word), expected, deadline, kScope);
  }
  static void futex_wake(Address address, std::uint32_t count) noexcept {
    platform::futex_wake(address, count, kScope);
  }

  static void pause() noexcept { cpu_relax(); }
  static void yield() noexcept { ::sched_yield(); }
  static bool may_spin() noexcept { return several_cores(); }
  static bool room_for(std::uint32_t threads) noexcept { return threads <= static_cast<std::uint32_t>(core_count()); }

  static std::uint32_t thread_id() { return platform::thread_id(); }

  [[gnu::always_inline]] static void light_fence() noexcept { platform::light_fence<kScope>(); }
  static void heavy_fence() noexcept { platform::heavy_fence<kScope>(); }
  static void full_fence() noexcept { platform::full_fence(); }
};

using Native = Machine<Scope::kPrivate>;
using Shared = Machine<Scope::kShared>;

}  // namespace nogil::platform
