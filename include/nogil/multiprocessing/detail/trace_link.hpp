// nogil/multiprocessing/detail/trace_link.hpp -- takes a trace that runs along to a new process.
//
// A process that is not forked from this one inherits no memory. So with its job it gets the
// file of the trace, and the function that goes on with it there.

#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "nogil/multiprocessing/detail/identity.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::multiprocessing::detail {

class TraceLink {
 public:
  // Of the trace that runs here; empty, if there is none.
  static TraceLink mine() noexcept {
    TraceLink link;
    if (const platform::TraceSink* const sink = platform::g_trace.load(std::memory_order_relaxed)) {
      link.file_ = platform::Fd(sink->file());
      link.join_ = sink->join;
    }
    return link;
  }

  // In the new process, which is called so.
  void join(std::string_view process) const noexcept {
    if (file_) join_(file_.get(), process);
  }

 private:
  friend struct Adapter<TraceLink>;
  using Join = void(int file, std::string_view process) noexcept;

  platform::Fd file_;
  Join* join_ = nullptr;
};

template <>
struct Adapter<TraceLink> {
  static void save(OutputArchive& out, const TraceLink& link) {
    out.write_raw(static_cast<std::uint8_t>(link.file_ ? 1 : 0));
    if (!link.file_) return;
    out.write_file(link.file_.get());
    save_function(out, link.join_);
  }
  static TraceLink load(InputArchive& in) {
    TraceLink link;
    if (!load_flag(in)) return link;
    link.file_ = in.read_file();
    link.join_ = load_function<TraceLink::Join>(in);
    return link;
  }
};

}  // namespace nogil::multiprocessing::detail
