// tests/model/fiber.hpp -- the threads of the model: stacks that one real thread runs by turns.

#pragma once

#include <cxxabi.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#if defined(__has_feature)
#define NOGIL_MODEL_HAS_FEATURE(x) __has_feature(x)
#else
#define NOGIL_MODEL_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || NOGIL_MODEL_HAS_FEATURE(address_sanitizer)
#define NOGIL_MODEL_ASAN 1
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(__SANITIZE_THREAD__) || NOGIL_MODEL_HAS_FEATURE(thread_sanitizer)
#define NOGIL_MODEL_TSAN 1
#include <sanitizer/tsan_interface.h>
#endif

namespace nogil::model {

#if defined(NOGIL_MODEL_ASAN) || defined(NOGIL_MODEL_TSAN)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// An execution that fails is left where it is, and what its threads had allocated is lost:
// while one of these lives, LeakSanitizer does not mind.
struct LeaksAreFine {
#ifdef NOGIL_MODEL_ASAN
  LeaksAreFine() {
    __lsan_disable();
  }
  ~LeaksAreFine() {
    __lsan_enable();
  }
#else
  LeaksAreFine() {}
#endif
  LeaksAreFine(const LeaksAreFine&) = delete;
  LeaksAreFine& operator=(const LeaksAreFine&) = delete;
};

// A stack and where on it to go on. One without a stack of its own stands for the real
// thread's.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber() {
    if (stack_ != nullptr) ::munmap(stack_, kStack);
#ifdef NOGIL_MODEL_TSAN
    if (tsan_ != nullptr && stack_ != nullptr) __tsan_destroy_fiber(tsan_);
#endif
  }

  // The next switch to it calls entry(), which must never return. What the fiber was in
  // the middle of is forgotten: its destructors do not run.
  void restart(void (*entry)()) {
    if (stack_ == nullptr) {
      stack_ = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (stack_ == MAP_FAILED) std::abort();
    }
#ifdef NOGIL_MODEL_TSAN
    if (tsan_ != nullptr) __tsan_destroy_fiber(tsan_);
    tsan_ = __tsan_create_fiber(0);
#endif
#ifdef NOGIL_MODEL_ASAN
    fake_stack_ = nullptr;
    bottom_ = stack_;
    size_ = kStack;
#endif
    ::getcontext(&context_);
    context_.uc_stack.ss_sp = stack_;
    context_.uc_stack.ss_size = kStack;
    context_.uc_link = nullptr;
    ::makecontext(&context_, entry, 0);
    std::memset(exceptions_, 0, sizeof exceptions_);
  }

  // From `from`, which runs now, to this one; returns when somebody switches back. `from`
  // may say that it is done for.
  void enter(Fiber& from, [[maybe_unused]] bool from_is_done = false) {
    // The exceptions that are being handled belong to a stack, not to the real thread.
    void* const exceptions = abi::__cxa_get_globals();
    std::memcpy(from.exceptions_, exceptions, sizeof exceptions_);
    std::memcpy(exceptions, exceptions_, sizeof exceptions_);
#ifdef NOGIL_MODEL_ASAN
    __sanitizer_start_switch_fiber(from_is_done ? nullptr : &from.fake_stack_, bottom_, size_);
#endif
#ifdef NOGIL_MODEL_TSAN
    if (from.tsan_ == nullptr) from.tsan_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_, 0);
#endif
    previous_ = &from;
    ::swapcontext(&from.context_, &context_);
    from.arrived();
  }

  // To be called first of all in entry().
  void arrived() {
#ifdef NOGIL_MODEL_ASAN
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &size);
    previous_->bottom_ = bottom;
    previous_->size_ = size;
#endif
  }

 private:
  static constexpr std::size_t kStack = 256 * 1024;

  ucontext_t context_{};
  void* stack_ = nullptr;
  Fiber* previous_ = nullptr;
  unsigned char exceptions_[2 * sizeof(void*)] = {};  // __cxa_eh_globals of the C++ ABI
#ifdef NOGIL_MODEL_ASAN
  void* fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
#endif
#ifdef NOGIL_MODEL_TSAN
  void* tsan_ = nullptr;
#endif
};

}  // namespace nogil::model
