// nogil/trace/detail/json.hpp -- a trace as JSON, in the form of Chrome's trace events.
//
// Spans are complete events ("X"), moments are instants ("i"), names are metadata ("M").
// Times are microseconds since the trace began. A track is a thread with a number above
// those of threads.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "nogil/trace/detail/picture.hpp"

namespace nogil::trace::detail {

inline const char* category_of(TraceKind kind) noexcept {
  switch (kind) {
    case TraceKind::kThread:
      return "thread";
    case TraceKind::kTask:
      return "task";
    case TraceKind::kStep:
      return "step";
    case TraceKind::kWait:
      return "wait";
    case TraceKind::kIdle:
      return "idle";
    case TraceKind::kSteal:
      return "steal";
    case TraceKind::kDeath:
      return "death";
    default:
      return "user";
  }
}

// (Not `quoted`, which a template would find in std as well.)
inline std::string in_quotes(std::string_view clean) {
  std::string out = "\"";
  for (const char c : clean) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

template <class = void>  // a template, so that only who draws one compiles it
class JsonWriter {
 public:
  std::string write(const Picture& picture) {
    out_ = "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"dropped_records\":" + std::to_string(picture.dropped) +
           "},\"traceEvents\":[";
    for (const Process& process : picture.processes) {
      name("process_name", process.pid, 0, process.name);
      for (std::size_t i = 0; i < process.rows.size(); ++i) {
        const Row& row = process.rows[i];
        const std::uint64_t tid = number_of(process, i);
        name("thread_name", process.pid, tid, row.name);
        event("{\"ph\":\"M\",\"name\":\"thread_sort_index\"", process.pid, tid);
        out_ += ",\"args\":{\"sort_index\":" + std::to_string(i) + "}}";
        for (const Item& item : row.items) write(item, process.pid, tid);
      }
    }
    return std::move(out_) + "\n]}\n";
  }

 private:
  // The system's number of the thread, unless another had it before.
  static std::uint64_t number_of(const Process& process, std::size_t index) {
    constexpr std::uint64_t kTracks = 1'000'000'000;
    const Row& row = process.rows[index];
    if (row.tid == 0) return kTracks + row.lane;
    for (std::size_t i = 0; i < index; ++i) {
      if (process.rows[i].tid == row.tid) return kTracks + row.lane;
    }
    return static_cast<std::uint64_t>(row.tid);
  }

  void event(std::string_view head, int pid, std::uint64_t tid) {
    if (out_.back() != '[') out_ += ',';
    out_ += '\n';
    out_ += head;
    out_ += ",\"pid\":" + std::to_string(pid) + ",\"tid\":" + std::to_string(tid);
  }

  void name(const char* what, int pid, std::uint64_t tid, std::string_view value) {
    event(std::string("{\"ph\":\"M\",\"name\":\"") + what + '"', pid, tid);
    out_ += ",\"args\":{\"name\":" + in_quotes(value) + "}}";
  }

  void write(const Item& item, int pid, std::uint64_t tid) {
    event("{\"ph\":\"" + std::string(item.moment() ? "i\",\"s\":\"t" : "X") + "\",\"name\":" + in_quotes(item.name) +
              ",\"cat\":" + in_quotes(item.category.empty() ? category_of(item.kind) : item.category),
          pid, tid);
    out_ += ",\"ts\":" + micro(item.begin);
    if (!item.moment()) out_ += ",\"dur\":" + micro(item.end - item.begin);
    if (item.number != 0) {
      if (item.kind == TraceKind::kWait) {
        char text[32];
        std::snprintf(text, sizeof text, "\"0x%llx\"", static_cast<unsigned long long>(item.number));
        out_ += ",\"args\":{\"object\":" + std::string(text) + "}";
      } else {
        out_ += ",\"args\":{\"number\":" + std::to_string(item.number) + "}";
      }
    }
    out_ += '}';
  }

  static std::string micro(std::int64_t ns) { return fixed(static_cast<double>(ns) / 1000, 3); }

  std::string out_;
};

template <class = void>
std::string json_of(const Picture& picture) {
  return JsonWriter<>().write(picture);
}

}  // namespace nogil::trace::detail
