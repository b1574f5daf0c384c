// What a header costs whoever includes it: the CPU time of the compiler.
//
// Each hold compiles one file. Ours and its rivals' are compiled by the compiler that built
// this program, with the options that people use.

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "support/cases.hpp"
#include "support/measure.hpp"

extern char** environ;

namespace {

// The source of the program, in a file that is gone with this object.
class SourceFile {
 public:
  explicit SourceFile(const std::string& source) {
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/nogil-compile-XXXXXX.cpp";
    const int file = ::mkstemps(path_.data(), 4);
    written_ = file >= 0 && ::write(file, source.data(), source.size()) == static_cast<ssize_t>(source.size());
    if (file >= 0) ::close(file);
  }
  ~SourceFile() { ::unlink(path_.c_str()); }
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  bool written() const { return written_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool written_ = false;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// The CPU time of the compiler, or a negative number if it would not compile that.
double compile(const std::string& path, const char* level, const char* what_for) {
  const std::string include = std::string("-I") + NOGIL_BENCH_INCLUDE;
  const char* const arguments[] = {NOGIL_BENCH_CXX, "-std=c++20", level,  include.c_str(), what_for, "-o",
                                   "/dev/null",     path.c_str(), nullptr};
  posix_spawn_file_actions_t quietly;
  ::posix_spawn_file_actions_init(&quietly);
  ::posix_spawn_file_actions_addopen(&quietly, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t compiler = 0;
  const int failed =
      ::posix_spawnp(&compiler, arguments[0], &quietly, nullptr, const_cast<char* const*>(arguments), environ);
  ::posix_spawn_file_actions_destroy(&quietly);
  if (failed != 0) return -1;
  int status = 0;
  rusage usage;
  if (::wait4(compiler, &status, 0, &usage) != compiler || status != 0) return -1;
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class R>
void compile_case(benchmark::State& state, const char* level, const char* what_for) {
  const SourceFile source(R::kSource);
  for (auto _ : state) {
    const double took = source.written() ? compile(source.path(), level, what_for) : -1;
    bench::check(state, took >= 0, "does not compile");
    state.SetIterationTime(took >= 0 ? took : 1);
  }
}

// Only looks at the headers.
constexpr auto kLook = []<class R>(benchmark::State& state) { compile_case<R>(state, "-O0", "-fsyntax-only"); };

// Compiles all of it, optimised.
constexpr auto kOptimise = []<class R>(benchmark::State& state) { compile_case<R>(state, "-O2", "-c"); };

// ---- The rivals ------------------------------------------------------------------------

struct NogilThreading {
  static constexpr const char* kName = "nogil/threading.hpp";
  static constexpr const char* kSource = "#include <nogil/threading.hpp>\n";
};
struct StdMutexCondition {
  static constexpr const char* kName = "std:: <mutex> and <condition_variable>";
  static constexpr const char* kSource = "#include <mutex>\n#include <condition_variable>\n";
};
struct StdThread {
  static constexpr const char* kName = "std:: <thread>";
  static constexpr const char* kSource = "#include <thread>\n";
};
struct NogilQueue {
  static constexpr const char* kName = "nogil/queue.hpp";
  static constexpr const char* kSource = "#include <nogil/queue.hpp>\n";
};
struct StdQueue {
  static constexpr const char* kName = "std:: <queue>, <mutex> and <condition_variable>";
  static constexpr const char* kSource = "#include <queue>\n#include <mutex>\n#include <condition_variable>\n";
};
struct NogilFutures {
  static constexpr const char* kName = "nogil/futures.hpp";
  static constexpr const char* kSource = "#include <nogil/futures.hpp>\n";
};
struct StdFuture {
  static constexpr const char* kName = "std:: <future>";
  static constexpr const char* kSource = "#include <future>\n";
};

#ifdef NOGIL_HAVE_MOODYCAMEL
struct Moodycamel {
  static constexpr const char* kName = "moodycamel blockingconcurrentqueue.h";
  static constexpr const char* kSource =
      "#if __has_include(<concurrentqueue/moodycamel/blockingconcurrentqueue.h>)\n"
      "#include <concurrentqueue/moodycamel/blockingconcurrentqueue.h>\n"
      "#elif __has_include(<concurrentqueue/blockingconcurrentqueue.h>)\n"
      "#include <concurrentqueue/blockingconcurrentqueue.h>\n"
      "#else\n"
      "#include <blockingconcurrentqueue.h>\n"
      "#endif\n";
};
#else
struct Moodycamel : bench::Absent {
  static constexpr const char* kName = "moodycamel blockingconcurrentqueue.h";
};
#endif

#ifdef NOGIL_HAVE_TBB
struct Tbb {
  static constexpr const char* kName = "tbb::task_group and parallel_for";
  static constexpr const char* kSource = "#include <oneapi/tbb/task_group.h>\n#include <oneapi/tbb/parallel_for.h>\n";
};
#else
struct Tbb : bench::Absent {
  static constexpr const char* kName = "tbb::task_group and parallel_for";
};
#endif

// A program whose main sleeps for a millisecond on a loop.
struct NogilAsyncio {
  static constexpr const char* kName = "nogil/asyncio.hpp";
  static constexpr const char* kSource =
      "#include <nogil/asyncio.hpp>\n"
      "#include <chrono>\n"
      "nogil::asyncio::Coro<> nap() { co_await nogil::asyncio::sleep(std::chrono::milliseconds(1)); }\n"
      "int main() { nogil::asyncio::run(nap()); }\n";
};

#ifdef NOGIL_HAVE_ASIO
struct AsioAwaitable {
  static constexpr const char* kName = "asio::awaitable";
  static constexpr const char* kSource =
      "#include <asio.hpp>\n"
      "#include <chrono>\n"
      "asio::awaitable<void> nap() {\n"
      "  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));\n"
      "  co_await timer.async_wait(asio::use_awaitable);\n"
      "}\n"
      "int main() {\n"
      "  asio::io_context loop;\n"
      "  asio::co_spawn(loop, nap(), asio::detached);\n"
      "  loop.run();\n"
      "}\n";
};
#else
struct AsioAwaitable : bench::Absent {
  static constexpr const char* kName = "asio::awaitable";
};
#endif

[[maybe_unused]] const bool registered = [] {
  constexpr auto kWindow = bench::Timing::kWindow;
  bench::compare(bench::Rivals<NogilThreading, StdMutexCondition, StdThread>(), "compile_threading", kLook,
                 {.timing = kWindow, .goals = {bench::at_most(1.3, StdMutexCondition::kName)}});
  bench::compare(bench::Rivals<NogilQueue, StdQueue, Moodycamel>(), "compile_queue", kLook, {.timing = kWindow});
  bench::compare(bench::Rivals<NogilFutures, StdFuture, Tbb>(), "compile_futures", kLook, {.timing = kWindow});
  bench::compare(bench::Rivals<NogilAsyncio, AsioAwaitable>(), "compile_asyncio", kOptimise,
                 {.timing = kWindow, .goals = {bench::at_most(0.5, AsioAwaitable::kName)}});
  return true;
}();

}  // namespace
