// Processes and pools under every start method, in a program that is linked in one of several
// ways: its code is found, whatever the linker has made of it.

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "nogil/multiprocessing/process.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"

namespace {

namespace mp = nogil::mp;
using mp::StartMethod;

// Known to each process from before main().
const std::string g_text = "text " + std::to_string(42);

std::string say(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all + g_text;
}

struct Adder {
  std::string with;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(with);
  }
  std::string operator()(const std::string& text) const { return text + with; }
};

// 0, or which step went wrong.
int use(StartMethod method) {
  mp::Process process(
      mp::Process::Options{.start_method = method},
      [](int code, const std::string& text) { ::_exit(text == g_text ? code : 1); }, 7, g_text);
  process.start();
  process.join();
  if (process.exitcode() != 7) return 1;

  mp::ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
  if (pool.submit(say, "a", 3).result() != "aaa" + g_text) return 2;
  if (pool.submit([](double x) { return 2 * x; }, 1.5).result() != 3) return 3;
  if (pool.submit(Adder{"b"}, "a").result() != "ab") return 4;
  if (pool.submit(static_cast<double (*)(double)>(std::sqrt), 4.0).result() != 2) return 5;
  try {
    pool.submit([]() -> int { throw std::out_of_range("far"); }).result();
    return 6;
  } catch (const std::out_of_range&) {
  }
  try {
    pool.submit([] { ::_exit(3); }).result();
    return 7;
  } catch (const nogil::WorkerDied& error) {
    if (error.exit_code() != 3) return 8;
  }
  return pool.submit(say, "", 0).result() == g_text ? 0 : 9;
}

}  // namespace

int main() {
  mp::freeze_support();
  for (const StartMethod method : {StartMethod::fork, StartMethod::forkserver, StartMethod::spawn}) {
    if (const int step = use(method)) {
      std::printf("method %d, step %d\n", static_cast<int>(method), step);
      return 1;
    }
  }
}
