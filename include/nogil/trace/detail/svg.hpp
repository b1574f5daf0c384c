// nogil/trace/detail/svg.hpp -- a trace as a stand-alone SVG picture.
//
// One file, no script, no font and no other file needed: a browser shows it, a document can
// hold it. Inner spans lie on top of outer ones, and every one carries a tooltip. What is
// narrower than half a pixel is drawn once per pixel, so that a long trace stays a small file.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "nogil/trace/detail/picture.hpp"
#include "nogil/trace/detail/styles.hpp"

namespace nogil::trace::detail {

inline std::string escaped(std::string_view clean) {
  std::string out;
  for (const char c : clean) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

template <class = void>  // a template, so that only who draws one compiles it
class SvgWriter {
 public:
  explicit SvgWriter(const Picture& picture) : picture_(picture), styles_(picture) {}

  std::string write(std::string_view title) {
    layout(title);
    const double bottom = top_ + height_of_rows();
    const double height = bottom + 48;
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + px(width_) + "\" height=\"" + px(height) +
           "\" viewBox=\"0 0 " + px(width_) + ' ' + px(height) +
           "\" font-family=\"system-ui, DejaVu Sans, Arial, sans-serif\" font-size=\"13\">\n"
           "<defs><pattern id=\"waiting\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" "
           "patternTransform=\"rotate(45)\"><rect width=\"8\" height=\"8\" fill=\"#f1f3f5\"/>"
           "<rect width=\"3\" height=\"8\" fill=\"#d3d9e0\"/></pattern></defs>\n"
           "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    if (!title.empty()) words(kMargin, 32, "font-size=\"18\" font-weight=\"bold\"", title);
    draw_legend();
    draw_ticks(bottom);
    double y = top_;
    for (const Process& process : picture_.processes) {
      if (has_title(process)) {
        words(kMargin, y + 15, "font-weight=\"bold\"", process.title());
        y += kGroup;
      }
      for (const Row& row : process.rows) {
        words(left_ - 12, y + kBar / 2 + 5, "text-anchor=\"end\"", process.label(row));
        draw(row, y);
        y += kRow;
      }
    }
    words(kMargin, bottom + 38, "", missing_note(picture_));
    return std::move(out_) + "</svg>\n";
  }

 private:
  static constexpr double kPlot = 800, kRow = 32, kBar = 24, kGroup = 24, kMargin = 20, kFont = 13;

  static std::string px(double pixels) { return fixed(pixels, 1); }

  // In pixels, a little more rather than less: fonts differ.
  static double width_of(std::string_view text, double font) {
    return 0.62 * font * static_cast<double>(columns(text));
  }

  double x_of(std::int64_t when) const {
    return left_ + static_cast<double>(when) / (picture_.length > 0 ? static_cast<double>(picture_.length) : 1) * plot_;
  }

  bool has_title(const Process& process) const { return grouped_ && !process.single(); }

  double height_of_rows() const {
    double height = 0;
    for (const Process& process : picture_.processes) {
      height += (has_title(process) ? kGroup : 0) + kRow * static_cast<double>(process.rows.size());
    }
    return height;
  }

  void layout(std::string_view title) {
    grouped_ = picture_.processes.size() > 1;
    double names = 0;
    for (const Process& process : picture_.processes) {
      for (const Row& row : process.rows) {
        if (width_of(process.label(row), kFont) > names) names = width_of(process.label(row), kFont);
      }
    }
    left_ = kMargin + names + 12;
    plot_ = kPlot;
    const double wanted = kMargin + width_of(title, 18) - left_;
    if (plot_ < wanted) plot_ = wanted;
    width_ = left_ + plot_ + 2 * kMargin;
    top_ = place_legend([](double, double, const Style&) {}) + (title.empty() ? 4 : 40);
  }

  // Calls place(x, y, style) for each entry, in lines below each other. Returns its height.
  template <class Place>
  double place_legend(Place place) const {
    double x = kMargin, y = 8;
    for (const Style& style : styles_.all()) {
      const double width = 24 + width_of(style.meaning, kFont) + 18;
      if (x > kMargin && x + width > width_ - kMargin) x = kMargin, y += 24;
      place(x, y, style);
      x += width;
    }
    return y + 32;
  }

  void draw_legend() {
    const double above = top_ - place_legend([](double, double, const Style&) {});
    place_legend([&](double x, double y, const Style& style) {
      box(x, above + y, 18, 14, style, style.meaning);
      words(x + 24, above + y + 12, "", style.meaning);
    });
  }

  void draw_ticks(double bottom) {
    const double whole = static_cast<double>(picture_.length) / 1e9;
    const bool small = whole < 0.1;
    double step = small ? 1e-6 : 1e-3;
    for (int i = 0; step * 10 < whole; ++i) step *= i % 3 == 1 ? 2.5 : 2;
    const double unit = small ? 1e-3 : 1;
    int digits = 0;
    for (double part = step / unit; part < 0.999 && digits < 6; part *= 10) ++digits;
    if (step / unit > 1.001 && step / unit < 2.999 && step / unit != 2) digits = 1;
    for (int tick = 0; tick * step <= whole * 1.0001; ++tick) {
      const double x = left_ + (whole > 0 ? tick * step / whole * plot_ : 0);
      out_ += "<line x1=\"" + px(x) + "\" x2=\"" + px(x) + "\" y1=\"" + px(top_ - 6) + "\" y2=\"" + px(bottom) +
              "\" stroke=\"#e3e6ea\"/>\n";
      words(x, bottom + 18, "text-anchor=\"middle\"", fixed(tick * step / unit, digits));
    }
    out_ += "<line x1=\"" + px(left_) + "\" x2=\"" + px(left_ + plot_) + "\" y1=\"" + px(bottom) + "\" y2=\"" +
            px(bottom) + "\" stroke=\"#1a1a1a\"/>\n";
    words(left_ + plot_ / 2, bottom + 38, "text-anchor=\"middle\"", small ? "milliseconds" : "seconds");
  }

  void words(double x, double y, std::string_view attributes, std::string_view text, const char* ink = "#1a1a1a") {
    out_ += "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" fill=\"" + ink + "\" ";
    out_ += attributes;
    out_ += '>' + escaped(text) + "</text>\n";
  }

  void box(double x, double y, double width, double height, const Style& style, std::string_view tooltip) {
    out_ += "<rect x=\"" + px(x) + "\" y=\"" + px(y) + "\" width=\"" + px(width) + "\" height=\"" + px(height) +
            "\" rx=\"" + (width < 6 ? "1" : "3") + "\" fill=\"" + style.fill + '"' +
            (style.fill[0] == 'u' || style.quiet ? " stroke=\"#8a93a0\" stroke-width=\"0.5\"" : "") + "><title>" +
            escaped(tooltip) + "</title></rect>\n";
  }

  void draw(const Row& row, double y) {
    double drawn_to = -1;  // by what is too narrow to see
    for (const bool moments : {false, true}) {
      for (std::size_t i = 0; i < row.items.size(); ++i) {
        const Item& item = row.items[i];
        if (item.moment() != moments) continue;
        const Style& style = styles_.of(item);
        if (moments) {
          box(x_of(item.begin) - 2, y - 3, 5, kBar + 6, style, tooltip(item));
          continue;
        }
        const double from = x_of(item.begin), wide = x_of(item.end) - from;
        if (wide < 0.5) {
          if (from < drawn_to) continue;
          drawn_to = from + 1;
        }
        box(from, y, wide < 1 ? 1 : wide, kBar, style, tooltip(item));
        if (!style.quiet && width_of(item.name, 12) + 8 < wide) label(row, i, y, style);
      }
    }
  }

  // Where the inner spans leave most room, if they leave enough.
  void label(const Row& row, std::size_t index, double y, const Style& style) {
    const Item& item = row.items[index];
    std::int64_t free_from = item.begin, best_from = item.begin, best = 0;
    for (std::size_t i = index + 1; i <= row.items.size(); ++i) {
      const bool inner = i < row.items.size() && row.items[i].begin < item.end;
      const std::int64_t until = inner ? row.items[i].begin : item.end;
      if (until - free_from > best) best = until - free_from, best_from = free_from;
      if (!inner) break;
      if (row.items[i].end > free_from) free_from = row.items[i].end;
    }
    const double room = x_of(best_from + best) - x_of(best_from);
    if (width_of(item.name, 12) + 8 > room) return;
    words(x_of(best_from) + room / 2, y + kBar / 2 + 4,
          "text-anchor=\"middle\" font-size=\"12\" pointer-events=\"none\"", item.name, style.ink);
  }

  static std::string tooltip(const Item& item) {
    const std::string from = fixed(static_cast<double>(item.begin) / 1e9, 6) + " s";
    const std::string what = item.category.empty() ? item.name : item.name + " (" + item.category + ")";
    return item.moment() ? what + ": " + from : what + ": from " + from + ", " + seconds(item.end - item.begin);
  }

  const Picture& picture_;
  const Styles<> styles_;
  bool grouped_ = false;
  double left_ = 0, plot_ = 0, width_ = 0, top_ = 0;
  std::string out_;
};

template <class = void>
std::string svg_of(Picture picture, std::string_view title) {
  keep_rows(picture, kMostRows);
  return SvgWriter<>(picture).write(title);
}

}  // namespace nogil::trace::detail
