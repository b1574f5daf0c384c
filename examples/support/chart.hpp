// support/chart.hpp -- a curve that a law predicts, and beside it what was measured.
//
//   tour::Chart& chart = run.chart;
//   chart.axes("threads", "speed-up");
//   tour::Chart::Series& series = chart.add("P = 0.9");
//   series.line.push_back({2, 1.82});                 // predicted: points of a line
//   series.dots.push_back({2, 1.79});                 // measured: a dot
//
// Both axes are logarithmic, base 2: doubling is one step to the right, or up. --svg
// writes it to a file. By the thread that runs the demo only.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "support/print.hpp"

namespace tour {

namespace detail {

inline std::string escaped(std::string_view raw) {
  std::string out;
  for (const char c : raw) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The width of a text in pixels, a little more rather than less: fonts differ.
inline double text_width(std::string_view words, double font_size) {
  return 0.62 * font_size * static_cast<double>(words.size());
}

}  // namespace detail

class Chart {
 public:
  struct Point {
    double x, y;  // both above zero
  };
  struct Series {
    std::string name;
    std::vector<Point> line, dots;
  };

  void axes(std::string x, std::string y) {
    x_ = std::move(x);
    y_ = std::move(y);
  }

  // What the two kinds of marks mean, for the legend.
  void legend(std::string line, std::string dots) {
    line_ = std::move(line);
    dots_ = std::move(dots);
  }

  // It lives as long as the chart.
  Series& add(std::string name) { return series_.emplace_back(Series{std::move(name), {}, {}}); }

  bool empty() const { return series_.empty(); }

  // A stand-alone picture.
  std::string svg(const std::string& title) const;

 private:
  // Powers of two that enclose every point.
  struct Range {
    double low, high;
    void include(double value) {
      low = std::min(low, std::floor(std::log2(value) + 1e-9));
      high = std::max(high, std::ceil(std::log2(value) - 1e-9));
    }
  };

  static const char* colour(std::size_t series) {
    constexpr const char* kColours[] = {"#1f6fb2", "#9a5b00", "#c0182b", "#2e7d32", "#6a3d9a", "#33475b"};
    return kColours[series % std::size(kColours)];
  }

  // 0.25, 0.5, 1, 2, 4, …
  static std::string tick(double power) { return fixed(std::exp2(power), power < 0 ? static_cast<int>(-power) : 0); }

