// nogil/trace.hpp -- what every thread and process did, and when: a timeline to look at.
//
//   nogil::trace::start();
//   {
//     const auto span = nogil::trace::span("load the pages");       // until the end of the block
//     pool.map(load, urls);                                         // its tasks record themselves
//   }
//   nogil::trace::stop();
//   nogil::trace::write_svg("load.svg");                            // a picture
//   nogil::trace::write_json("load.json");                          // for Perfetto, or chrome://tracing
//   nogil::trace::write_text(std::cout);                            // in the terminal
//
// While it runs, the library records by itself: tasks of executors and pools, tasks that
// workers steal, what threads sleep for (locks, queues, futures, …), workers and loops that
// have nothing to do, steps of coroutines, and the deaths of worker processes.
//
// Threads    Everything from any thread at any time. A Span may end in another thread than it
//            began in; a Span or a Track is used by one thread at a time.
// Processes  Forked children, and those that nogil::multiprocessing starts while it runs,
//            record into the same trace. What a process recorded is there however it ends.
// Lifetime   The last trace stays until the next start(). Spans that are open when it stops
//            are drawn up to there.
// Errors     Recording never throws. What there is no room for is counted, and said in what
//            is written. RuntimeError from start() if it runs, and from write_…() if nothing
//            was ever started; std::system_error if there is no memory, or no such file.
// Cost       Memory is taken as it is used, up to Options::memory in all. Not running: one
//            load for each point that could record, none on an uncontended path. Running: two
//            looks at the clock and a step on memory of the thread's own for each span.
// Python     Nothing; after VizTracer, and the events that Chrome traces.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/platform/trace_point.hpp"
#include "nogil/trace/detail/json.hpp"
#include "nogil/trace/detail/picture.hpp"
#include "nogil/trace/detail/recorder.hpp"
#include "nogil/trace/detail/svg.hpp"
#include "nogil/trace/detail/text.hpp"

namespace nogil::trace {

struct Options {
  // For all processes together: half a million records, of 128 bytes.
  std::size_t memory = std::size_t{64} << 20;
};

// Begins a new trace; the one before is gone.
inline void start(const Options& options = {}) {
  detail::g_recorder.start(options.memory);
}

// Ends it, in all of its processes. Does nothing if none runs. In a child process it ends the
// recording of that process only.
inline void stop() noexcept {
  detail::g_recorder.stop();
}

// Whether a trace runs, at some moment during the call.
[[nodiscard]] inline bool running() noexcept {
  return detail::g_recorder.running();
}

// ---- What the program records of its own -----------------------------------------------

// Something that takes time: from its making to end(), or its destruction.
//
// `name` is written into its bar, `category` says what kind of thing it is: spans of one
// category have one colour, and an entry in the legend. Without one the name counts as that.
// Together they have 92 bytes; what is longer is cut.
class [[nodiscard]] Span {
 public:
  explicit Span(std::string_view name, std::string_view category = {}) noexcept : Span(name, category, 0) {}
  Span(Span&& other) noexcept : token_(std::exchange(other.token_, {})) {}
  Span& operator=(Span&& other) noexcept {
    std::swap(token_, other.token_);
    return *this;
  }
  ~Span() { end(); }

  // Once; further calls do nothing.
  void end() noexcept {
    if (token_.record != nullptr) detail::Recorder::end(std::exchange(token_, {}));
  }

 private:
  friend class Track;

  Span() noexcept = default;
  Span(std::string_view name, std::string_view category, std::uint64_t track) noexcept {
    if (platform::g_trace.load(std::memory_order_relaxed) == nullptr) return;
    token_ = detail::Recorder::record(detail::TraceKind::kUser, name, category, 0, track, true);
  }

  platform::TraceToken token_;
};

// Python: with span(name):
[[nodiscard]] inline Span span(std::string_view name, std::string_view category = {}) noexcept {
  return Span(name, category);
}

// Something that happens at one moment, now.
inline void instant(std::string_view name, std::string_view category = {}) noexcept {
  if (platform::g_trace.load(std::memory_order_relaxed) == nullptr) return;
  detail::Recorder::record(detail::TraceKind::kMoment, name, category, 0, 0, false);
}

// What the calling thread, or the process, is called in this trace. Without it a thread has
// its own name (nogil::Thread), and a process that of its program.
inline void name_thread(std::string_view name) noexcept {
  platform::trace_moment(detail::TraceKind::kThreadName, name);
}
inline void name_process(std::string_view name) noexcept {
  platform::trace_moment(detail::TraceKind::kProcessName, name);
}

// A row of its own, for what is no thread: a coroutine, a customer, a machine. Its spans may
// overlap those of the thread that records them. Belongs to the trace that ran when it was
// made; it records nothing in another.
class Track {
 public:
  explicit Track(std::string_view name) noexcept : number_(detail::g_recorder.new_track(session_)) {
    if (number_ != 0) platform::trace_moment(detail::TraceKind::kTrackName, name, number_);
  }

  [[nodiscard]] Span span(std::string_view name, std::string_view category = {}) const noexcept {
    if (!records()) return Span();
    return Span(name, category, number_);
  }
  void instant(std::string_view name, std::string_view category = {}) const noexcept {
    if (!records() || platform::g_trace.load(std::memory_order_relaxed) == nullptr) return;
    detail::Recorder::record(detail::TraceKind::kMoment, name, category, 0, number_, false);
  }

 private:
  bool records() const noexcept { return number_ != 0 && session_ == detail::g_recorder.session(); }

  std::uint32_t session_ = 0;  // the trace that ran when it was made
  std::uint64_t number_;
};

// ---- Look at it ------------------------------------------------------------------------

// The events as JSON, in the form that Chrome defined: ui.perfetto.dev opens it, and so does
// chrome://tracing. (These three are templates so that only who calls them compiles them.)
template <class Path = std::string>
void write_json(const Path& path) {
  detail::write_file(path, detail::json_of(detail::take_picture()));
}

// A stand-alone picture: one row for each thread, grouped by process.
template <class Path = std::string>
void write_svg(const Path& path, std::string_view title = {}) {
  detail::write_file(path, detail::svg_of(detail::take_picture(), title));
}

// The same with characters, at most `width` columns wide; `out` takes a std::string by `<<`.
template <class Out>
void write_text(Out&& out, std::size_t width = 80) {
  out << detail::text_of(detail::take_picture(), width);
}

}  // namespace nogil::trace
