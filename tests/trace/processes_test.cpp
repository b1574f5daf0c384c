// What is recorded by several processes.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "nogil/multiprocessing/process.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/trace.hpp"
#include "support/threads.hpp"
#include "trace/support/pictures.hpp"

namespace nogil::testing::processes_test {
namespace {

using namespace std::chrono_literals;

const Process* process_called(const Picture& picture, std::string_view name) {
  for (const Process& process : picture.processes) {
    if (process.name == name) return &process;
  }
  return nullptr;
}

// Runs it in a child that ends at once after it, and waits for that.
template <class F>
void in_a_fork(F f) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    f();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
}

TEST(TraceOfProcesses, has_a_row_for_a_forked_child) {
  const Recording recording;
  trace::instant("parent");
  in_a_fork([] {
    trace::name_process("child");
    trace::name_thread("its thread");
    trace::span("in the child").end();
  });
  const Picture picture = Recording::stop();
  ASSERT_EQ(picture.processes.size(), 2u);
  EXPECT_EQ(picture.processes[0].pid, ::getpid());
  EXPECT_EQ(picture.processes[1].name, "child");
  ASSERT_EQ(picture.processes[1].rows.size(), 1u);
  EXPECT_EQ(picture.processes[1].rows[0].name, "its thread");
  EXPECT_EQ(picture.processes[1].rows[0].items[0].name, "in the child");
}

TEST(TraceOfProcesses, leaves_spans_that_were_open_at_a_fork_to_the_parent) {
  const Recording recording;
  int to_child[2];
  ASSERT_EQ(::pipe(to_child), 0);
  trace::Span span = trace::span("across");
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    static_cast<void>(!::read(to_child[0], &byte, 1));
    span.end();  // as a child does that goes on to the end of the block
    ::_exit(0);
  }
  span.end();
  const std::int64_t end = items(take_picture(), TraceKind::kUser)[0].end;
  ASSERT_EQ(::write(to_child[1], "", 1), 1);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::vector<Item> spans = items(Recording::stop(), TraceKind::kUser);
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].end, end);
  for (const int fd : to_child) ::close(fd);
}

TEST(TraceOfProcesses, stops_in_all_of_them) {
  const Recording recording;
  int to_child[2], to_parent[2];
  ASSERT_EQ(::pipe(to_child), 0);
  ASSERT_EQ(::pipe(to_parent), 0);
  char byte = 0;
  const pid_t child = ::fork();
  if (child == 0) {
    trace::instant("before");
    static_cast<void>(!::write(to_parent[1], &byte, 1));
    static_cast<void>(!::read(to_child[0], &byte, 1));
    trace::instant("after");
    ::_exit(0);
  }
  ASSERT_EQ(::read(to_parent[0], &byte, 1), 1);
  trace::stop();
  ASSERT_EQ(::write(to_child[1], &byte, 1), 1);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::vector<Item> moments = items(take_picture(), TraceKind::kMoment);
  ASSERT_EQ(moments.size(), 1u);
  EXPECT_EQ(moments[0].name, "before");
  for (const int fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(fd);
}

TEST(TraceOfProcesses, goes_on_when_a_child_stops_its_part) {
  const Recording recording;
  in_a_fork([] {
    trace::stop();
    trace::instant("not this");
  });
  trace::instant("this");
  const std::vector<Item> moments = items(Recording::stop(), TraceKind::kMoment);
  ASSERT_EQ(moments.size(), 1u);
  EXPECT_EQ(moments[0].name, "this");
}

TEST(TraceOfProcesses, may_be_another_in_a_child) {
  const Recording recording;
  int status = 0;
  const pid_t child = ::fork();
  if (child == 0) {
    trace::stop();
    trace::start();
    trace::instant("child's own");
    trace::stop();
    ::_exit(items(take_picture(), TraceKind::kMoment).size() == 1 ? 0 : 1);
  }
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(items(Recording::stop(), TraceKind::kMoment).empty());
}

TEST(TraceOfProcesses, keeps_what_a_killed_process_recorded) {
  const Recording recording;
  in_a_fork([] {
    trace::instant("last words");
    const trace::Span span = trace::span("killed in it");
    ::raise(SIGKILL);
  });
  const Picture picture = Recording::stop();
  EXPECT_EQ(items(picture, TraceKind::kMoment, "last words").size(), 1u);
  EXPECT_EQ(items(picture, TraceKind::kUser, "killed in it").size(), 1u);
}

// ---- nogil::multiprocessing --------------------------------------------------------------

class TraceOfWorkers : public ::testing::TestWithParam<mp::StartMethod> {};

std::string name_of(const ::testing::TestParamInfo<mp::StartMethod>& method) {
  return method.param == mp::StartMethod::fork    ? "fork"
         : method.param == mp::StartMethod::spawn ? "spawn"
                                                  : "forkserver";
}
INSTANTIATE_TEST_SUITE_P(Under, TraceOfWorkers,
                         ::testing::Values(mp::StartMethod::fork, mp::StartMethod::forkserver, mp::StartMethod::spawn),
                         name_of);

void work_in_a_child() {
  const trace::Span span = trace::span("in the process");
}

TEST_P(TraceOfWorkers, has_the_processes_that_are_started) {
  const Recording recording;
  mp::Process process({.name = "helper", .start_method = GetParam()}, work_in_a_child);
  process.start();
  process.join();
  const Picture picture = Recording::stop();
  const Process* const helper = process_called(picture, "helper");
  ASSERT_NE(helper, nullptr);
  EXPECT_EQ(helper->pid, process.pid());
  ASSERT_EQ(helper->rows.size(), 1u);
  ASSERT_EQ(helper->rows[0].items.size(), 2u);
  EXPECT_EQ(helper->rows[0].items[0].name, "process") << "its life";
  EXPECT_EQ(helper->rows[0].items[1].name, "in the process");
}

int return_or_die(int number) {
  if (number == 2) ::raise(SIGKILL);
  return number;
}

TEST_P(TraceOfWorkers, has_the_tasks_of_a_pool_and_the_deaths_in_it) {
  const Recording recording;
  int died = 0;
  {
    mp::ProcessPoolExecutor pool({.max_workers = 1, .start_method = GetParam()});
    for (int i = 0; i < 4; ++i) {
      try {
        EXPECT_EQ(pool.submit(return_or_die, i).result(), i);
      } catch (const WorkerDied& error) {
        died = error.pid();
      }
    }
  }
  const Picture picture = Recording::stop();
  EXPECT_EQ(items(picture, TraceKind::kTask).size(), 4u);
  const std::vector<Item> deaths = items(picture, TraceKind::kDeath);
  ASSERT_EQ(deaths.size(), 1u);
  EXPECT_EQ(deaths[0].number, static_cast<std::uint64_t>(died));
  for (const Process& process : picture.processes) {
    if (process.pid != died) continue;
    ASSERT_EQ(process.rows.size(), 1u);
    const Item& last = process.rows[0].items.back();
    EXPECT_EQ(last.kind, TraceKind::kTask);
    EXPECT_EQ(last.end, deaths[0].begin) << "what it was doing ends with it";
  }
}

}  // namespace
}  // namespace nogil::testing::processes_test
