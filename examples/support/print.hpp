// support/print.hpp -- print() that never tears a line.
//
//   tour::print("thread ", name, " has ", count, " items");    // Python: print(f"thread {name} …")
//
// The pieces are put together first and written in one call, newline included, so
// lines of several threads never run into each other: print() of Python, and std::cout
// of C++, write a line in pieces, and other threads get in between.

#pragma once

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>

namespace tour {

namespace detail {

// What demos print and the runner's status line share: the terminal.
inline std::mutex terminal;
inline bool status_line_shown = false;  // guarded by `terminal`

// Set before any thread starts. Processes that a demo starts begin main() anew, and learn it
// from their environment.
inline constexpr char kQuietVariable[] = "NOGIL_TOUR_QUIET";
inline bool quiet = std::getenv(kQuietVariable) != nullptr;

template <class Part>
void append(std::string& line, const Part& part) {
  if constexpr (std::is_same_v<Part, char>) line += part;
  else if constexpr (std::is_same_v<Part, bool>) line += part ? "true" : "false";
  else if constexpr (std::is_arithmetic_v<Part>) line += std::to_string(part);
  else line += std::string_view(part);
}

}  // namespace detail

// The parts, one after the other, as a string.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::string line;
  (detail::append(line, parts), ...);
  return line;
}

// Writes a whole line, at once.
inline void write_line(std::FILE* file, std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), file);
  std::fflush(file);
}

// A line of the demo on the screen. Any thread, any time; silent under --quiet.
template <class... Parts>
void print(const Parts&... parts) {
  if (detail::quiet) return;
  std::string line = text(parts...);
  const std::scoped_lock guard(detail::terminal);
  if (detail::status_line_shown) {
    std::fputs("\r\33[K", stderr);
    detail::status_line_shown = false;
  }
  write_line(stdout, std::move(line));
}

// 3.14159 with 2 digits: "3.14".
inline std::string fixed(double number, int digits) {
  char buffer[64];
  const int length = std::snprintf(buffer, sizeof buffer, "%.*f", digits, number);
  return std::string(buffer, static_cast<std::size_t>(length));
}

// As many digits as it takes to get the same number back, as repr() writes it in Python:
// "0.1", "-0.3999999999999999", "2.0".
inline std::string shortest(double number) {
  char buffer[64];
  std::string digits(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
  if (digits.find_first_not_of("-0123456789") == std::string::npos) digits += ".0";
  return digits;
}

// "2.00 s".
template <class Rep, class Period>
std::string seconds(std::chrono::duration<Rep, Period> duration, int digits = 2) {
  return fixed(std::chrono::duration<double>(duration).count(), digits) + " s";
}

// Fills up to `width` columns: a name to the left, a number to the right.
inline std::string pad_right(std::string column, std::size_t width) {
  if (column.size() < width) column.append(width - column.size(), ' ');
  return column;
}
inline std::string pad_left(const std::string& column, std::size_t width) {
  return column.size() < width ? std::string(width - column.size(), ' ') + column : column;
}

}  // namespace tour
