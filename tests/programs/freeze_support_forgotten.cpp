// main() calls freeze_support() only sometimes: whatever else it does instead in a process that
// was started anew, that process ends, the parent is told, and nothing is done twice.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "nogil/multiprocessing/process.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "support/expect.hpp"

namespace {

namespace mp = nogil::mp;
using mp::StartMethod;

constexpr char kForgets[] = "NOGIL_TEST_FORGETS";

void nothing() {}

int twice(int x) {
  return 2 * x;
}

// What main() does instead.
int forgetful_main(const std::string& way) {
  if (way == "calls it too late") {
    mp::Process copy(mp::Process::Options{.start_method = StartMethod::fork}, nothing);
    copy.start();
    mp::freeze_support();
  }
  if (way == "starts a pool") mp::ProcessPoolExecutor(2).submit(twice, 1).result();
  if (way == "runs on") {
    ::ualarm(50'000, 0);  // not a minute
    for (;;) ::pause();
  }
  return 0;
}

// What is said on stderr meanwhile.
class Stderr {
 public:
  Stderr() : file_(::memfd_create("said", 0)), before_(::dup(STDERR_FILENO)) { ::dup2(file_, STDERR_FILENO); }
  Stderr(const Stderr&) = delete;
  Stderr& operator=(const Stderr&) = delete;
  ~Stderr() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(file_);
  }
  std::string text() const {
    std::string all(10'000, '\0');
    const ::ssize_t size = ::pread(file_, all.data(), all.size(), 0);
    all.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return all;
  }

 private:
  const int file_;
  const int before_;
};

bool names_it(const std::string& text) {
  return text.find("freeze_support()") != std::string::npos;
}

void start_one(StartMethod method) {
  mp::Process one(mp::Process::Options{.start_method = method}, nothing);
  try {
    one.start();
    one.join();
    EXPECT(method == StartMethod::spawn);
    EXPECT(one.exitcode() == mp::detail::kUnclaimed);
  } catch (const nogil::RuntimeError& error) {
    EXPECT(method == StartMethod::forkserver);
    EXPECT(names_it(error.what()));
  }
}

void use_pool(StartMethod method) {
  try {
    mp::ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
    pool.submit(twice, 1).result();
    EXPECT(false);
  } catch (const nogil::BrokenProcessPool& error) {
    EXPECT(names_it(error.what()));
  }
}

// Whether all is well again. (A template that was started before may still forget.)
bool works(StartMethod method) {
  try {
    mp::ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
    return pool.submit(twice, 21).result() == 42;
  } catch (const nogil::BrokenProcessPool&) {
    return false;
  }
}

}  // namespace

int main() {
  if (const char* const way = std::getenv(kForgets)) return forgetful_main(way);
  mp::freeze_support();
  for (const StartMethod method : {StartMethod::forkserver, StartMethod::spawn}) {
    for (const char* const way : {"returns", "calls it too late", "starts a pool", "runs on"}) {
      ::setenv(kForgets, way, 1);
      const Stderr err;
      start_one(method);
      EXPECT(names_it(err.text()));
      use_pool(method);
    }
    ::unsetenv(kForgets);
    int tries = 1;
    while (!works(method)) EXPECT(++tries < 10);
  }
  EXPECT(mp::active_children().empty());
}
