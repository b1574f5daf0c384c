// tests/asyncio/support/beside_cpython.hpp -- runs scenarios here and in CPython, and keeps their logs.

#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include "nogil/asyncio/run.hpp"
#include "support/watchdog.hpp"

namespace nogil::testing {

// What the scenario that runs has noted.
inline std::string g_noted;

inline void note(const std::string& line) {
  g_noted += line + "\n";
}

inline std::string text_of(bool value) {
  return value ? "True" : "False";
}
inline std::string text_of(int value) {
  return std::to_string(value);
}

// One line, as Python prints these values.
template <class... Values>
void note_all(Values... values) {
  std::string line;
  ((line += (line.empty() ? "" : " ") + text_of(values)), ...);
  note(line);
}

// Runs scenarios in loops of their own, one after the other.
struct Play {
  void operator()(const char* name, asyncio::Coro<> scenario) {
    g_noted.clear();
    asyncio::run(std::move(scenario));
    logs += std::string("== ") + name + "\n" + g_noted;
  }
  std::string logs;
};

// What a script of tests/asyncio/python prints; empty where it cannot run.
inline std::string logs_of_cpython(const char* script) {
  const auto path = std::filesystem::path(__FILE__).parent_path().parent_path() / "python" / script;
  std::FILE* const output = ::popen(("python3 '" + path.string() + "' 2>/dev/null").c_str(), "r");
  if (output == nullptr) return "";
  std::string logs;
  std::array<char, 4096> part;
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), output)) logs.append(part.data(), got);
  return ::pclose(output) == 0 ? logs : "";
}

}  // namespace nogil::testing
