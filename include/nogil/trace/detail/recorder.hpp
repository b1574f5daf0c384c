// nogil/trace/detail/recorder.hpp -- who writes into a trace's memory, and who starts and ends that.
//
// Each thread has a Writer: its place in the trace that runs. It makes one at its first
// record, with a lock; from then on it records without one, into chunks of its own.
//
//   start(), join()   put a Segment here, and a sink into platform::g_trace
//   a thread          finds that its Writer is of another session, or that it has none, and
//                     makes a new one; the old one goes when its last open span has ended
//   fork()            the child's thread has no Writer any more, so it gets a lane of its own.
//                     Spans that were open belong to the parent, and end there
//   stop()            takes the sink away, and writes the moment into the trace: forked
//                     children, which have a sink of their own, see it there
//
// Ordering   A record is whole before its chunk's `used` counts it (release), and is read
//            only if that says so (acquire). `end` of an open span is written later, and read
//            as what it is then.

#pragma once

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/platform/trace_point.hpp"
#include "nogil/trace/detail/segment.hpp"

namespace nogil::trace::detail {

inline std::int64_t now_ns() noexcept {
  std::timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A thread's place in a trace. Belongs to the thread, and to each of its spans that is open.
class Writer {
 public:
  Writer(Segment& segment, std::uint32_t session, int pid) noexcept
      : segment_(segment), lane_(segment.new_number()), session_(session), pid_(pid) {
    segment.add_owner();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add_owner() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  std::uint32_t session() const noexcept { return session_; }
  int pid() const noexcept { return pid_; }
  bool running() const noexcept { return segment_.running(); }

  // By its thread: the place of the next record, for it alone until publish(). Null: no room.
  Record* next() noexcept {
    if (used_ == Chunk::kRecords && !take_chunk()) {
      segment_.count_dropped();
      return nullptr;
    }
    return &chunk_->records[used_];
  }
  void publish() noexcept { write(chunk_->used, ++used_, std::memory_order_release); }

 private:
  ~Writer() { segment_.drop(); }

  bool take_chunk() noexcept;

  std::atomic<std::uint32_t> owners_{1};
  Segment& segment_;
  Chunk* chunk_ = nullptr;
  std::uint32_t used_ = Chunk::kRecords;
  const std::uint64_t lane_;
  const std::uint32_t session_;
  const int pid_;
};

class Recorder {
 public:
  // Begins a new trace. Throws RuntimeError if one runs, and std::system_error.
  void start(std::size_t bytes);

  // Ends it, in the process that began it; in another, ends the part of that one.
  void stop() noexcept;

  // In a new process: goes on with the trace in this file.
  void join(int file, std::string_view process) noexcept;

  bool running() noexcept {
    const platform::RawGuard guard(lock_);
    return runs_here();
  }

  // The trace that runs, or the last one, with an ownership for the caller; or null.
  Segment* last() noexcept {
    const platform::RawGuard guard(lock_);
    if (segment_ != nullptr) segment_->add_owner();
    return segment_;
  }

  // A descriptor of the trace that runs, for the caller to close, or -1.
  int file() noexcept {
    const platform::RawGuard guard(lock_);
    return runs_here() ? ::fcntl(segment_->fd(), F_DUPFD_CLOEXEC, 0) : -1;
  }

  // A new track's number, and its session; 0: no trace runs.
  std::uint64_t new_track(std::uint32_t& session) noexcept {
    const platform::RawGuard guard(lock_);
    session = session_.load(std::memory_order_relaxed);
    return runs_here() ? segment_->new_number() : 0;
  }

  // Changes with each trace that this process begins, or joins.
  std::uint32_t session() const noexcept { return session_.load(std::memory_order_relaxed); }

  // Records what began now, and ends at `end`. Null record: there is no room, or no trace.
  static platform::TraceToken record(TraceKind kind, std::string_view name, std::string_view category,
                                     std::uint64_t number, std::uint64_t track, bool open) noexcept;
  static void end(platform::TraceToken token) noexcept;

 private:
  bool runs_here() const noexcept {
    return platform::g_trace.load(std::memory_order_relaxed) != nullptr && segment_ != nullptr && segment_->running();
  }

  Writer* renew() noexcept;
  void begin_session(Segment* segment) noexcept;
  void prepare() noexcept;

  static void before_fork() noexcept;
  static void after_fork_in_parent() noexcept;
  static void after_fork_in_child() noexcept;

  // Before main(): see platform/thread_id.hpp.
  static inline const int s_at_fork = ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  static void at_thread_exit(void* writer) noexcept;

  platform::RawLock lock_;  // these, but for what is atomic
  bool prepared_ = false;
  pthread_key_t key_ = 0;
  Segment* segment_ = nullptr;
  std::atomic<std::uint32_t> session_{0};
  std::atomic<int> pid_{0};
};

[[gnu::visibility("default")]] inline constinit Recorder g_recorder;
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local Writer* t_writer = nullptr;

// ---- The sink --------------------------------------------------------------------------

inline platform::TraceToken begin_span(TraceKind kind, std::string_view name, std::uint64_t number) noexcept {
  return Recorder::record(kind, name, {}, number, 0, true);
}
inline void record_moment(TraceKind kind, std::string_view name, std::uint64_t number) noexcept {
  Recorder::record(kind, name, {}, number, 0, false);
}
inline int trace_file() noexcept {
  return g_recorder.file();
}
inline void join_trace(int file, std::string_view process) noexcept {
  g_recorder.join(file, process);
}
inline constexpr platform::TraceSink kSink{begin_span, Recorder::end, record_moment, trace_file, join_trace};

// ---- Record ----------------------------------------------------------------------------

inline platform::TraceToken Recorder::record(TraceKind kind, std::string_view name, std::string_view category,
                                             std::uint64_t number, std::uint64_t track, bool open) noexcept {
  Writer* writer = t_writer;
  if (writer == nullptr || writer->session() != g_recorder.session_.load(std::memory_order_relaxed)) {
    writer = g_recorder.renew();
    if (writer == nullptr) return {};
  }
  if (!writer->running()) return {};  // stopped by the parent of this process, or a moment ago
  Record* const record = writer->next();
  if (record == nullptr) return {};
  record->number = number;
  record->track = track;
  record->kind = kind;
  record->set_text(name, category);
  record->begin = now_ns();
  write(record->end, open ? Record::kOpen : record->begin);
  if (open) writer->add_owner();
  writer->publish();
  return {open ? record : nullptr, writer};
}

inline void Recorder::end(platform::TraceToken token) noexcept {
  Writer& writer = *static_cast<Writer*>(token.writer);
  // A child that was forked inside the span has a copy of its object; the span is the parent's.
  if (writer.pid() == g_recorder.pid_.load(std::memory_order_relaxed)) {
    write(static_cast<Record*>(token.record)->end, now_ns());
  }
  writer.drop();
}

[[gnu::noinline, gnu::cold]] inline Writer* Recorder::renew() noexcept {
  const int error = errno;
  if (t_writer != nullptr) std::exchange(t_writer, nullptr)->drop();
  {
    const platform::RawGuard guard(lock_);
    if (segment_ != nullptr) {
      t_writer = new (std::nothrow) Writer(*segment_, session_.load(std::memory_order_relaxed), pid_);
    }
    if (prepared_) ::pthread_setspecific(key_, t_writer);
  }
  errno = error;
  return t_writer;
}

[[gnu::noinline, gnu::cold]] inline bool Writer::take_chunk() noexcept {
  Chunk* const chunk = segment_.take_chunk();
  if (chunk == nullptr) return false;
  chunk->lane = lane_;
  chunk->pid = pid_;
  chunk->tid = static_cast<std::int32_t>(::syscall(SYS_gettid));
  try {
    const platform::ThreadRecord& thread = platform::g_threads.enroll();
    const platform::RawGuard guard(platform::g_threads.lock());
    const std::string name = platform::ThreadRegistry::name_of(thread);
    chunk->name_size = static_cast<std::uint32_t>(name.copy(chunk->name, sizeof chunk->name));
  } catch (...) {  // no memory for a name
  }
  chunk_ = chunk;
  used_ = 0;
  return true;
}

// ---- Start and end ---------------------------------------------------------------------

inline void Recorder::start(std::size_t bytes) {
  Segment* const segment = Segment::make(bytes);
  Segment* old = nullptr;
  {
    const platform::RawGuard guard(lock_);
    if (runs_here()) {
      old = segment;
    } else {
      old = std::exchange(segment_, nullptr);
      segment->head().owner = ::getpid();
      segment->head().started = now_ns();
      begin_session(segment);
    }
  }
  if (old != nullptr) old->drop();
  if (old == segment) throw RuntimeError("trace::start: a trace runs already; stop() ends it");
  Recorder::record(TraceKind::kProcessName, program_invocation_short_name, {}, 0, 0, false);
}

inline void Recorder::stop() noexcept {
  const platform::RawGuard guard(lock_);
  platform::g_trace.store(nullptr, std::memory_order_relaxed);
  if (segment_ == nullptr || !segment_->running() || segment_->head().owner != pid_.load(std::memory_order_relaxed)) {
    return;
  }
  write(segment_->head().stopped, now_ns());
}

inline void Recorder::join(int file, std::string_view process) noexcept {
  Segment* const segment = Segment::open(platform::Fd(::fcntl(file, F_DUPFD_CLOEXEC, 0)));
  if (segment == nullptr) return;
  if (!segment->running()) return segment->drop();  // it was stopped meanwhile
  Segment* old = nullptr;
  {
    const platform::RawGuard guard(lock_);
    old = std::exchange(segment_, nullptr);
    begin_session(segment);
  }
  if (old != nullptr) old->drop();
  Recorder::record(TraceKind::kProcessName, process, {}, 0, 0, false);
}

inline void Recorder::begin_session(Segment* segment) noexcept {
  prepare();
  segment_ = segment;
  pid_.store(::getpid(), std::memory_order_relaxed);
  session_.fetch_add(1, std::memory_order_relaxed);
  platform::g_trace.store(&kSink, std::memory_order_relaxed);
}

inline void Recorder::prepare() noexcept {
  if (prepared_) return;
  if (::pthread_key_create(&key_, at_thread_exit) != 0) std::abort();
  prepared_ = true;
}

inline void Recorder::at_thread_exit(void* writer) noexcept {
  t_writer = nullptr;
  static_cast<Writer*>(writer)->drop();
}

// ---- Fork ------------------------------------------------------------------------------

inline void Recorder::before_fork() noexcept {
  g_recorder.lock_.lock();
}

inline void Recorder::after_fork_in_parent() noexcept {
  g_recorder.lock_.unlock();
}

inline void Recorder::after_fork_in_child() noexcept {
  g_recorder.lock_.reset_after_fork();
  g_recorder.pid_.store(::getpid(), std::memory_order_relaxed);
  t_writer = nullptr;  // its chunk is the parent's; what it had is not freed here
}

}  // namespace nogil::trace::detail
