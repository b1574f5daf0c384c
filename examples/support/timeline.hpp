// support/timeline.hpp -- who did what when: a lane for each thread, drawn later.
//
//   tour::Timeline timeline;
//   timeline.legend(tour::Paint::wait, "waits for a permit");
//   tour::Lane& lane = timeline.lane("T0");
//   lane.begin(tour::Paint::wait);                  // from now on T0 waits
//   semaphore.acquire();
//   lane.begin(tour::Paint::work, "client 0");      // … and from now on it works
//   lane.end();
//
//   T0 |######              |
//   T1 |......######        |
//       0                2.0 s
//
// It is a trace (nogil/trace.hpp) of which only the lanes are drawn, and in which runs of
// the same thing may lie below each other: again(). What else the trace recorded, such
// as what threads slept for, is in the file that --json writes.
//
// Threads   lane() by any thread; each Lane by one thread at a time. legend() before.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nogil/trace.hpp"
#include "support/print.hpp"

namespace tour {

// What a stretch of time means; legend() says it in the words of the demo.
enum class Paint { work, wait, hold, error };

class Lane {
 public:
  using Legend = std::array<std::string, 4>;

  Lane(std::string_view name, const Legend& legend) : legend_(legend), track_(name) {}

  // From now on, until the next begin() or end().
  void begin(Paint paint, std::string_view label = {}) {
    end();
    span_ = track_.span(label.empty() ? meaning(paint) : label, meaning(paint));
  }

  void end() { span_.reset(); }

  // A moment, such as an error. Ends what went on before.
  void mark(Paint paint, std::string_view label) {
    end();
    track_.instant(label, meaning(paint));
  }

 private:
  std::string_view meaning(Paint paint) const { return legend_[static_cast<std::size_t>(paint)]; }

  const Legend& legend_;
  nogil::trace::Track track_;
  std::optional<nogil::trace::Span> span_;
};

class Timeline {
 public:
  // Begins the trace in which the lanes are, unless that is done. The first lane does.
  void record() {
    const std::scoped_lock guard(lock_);
    begin_recording();
  }

  // A new lane, below those before it. It lives as long as the timeline.
  Lane& lane(std::string_view name) {
    const std::scoped_lock guard(lock_);
    begin_recording();
    return lanes_.emplace_back(name, legend_);
  }

  // Lanes that are made from now on begin at 0 once more: the same again, below what was.
  void again() { begin_part(true); }

  // Lanes that are made from now on begin where the last one ended: what happens in
  // between has not been of interest.
  void leave_out() { begin_part(false); }

  // A wait is hatched and an error red, as in every trace.
  void legend(Paint paint, const std::string& meaning) {
    const bool wait = paint == Paint::wait && !meaning.starts_with("wait");
    const bool error = paint == Paint::error && !meaning.ends_with("Error");
    legend_[static_cast<std::size_t>(paint)] = text(wait ? "waits: " : error ? "error: " : "", meaning);
  }

  bool empty() const { return lanes_.empty(); }

  // Draws it in the terminal. (This and svg() are templates so that only who calls them
  // compiles them.)
  template <class = void>
  void print_text() const {
    std::string drawn = nogil::trace::detail::text_of(picture(), 80);
    drawn.pop_back();
    print('\n', drawn, '\n');
  }

  // A stand-alone picture.
  template <class = void>
  std::string svg(const std::string& title) const {
    return nogil::trace::detail::svg_of(picture(), title);
  }

 private:
  struct Part {
    std::int64_t begin;  // ns since the trace began
    bool at_0;           // or where the part before ended
  };

  void begin_part(bool at_0) {
    const std::scoped_lock guard(lock_);
    if (start_ == std::chrono::steady_clock::time_point()) return;
    const std::chrono::nanoseconds now = std::chrono::steady_clock::now() - start_;
    parts_.push_back({now.count(), at_0});
  }

  void begin_recording() {
    if (start_ != std::chrono::steady_clock::time_point()) return;
    nogil::trace::start();
    start_ = std::chrono::steady_clock::now();
  }

  // What the lanes recorded, without a heading, and from its first moment to its last.
  template <class = void>
  nogil::trace::detail::Picture picture() const {
    namespace trace = nogil::trace::detail;
    trace::Picture all = trace::take_picture();
    trace::Picture lanes{0, all.dropped, 0, {}};
    trace::Process& drawn = lanes.processes.emplace_back(trace::Process{-1, {}, {}});
    for (trace::Process& process : all.processes) {
      for (trace::Row& row : process.rows) {
        const bool is_lane = row.tid == 0 && row.lane < trace::kFirstTask && !row.items.empty();
        if (is_lane) drawn.rows.push_back(std::move(row));
      }
    }
    constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      const std::int64_t from = parts_[part].begin, to = part + 1 < parts_.size() ? parts_[part + 1].begin : kNever;
      const auto in_part = [&](const trace::Row& row) {
        return from <= row.items.front().begin && row.items.front().begin < to;
      };
      std::int64_t first = kNever;
      for (const trace::Row& row : drawn.rows) {
        if (in_part(row) && row.items.front().begin < first) first = row.items.front().begin;
      }
      const std::int64_t earlier = first - (parts_[part].at_0 ? 0 : lanes.length);
      for (trace::Row& row : drawn.rows) {
        if (!in_part(row)) continue;
        for (trace::Item& item : row.items) {
          item.begin -= earlier, item.end -= earlier;
          if (item.end > lanes.length) lanes.length = item.end;
        }
      }
    }
    return lanes;
  }

  std::mutex lock_;
  std::chrono::steady_clock::time_point start_;  // of the trace
  Lane::Legend legend_{"works", "waits", "holds", "error"};
  std::deque<Lane> lanes_;
  std::vector<Part> parts_{{0, true}};
};

}  // namespace tour
