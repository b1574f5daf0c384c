// nogil/multiprocessing/detail/life.hpp -- who somebody is, and whether he still lives.
//
//   const Who me = this_process();           // or this_thread()
//   if (!process_lives(them)) …
//
// A number of a process or thread is used again when its owner is gone. So a Who also
// holds when its owner was started, as far as the kernel tells (/proc): nobody else had the
// same number at the same moment.
//
// Threads    Everything from any thread.
// Fork       The child is somebody else.
// Cost       this_process() and this_thread() are a load, after the first time. The
//            questions are system calls, 5-20 us.

#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "nogil/platform/fd.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/thread_id.hpp"

namespace nogil::multiprocessing::detail {

// bits 0..29: the kernel's number, never 0; bits 32..63: its start, in ticks, the low half
using Who = std::uint64_t;

inline constexpr int number_of(Who who) noexcept {
  return static_cast<int>(who & 0x3fff'ffff);
}

// When a process or thread was started, and the letter of its state; false: there is none.
inline bool read_stat(const char* path, std::uint32_t& start, char& state) noexcept {
  const platform::Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  char text[1024];
  const ::ssize_t size = file ? ::read(file.get(), text, sizeof text - 1) : -1;
  if (size <= 0) return false;
  text[size] = '\0';
  const char* at = std::strrchr(text, ')');  // the name before it may hold anything
  if (at == nullptr || at[1] != ' ') return false;
  at += 2;
  state = *at;
  for (int field = 3; field < 22; ++field) {  // proc(5): the state is field 3, the start 22
    at = std::strchr(at, ' ');
    if (at == nullptr) return false;
    ++at;
  }
  std::uint64_t ticks = 0;
  for (; *at >= '0' && *at <= '9'; ++at) ticks = ticks * 10 + static_cast<std::uint64_t>(*at - '0');
  start = static_cast<std::uint32_t>(ticks);
  return true;
}

inline Who make_who(int number, const char* stat) noexcept {
  std::uint32_t start = 0;
  char state = 0;
  if (!read_stat(stat, start, state)) start = 0;
  return std::uint64_t{start} << 32 | static_cast<std::uint32_t>(number);
}

// 0 until somebody asks.
[[gnu::visibility("default")]] inline constinit std::atomic<Who> g_this_process{0};
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local Who t_this_thread = 0;

// In the child that is left with the calling thread.
inline void forget_who() noexcept {
  g_this_process.store(0, std::memory_order_relaxed);
  t_this_thread = 0;
}
// Before main(): see platform/thread_id.hpp.
[[gnu::visibility("default")]] inline const int g_life_at_fork = ::pthread_atfork(nullptr, nullptr, forget_who);

[[gnu::noinline, gnu::cold]] inline Who ask_this_process() noexcept {
  const Who who = make_who(::getpid(), "/proc/self/stat");
  g_this_process.store(who, std::memory_order_relaxed);
  return who;
}

inline Who this_process() noexcept {
  const Who who = g_this_process.load(std::memory_order_relaxed);
  return who != 0 ? who : ask_this_process();
}

[[gnu::noinline, gnu::cold]] inline Who ask_this_thread() noexcept {
  this_process();
  return t_this_thread = make_who(static_cast<int>(::syscall(SYS_gettid)), "/proc/thread-self/stat");
}

inline Who this_thread() noexcept {
  return t_this_thread != 0 ? t_this_thread : ask_this_thread();
}

// Whether the kernel has one of this number that was started when `who` was. Without /proc
// it is taken for the same.
inline bool number_is_still(Who who, bool* ended = nullptr) noexcept {
  const std::string path = (platform::Text() << "/proc/" << std::uint64_t(number_of(who)) << "/stat").take();
  std::uint32_t start = 0;
  char state = 0;
  if (!read_stat(path.c_str(), start, state)) {
    return ::kill(number_of(who), 0) == 0 || errno == EPERM;
  }
  if (ended != nullptr) *ended = state == 'Z' || state == 'X' || state == 'x';
  return who >> 32 == 0 || start == who >> 32;
}

// Whether the process has any thread left. One that has ended and was not yet waited for
// does not live.
inline bool process_lives(Who who) noexcept {
  const platform::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, number_of(who), 0)));
  if (!pidfd) {
    if (errno == ESRCH) return false;
    bool ended = false;  // no pidfd_open here: an old kernel, or a sandbox
    return number_is_still(who, &ended) && !ended;
  }
  ::pollfd question{pidfd.get(), POLLIN, 0};
  if (::poll(&question, 1, 0) > 0) return false;
  return number_is_still(who);
}

inline bool thread_lives(Who who) noexcept {
  bool ended = false;
  return number_is_still(who, &ended) && !ended;
}

}  // namespace nogil::multiprocessing::detail
