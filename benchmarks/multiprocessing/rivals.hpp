// benchmarks/multiprocessing/rivals.hpp -- what processes cost when nothing is done for you.
//
// No rival has a process pool for C++. These are the limits: a child that fork() made and a
// line to it by hand, without callables, results, errors or anybody who looks after it.
//
//   struct Rival {
//     static constexpr const char* kName;
//     class Line {
//       int call(int n);                            // n + 1, computed by a child process
//       std::size_t length(const std::string&);     // of what was sent there
//     };
//   };

#pragma once

#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "nogil/multiprocessing.hpp"
#include "nogil/platform/cpu.hpp"

namespace processes {

// A child that runs job() and is killed at the end. The job takes no lock and no memory: the
// parent may have threads.
class Forked {
 public:
  template <class Job>
  explicit Forked(Job job) : pid_(::fork()) {
    if (pid_ < 0) std::abort();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    job();
    ::_exit(0);
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  ~Forked() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  const ::pid_t pid_;
};

inline bool read_all(int fd, void* to, std::size_t size) {
  for (char* at = static_cast<char*>(to); size > 0;) {
    const ::ssize_t got = ::read(fd, at, size);
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

inline bool write_all(int fd, const void* from, std::size_t size) {
  for (const char* at = static_cast<const char*>(from); size > 0;) {
    const ::ssize_t put = ::write(fd, at, size);
    if (put <= 0) return false;
    at += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

// ---- Ours ------------------------------------------------------------------------------

inline int next(int n) {
  return n + 1;
}

inline std::size_t length_of(const std::string& text) {
  return text.size();
}

struct Nogil {
  static constexpr const char* kName = "nogil::mp::ProcessPoolExecutor";

  class Line {
   public:
    Line() : pool_(1) { call(0); }
    int call(int n) { return pool_.submit(next, n).result(); }
    std::size_t length(const std::string& text) { return pool_.submit(length_of, text).result(); }

   private:
    nogil::mp::ProcessPoolExecutor pool_;
  };
};

struct NogilPool {
  static constexpr const char* kName = "nogil::mp::Pool";

  class Line {
   public:
    Line() : pool_(1) { call(0); }
    int call(int n) { return pool_.apply(next, n); }
    std::size_t length(const std::string& text) { return pool_.apply(length_of, text); }

   private:
    nogil::mp::Pool pool_;
  };
};

// ---- By hand ---------------------------------------------------------------------------

// Two pipes: a number of bytes and the bytes there, a number back.
struct RawPipe {
  static constexpr const char* kName = "a pipe to a child";

  class Line {
   public:
    Line() {
      if (::pipe(there_) != 0 || ::pipe(back_) != 0) std::abort();
      text_ = static_cast<char*>(
          ::mmap(nullptr, kMost, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
      child_ = std::make_unique<Forked>([this] { serve(); });
    }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() {
      child_.reset();
      ::munmap(text_, kMost);
      for (const int fd : {there_[0], there_[1], back_[0], back_[1]}) ::close(fd);
    }
    int call(int n) {
      const std::uint64_t number = static_cast<std::uint64_t>(n);
      return static_cast<int>(ask(number, nullptr, 0));
    }
    std::size_t length(const std::string& text) { return ask(text.size() | kIsText, text.data(), text.size()); }

   private:
    static constexpr std::size_t kMost = std::size_t{1} << 22;
    static constexpr std::uint64_t kIsText = std::uint64_t{1} << 63;

    std::uint64_t ask(std::uint64_t head, const char* text, std::size_t size) {
      std::uint64_t answer = 0;
      if (!write_all(there_[1], &head, sizeof head) || !write_all(there_[1], text, size) ||
          !read_all(back_[0], &answer, sizeof answer)) {
        std::abort();
      }
      return answer;
    }

    void serve() {
      for (std::uint64_t head; read_all(there_[0], &head, sizeof head);) {
        std::uint64_t answer = head + 1;
        if ((head & kIsText) != 0) {
          answer = head & ~kIsText;
          if (!read_all(there_[0], text_, static_cast<std::size_t>(answer))) return;
        }
        if (!write_all(back_[1], &answer, sizeof answer)) return;
      }
    }

    int there_[2];
    int back_[2];
    char* text_;
    std::unique_ptr<Forked> child_;
  };
};

// Two words in shared memory, each with a number; whoever waits for one spins that often,
// then sleeps on it.
template <int kSpins>
class SharedWords {
 public:
  SharedWords()
      : words_(new (::mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Words),
        child_(std::make_unique<Forked>([this] {
          for (std::uint32_t seen = 0;; ++seen) {
            wait(words_->there, seen);
            words_->number.store(words_->number.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            post(words_->back);
          }
        })) {}
  SharedWords(const SharedWords&) = delete;
  SharedWords& operator=(const SharedWords&) = delete;
  ~SharedWords() {
    child_.reset();
    ::munmap(words_, sizeof(Words));
  }

  int call(int n) {
    words_->number.store(n, std::memory_order_relaxed);
    const std::uint32_t seen = words_->back.load(std::memory_order_relaxed);
    post(words_->there);
    wait(words_->back, seen);
    return words_->number.load(std::memory_order_relaxed);
  }

 private:
  struct Words {
    alignas(64) std::atomic<std::uint32_t> there{0};
    alignas(64) std::atomic<std::uint32_t> back{0};
    alignas(64) std::atomic<int> number{0};
  };

  static void post(std::atomic<std::uint32_t>& word) {
    word.fetch_add(1, std::memory_order_release);
    if (kSpins >= 0) ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  static void wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) {
    for (int spin = 0; kSpins < 0 || spin < kSpins; ++spin) {
      if (word.load(std::memory_order_acquire) != seen) return;
      nogil::platform::cpu_relax();
    }
    while (word.load(std::memory_order_acquire) == seen) {
      ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
  }

  Words* words_;
  std::unique_ptr<Forked> child_;
};

struct RawFutex {
  static constexpr const char* kName = "a futex in shared memory";
  using Line = SharedWords<0>;
};

struct RawSpin {
  static constexpr const char* kName = "a word in shared memory";
  static constexpr bool kOnlySpins = true;
  using Line = SharedWords<-1>;
};

}  // namespace processes
