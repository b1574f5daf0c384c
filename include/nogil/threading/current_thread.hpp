// nogil/threading/current_thread.hpp -- who runs: this thread, the main one, all of them.
//
//   nogil::current_thread().name()                         // Python: threading.current_thread().name
//   for (const nogil::ThreadInfo& thread : nogil::enumerate()) std::puts(thread.name().c_str());
//
// A ThreadInfo says what was true when it was asked for; it does not keep the thread, nor
// follow it. Names: the main thread is "MainThread"; a thread that was not made by this
// library (std::thread, pthread_create) is "Dummy-N", and counts as a daemon, as in Python.
//
// Threads    All of it may be called from any thread at any time.
// Cost       get_ident(): a load and a test. The others take a lock for a moment.
// Python     threading.current_thread, main_thread, enumerate, active_count, get_ident and
//            get_native_id. A thread that this library did not make, the main one too, is
//            known from when it first starts a Thread, or uses anything that needs its
//            number, such as a Lock.

#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nogil/platform/thread_id.hpp"

namespace nogil {

class ThreadInfo {
 public:
  ThreadInfo(std::string name, std::uint64_t ident, int native_id, bool daemon)
      : name_(std::move(name)), ident_(ident), native_id_(native_id), daemon_(daemon) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // As Thread::ident() and Thread::native_id().
  [[nodiscard]] std::uint64_t ident() const noexcept { return ident_; }
  [[nodiscard]] int native_id() const noexcept { return native_id_; }

  [[nodiscard]] bool daemon() const noexcept { return daemon_; }

  // Whether they are about the same thread.
  friend bool operator==(const ThreadInfo& a, const ThreadInfo& b) noexcept { return a.ident_ == b.ident_; }

 private:
  std::string name_;
  std::uint64_t ident_;
  int native_id_;
  bool daemon_;
};

namespace detail {

// Under the registry's lock.
inline ThreadInfo describe(const platform::ThreadRecord& record) {
  const bool foreign = record.thread == nullptr && record.native_id != ::getpid();
  return ThreadInfo(platform::ThreadRegistry::name_of(record), record.id.load(std::memory_order_relaxed),
                    record.native_id, record.daemon || foreign);
}

}  // namespace detail

// The calling thread's number: what Thread::ident() says of it. Not 0. May be used again
// for another thread after the end of this one.
[[nodiscard]] inline std::uint64_t get_ident() {
  return platform::thread_id();
}

// The kernel's number of the calling thread.
[[nodiscard]] inline int get_native_id() {
  return platform::g_threads.enroll().native_id;
}

[[nodiscard]] inline ThreadInfo current_thread() {
  const platform::ThreadRecord& record = platform::g_threads.enroll();
  const platform::RawGuard guard(platform::g_threads.lock());
  return detail::describe(record);
}

// All threads that are alive and known, the calling one among them.
// (A template, so that a program pays for compiling the vector only if it calls this.)
template <class Info = ThreadInfo>
[[nodiscard]] std::vector<Info> enumerate() {
  platform::thread_id();
  std::vector<Info> threads;
  platform::g_threads.for_each(
      [&threads](const platform::ThreadRecord& record) { threads.push_back(detail::describe(record)); });
  return threads;
}

// The thread in which main() runs; in a child process the one that forked.
[[nodiscard]] inline ThreadInfo main_thread() {
  platform::thread_id();
  ThreadInfo main("MainThread", 0, ::getpid(), false);  // if it is not known yet, or has ended by pthread_exit()
  platform::g_threads.for_each([&main](const platform::ThreadRecord& record) {
    if (record.native_id == main.native_id()) main = detail::describe(record);
  });
  return main;
}

// How many enumerate() would list.
[[nodiscard]] inline std::size_t active_count() {
  platform::thread_id();
  std::size_t count = 0;
  platform::g_threads.for_each([&count](const platform::ThreadRecord&) { ++count; });
  return count;
}

}  // namespace nogil
