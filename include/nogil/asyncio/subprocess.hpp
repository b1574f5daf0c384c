// nogil/asyncio/subprocess.hpp -- other programs: create_subprocess_exec, create_subprocess_shell, Process.
//
//   asyncio::SubprocessOptions pipes{.out = asyncio::PIPE};
//   auto process = co_await asyncio::create_subprocess_exec(pipes, "git", "status");
//                          // Python: process = await asyncio.create_subprocess_exec("git", "status", stdout=PIPE)
//   auto result = co_await process.communicate();   // out, _ = await process.communicate()
//   use(result.out, *process.returncode());
//
// Start      In vfork's time, however large this program is. The program is looked for in
//            PATH. Descriptors above 2 are closed in it (by glibc before 2.34: only those
//            that are marked so), and SIGPIPE is as usual.
// Errors     FileNotFoundError: there is no such program, or folder. std::system_error: it
//            cannot be executed, or there are no processes or descriptors left.
// Lifetime   A Process may be dropped: its pipes are closed, and the program goes on. It is
//            reaped when it ends. What runs when the loop ends is killed, as in Python.
// Needs      Linux 5.3.
// Python     asyncio.create_subprocess_exec, create_subprocess_shell and subprocess.Process.
//            stdin, stdout and stderr, which are macros in C and C++, are in, out and err. A
//            signal to a program that has ended goes nowhere; there is no ProcessLookupError.

#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/subprocess_state.hpp"
#include "nogil/asyncio/task.hpp"

namespace nogil::asyncio {

enum class Redirect : std::uint8_t { INHERIT, PIPE, DEVNULL, STDOUT };

inline constexpr Redirect INHERIT = Redirect::INHERIT;  // ours
inline constexpr Redirect PIPE = Redirect::PIPE;        // a stream of Process
inline constexpr Redirect DEVNULL = Redirect::DEVNULL;  // nothing
inline constexpr Redirect STDOUT = Redirect::STDOUT;    // for `err`: wherever `out` goes

// All of it is copied by the call that takes it.
struct SubprocessOptions {
  Redirect in = INHERIT;
  Redirect out = INHERIT;
  Redirect err = INHERIT;
  const char* cwd = nullptr;                      // the folder in which it starts; null: ours
  const std::vector<std::string>* env = nullptr;  // "NAME=value", …; null: ours
  std::size_t limit = detail::kStreamLimit;       // of readline() and readuntil()
};

namespace detail {

class [[nodiscard]] SubprocessWait : public ListedWaiter {
 public:
  explicit SubprocessWait(Owned<SubprocessState> process) noexcept
      : ListedWaiter(kKind), process_(std::move(process)) {}

  bool await_ready() const noexcept { return process_->returncode().has_value(); }
  void await_suspend(std::coroutine_handle<> awaiting) { suspend_in(process_->ended(), awaiting); }
  int await_resume() const {
    throw_if_cancelled();
    return *process_->returncode();
  }

 private:
  static constexpr Kind kKind = {&cancel, "Process.wait"};

  Owned<SubprocessState> process_;
};

struct Command {
  std::vector<std::string> arguments;  // the program first
  Redirect redirects[3];
  std::string folder;
  std::vector<std::string> environment;
  bool has_folder;
  bool has_environment;
  std::size_t limit;

  Command(const SubprocessOptions& options, std::vector<std::string> program_and_arguments)
      : arguments(std::move(program_and_arguments)),
        redirects{options.in, options.out, options.err},
        folder(options.cwd == nullptr ? "" : options.cwd),
        has_folder(options.cwd != nullptr),
        has_environment(options.env != nullptr),
        limit(options.limit) {
    if (arguments.empty()) throw ValueError("create_subprocess_exec: no program");
    if (options.in == STDOUT || options.out == STDOUT)
      throw ValueError("create_subprocess_exec: STDOUT is only for err");
    if (has_environment) environment = *options.env;
  }
};

struct Spawned {
  Owned<SubprocessState> state;
  Owned<Stream> pipes[3];  // in, out, err: where there is one
};

template <class = void>
[[noreturn, gnu::noinline, gnu::cold]] void throw_exec(const Command& command, int error) {
  const std::string asked = "create_subprocess_exec: " + command.arguments[0];
  if (error != ENOENT) platform::throw_errno(asked.c_str(), error);
  throw FileNotFoundError(asked + ": there is no such program" +
                          (command.has_folder ? ", or no folder " + command.folder : std::string()));
}

// (A template, as all that follows: a program pays for compiling it only if it calls it.)
template <class = void>
Spawned spawn(Command& command) {
  LoopCore& loop = running_loop();
  SpawnActions actions;
  std::optional<PipeEnds> pipes[3];
  for (int target = 0; target < 3; ++target) {
    switch (command.redirects[target]) {
      case Redirect::INHERIT:
        break;
      case Redirect::PIPE:
        pipes[target].emplace();
        actions.duplicate((target == 0 ? pipes[target]->read : pipes[target]->write).get(), target);
        break;
      case Redirect::DEVNULL:
        actions.open_null(target, target == 0 ? O_RDONLY : O_WRONLY);
        break;
      case Redirect::STDOUT:
        actions.duplicate(STDOUT_FILENO, target);
        break;
    }
  }
  if (command.has_folder) actions.change_folder(command.folder.c_str());
  actions.clean_up();

  Spawned spawned;
  for (int target = 0; target < 3; ++target) {
    if (!pipes[target]) continue;
    platform::Fd& ours = target == 0 ? pipes[target]->write : pipes[target]->read;
    spawned.pipes[target] = pipe_stream(loop, std::move(ours), command.limit);
  }
  const std::vector<char*> arguments = pointers_to(command.arguments);
  const std::vector<char*> environment = pointers_to(command.environment);
  pid_t pid = 0;
  const int error = actions.spawn(pid, arguments.data(), command.has_environment ? environment.data() : environ);
  if (error != 0) throw_exec(command, error);
  spawned.state = Owned<SubprocessState>(new SubprocessState(loop, pid));
  return spawned;
}

}  // namespace detail

class Process {
 public:
  explicit Process(detail::Spawned spawned)
      : state_(std::move(spawned.state)),
        in_(detail::StreamAccess::writer(std::move(spawned.pipes[0]))),
        out_(detail::StreamAccess::reader(std::move(spawned.pipes[1]))),
        err_(detail::StreamAccess::reader(std::move(spawned.pipes[2]))) {}

