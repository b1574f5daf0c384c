// A function of a library that was loaded by dlopen(), whose path is the program's argument: it
// can be sent, and stays then whatever dlclose() says; when its file is gone, or the library was
// closed before, that is an error which says so.

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "support/expect.hpp"

namespace {

namespace mp = nogil::mp;
using mp::StartMethod;

using Function = int (*)(int);

struct Library {
  explicit Library(const std::string& path)
      : handle(::dlopen(path.c_str(), RTLD_NOW)),
        function(handle == nullptr ? nullptr : reinterpret_cast<Function>(::dlsym(handle, "nogil_test_twice"))) {
    EXPECT(function != nullptr);
  }
  void close() const { ::dlclose(handle); }

  void* handle;
  Function function;
};

// A file of its own, so that it is not the library that is loaded already.
class Copy {
 public:
  explicit Copy(const std::string& of)
      : path_((std::filesystem::temp_directory_path() / "nogil-test-XXXXXX").string()) {
    const int fd = ::mkstemp(path_.data());
    EXPECT(fd >= 0);
    ::close(fd);
    std::filesystem::copy_file(of, path_, std::filesystem::copy_options::overwrite_existing);
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() { remove(); }
  void remove() const { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class Pool>
void expect_error(Pool& pool, Function function, const std::string& text) {
  try {
    pool.submit(function, 1).result();
    EXPECT(false);
  } catch (const nogil::RuntimeError& error) {
    EXPECT(std::string(error.what()).find(text) != std::string::npos);
  }
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support();
  EXPECT(argc == 2);
  const std::string path = argv[1];
  for (const StartMethod method : {StartMethod::fork, StartMethod::forkserver, StartMethod::spawn}) {
    mp::ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});

    const Copy closed(path);
    const Library never_sent(closed.path());
    never_sent.close();
    expect_error(pool, never_sent.function, "lies in no file");

    const Copy lost(path);
    const Library lost_library(lost.path());
    lost.remove();
    mp::ProcessPoolExecutor of_now({.max_workers = 1, .start_method = method});
    if (method == StartMethod::fork) EXPECT(of_now.submit(lost_library.function, 2).result() == 4);  // it has it
    else expect_error(of_now, lost_library.function, lost.path());
  }
  for (const StartMethod method : {StartMethod::fork, StartMethod::forkserver, StartMethod::spawn}) {
    const Library library(path);
    mp::ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});
    EXPECT(pool.submit(library.function, 21).result() == 42);
    library.close();
    EXPECT(pool.submit(library.function, 22).result() == 44);
    EXPECT(library.function(1) == 2);
  }
}
