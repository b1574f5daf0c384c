// tests/asyncio/differential_test.cpp -- the same programs here and in CPython.
//
// In 3.13 or later, all of them; in 3.11 and 3.12 those that mean the same there.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "asyncio/support/scenario.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

template <class... Blocks>
Statement with(std::string op, int a, const Blocks&... blocks) {
  Statement statement{std::move(op), a};
  (statement.blocks.push_back(blocks), ...);
  return statement;
}
Statement sleeps(int seconds) {
  return {"sleep", seconds};
}
Statement fails() {
  return {"raise"};
}

std::vector<Program> by_hand() {
  std::vector<Program> all;
  // Four who want a lock; two are cancelled while they wait, one when it was woken.
  all.push_back({{with("lock", 0, Block{sleeps(1), {"cancel", 0}})},
                 {with("spawn", 0, Block{with("lock", 0, Block{sleeps(1)})})},
                 {with("spawn", 1, Block{with("lock", 0, Block{sleeps(1)})}), sleeps(1), {"cancel", 1}},
                 {sleeps(0), with("lock", 0, Block{})}});
  // gather: the first error wakes; the rest goes on.
  all.push_back(
      {{with("catch", 0, Block{with("gather", 0, Block{sleeps(2)}, Block{sleeps(1), fails()}, Block{sleeps(3)})}),
        sleeps(5)}});
  // Timeouts in timeouts, of the same moment and of none.
  const Statement quick = with("catch", 0, Block{with("timeout", 1, Block{sleeps(5)})});
  all.push_back({{with("catch", 0, Block{with("timeout", 2, Block{quick, sleeps(5)})}),
                  with("catch", 0, Block{with("timeout", 1, Block{with("timeout", 1, Block{sleeps(5)})})}),
                  with("catch", 0, Block{with("timeout", 0, Block{sleeps(0), sleeps(0)})}),
                  with("catch", 0, Block{with("wait_for", 0, Block{sleeps(1)})})}});
  // Groups: a failure in the inner one, then in the outer one.
  const Statement inner = with("group", 0, Block{sleeps(9)}, Block{sleeps(1), fails()}, Block{sleeps(7)});
  all.push_back(
      {{with("catch", 0,
             Block{with("group", 0, Block{with("catch", 0, Block{inner}), sleeps(1), fails()}, Block{sleeps(8)})}),
        sleeps(1)}});
  // A group that is cancelled from outside, with an error of its own.
  all.push_back(
      {{with("spawn", 0,
             Block{with("catch", 0, Block{with("group", 0, Block{sleeps(9)}, Block{sleeps(2), fails()})}), sleeps(1)}),
        sleeps(2),
        {"cancel", 0},
        {"join", 0}}});
  // A barrier that is used by more than it holds.
  const Statement arrives{"barrier", 0};
  all.push_back({{arrives}, {arrives}, {arrives}, {sleeps(0), arrives}, {arrives}});
  // One who waits there is cancelled, and others come.
  const Statement arrives_too{"barrier", 1};
  all.push_back({{with("spawn", 0, Block{arrives_too})},
                 {with("spawn", 1, Block{arrives_too})},
                 {sleeps(1), {"cancel", 0}, sleeps(1), arrives_too, arrives_too},
                 {sleeps(2), arrives_too}});
  // A condition: who was notified is cancelled.
  const Statement waits = with("cond", 0, Block{{"cond_wait", 0}});
  all.push_back({{with("spawn", 0, Block{waits})},
                 {with("spawn", 1, Block{waits})},
                 {sleeps(1), with("cond", 0, Block{{"notify", 0, 1}, {"cancel", 0}, sleeps(1)})}});
  // The same, but he is cancelled before; others wait behind him.
  all.push_back({{with("spawn", 0, Block{waits})},
                 {with("spawn", 1, Block{waits})},
                 {with("spawn", 2, Block{waits})},
                 {sleeps(0), with("spawn", 3, Block{waits})},
                 {sleeps(1), with("cond", 0, Block{{"cancel", 0}, {"notify", 0, 1}, sleeps(1)})}});
  // A shield, and a queue of one.
  all.push_back({{with("spawn", 0, Block{with("shield", 0, Block{sleeps(3)})}), sleeps(1), {"cancel", 0}, sleeps(5)},
                 {{"put", 0, 1}, {"put", 0, 2}, {"put", 0, 3}},
                 {sleeps(0), {"get", 0}, {"get", 0}, sleeps(1), {"get", 0}}});
  return all;
}

std::string log_of(const Program& program) {
  VirtualLoop loop;
  World world(loop);
  loop.run_until_complete(run_program(world, program));
  std::string text;
  for (const std::string& line : world.log) text += line + "\n";
  loop.run_until_complete(end_all());
  return text;
}

// The logs that CPython gives; none if there is none that is new enough.
std::vector<std::string> logs_of_python(const std::vector<Program>& programs) {
  const std::filesystem::path script = std::filesystem::path(__FILE__).parent_path() / "support/scenario.py";
  const std::filesystem::path input =
      std::filesystem::temp_directory_path() / ("nogil-differential-" + std::to_string(std::random_device()()));
  std::ofstream file(input);
  file << "[";
  for (const Program& program : programs) file << (&program == programs.data() ? "" : ",") << to_json(program);
  file << "]";
  file.close();
  std::vector<std::string> logs;
  const char* const chosen = std::getenv("NOGIL_PYTHON");
  for (const char* python : {chosen != nullptr ? chosen : "python3.14", "python3.13", "python3"}) {
    const std::string command = std::string(python) + " " + script.string() + " < " + input.string() + " 2>/dev/null";
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) continue;
    std::string text;
    char buffer[4096];
    for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) != 0;) text.append(buffer, got);
    ::pclose(pipe);
    std::istringstream lines(text);
    std::string log;
    for (std::string line; std::getline(lines, line);) {
      if (line == "--") logs.push_back(std::exchange(log, {}));
      else log += line + "\n";
    }
    if (!logs.empty()) break;
  }
  std::filesystem::remove(input);
  return logs;
}

void compare(const std::vector<Program>& programs) {
  const std::vector<std::string> expected = logs_of_python(programs);
  if (expected.empty()) GTEST_SKIP() << "there is no CPython 3.11; NOGIL_PYTHON says where one is";
  ASSERT_EQ(expected.size(), programs.size());
  set_excepthook([](const ExceptHookArgs&) {});
  int compared = 0;
  for (std::size_t i = 0; i < programs.size() && !::testing::Test::HasFailure(); ++i) {
    if (expected[i] == "too new\n") continue;
    ++compared;
    EXPECT_EQ(log_of(programs[i]), expected[i]) << i << ": " << to_json(programs[i]);
  }
  set_excepthook(nullptr);
  ::testing::Test::RecordProperty("compared", compared);
  if (compared == 0) GTEST_SKIP() << "all of these are too new for this CPython";
}

TEST(Differential, what_is_written_by_hand_happens_as_in_python) {
  compare(by_hand());
}

TEST(Differential, what_is_made_at_random_happens_as_in_python) {
  std::vector<Program> programs;
  for (unsigned seed = 0; seed < 2000; ++seed) programs.push_back(Generator(seed, true).program());
  compare(programs);
}

}  // namespace
}  // namespace nogil::asyncio
