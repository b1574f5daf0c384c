// event-loop -- what a loop of events does: fifty lines of one, and beside it the real one.
//
// The lecture has it as pseudo-code: get the next message, process it, until the message is
// `quit`. There are three places from which a message can come: somebody has asked for a
// call, the time of a timer has come, or there is something to read. In between the loop
// sleeps, in poll(), until the system wakes it. A coroutine is nothing new to it: where one
// awaits, what is left of it becomes a callback.
//
// The same program runs on the loop below and on asyncio's, and its callbacks come in the
// same order; never two at once. So do two countdowns, once as coroutines of a type of a
// few lines, and once as Coro and Task.
//
// Python:
//
//     class LittleLoop:                       # while message != quit:
//         def run_forever(self):
//             while not self.stopping:
//                 self.get_messages()         #     message := get_next_message()
//                 for _ in range(len(self.ready)):
//                     self.ready.popleft()()  #     process_message(message)
//
//     def program(loop):
//         loop.call_soon(print, "a")
//         loop.call_later(0.7, print, "late")
//         loop.add_reader(fd, on_message)     # which calls loop.stop() at "quit"
//
//     for loop in (LittleLoop(), asyncio.new_event_loop()):
//         program(loop)
//         loop.run_forever()

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

// ---- The loop ----------------------------------------------------------------------

class LittleLoop {
 public:
  using Callback = std::function<void()>;

  void call_soon(Callback callback) { ready_.push_back(std::move(callback)); }
  void call_later(std::chrono::nanoseconds delay, Callback callback) {
    timers_.emplace(tour::Clock::now() + delay, std::move(callback));
  }
  void add_reader(int fd, Callback callback) { readers_[fd] = std::move(callback); }
  void remove_reader(int fd) { readers_.erase(fd); }
  void stop() { stopping_ = true; }

  void run_forever() {
    for (stopping_ = false; !stopping_;) {
      get_messages();
      // Those that are ready now: what they make ready is for the next round, or else one
      // that always calls itself again would leave the others no turn.
      for (std::size_t count = ready_.size(); count != 0; --count) {
        const Callback process = std::move(ready_.front());
        ready_.pop_front();
        process();
      }
    }
  }

 private:
  // Sleeps until there is something to do.
  void get_messages() {
    std::vector<pollfd> watched;
    for (const auto& [fd, callback] : readers_) watched.push_back({fd, POLLIN, 0});
    ::poll(watched.data(), watched.size(), milliseconds_to_sleep());
    for (const pollfd& one : watched) {
      if (one.revents != 0) ready_.push_back(readers_.at(one.fd));
    }
    while (!timers_.empty() && timers_.begin()->first <= tour::Clock::now()) {
      ready_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
  }

  int milliseconds_to_sleep() const {
    if (!ready_.empty()) return 0;
    if (timers_.empty()) return -1;  // for ever
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - tour::Clock::now());
    return left.count() > 0 ? static_cast<int>(left.count()) : 0;
  }

  std::deque<Callback> ready_;                               // called in this order
  std::multimap<tour::Clock::time_point, Callback> timers_;  // of one moment: in the order of their making
  std::map<int, Callback> readers_;                          // what to call when a descriptor can be read
  bool stopping_ = false;
};

// ---- The program: three sources of messages ----------------------------------------

class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

  int fd() const { return ends_[0]; }
  void write(std::string_view message) {
    if (::write(ends_[1], message.data(), message.size()) < 0) throw std::system_error(errno, std::generic_category());
  }
  std::string read() {
    char buffer[64];
    const ssize_t length = ::read(ends_[0], buffer, sizeof buffer);
    return std::string(buffer, length > 0 ? static_cast<std::size_t>(length) : 0);
  }

 private:
  int ends_[2];
};

void add_word(std::string& words, const std::string& word) {
  words += (words.empty() ? "" : " ") + word;
}

// Where the picture shows what each source brings, and when there is nothing to do.
struct Lanes {
  tour::Lane &soon, &later, &reader, &nothing;
};

