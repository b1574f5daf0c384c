// nogil/multiprocessing/detail/stack_guard.hpp -- finds a lambda that captured by reference.
//
// C++ does not tell what a lambda holds. But `[&]` leaves addresses of the caller's
// variables in it, and those lie on the caller's stack, where a number hardly ever points
// by chance. Addresses of the heap are not found.

#pragma once

#include <pthread.h>

#include <cstdint>
#include <cstring>

#include "nogil/errors.hpp"

namespace nogil::multiprocessing::detail {

// Under AddressSanitizer the variables of a function may lie elsewhere, so that it sees
// their use after the return.
#if defined(__SANITIZE_ADDRESS__)
#define NOGIL_FAKE_STACKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NOGIL_FAKE_STACKS 1
#endif
#endif
#ifdef NOGIL_FAKE_STACKS
extern "C" {
void* __asan_get_current_fake_stack(void);
void* __asan_addr_is_in_fake_stack(void* fake_stack, void* address, void** begin, void** end);
}
inline bool on_fake_stack(std::uintptr_t address) noexcept {
  void* const stack = __asan_get_current_fake_stack();
  return stack != nullptr &&
         __asan_addr_is_in_fake_stack(stack, reinterpret_cast<void*>(address), nullptr, nullptr) != nullptr;
}
#else
constexpr bool on_fake_stack(std::uintptr_t) noexcept {
  return false;
}
#endif

struct StackRange {
  std::uintptr_t begin = 0;
  std::uintptr_t size = 0;
};

// The calling thread's stack, asked for once. Nothing, if that fails.
inline const StackRange& stack_of_this_thread() noexcept {
  static thread_local const StackRange range = [] {
    StackRange found;
    ::pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return found;
    void* begin = nullptr;
    std::size_t size = 0;
    if (::pthread_attr_getstack(&attributes, &begin, &size) == 0) {
      found = {reinterpret_cast<std::uintptr_t>(begin), size};
    }
    ::pthread_attr_destroy(&attributes);
    return found;
  }();
  return range;
}

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_reference() {
  throw ValueError(
      "multiprocessing: the callable holds the address of a variable on this thread's stack ([&], perhaps), which "
      "means "
      "nothing in another process: capture by value, or pass it as an argument");
}

// Throws ValueError if one of its words is an address of the calling thread's stack.
template <class Callable>
void refuse_references(const Callable& callable) {
  if constexpr (alignof(Callable) >= alignof(void*)) {  // else it holds no pointer
    const StackRange& stack = stack_of_this_thread();
    for (std::size_t at = 0; at + sizeof(void*) <= sizeof(Callable); at += sizeof(void*)) {
      std::uintptr_t word;
      std::memcpy(&word, reinterpret_cast<const char*>(&callable) + at, sizeof word);
      if (word - stack.begin < stack.size || on_fake_stack(word)) [[unlikely]]
        throw_reference();
    }
  }
}

}  // namespace nogil::multiprocessing::detail
