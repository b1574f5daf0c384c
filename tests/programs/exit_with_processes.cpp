// main() returns, or somebody calls exit(), while processes and pools of processes live: those
// that are joined are waited for, daemons are terminated, and nobody is left.

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>

#include "nogil/multiprocessing/process.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/multiprocessing/shared_memory.hpp"
#include "nogil/threading/thread.hpp"

namespace {

namespace mp = nogil::mp;
using mp::StartMethod;
using mp::detail::Who;

// Where the processes of one program enter themselves.
struct Book {
  std::atomic<int> entered;
  std::atomic<int> finished;
  std::atomic<Who> whos[16];

  static Book& in(const mp::SharedMemory& memory) { return *reinterpret_cast<Book*>(memory.buf().data()); }
  void enter() {
    const auto place = static_cast<std::size_t>(entered.fetch_add(1));
    if (place < 16) whos[place] = mp::detail::this_process();
  }
};

void finish(const mp::SharedMemory& memory) {
  Book::in(memory).enter();
  ::usleep(20'000);
  ++Book::in(memory).finished;
}

void never_finish(const mp::SharedMemory& memory) {
  Book::in(memory).enter();
  for (;;) ::pause();
}

enum class End { kReturn, kExit, kExitInAThread, kLeaked };

// What is destroyed by exit().
std::optional<mp::ProcessPoolExecutor> g_pool;
std::optional<mp::Process> g_joined;
std::optional<mp::Process> g_daemon;

void use_everything(StartMethod method, End end, const mp::SharedMemory& memory) {
  const mp::Process::Options plain{.start_method = method};
  const mp::Process::Options daemon{.daemon = true, .start_method = method};
  if (end == End::kLeaked) {  // nobody destroys these: the kernel ends them with this process
    static auto& pool = *new mp::ProcessPoolExecutor({.max_workers = 2, .start_method = method});
    static auto& joined = *new mp::Process(plain, never_finish, memory);
    static auto& terminated = *new mp::Process(daemon, never_finish, memory);
    pool.submit(never_finish, memory);
    joined.start();
    terminated.start();
  } else {
    g_pool.emplace(mp::ProcessPoolExecutor::Options{.max_workers = 2, .start_method = method});
    for (int i = 0; i < 3; ++i) g_pool->submit(finish, memory);
    g_joined.emplace(plain, finish, memory);
    g_joined->start();
    g_daemon.emplace(daemon, never_finish, memory);
    g_daemon->start();
  }
  while (Book::in(memory).entered < 3) ::usleep(500);
}

// How the program ends that is looked at. Returns if main() is to.
void end_so(StartMethod method, End end, const mp::SharedMemory& memory) {
  use_everything(method, end, memory);
  if (end == End::kExit) std::exit(0);
  if (end == End::kExitInAThread) {
    nogil::Thread({.daemon = true}, [] { std::exit(0); }).start();
    for (;;) ::pause();
  }
}

bool goes(Who who) {
  if (who == 0) return true;  // it was ended before it had entered itself
  for (int look = 0; look < 20'000; ++look, ::usleep(1000)) {
    if (!mp::detail::process_lives(who)) return true;
  }
  return false;
}

// True in the program that is looked at, a copy of this one, if its main() is to return.
bool check(StartMethod method, End end) {
  mp::SharedMemory memory = mp::SharedMemory::anonymous(sizeof(Book));
  new (memory.buf().data()) Book{};
  const ::pid_t program = ::fork();
  if (program == 0) {
    end_so(method, end, memory);
    return true;
  }
  int status = -1;
  ::waitpid(program, &status, 0);
  const Book& book = Book::in(memory);
  bool right = status == 0 && book.finished == (end == End::kLeaked ? 0 : 4);
  for (int i = 0; i < book.entered && i < 16; ++i) right = goes(book.whos[i]) && right;
  if (right) return false;
  std::printf("method %d, end %d: status %d, %d entered, %d finished\n", static_cast<int>(method),
              static_cast<int>(end), status, book.entered.load(), book.finished.load());
  std::fflush(stdout);
  ::_exit(1);
}

}  // namespace

int main() {
  mp::freeze_support();
  for (const StartMethod method : {StartMethod::fork, StartMethod::forkserver, StartMethod::spawn}) {
#ifdef NOGIL_TSAN  // has two threads of its own in a child, of which one looks like the program's
    if (method == StartMethod::fork) continue;
#endif
    for (const End end : {End::kReturn, End::kExit, End::kExitInAThread, End::kLeaked}) {
      if (check(method, end)) return 0;
    }
  }
}
