// never-awaited -- who forgets `await` gets silence: who notices, and when?
//
// To call a coroutine function makes a coroutine, and runs nothing of it: that is what the
// await is for. Without it nothing happens, and nothing fails. Python notices when it throws
// the coroutine away, if the program ever gets to that line. In C++ the compiler has noticed
// before: a Coro is [[nodiscard]], nobody can copy it, and it can be awaited only as
// something that is given away, so that there is no second await by mistake.
//
// What no compiler sees is a coroutine in a variable that is then forgotten. Debug mode
// reports it, with the file and the line of the coroutine.
//
// Python:
//
//     async def hello():
//         print("Hello, asyncio!")
//
//     hello()                         # RuntimeWarning: coroutine 'hello' was never awaited
//
//     asyncio.run(hello())            # Hello, asyncio!

#include <unistd.h>

#include <string>
#include <type_traits>
#include <utility>

#include "nogil/asyncio.hpp"
#include "support/child.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;

// Its first line and its last: compilers do not agree which of them is its place.
constexpr int kFirstLine = __LINE__ + 1;
asyncio::Coro<> hello(int& greetings) {
  tour::print("Hello, asyncio!");
  ++greetings;
  co_return;
}
constexpr int kLastLine = __LINE__ - 1;

// ---- What the compiler refuses -----------------------------------------------------

template <class C>
concept AwaitableByName = requires(C& coroutine) {
  coroutine.operator co_await();
};

static_assert(!AwaitableByName<asyncio::Coro<>>, "co_await coroutine; twice would not do");
static_assert(!std::is_copy_constructible_v<asyncio::Coro<>>, "nor would two who await it");

constexpr const char* kRefused[] = {
    "hello();                           warning: ignoring a value that is [[nodiscard]]",
    "co_await coroutine;                error: deleted; co_await std::move(coroutine)",
    "auto other = coroutine;            error: deleted; there is only one to be awaited",
    "Coro<> save(std::string&& text)    error: must not take an rvalue reference",
    "[name]() -> Coro<> { ... }         error: must not have captures",
};

// ---- What is left for debug mode ---------------------------------------------------

asyncio::Coro<> forgetful(int& greetings) {
  static_cast<void>(hello(greetings));      // who casts it away has been warned
  const auto for_later = hello(greetings);  // and later never comes
  auto given_away = hello(greetings);       // this one is awaited, by a task
  co_await asyncio::create_task(std::move(given_away));
}

// In a process of its own, so that what it says on stderr can be counted.
int forgotten(tour::Run&) {
  ::dup2(STDOUT_FILENO, STDERR_FILENO);
  int greetings = 0;
  for (const bool debug : {false, true}) {
    tour::print(debug ? "in debug mode:" : "not in debug mode:");
    asyncio::Runner runner;
    runner.get_loop().set_debug(debug);
    runner.run(forgetful(greetings));
  }
  return 0;
}

// ---- What is an error at run time, in Python too -----------------------------------

asyncio::Coro<std::string> await_twice(int& greetings) {
  auto coroutine = hello(greetings);
  co_await std::move(coroutine);
  try {
    co_await std::move(coroutine);
  } catch (const nogil::RuntimeError& error) {
    co_return error.what();
  }
  co_return "nothing";
}

void never_awaited(tour::Run& run) {
  int greetings = 0;
  {
    const auto coroutine = hello(greetings);
    run.expect("greetings of a mere call", greetings, 0);
  }
  asyncio::run(hello(greetings));
  run.expect("greetings once it is awaited", greetings, 1);

  tour::print("\nwhat the compiler says:");
  for (const char* line : kRefused) tour::print("    ", line);

  tour::print("\nthree coroutines, one of them awaited:");
  const tour::ChildReport child =
      tour::run_child(run, "never-awaited/forgotten", "(it ends by itself)", tour::Seconds(0));
  run.expect("never awaited", child.count("hello' was never awaited"), 2);
  run.check(child.exit_code == 0 && child.count("Hello, asyncio!") == 2, "the one that is awaited greets");
  run.check(child.count(tour::text("never-awaited.cpp:", kFirstLine, ':')) == 2 ||
                child.count(tour::text("never-awaited.cpp:", kLastLine, ':')) == 2,
            "each report says where hello() is written");

  tour::print("\nawaited twice:");
  const std::string second = asyncio::run(await_twice(greetings));
  tour::print("RuntimeError: ", second);
  run.expect("a second await", second, "cannot reuse already awaited coroutine");
}

const tour::Part forgotten_part("never-awaited/forgotten", forgotten);
const tour::Demo registered({.id = "never-awaited",
                             .cell = "1.7",
                             .seconds = 0.1,
                             .teaches = "a forgotten await: a warning of the compiler, or a report with file and line"},
                            never_awaited);

}  // namespace