// Returns the messages in the order in which they were processed.
template <class Loop>
std::string program(tour::Run& run, const Lanes& lanes, tour::Paint paint, Loop& loop) {
  Pipe pipe;
  std::string order;
  const auto process = [&](tour::Lane& source, const std::string& message) {
    lanes.nothing.end();
    tour::print("    ", message);
    add_word(order, message);
    source.begin(paint, message);
    run.sleep(0.2s);
    source.end();
  };

  loop.call_soon([&] {
    process(lanes.soon, "a");
    loop.call_soon([&] { process(lanes.soon, "c"); });  // not before b, which asked first
    pipe.write("begin");
  });
  loop.call_soon([&] { process(lanes.soon, "b"); });
  loop.add_reader(pipe.fd(), [&] {
    const std::string message = pipe.read();
    process(lanes.reader, message);
    if (message == "quit") {
      loop.remove_reader(pipe.fd());
      return loop.stop();
    }
    loop.call_later(run.scaled(0.7s), [&] {
      process(lanes.later, "late");
      pipe.write("quit");
    });
    loop.call_later(run.scaled(0.2s), [&] {
      process(lanes.later, "early");
      lanes.nothing.begin(tour::Paint::wait);
    });
    lanes.nothing.begin(tour::Paint::wait);
  });
  loop.run_forever();
  return order;
}

// ---- Coroutines on it --------------------------------------------------------------

struct Job {
  struct promise_type {
    Job get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

struct LittleSleep {
  LittleLoop& loop;
  std::chrono::nanoseconds length;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> rest) const { loop.call_later(length, rest); }
  void await_resume() const noexcept {}
};

Job countdown(LittleLoop& loop, std::chrono::nanoseconds pause, std::string name, std::string& order, int& running) {
  for (int number = 3; number > 0; --number) {
    add_word(order, tour::text(name, number));
    co_await LittleSleep{loop, pause};
  }
  if (--running == 0) loop.stop();
}

asyncio::Coro<> countdown(std::chrono::nanoseconds pause, std::string name, std::string& order) {
  for (int number = 3; number > 0; --number) {
    add_word(order, tour::text(name, number));
    co_await asyncio::sleep(pause);
  }
}

asyncio::Coro<> two_countdowns(std::chrono::nanoseconds pause, std::string& order) {
  co_await asyncio::gather(countdown(pause, "x", order), countdown(pause, "y", order));
}

void event_loop(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "the loop of fifty lines processes a message");
  run.timeline.legend(tour::Paint::hold, "the loop of asyncio does");
  run.timeline.legend(tour::Paint::wait, "waits in the system");
  const Lanes lanes{run.timeline.lane("call_soon"), run.timeline.lane("call_later"), run.timeline.lane("add_reader"),
                    run.timeline.lane("nothing to do")};

  tour::print("a loop of fifty lines:");
  LittleLoop little;
  const std::string order = program(run, lanes, tour::Paint::work, little);

  tour::print("the loop of asyncio:");
  asyncio::EventLoop real;
  const std::string real_order = program(run, lanes, tour::Paint::hold, real);
  run.timeline.print_text();

  const auto pause = run.scaled(0.1s);
  std::string counted, really_counted;
  int running = 2;
  countdown(little, pause, "x", counted, running);
  countdown(little, pause, "y", counted, running);
  little.run_forever();
  asyncio::run(two_countdowns(pause, really_counted));
  tour::print("two coroutines, fifty lines:  ", counted);
  tour::print("two coroutines, asyncio:      ", really_counted);

  run.expect("order", order, "a b c begin early late quit");
  run.expect("order in asyncio", real_order, "a b c begin early late quit");
  run.expect("two coroutines", counted, "x3 y3 x2 y2 x1 y1");
  run.expect("two coroutines in asyncio", really_counted, "x3 y3 x2 y2 x1 y1");
}

const tour::Demo registered(
    {.id = "event-loop",
     .cell = "1.8",
     .seconds = 4.4,
     .teaches = "an event loop in fifty lines; asyncio's runs the same program in the same order"},
    event_loop);

}  // namespace
