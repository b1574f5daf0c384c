// nogil/multiprocessing/detail/handshake.hpp -- how a program that was started anew learns that it is a worker.
//
// An environment variable names a file descriptor and a number of 128 bits. Both are worth
// nothing by themselves: the descriptor must be a socket on which the same number, and the
// identity of this very program, wait to be read. An environment that was inherited or made
// up does not fit; main() goes on then as if nothing was there.

#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/child_main.hpp"
#include "nogil/multiprocessing/detail/memory_file.hpp"
#include "nogil/multiprocessing/detail/module.hpp"
#include "nogil/multiprocessing/detail/packet.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::multiprocessing::detail {

inline constexpr char kWorkerVariable[] = "NOGIL_WORKER";

enum class Role : std::uint32_t { kChild, kTemplate };

// The first message, which waits on the socket before the program starts.
struct Hello {
  static constexpr std::uint64_t kMagic = 0x6e6f'6769'6c2f'6869;

  std::uint64_t magic;
  std::uint64_t nonce[2];
  ModuleId program;
  std::uint64_t parent;
  Role role;
  std::uint32_t unused;
};

// A job in memory that can be sent. Its descriptors are the memory, the sender's standard
// output and error (which may be others than when the template was started), and the
// frame's own.
inline constexpr int kJobFiles = 3;

struct JobPacket {
  std::uint64_t id;
  std::uint64_t bytes;
};

inline const Module& program_module() {
  static char here;
  const Module* const module = module_of(&here);
  if (module == nullptr) throw_unknown_code("this code lies in no file");
  if (module->path.empty()) return *module;
  // The library is used from a shared library only: the program is the first that is loaded.
  static const Module* const program = find_loaded([](const dl_phdr_info&) { return true; }).release();
  return *program;
}

// ---- In the parent -----------------------------------------------------------------------

// Sends the job and closes nothing of it.
inline bool send_job(int socket, std::uint64_t id, const Frame& frame) {
  const platform::Fd memory = make_memory_file(frame.bytes.data(), frame.bytes.size());
  const platform::Fd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const auto open_or_nothing = [&nothing](int fd) { return ::fcntl(fd, F_GETFD) >= 0 ? fd : nothing.get(); };
  std::vector<int> files{memory.get(), open_or_nothing(STDOUT_FILENO), open_or_nothing(STDERR_FILENO)};
  for (const platform::Fd& file : frame.files) files.push_back(file.get());
  return send_packet(socket, JobPacket{id, frame.bytes.size()}, files, MSG_DONTWAIT);
}

// Starts this program anew with one end of the socket pair. Throws std::system_error.
inline ::pid_t spawn_self(SocketPair& sockets, Role role) {
  // Its number there, and the only file that it has but for the standard ones, as in Python.
  // (With an old C library it also has those of this process that are not to go with exec().)
#if defined(__GLIBC__) && __GLIBC__ * 100 + __GLIBC_MINOR__ >= 234
  const int socket = STDERR_FILENO + 1;
#else
  const int socket = sockets.theirs.get();
#endif
  Hello hello{};
  hello.magic = Hello::kMagic;
  if (::getrandom(hello.nonce, sizeof hello.nonce, 0) != sizeof hello.nonce) platform::throw_errno("draw a number");
  hello.program = program_module().id;
  hello.parent = static_cast<std::uint64_t>(::getpid());
  hello.role = role;
  if (!send_packet(sockets.mine.get(), hello)) platform::throw_errno("greet a process");

  std::string variable = (platform::Text() << kWorkerVariable << "=" << std::uint64_t(socket) << ":" << hello.nonce[0]
                                           << ":" << hello.nonce[1])
                             .take();
  std::vector<char*> environment;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    if (std::strncmp(*at, kWorkerVariable, sizeof kWorkerVariable - 1) != 0) environment.push_back(*at);
  }
  environment.push_back(variable.data());
  environment.push_back(nullptr);
  char* const arguments[] = {::program_invocation_name, nullptr};

  ::posix_spawn_file_actions_t actions;
  ::posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, sockets.theirs.get(), socket);  // stays open past exec()
#if defined(__GLIBC__) && __GLIBC__ * 100 + __GLIBC_MINOR__ >= 234
  ::posix_spawn_file_actions_addclosefrom_np(&actions, socket + 1);
#endif
  const ::sigset_t blocked = only_sigint();
  ::sigset_t defaults = blocked;  // the parent may ignore them
  ::sigaddset(&defaults, SIGTERM);
  ::posix_spawnattr_setsigmask(&attributes, &blocked);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  ::pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments, environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) platform::throw_errno("start the program anew", error);
  return pid;
}

// ---- In the program that was started ---------------------------------------------------------

struct Greeting {
  platform::Fd socket;
  Hello hello;
};

inline bool parse_number(const char*& at, std::uint64_t& number, char end) noexcept {
  number = 0;
  const char* const begin = at;
  for (; *at >= '0' && *at <= '9'; ++at) number = number * 10 + static_cast<std::uint64_t>(*at - '0');
  return at != begin && *at++ == end;
}

// Whether this program was started by spawn_self(); false: it is nobody's worker. The greeting
// is left where it is.
inline bool greeting_waits(Greeting& greeting) {
  const char* at = ::secure_getenv(kWorkerVariable);
  std::uint64_t fd = 0;
  std::uint64_t nonce[2];
  if (at == nullptr || !parse_number(at, fd, ':') || !parse_number(at, nonce[0], ':') ||
      !parse_number(at, nonce[1], '\0') || fd > 1'000'000) {
    return false;
  }
  const int socket = static_cast<int>(fd);
  int domain = 0;
  int type = 0;
  ::socklen_t size = sizeof domain;
  Hello& hello = greeting.hello;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX ||
      ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET ||
      !receive_packet(socket, hello, nullptr, MSG_DONTWAIT | MSG_PEEK) || hello.magic != Hello::kMagic ||
      std::memcmp(hello.nonce, nonce, sizeof nonce) != 0 || !(hello.program == program_module().id)) {
    return false;
  }
  greeting.socket = platform::Fd(socket);
  return true;
}

// The same, and takes it: it is for one process, once.
inline bool receive_greeting(Greeting& greeting) {
  if (!greeting_waits(greeting)) return false;
  receive_packet(greeting.socket.get(), greeting.hello);
  ::fcntl(greeting.socket.get(), F_SETFD, FD_CLOEXEC);
  ::unsetenv(kWorkerVariable);
  return true;
}

// Maps the job that the first of its files holds, and runs it with the other ones.
[[noreturn]] inline void run_received_job(const JobPacket& packet, std::vector<platform::Fd> files) noexcept {
  if (files.size() < kJobFiles) ::_exit(kOrphaned);
  const MappedFile memory(files[0], static_cast<std::size_t>(packet.bytes));
  if (!memory) ::_exit(kOrphaned);
  ::dup2(files[1].get(), STDOUT_FILENO);
  ::dup2(files[2].get(), STDERR_FILENO);
  files.erase(files.begin(), files.begin() + kJobFiles);
  InputArchive job(memory.bytes(), memory.size(), &files);
  run_job(job);
}

}  // namespace nogil::multiprocessing::detail
