// nogil/platform/trace_point.hpp -- where the library tells a trace what it does.
//
//   const platform::TraceSpan span(platform::TraceKind::kWait, "lock");   // until the end of the block
//   platform::trace_moment(platform::TraceKind::kSteal, "steal");
//
// The floors below the trace know only whether there is one, and whom to call: nogil/trace.hpp
// puts its address into g_trace while it runs.
//
// Threads    Everything from any thread at any time.
// Contract   Nothing throws, waits for anybody, or changes errno for the caller.
// Cost       While no trace runs: one relaxed load for each point. Points stand where a
//            thread is about to sleep, or has a task to run, and never on a fast path.

#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace nogil::platform {

enum class TraceKind : std::uint8_t {
  kNone,
  // Spans
  kUser,    // of the program's own
  kThread,  // the life of a thread, or of a loop in it
  kTask,    // a worker runs a task
  kStep,    // a loop runs a coroutine until that waits
  kWait,    // a thread sleeps for something
  kIdle,    // a worker sleeps because there is no work
  // Moments
  kMoment,  // of the program's own
  kSteal,   // a worker takes a task of another worker
  kDeath,   // a worker process has died; the number is its pid
  // Names
  kThreadName,
  kProcessName,
  kTrackName,  // the number is the track's
};

// A span that has begun. `record` is null if it is not recorded.
struct TraceToken {
  void* record = nullptr;
  void* writer = nullptr;
};

// Who records. All of it constant, and there until the end of the program.
struct TraceSink {
  // `number`: what the span is about, such as the address of a lock's word; 0: nothing.
  TraceToken (*begin)(TraceKind kind, std::string_view name, std::uint64_t number) noexcept;
  void (*end)(TraceToken token) noexcept;
  void (*moment)(TraceKind kind, std::string_view name, std::uint64_t number) noexcept;

  // For a child process that does not inherit memory: a file descriptor of the trace's that
  // the caller closes, or -1; and what the child calls with its own of the same file.
  int (*file)() noexcept;
  void (*join)(int file, std::string_view process) noexcept;
};

// The trace that runs, or null. Relaxed: a sink is constant, and sees to the rest itself.
[[gnu::visibility("default")]] inline constinit std::atomic<const TraceSink*> g_trace{nullptr};

// Records its own life.
class [[nodiscard]] TraceSpan {
 public:
  TraceSpan(TraceKind kind, std::string_view name, std::uint64_t number = 0) noexcept {
    const TraceSink* const sink = g_trace.load(std::memory_order_relaxed);
    if (sink == nullptr) [[likely]]
      return;
    token_ = sink->begin(kind, name, number);
    sink_ = sink;
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;
  ~TraceSpan() {
    if (token_.record != nullptr) [[unlikely]]
      sink_->end(token_);
  }

 private:
  TraceToken token_;
  const TraceSink* sink_ = nullptr;
};

inline void trace_moment(TraceKind kind, std::string_view name, std::uint64_t number = 0) noexcept {
  if (const TraceSink* const sink = g_trace.load(std::memory_order_relaxed)) [[unlikely]]
    sink->moment(kind, name, number);
}

}  // namespace nogil::platform
