// support/terminal.hpp -- what only a person at a terminal gets: colours, a status line.

#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "support/print.hpp"
#include "support/tour.hpp"

namespace tour {

inline bool is_terminal(int fd) {
  const char* const kind = std::getenv("TERM");
  return ::isatty(fd) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

// Columns of the terminal that standard output goes to; COLUMNS decides if it is set.
inline std::size_t terminal_width() {
  if (const char* const columns = std::getenv("COLUMNS"); columns != nullptr) {
    if (const long width = std::strtol(columns, nullptr, 10); width > 0) return static_cast<std::size_t>(width);
  }
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

enum class Colour { bold, green, red };

// The words in colour, if standard output is a terminal and NO_COLOR is not set.
inline std::string in_colour(Colour colour, std::string_view words) {
  const char* const no_color = std::getenv("NO_COLOR");
  if (!is_terminal(STDOUT_FILENO) || (no_color != nullptr && *no_color != '\0')) return std::string(words);
  const char* const code = colour == Colour::bold ? "\33[1m" : colour == Colour::green ? "\33[1;32m" : "\33[1;31m";
  return text(code, words, "\33[0m");
}

// Shows on stderr, ten times a second, how far a run is, from its second second on.
// Silent when stderr is no terminal or when the run will be over before that.
class StatusLine {
 public:
  StatusLine(const Run& run, std::string_view name, Seconds expected) : run_(run), name_(name), expected_(expected) {
    if (expected > std::chrono::seconds(1) && is_terminal(STDERR_FILENO)) thread_ = std::thread([this] { show(); });
  }

  ~StatusLine() {
    if (!thread_.joinable()) return;
    {
      const std::scoped_lock guard(detail::terminal);
      over_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  void show() {
    std::unique_lock guard(detail::terminal);
    auto pause = std::chrono::milliseconds(1000);
    while (!wake_.wait_for(guard, pause, [this] { return over_; })) {
      draw();
      pause = std::chrono::milliseconds(100);
    }
    if (detail::status_line_shown) std::fputs("\r\33[K", stderr);
    detail::status_line_shown = false;
  }

  void draw() const {
    const Seconds elapsed = Clock::now() - start_;
    double done = run_.progress();
    if (done < 0) done = elapsed / expected_;
    if (done > 0.99) done = 0.99;
    constexpr std::size_t kWidth = 24;
    const auto full = static_cast<std::size_t>(done * kWidth);
    std::string line = text("\r\33[K  ", name_, "  [", std::string(full, '#'), std::string(kWidth - full, '-'), "]  ",
                            seconds(elapsed, 1));
    if (done > 0.02 && done < 0.99) line += ", about " + seconds(elapsed * ((1 - done) / done), 1) + " left";
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
    detail::status_line_shown = true;
  }

  const Run& run_;
  const std::string name_;
  const Seconds expected_;
  const Clock::time_point start_ = Clock::now();
  std::condition_variable wake_;
  bool over_ = false;  // guarded by detail::terminal
  std::thread thread_;
};

}  // namespace tour
