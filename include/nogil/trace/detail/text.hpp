// nogil/trace/detail/text.hpp -- a trace drawn with characters.
//
//   program (4711)
//     T0 |####################                                        |
//     T1 |....................####################                    |
//         0                                                     6.00 s
//         # inside  . waits
//
// A column shows what took most of its time; what took any of it is shown rather than
// nothing. Moments lie on top.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nogil/trace/detail/picture.hpp"
#include "nogil/trace/detail/styles.hpp"

namespace nogil::trace::detail {

template <class = void>  // a template, so that only who draws one compiles it
class TextWriter {
 public:
  TextWriter(const Picture& picture, std::size_t width)
      : picture_(picture), styles_(picture), shown_(styles_.all().size()) {
    for (const Process& process : picture.processes) {
      for (const Row& row : process.rows) {
        if (columns(process.label(row)) > names_) names_ = columns(process.label(row));
      }
    }
    const std::size_t around = names_ + 5;  // two spaces, the name, and " |" and "|"
    plot_ = width > around + kLeastPlot ? width - around : kLeastPlot;
  }

  std::string write() {
    std::string out;
    for (const Process& process : picture_.processes) {
      if (!process.single() && !process.name.empty()) out += process.title() + '\n';
      for (const Row& row : process.rows) {
        out += "  " + process.label(row) + std::string(names_ - columns(process.label(row)), ' ') + " |" + drawn(row) +
               "|\n";
      }
    }
    const std::string margin(names_ + 4, ' ');
    const std::string end = seconds(picture_.length);
    out += margin + '0' + std::string(plot_ > end.size() + 1 ? plot_ - 1 - end.size() : 1, ' ') + end + '\n';
    std::string legend;
    for (std::size_t i = 0; i < styles_.all().size(); ++i) {
      const Style& style = styles_.all()[i];
      if (!shown_[i] || style.glyph == ' ') continue;
      legend += (legend.empty() ? "" : "  ") + std::string(1, style.glyph) + ' ' + style.meaning;
    }
    if (!legend.empty()) out += margin + legend + '\n';
    if (const std::string note = missing_note(picture_); !note.empty()) out += note + '\n';
    return out;
  }

 private:
  static constexpr std::size_t kLeastPlot = 20;
  static constexpr std::size_t kFine = 16;  // cells of a column

  std::size_t cell(std::int64_t when, std::size_t cells) const {
    if (picture_.length <= 0) return 0;
    const auto at = static_cast<std::size_t>(static_cast<double>(when < 0 ? 0 : when) /
                                             static_cast<double>(picture_.length) * static_cast<double>(cells));
    return at < cells ? at : cells - 1;
  }

  std::string drawn(const Row& row) {
    // Style + 1 of each cell; 0: nothing.
    std::vector<std::uint8_t> cells(plot_ * kFine);
    for (const Item& item : row.items) {
      if (item.moment()) continue;
      const std::size_t last = item.end >= picture_.length ? cells.size() : cell(item.end, cells.size());
      std::size_t at = cell(item.begin, cells.size());
      const auto style = static_cast<std::uint8_t>(styles_.index(item) + 1);
      do {
        cells[at] = style;
      } while (++at < last);
    }
    std::string line;
    for (std::size_t column = 0; column < plot_; ++column) {
      std::vector<std::size_t> count(styles_.all().size());
      std::size_t most = 0, best = 0;
      for (std::size_t i = 0; i < kFine; ++i) {
        const std::size_t style = cells[column * kFine + i];
        if (style == 0 || ++count[style - 1] <= most) continue;
        most = count[style - 1];
        best = style;
      }
      if (best != 0) shown_[best - 1] = true;
      line += best == 0 ? ' ' : styles_.all()[best - 1].glyph;
    }
    for (const Item& item : row.items) {
      if (!item.moment()) continue;
      shown_[styles_.index(item)] = true;
      line[cell(item.begin, plot_)] = styles_.of(item).glyph;
    }
    return line;
  }

  const Picture& picture_;
  const Styles<> styles_;
  std::vector<bool> shown_;
  std::size_t names_ = 0, plot_ = 0;
};

template <class = void>
std::string text_of(Picture picture, std::size_t width) {
  keep_rows(picture, kMostRows);
  return TextWriter<>(picture, width).write();
}

}  // namespace nogil::trace::detail
