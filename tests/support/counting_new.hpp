// tests/support/counting_new.hpp -- the operator new and delete behind support/allocations.hpp:
// they count, and fail when asked to.
//
// One file of a test program includes this, and nothing else.

#pragma once

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "nogil/threading/current_thread.hpp"
#include "support/allocations.hpp"

namespace nogil::testing {

namespace {

thread_local constinit Allocations t_allocations;
thread_local constinit int t_until_failure = 0;

[[maybe_unused]] void* allocate(std::size_t size, std::size_t alignment) {
  if (t_until_failure != 0 && --t_until_failure == 0) throw std::bad_alloc();
  void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  ++t_allocations.made;
  ++t_allocations.live;
  t_allocations.bytes += static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
  return memory;
}

[[maybe_unused]] void release(void* memory) noexcept {
  if (memory == nullptr) return;
  --t_allocations.live;
  t_allocations.bytes -= static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

Allocations allocations() noexcept {
  static_cast<void>(get_ident());  // the thread's number, which it gets but once, takes memory too
  return t_allocations;
}

void fail_allocation(int n) noexcept {
  static_cast<void>(get_ident());
  t_until_failure = n;
}

}  // namespace nogil::testing

#ifndef NOGIL_TEST_SANITIZED

void* operator new(std::size_t size) {
  return nogil::testing::allocate(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return nogil::testing::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  nogil::testing::release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  nogil::testing::release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  nogil::testing::release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  nogil::testing::release(memory);
}

#endif