  std::string x_, y_, line_, dots_;
  std::deque<Series> series_;
};

inline std::string Chart::svg(const std::string& title) const {
  constexpr double kPlotWidth = 680, kPlotHeight = 380, kLeft = 84, kTop = 84, kFont = 13, kMargin = 20;
  Range xs{0, 1}, ys{0, 1};
  double names = 0;
  for (const Series& series : series_) {
    for (const std::vector<Point>* points : {&series.line, &series.dots}) {
      for (const Point& point : *points) {
        xs.include(point.x);
        ys.include(point.y);
      }
    }
    names = std::max(names, detail::text_width(series.name, kFont));
  }

  const double width = std::max(kLeft + kPlotWidth + 16 + names + kMargin, 2 * kMargin + detail::text_width(title, 18));
  const double bottom = kTop + kPlotHeight;
  const double height = bottom + 56;
  const auto px = [](double pixels) { return fixed(pixels, 1); };
  const auto x_of = [&](double x) { return kLeft + (std::log2(x) - xs.low) / (xs.high - xs.low) * kPlotWidth; };
  const auto y_of = [&](double y) { return bottom - (std::log2(y) - ys.low) / (ys.high - ys.low) * kPlotHeight; };

  std::string out;
  const auto add = [&](const auto&... parts) { out += text(parts..., '\n'); };
  const auto add_text = [&](double x, double y, std::string_view attributes, std::string_view words) {
    add("<text x=\"", px(x), "\" y=\"", px(y), "\" ", attributes, ">", detail::escaped(words), "</text>");
  };
  const auto add_line = [&](double x1, double y1, double x2, double y2, std::string_view stroke) {
    add("<line x1=\"", px(x1), "\" y1=\"", px(y1), "\" x2=\"", px(x2), "\" y2=\"", px(y2), "\" stroke=\"", stroke,
        "\"/>");
  };

  add("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", px(width), "\" height=\"", px(height), "\" viewBox=\"0 0 ",
      px(width), " ", px(height), "\" font-family=\"system-ui, DejaVu Sans, Arial, sans-serif\" font-size=\"",
      px(kFont), "\">");
  add("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
  add_text(kMargin, 32, "font-size=\"18\" font-weight=\"bold\" fill=\"#1a1a1a\"", title);
  double legend_x = kMargin;
  if (!line_.empty()) {
    add("<line x1=\"", px(legend_x), "\" y1=\"55.0\" x2=\"", px(legend_x + 26),
        "\" y2=\"55.0\" stroke=\"#33475b\" stroke-width=\"2\"/>");
    add_text(legend_x + 34, 60, "fill=\"#1a1a1a\"", line_);
    legend_x += 34 + detail::text_width(line_, kFont) + 24;
  }
  if (!dots_.empty()) {
    add("<circle cx=\"", px(legend_x + 6), "\" cy=\"55.0\" r=\"5\" fill=\"#33475b\"/>");
    add_text(legend_x + 20, 60, "fill=\"#1a1a1a\"", dots_);
  }

  for (double power = xs.low; power <= xs.high; ++power) {
    const double x = x_of(std::exp2(power));
    add_line(x, kTop, x, bottom, "#e3e6ea");
    add_text(x, bottom + 18, "text-anchor=\"middle\" fill=\"#1a1a1a\"", tick(power));
  }
  for (double power = ys.low; power <= ys.high; ++power) {
    const double y = y_of(std::exp2(power));
    add_line(kLeft, y, kLeft + kPlotWidth, y, "#e3e6ea");
    add_text(kLeft - 10, y + 5, "text-anchor=\"end\" fill=\"#1a1a1a\"", tick(power));
  }
  add_line(kLeft, bottom, kLeft + kPlotWidth, bottom, "#1a1a1a");
  add_line(kLeft, kTop, kLeft, bottom, "#1a1a1a");
  add_text(kLeft + kPlotWidth / 2, bottom + 40, "text-anchor=\"middle\" fill=\"#1a1a1a\"", x_);
  const double middle = kTop + kPlotHeight / 2;
  add_text(24, middle, text("text-anchor=\"middle\" fill=\"#1a1a1a\" transform=\"rotate(-90 24.0 ", px(middle), ")\""),
           y_);

  for (std::size_t i = 0; i < series_.size(); ++i) {
    const Series& series = series_[i];
    if (!series.line.empty()) {
      std::string points;
      for (const Point& point : series.line) points += text(px(x_of(point.x)), ',', px(y_of(point.y)), ' ');
      points.pop_back();
      add("<polyline points=\"", points, "\" fill=\"none\" stroke=\"", colour(i), "\" stroke-width=\"2\"/>");
    }
    for (const Point& point : series.dots) {
      add("<circle cx=\"", px(x_of(point.x)), "\" cy=\"", px(y_of(point.y)), "\" r=\"5\" fill=\"", colour(i),
          "\"><title>", detail::escaped(text(series.name, ": ", shortest(point.x), ", ", fixed(point.y, 2))),
          "</title></circle>");
    }
    // The name stands where the series ends.
    const std::vector<Point>& last = series.line.empty() ? series.dots : series.line;
    if (!last.empty()) {
      add_text(x_of(last.back().x) + 12, y_of(last.back().y) + 5, text("fill=\"", colour(i), "\""), series.name);
    }
  }
  out += "</svg>\n";
  return out;
}

}  // namespace tour
