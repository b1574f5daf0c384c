// nogil/trace/detail/picture.hpp -- a trace as it is drawn: rows of processes, with what is in them.
//
// take_picture() reads the shared memory once, while others may write there. What it finds
// was written by other processes too, so that lengths and kinds are looked at before they
// are believed; names are cleaned of what is not UTF-8, and of control characters.

#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/trace/detail/recorder.hpp"

namespace nogil::trace::detail {

struct Item {
  TraceKind kind;
  std::int64_t begin, end;  // ns since the trace began
  std::uint64_t number;
  std::string name, category;

  bool moment() const noexcept { return kind >= TraceKind::kMoment; }
};

// Rows of coroutines are numbered from here on, those of threads and tracks below.
inline constexpr std::uint64_t kFirstTask = std::uint64_t{1} << 32;

// A thread, or a track, with its items: sorted by when they begin, outer before inner.
struct Row {
  std::uint64_t lane;
  int pid, tid;  // tid 0: a track
  std::string name;
  std::vector<Item> items;
};

struct Process {
  int pid;
  std::string name;
  std::vector<Row> rows;

  std::string title() const { return name + " (" + std::to_string(pid) + ")"; }

  // What a row is called where its process has no line of its own, as it has only this row.
  bool single() const noexcept { return rows.size() == 1 && rows[0].tid == pid; }
  std::string label(const Row& row) const { return single() ? title() : row.name; }
};

struct Picture {
  std::int64_t length = 0;  // ns
  std::uint64_t dropped = 0;
  std::size_t left_out = 0;  // rows
  std::vector<Process> processes;
};

// ---- Text ------------------------------------------------------------------------------

// The length of the character of UTF-8 that `text` begins with; 0: it is none.
inline std::size_t utf8_length(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 0 || length > text.size() || first > 0xF4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0u;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  return overlong || surrogate || (first == 0xF4 && second >= 0x90) ? 0 : length;
}

inline std::string clean(std::string_view raw) {
  std::string out;
  while (!raw.empty()) {
    const std::size_t length = utf8_length(raw);
    const auto first = static_cast<unsigned char>(raw[0]);
    if (length == 0 || first < 0x20 || first == 0x7F) out += length == 0 ? '?' : ' ';
    else out += raw.substr(0, length);
    raw.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

// Characters, not bytes.
inline std::size_t columns(std::string_view text) noexcept {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

inline std::string fixed(double number, int digits) {
  char buffer[64];
  const int length = std::snprintf(buffer, sizeof buffer, "%.*f", digits, number);
  return std::string(buffer, static_cast<std::size_t>(length));
}

inline std::string seconds(std::int64_t ns) {
  if (ns < 1'000'000) return fixed(static_cast<double>(ns) / 1e3, 1) + " us";
  if (ns < 1'000'000'000) return fixed(static_cast<double>(ns) / 1e6, ns < 100'000'000 ? 2 : 0) + " ms";
  return fixed(static_cast<double>(ns) / 1e9, 2) + " s";
}

// What the picture does not show, or nothing.
inline std::string missing_note(const Picture& picture) {
  std::string note;
  if (picture.dropped != 0) {
    note = std::to_string(picture.dropped) + " records are missing: there was no room (trace::Options::memory)";
  }
  if (picture.left_out != 0) {
    note += (note.empty() ? "" : "; ") + std::to_string(picture.left_out) + " more rows: write_json() has them all";
  }
  return note;
}

inline constexpr std::size_t kMostRows = 60;

// Keeps the first rows, so that one can still see them all at once.
inline void keep_rows(Picture& picture, std::size_t most) {
  for (Process& process : picture.processes) {
    const std::size_t kept = process.rows.size() < most ? process.rows.size() : most;
    picture.left_out += process.rows.size() - kept;
    process.rows.erase(process.rows.begin() + static_cast<std::ptrdiff_t>(kept), process.rows.end());
    most -= kept;
  }
  std::erase_if(picture.processes, [](const Process& process) { return process.rows.empty(); });
}

// Throws std::system_error.
inline void write_file(const std::string& path, const std::string& bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) platform::throw_errno(("trace: open " + path).c_str());
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  const int error = errno;
  if (std::fclose(file) != 0 || !written) platform::throw_errno(("trace: write " + path).c_str(), error);
}

// ---- Take ------------------------------------------------------------------------------

template <class = void>  // a template, so that only who draws one compiles it
class PictureReader {
 public:
  explicit PictureReader(Segment& segment) : segment_(segment) {}

  Picture take() {
    const Head& head = segment_.head();
    const std::int64_t stopped = read(segment_.head().stopped);
    origin_ = head.started;
    picture_.length = (stopped != 0 ? stopped : now_ns()) - origin_;
    picture_.dropped = read(segment_.head().dropped);
    const std::uint64_t taken = read(segment_.head().next_chunk);
    for (std::uint64_t i = 0; i < taken && i < segment_.chunks(); ++i) read_chunk(segment_.chunk(i));
    std::vector<Process>& processes = picture_.processes;
    sort(processes, [&](const Process& a, const Process& b) {
      return a.pid != b.pid && (a.pid == head.owner || (b.pid != head.owner && first_lane(a) < first_lane(b)));
    });
    for (Process& process : processes) {
      if (process.name.empty()) process.name = "process";
      std::erase_if(process.rows, [](const Row& row) { return only_idle(row); });
      add_tasks(process);
      sort(process.rows, [](const Row& a, const Row& b) { return a.lane < b.lane; });
      for (Row& row : process.rows) finish(process, row);
    }
    std::erase_if(processes, [](const Process& process) { return process.rows.empty(); });
    return std::move(picture_);
  }

 private:
  static constexpr std::size_t kMostTasks = 50;

  struct Death {
    std::uint64_t pid;
    std::int64_t when;
  };

  static std::uint64_t first_lane(const Process& process) { return process.rows.empty() ? 0 : process.rows[0].lane; }

  // Merge sort: what is equal stays in order. (<algorithm> costs more to include.)
  template <class T, class Less>
  static void sort(std::vector<T>& all, Less less) {
    if (all.size() < 2) return;
    std::vector<T> left, right;
    for (std::size_t i = 0; i < all.size(); ++i) (i < all.size() / 2 ? left : right).push_back(std::move(all[i]));
    sort(left, less);
    sort(right, less);
    all.clear();
    for (std::size_t l = 0, r = 0; l < left.size() || r < right.size();) {
      const bool take_right = l == left.size() || (r < right.size() && less(right[r], left[l]));
      all.push_back(std::move(take_right ? right[r++] : left[l++]));
    }
  }

  Process& process_of(int pid) {
    for (Process& process : picture_.processes) {
      if (process.pid == pid) return process;
    }
    return picture_.processes.emplace_back(Process{pid, {}, {}});
  }

  // The row of a lane, in whatever process it was begun.
  Row& row_of(std::uint64_t lane, int pid, int tid) {
    for (Process& process : picture_.processes) {
      for (Row& row : process.rows) {
        if (row.lane == lane) return row;
      }
    }
    return process_of(pid).rows.emplace_back(Row{lane, pid, tid, {}, {}});
  }

  void read_chunk(Chunk& chunk) {
    const std::uint32_t used = read(chunk.used, std::memory_order_acquire);
    if (used == 0) return;
    const std::uint32_t name_size = chunk.name_size <= sizeof chunk.name ? chunk.name_size : 0;
    Row& row = row_of(chunk.lane, chunk.pid, chunk.tid);
    if (!named(row.lane)) row.name = clean({chunk.name, name_size});
    for (std::uint32_t i = 0; i < used && i < Chunk::kRecords; ++i) read_record(chunk, chunk.records[i]);
  }

  void read_record(const Chunk& chunk, Record& record) {
    Item item{record.kind,   record.begin - origin_, read(record.end),
              record.number, clean(record.name()),   clean(record.category())};
    switch (item.kind) {
      case TraceKind::kProcessName:
        process_of(chunk.pid).name = std::move(item.name);
        return;
      case TraceKind::kThreadName:
        row_of(chunk.lane, chunk.pid, chunk.tid).name = std::move(item.name);
        named_.push_back(chunk.lane);
        return;
      case TraceKind::kTrackName:
        row_of(item.number, chunk.pid, 0).name = std::move(item.name);
        return;
      default:
        if (item.kind == TraceKind::kNone || item.kind > TraceKind::kTrackName) return;
    }
    if (item.kind == TraceKind::kDeath) deaths_.push_back({item.number, item.begin});
    if (item.begin > picture_.length) return;  // it was under way when the trace stopped
    if (item.end != Record::kOpen) item.end -= origin_;
    Row& row = record.track != 0 ? row_of(record.track, chunk.pid, 0) : row_of(chunk.lane, chunk.pid, chunk.tid);
    row.items.push_back(std::move(item));
  }

  bool named(std::uint64_t lane) const {
    for (const std::uint64_t one : named_) {
      if (one == lane) return true;
    }
    return false;
  }

  // Threads that never had anything to do are not worth a row.
  static bool only_idle(const Row& row) {
    for (const Item& item : row.items) {
      if (item.kind != TraceKind::kIdle) return false;
    }
    return true;
  }

  // Coroutines take turns in one thread. So each task of a loop gets a row of its own, below
  // those of threads, where it waits from the end of a step to the next one: as long as there
  // are not too many. The next loop of a thread counts its tasks from 1 again.
  static void add_tasks(Process& process) {
    std::vector<Row> tasks;
    std::vector<std::uint64_t> numbers;
    for (const Row& row : process.rows) {
      std::size_t first = tasks.size();
      for (const Item& item : row.items) {
        if (item.kind == TraceKind::kThread) first = tasks.size();
        if (item.kind != TraceKind::kStep) continue;
        std::size_t at = first;
        while (at < tasks.size() && numbers[at] != item.number) ++at;
        if (at == tasks.size()) {
          if (at == kMostTasks) return;
          const std::string name = item.name.empty() ? "Task-" + std::to_string(item.number) : item.name;
          tasks.push_back({kFirstTask * row.lane + at, process.pid, 0, name, {}});
          numbers.push_back(item.number);
        }
        Row& task = tasks[at];
        if (!task.items.empty() && task.items.back().end != Record::kOpen) {
          task.items.push_back({TraceKind::kWait, task.items.back().end, item.begin, 0, "waits", {}});
        }
        task.items.push_back(item);
        task.items.back().name = "runs";
      }
    }
    for (Row& task : tasks) process.rows.push_back(std::move(task));
  }

  // Open spans end with their process, or with the trace.
  void finish(const Process& process, Row& row) {
    std::int64_t last = picture_.length;
    for (const Death& death : deaths_) {
      if (death.pid == static_cast<std::uint64_t>(process.pid) && death.when < last) last = death.when;
    }
    for (Item& item : row.items) {
      if (item.end == Record::kOpen || item.end > picture_.length) item.end = last;
      if (item.end < item.begin) item.end = item.begin;
    }
    sort(row.items,
         [](const Item& a, const Item& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
  }

  Segment& segment_;
  std::int64_t origin_ = 0;
  Picture picture_;
  std::vector<std::uint64_t> named_;  // lanes whose name was given by name_thread()
  std::vector<Death> deaths_;
};

// Of the trace that runs, or the last one. Throws RuntimeError if there was none.
template <class = void>
Picture take_picture() {
  Segment* const segment = g_recorder.last();
  if (segment == nullptr) throw RuntimeError("trace: there is nothing to write, as trace::start() was never called");
  struct Owner {
    Segment* segment;
    ~Owner() { segment->drop(); }
  } owner{segment};
  return PictureReader<>(*segment).take();
}

}  // namespace nogil::trace::detail
