// support/svg.hpp -- a Timeline as a stand-alone SVG picture.
//
// One file, no script, no font and no other file needed: a browser shows it, a document
// can hold it. Every stretch carries a tooltip with its times.

#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "support/print.hpp"
#include "support/timeline.hpp"

namespace tour {

namespace detail {

struct Colours {
  const char* fill;
  const char* text;  // on that fill, at a contrast of 4.5 or more
};

inline Colours colours(Paint paint) {
  switch (paint) {
    case Paint::work:
      return {"#1f6fb2", "#ffffff"};
    case Paint::wait:
      return {"url(#waiting)", "#333333"};
    case Paint::hold:
      return {"#9a5b00", "#ffffff"};
    case Paint::error:
      return {"#c0182b", "#ffffff"};
  }
  return {"#000000", "#ffffff"};
}

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

// 1, 2 or 5 times a power of ten, so that at most ten steps cover `whole`.
inline double tick_step(double whole) {
  const double rough = whole / 10;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

}  // namespace detail

// The picture of a timeline that holds something.
inline std::string svg(const Timeline& timeline, const std::string& title) {
  constexpr double kPlotWidth = 800, kRow = 34, kBar = 24, kFont = 13, kMargin = 20, kTop = 84;
  const double whole = timeline.length() > 0 ? timeline.length() : 1;
  double names = 0;
  for (const Lane& lane : timeline.lanes()) names = std::fmax(names, detail::text_width(lane.name(), kFont));

  double legend_width = 0;
  for (std::size_t paint = 0; paint < kPaints; ++paint) {
    const std::string& meaning = timeline.legend(static_cast<Paint>(paint));
    if (!meaning.empty()) legend_width += 18 + 6 + detail::text_width(meaning, kFont) + 18;
  }

  const double left = kMargin + names + 12;
  const double plot_width = std::fmax(kPlotWidth, std::fmax(legend_width, detail::text_width(title, 18)) - left);
  const double width = left + plot_width + 2 * kMargin;
  const double bottom = kTop + kRow * static_cast<double>(timeline.lanes().size());
  const double height = bottom + 48;
  const auto px = [](double pixels) { return fixed(pixels, 1); };
  const auto x_of = [&](double when) { return left + when / whole * plot_width; };

  std::string out;
  const auto add = [&](const auto&... parts) { out += text(parts..., '\n'); };
  const auto add_text = [&](double x, double y, std::string_view attributes, std::string_view words) {
    add("<text x=\"", px(x), "\" y=\"", px(y), "\" ", attributes, ">", detail::escaped(words), "</text>");
  };
  const auto add_box = [&](double x, double y, double w, double h, Paint paint, std::string_view tooltip) {
    add("<rect x=\"", px(x), "\" y=\"", px(y), "\" width=\"", px(w), "\" height=\"", px(h), "\" rx=\"3\" fill=\"",
        detail::colours(paint).fill, "\"", paint == Paint::wait ? " stroke=\"#8a93a0\"" : "", "><title>",
        detail::escaped(tooltip), "</title></rect>");
  };

  add("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", px(width), "\" height=\"", px(height), "\" viewBox=\"0 0 ",
      px(width), " ", px(height), "\" font-family=\"system-ui, DejaVu Sans, Arial, sans-serif\" font-size=\"",
      px(kFont), "\">");
  add("<defs><pattern id=\"waiting\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><rect width=\"8\" height=\"8\" fill=\"#f1f3f5\"/>"
      "<rect width=\"3\" height=\"8\" fill=\"#dfe3e8\"/></pattern></defs>");
  add("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
  add_text(kMargin, 32, "font-size=\"18\" font-weight=\"bold\" fill=\"#1a1a1a\"", title);

  double x = kMargin;
  for (std::size_t i = 0; i < kPaints; ++i) {
    const auto paint = static_cast<Paint>(i);
    const std::string& meaning = timeline.legend(paint);
    if (meaning.empty()) continue;
    add_box(x, 48, 18, 14, paint, meaning);
    add_text(x + 24, 60, "fill=\"#1a1a1a\"", meaning);
    x += 18 + 6 + detail::text_width(meaning, kFont) + 18;
  }

  const double step = detail::tick_step(whole);
  const int digits = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  for (int tick = 0; tick * step <= whole * 1.0001; ++tick) {
    const std::string at = px(x_of(tick * step));
    add("<line x1=\"", at, "\" x2=\"", at, "\" y1=\"", px(kTop - 6), "\" y2=\"", px(bottom), "\" stroke=\"#e3e6ea\"/>");
    add_text(x_of(tick * step), bottom + 18, "text-anchor=\"middle\" fill=\"#1a1a1a\"", fixed(tick * step, digits));
  }
  add("<line x1=\"", px(left), "\" x2=\"", px(left + plot_width), "\" y1=\"", px(bottom), "\" y2=\"", px(bottom),
      "\" stroke=\"#1a1a1a\"/>");
  add_text(left + plot_width / 2, bottom + 38, "text-anchor=\"middle\" fill=\"#1a1a1a\"", "seconds");

  double y = kTop;
  for (const Lane& lane : timeline.lanes()) {
    add_text(left - 12, y + kBar / 2 + 5, "text-anchor=\"end\" fill=\"#1a1a1a\"", lane.name());
    for (const Lane::Span& span : lane.spans()) {
      const bool moment = span.from == span.to;
      const double from = x_of(span.from) - (moment ? 2 : 0);
      const double wide = moment ? 5 : std::fmax(1.5, x_of(span.to) - from);
      const std::string when =
          moment ? fixed(span.from, 3) + " s" : fixed(span.from, 3) + " s to " + fixed(span.to, 3) + " s";
      add_box(from, moment ? y - 3 : y, wide, moment ? kBar + 6 : kBar, span.paint,
              text(span.label.empty() ? timeline.legend(span.paint) : span.label, ": ", when));
      if (!span.label.empty() && !moment && detail::text_width(span.label, 12) + 8 < wide) {
        add_text(from + wide / 2, y + kBar / 2 + 4,
                 text("text-anchor=\"middle\" font-size=\"12\" pointer-events=\"none\" fill=\"",
                      detail::colours(span.paint).text, "\""),
                 span.label);
      }
    }
    y += kRow;
  }
  out += "</svg>\n";
  return out;
}

}  // namespace tour
