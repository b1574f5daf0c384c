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
// Threads   lane() and legend() by any thread; each Lane by one thread at a time. Draw
//           it when the threads have been joined.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "support/print.hpp"

namespace tour {

// What a stretch of time means; legend() says it in the words of the demo.
enum class Paint { work, wait, hold, error };
inline constexpr std::size_t kPaints = 4;

class Lane {
 public:
  using Clock = std::chrono::steady_clock;

  struct Span {
    Paint paint;
    double from, to;  // seconds since the timeline began; equal for a moment (mark)
    std::string label;
  };

  Lane(std::string name, Clock::time_point start) : name_(std::move(name)), start_(start) {}

  // From now on, until the next begin() or end().
  void begin(Paint paint, std::string label = {}) {
    end();
    spans_.push_back({paint, now(), kOpen, std::move(label)});
  }

  void end() {
    if (!spans_.empty() && spans_.back().to == kOpen) spans_.back().to = now();
  }

  // A moment, such as an error. Ends what went on before.
  void mark(Paint paint, std::string label) {
    end();
    const double when = now();
    spans_.push_back({paint, when, when, std::move(label)});
  }

  const std::string& name() const { return name_; }
  const std::vector<Span>& spans() const { return spans_; }

 private:
  static constexpr double kOpen = -1;

  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  std::string name_;
  Clock::time_point start_;
  std::vector<Span> spans_;
};

class Timeline {
 public:
  // A new lane, below those before it. It lives as long as the timeline. Time counts
  // from the first lane.
  Lane& lane(std::string name) {
    const std::scoped_lock guard(lock_);
    if (lanes_.empty()) start_ = Lane::Clock::now();
    return lanes_.emplace_back(std::move(name), start_);
  }

  // Lanes made from now on come that much earlier: this much has not been of interest.
  void leave_out(Lane::Clock::duration uninteresting) {
    const std::scoped_lock guard(lock_);
    start_ += uninteresting;
  }

  void legend(Paint paint, std::string meaning) {
    const std::scoped_lock guard(lock_);
    legend_[static_cast<std::size_t>(paint)] = std::move(meaning);
  }

  const std::deque<Lane>& lanes() const { return lanes_; }
  const std::string& legend(Paint paint) const { return legend_[static_cast<std::size_t>(paint)]; }
  bool empty() const { return lanes_.empty(); }

  // When the last stretch ended, in seconds.
  double length() const {
    double last = 0;
    for (const Lane& lane : lanes_)
      for (const Lane::Span& span : lane.spans()) last = span.to > last ? span.to : last;
    return last;
  }

  // Draws it as text, `width` columns for the whole time.
  void print_text(std::size_t width = 60) const;

 private:
  std::mutex lock_;
  std::deque<Lane> lanes_;
  std::array<std::string, kPaints> legend_;
  Lane::Clock::time_point start_;
};

// How a paint looks in text.
inline char glyph(Paint paint) {
  switch (paint) {
    case Paint::work:
      return '#';
    case Paint::wait:
      return '.';
    case Paint::hold:
      return '=';
    case Paint::error:
      return '!';
  }
  return '?';
}

inline void Timeline::print_text(std::size_t width) const {
  const double whole = length();
  if (whole <= 0) return;
  // The column in which a moment lies; the last moment of all still has one.
  const auto column = [&](double when) {
    const auto at = static_cast<std::size_t>(when / whole * static_cast<double>(width));
    return at < width ? at : width - 1;
  };
  std::size_t name_width = 0;
  for (const Lane& lane : lanes_) name_width = lane.name().size() > name_width ? lane.name().size() : name_width;

  print();
  for (const Lane& lane : lanes_) {
    std::string row(width, ' ');
    // Moments are drawn last, on top of the stretches beside them.
    for (const bool moments : {false, true}) {
      for (const Lane::Span& span : lane.spans()) {
        if ((span.from == span.to) != moments) continue;
        for (std::size_t at = column(span.from); at <= column(span.to); ++at) {
          if (moments || at < column(span.to) || span.to == whole) row[at] = glyph(span.paint);
        }
      }
    }
    print("  ", pad_right(lane.name(), name_width), " |", row, "|");
  }
  const std::string end = seconds(std::chrono::duration<double>(whole));
  print("  ", std::string(name_width, ' '), "  0", pad_left(end, width - 1));
  std::string legend_line = text("  ", std::string(name_width, ' '));
  for (std::size_t paint = 0; paint < kPaints; ++paint) {
    if (!legend_[paint].empty()) legend_line += text("  ", glyph(static_cast<Paint>(paint)), ' ', legend_[paint]);
  }
  print(legend_line);
  print();
}

}  // namespace tour