  // ---- Look -------------------------------------------------------------------------------

  [[nodiscard]] int pid() const { return state().pid(); }

  // What it ended with: -N by signal N. Nothing while it runs.
  [[nodiscard]] std::optional<int> returncode() const { return state().returncode(); }

  // ---- Wait -------------------------------------------------------------------------------

  // Waits until it ends, and gives its returncode. If it writes more into a pipe than the
  // system keeps and nobody reads that, it never does: then use communicate().
  detail::SubprocessWait wait() const {
    static_cast<void>(state());
    return detail::SubprocessWait(state_);
  }

  struct Output {
    std::string out, err;  // empty where there is no pipe
  };

  // Writes the input, closes that pipe, reads all from the others and waits until it ends.
  // That it reads less than it was given is no error. Cancelled: what has come so far stays
  // in the streams. The Process must stay until this is over.
  template <class = void>
  Coro<Output> communicate(std::string input = {}) {
    if (has(in_)) {
      in_.write(input);
      in_.close();  // sends what the pipe does not take yet, while we read
    }
    // Both at once, or the program would stop at the one that nobody reads.
    for (const StreamReader* const pipe : {&out_, &err_}) {
      if (has(*pipe)) detail::StreamAccess::stream(*pipe).read_ahead();
    }
    Output output;
    if (has(err_)) output.err = co_await err_.read();
    if (has(out_)) output.out = co_await out_.read();
    co_await wait();
    co_return output;
  }

  // ---- Signals ----------------------------------------------------------------------------

  // Nothing, if it has ended. Throws std::system_error.
  void send_signal(int signal) { state().send_signal(signal); }
  void terminate() { send_signal(SIGTERM); }
  void kill() { send_signal(SIGKILL); }

  // ---- Pipes ------------------------------------------------------------------------------

  // Its standard input, output and error, where they are a PIPE; else they throw RuntimeError.
  [[nodiscard]] StreamWriter& in() { return checked(in_, "in"); }
  [[nodiscard]] StreamReader& out() { return checked(out_, "out"); }
  [[nodiscard]] StreamReader& err() { return checked(err_, "err"); }

 private:
  detail::SubprocessState& state() const {
    if (!state_) [[unlikely]]
      throw RuntimeError("Process: it was moved from");
    return *state_;
  }

  template <class End>
  static bool has(const End& pipe) noexcept {
    return detail::StreamAccess::valid(pipe);
  }
  template <class End>
  static End& checked(End& pipe, const char* asked) {
    if (!has(pipe)) throw RuntimeError(std::string("Process.") + asked + "(): it is no PIPE");
    return pipe;
  }

  detail::Owned<detail::SubprocessState> state_;
  StreamWriter in_;
  StreamReader out_;
  StreamReader err_;
};

namespace detail {

// Templates, so that only who calls them compiles them.
template <class = void>
Coro<Process> create_subprocess(Command command) {
  Spawned spawned = spawn(command);
  Process process(std::move(spawned));
  co_return process;  // g++ 11 takes a local only, in a template
}

template <class... Args>
inline constexpr bool kAreTexts = (std::is_convertible_v<const Args&, std::string_view> && ...);

}  // namespace detail

// Starts a program. Texts as arguments, or a vector of them that begins with the program.
template <class... Args>
requires detail::kAreTexts<Args...> Coro<Process> create_subprocess_exec(const SubprocessOptions& options,
                                                                         std::string_view program,
                                                                         const Args&... args) {
  return detail::create_subprocess(
      detail::Command(options, {std::string(program), std::string(std::string_view(args))...}));
}
template <class... Args>
requires detail::kAreTexts<Args...> Coro<Process> create_subprocess_exec(std::string_view program,
                                                                         const Args&... args) {
  return create_subprocess_exec(SubprocessOptions(), program, args...);
}
template <class = void>
Coro<Process> create_subprocess_exec(const SubprocessOptions& options, std::vector<std::string> arguments) {
  return detail::create_subprocess(detail::Command(options, std::move(arguments)));
}

// Has /bin/sh execute a line: make sure that nobody else can write parts of it.
template <class = void>
Coro<Process> create_subprocess_shell(const SubprocessOptions& options, std::string_view line) {
  return create_subprocess_exec(options, "/bin/sh", "-c", line);
}
template <class = void>
Coro<Process> create_subprocess_shell(std::string_view line) {
  return create_subprocess_shell(SubprocessOptions(), line);
}

}  // namespace nogil::asyncio
