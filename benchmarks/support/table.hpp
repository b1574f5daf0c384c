// benchmarks/support/table.hpp -- figures as text, and text in columns.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace bench {

template <class... Arguments>
std::string text(const char* format, Arguments... arguments) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, arguments...);
  return buffer;
}

inline std::string time_text(double ns) {
  if (ns < 1e3) return text(ns < 10 ? "%.2f ns" : "%.1f ns", ns);
  if (ns < 1e6) return text("%.2f us", ns / 1e3);
  return text("%.2f ms", ns / 1e6);
}

inline std::string ratio_text(double ratio) {
  return text(ratio < 0.1 ? "%.3f" : "%.2f", ratio);
}

// Rows of text in columns that are as wide as they need to be.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  void print(std::ostream& out, bool markdown) const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (std::size_t column = 0; column < row.size(); ++column) {
        widths[column] = std::max(widths[column], row[column].size());
      }
    }
    for (std::size_t number = 0; number < rows_.size(); ++number) {
      std::string line = markdown ? "| " : "";
      for (std::size_t column = 0; column < widths.size(); ++column) {
        const std::string& cell = rows_[number][column];
        line += cell;
        if (markdown || column + 1 < widths.size()) line += std::string(widths[column] - cell.size(), ' ');
        line += markdown ? (column + 1 < widths.size() ? " | " : " |") : "  ";
      }
      out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
      if (number == 0 && markdown) {
        for (const std::size_t width : widths) out << '|' << std::string(width + 2, '-');
        out << "|\n";
      }
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bench
