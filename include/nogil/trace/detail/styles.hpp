// nogil/trace/detail/styles.hpp -- how each kind of item looks, and the legend that says so.
//
// What the library records has looks of its own. A category of the program's (or the name of
// a span without one) gets the next colour, and the next character, in order of appearance;
// one that begins with "wait" looks like a wait, one that begins with "error" like a death.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/trace/detail/picture.hpp"

namespace nogil::trace::detail {

struct Style {
  std::string meaning;  // for the legend
  const char* fill;     // of a bar
  const char* ink;      // on it, at a contrast of 4.5 or more
  char glyph;
  bool quiet = false;  // a background: it has no words of its own
};

template <class = void>  // a template, so that only who draws one compiles it
class Styles {
 public:
  explicit Styles(const Picture& picture) {
    // In order of time, so that the legend reads as the picture does.
    std::vector<std::size_t> next;
    std::vector<const Row*> rows;
    for (const Process& process : picture.processes) {
      for (const Row& row : process.rows) rows.push_back(&row);
    }
    next.resize(rows.size());
    for (;;) {
      const Item* first = nullptr;
      std::size_t of = 0;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (next[i] == rows[i]->items.size()) continue;
        const Item& item = rows[i]->items[next[i]];
        if (first == nullptr || item.begin < first->begin) first = &item, of = i;
      }
      if (first == nullptr) return;
      ++next[of];
      if (find(*first) == kNone) add(*first);
    }
  }

  // Of an item of the picture.
  std::size_t index(const Item& item) const {
    const std::size_t found = find(item);
    return found != kNone ? found : kOther;
  }
  const Style& of(const Item& item) const { return styles_[index(item)]; }
  const std::vector<Style>& all() const { return styles_; }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  static constexpr std::size_t kMost = 24;
  static constexpr std::size_t kOther = kMost - 1;  // once there are that many

  static std::string_view key(const Item& item) {
    if (item.kind == TraceKind::kUser || item.kind == TraceKind::kMoment) {
      return item.category.empty() ? item.name : item.category;
    }
    switch (item.kind) {
      case TraceKind::kThread:
        return "alive";
      case TraceKind::kTask:
        return "task";
      case TraceKind::kStep:
        return "coroutine runs";
      case TraceKind::kWait:
        return "waits";
      case TraceKind::kIdle:
        return "no work";
      case TraceKind::kSteal:
        return "steals a task";
      default:
        return "a worker died";
    }
  }

  std::size_t find(const Item& item) const {
    const std::string_view wanted = key(item);
    for (std::size_t i = 0; i < styles_.size(); ++i) {
      if (styles_[i].meaning == wanted) return i;
    }
    return kNone;
  }

  void add(const Item& item) {
    if (styles_.size() == kMost) return;
    const std::string meaning(styles_.size() == kOther ? std::string_view("others") : key(item));
    const auto add_one = [&](const char* fill, const char* ink, char glyph, bool quiet = false) {
      styles_.push_back({meaning, fill, ink, glyph, quiet});
    };
    switch (item.kind) {
      case TraceKind::kThread:
        return add_one("#e6edf5", "#1a1a1a", ':', true);
      case TraceKind::kTask:
        return add_one("#8db8e0", "#10243a", next_glyph());
      case TraceKind::kStep:
        return add_one("#9fcf9f", "#10301a", next_glyph());
      case TraceKind::kWait:
        return add_one("url(#waiting)", "#333333", '.');
      case TraceKind::kIdle:
        return add_one("#f4f5f7", "#555555", ' ', true);
      case TraceKind::kSteal:
        return add_one("#6a3d9a", "#ffffff", '<');
      case TraceKind::kDeath:
        return add_one("#c0182b", "#ffffff", '!');
      default:
        break;
    }
    if (meaning.starts_with("wait")) return add_one("url(#waiting)", "#333333", '.');
    if (meaning.starts_with("error") || meaning.ends_with("Error")) return add_one("#c0182b", "#ffffff", '!');
    constexpr const char* kColours[] = {"#1f6fb2", "#9a5b00", "#2e7d32", "#6a3d9a", "#00707a", "#a8325e", "#33475b"};
    add_one(kColours[colours_++ % (sizeof kColours / sizeof *kColours)], "#ffffff", next_glyph());
  }

  char next_glyph() {
    constexpr std::string_view kGlyphs = "#=+*%@oxsnv";
    return kGlyphs[glyphs_++ % kGlyphs.size()];
  }

  std::vector<Style> styles_;
  std::size_t colours_ = 0, glyphs_ = 0;
};

}  // namespace nogil::trace::detail
