// tests/asyncio/scenario.cpp -- runs the programs of support/scenario.hpp.

#include "asyncio/support/scenario.hpp"

#include <stdexcept>

namespace nogil::testing {

using namespace asyncio;
using asyncio::CancelledError;  // not that of the futures

namespace {

std::string name_of(const std::exception& error) {
  if (const auto* group = dynamic_cast<const ExceptionGroup*>(&error)) {
    return "ExceptionGroup " + std::to_string(group->exceptions().size());
  }
  if (dynamic_cast<const TimeoutError*>(&error) != nullptr) return "TimeoutError";
  if (dynamic_cast<const BrokenBarrierError*>(&error) != nullptr) return "BrokenBarrierError";
  if (dynamic_cast<const RuntimeError*>(&error) != nullptr) return "RuntimeError";
  if (dynamic_cast<const std::domain_error*>(&error) != nullptr) return "Error";
  return "another error";
}

std::string child_name(const std::string& name, std::size_t number) {
  return name + "." + std::to_string(number);
}

Coro<> run_children(World& world, const std::string& name, const Statement& statement) {
  std::vector<Coro<>> children;
  for (std::size_t i = 0; i < statement.blocks.size(); ++i) {
    children.push_back(run_task(world, child_name(name, i), statement.blocks[i]));
  }
  if (statement.op == "gather") co_await gather(std::move(children));
  else co_await gather_settled(std::move(children));
}

// Those that are not done go on.
Coro<> run_some(World& world, const std::string& name, const Statement& statement) {
  const std::chrono::seconds limit(statement.a);
  std::vector<Task<>> tasks;
  for (std::size_t i = 0; i < statement.blocks.size(); ++i) {
    tasks.push_back(create_task(run_task(world, child_name(name, i), statement.blocks[i])));
  }
  if (statement.op == "wait") {
    const ReturnWhen until[] = {FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED};
    const auto ended = co_await asyncio::wait(tasks, limit, until[statement.b]);
    world.note(name + " sees " + std::to_string(ended.done.size()) + " of " + std::to_string(tasks.size()));
  } else {
    for (auto& next : as_completed(tasks, limit)) {
      co_await next;
      world.note(name + " sees one");
    }
  }
}

Coro<> run_group(World& world, const std::string& name, const Statement& statement) {
  auto body = [&](TaskGroup& group) -> Scoped<> {
    for (std::size_t i = 1; i < statement.blocks.size(); ++i) {
      group.create_task(run_task(world, child_name(name, i), statement.blocks[i]));
    }
    co_await run_block(world, name, statement.blocks[0]);
  };
  co_await task_group(body);
}

Coro<> run_held(World& world, const std::string& name, const Statement& statement) {
  const auto which = static_cast<std::size_t>(statement.a);
  if (statement.op == "lock") {
    const auto guard = co_await world.locks[which].guard();
    world.note(name + " locked");
    co_await run_block(world, name, statement.blocks[0]);
  } else if (statement.op == "sem") {
    const auto permit = co_await world.semaphores[which].guard();
    world.note(name + " has a permit");
    co_await run_block(world, name, statement.blocks[0]);
  } else {
    const auto guard = co_await world.conditions[which].guard();
    world.note(name + " entered");
    co_await run_block(world, name, statement.blocks[0]);
  }
}

Coro<> run_limited(World& world, const std::string& name, const Statement& statement) {
  const std::chrono::seconds limit(statement.a);
  const Block& block = statement.blocks[0];
  if (statement.op == "timeout") co_await timeout(limit, run_block(world, name, block));
  else if (statement.op == "wait_for") co_await wait_for(run_block(world, name, block), limit);
  else co_await shield(run_task(world, child_name(name, 0), block));
}

Coro<> run_caught(World& world, const std::string& name, const Statement& statement) {
  try {
    co_await run_block(world, name, statement.blocks[0]);
  } catch (const std::exception& error) {
    world.note(name + " caught " + name_of(error));
  }
}

Coro<> run_queue(World& world, const std::string& name, const Statement& statement) {
  Queue<int>& queue = world.queues[static_cast<std::size_t>(statement.a)];
  if (statement.op == "put") {
    co_await queue.put(statement.b);
    ++world.puts;
  } else {
    const int item = co_await queue.get();
    ++world.gets;
    world.note(name + " got " + std::to_string(item));
  }
}

Coro<> run_join(World& world, const Statement& statement) {
  const Task<> task = world.spawned[static_cast<std::size_t>(statement.a)];
  if (!task || task == current_task()) co_return;
  if (statement.op == "join") {
    co_await task;
  } else if (statement.op == "join_for") {
    co_await wait_for(task, std::chrono::seconds(statement.b));
  } else if (statement.op == "join_shielded") {
    co_await shield(task);
  } else if (const Task<> other = world.spawned[static_cast<std::size_t>(statement.b)]) {
    co_await gather(task, other);
  }
}

// What does not nest.
Coro<> run_simple(World& world, const std::string& name, const Statement& statement) {
  const std::string& op = statement.op;
  const auto which = static_cast<std::size_t>(statement.a);
  if (op == "sleep") {
    co_await sleep(std::chrono::seconds(statement.a));
  } else if (op == "raise") {
    throw std::domain_error("raised");
  } else if (op == "cancel") {
    if (world.spawned[which]) world.spawned[which].cancel();
  } else if (op == "uncancel") {
    if (world.spawned[which]) world.note(name + " leaves " + std::to_string(world.spawned[which].uncancel()));
  } else if (op == "set") {
    world.events[which].set();
  } else if (op == "clear") {
    world.events[which].clear();
  } else if (op == "event") {
    co_await world.events[which].wait();
  } else if (op == "barrier") {
    const std::ptrdiff_t index = co_await world.barriers[which].wait();
    world.note(name + " is " + std::to_string(index));
  } else if (op == "reset") {
    co_await world.barriers[which].reset();
  } else if (op == "abort") {
    co_await world.barriers[which].abort();
  } else if (op == "shutdown") {
    world.queues[which].shutdown(statement.b != 0);
  } else if (op == "notify") {
    world.conditions[which].notify(statement.b);
  } else if (op == "cond_wait") {
    co_await world.conditions[which].wait();
  }
}

}  // namespace

Coro<> run_statement(World& world, std::string name, const Statement& statement) {
  const std::string& op = statement.op;
  if (op == "gather" || op == "settle") {
    co_await run_children(world, name, statement);
  } else if (op == "wait" || op == "completed") {
    co_await run_some(world, name, statement);
  } else if (op == "group") {
    co_await run_group(world, name, statement);
  } else if (op == "lock" || op == "sem" || op == "cond") {
    co_await run_held(world, name, statement);
  } else if (op == "timeout" || op == "wait_for" || op == "shield") {
    co_await run_limited(world, name, statement);
  } else if (op == "catch") {
    co_await run_caught(world, name, statement);
  } else if (op == "put" || op == "get") {
    co_await run_queue(world, name, statement);
  } else if (op.starts_with("join")) {
    co_await run_join(world, statement);
  } else if (op == "spawn") {
    world.spawned[static_cast<std::size_t>(statement.a)] =
        create_task(run_task(world, child_name(name, 0), statement.blocks[0]));
    world.tasks.push_back(world.spawned[static_cast<std::size_t>(statement.a)]);
  } else {
    co_await run_simple(world, name, statement);
  }
}

Coro<> run_block(World& world, std::string name, const Block& block) {
  const FrameCount counted(world);
  for (const Statement& statement : block) {
    co_await run_statement(world, name, statement);
    world.note(name + " " + statement.op);
  }
}

Coro<> run_task(World& world, std::string name, const Block& block) {
  try {
    co_await run_block(world, name, block);
  } catch (const CancelledError&) {
    world.note(name + " ends cancelled, " + std::to_string(current_task().cancelling()));
    throw;
  } catch (const std::exception& error) {
    world.note(name + " ends with " + name_of(error) + ", " + std::to_string(current_task().cancelling()));
    throw;
  }
  world.note(name + " ends, " + std::to_string(current_task().cancelling()));
}

Coro<> run_program(World& world, const Program& program) {
  for (std::size_t i = 0; i < program.size(); ++i) {
    world.tasks.push_back(create_task(run_task(world, std::to_string(i), program[i])));
  }
  co_await sleep(1000s);
  // Who is cancelled may spawn more, or go on.
  for (std::size_t i = 0; i < world.tasks.size(); ++i) {
    const Task<> task = world.tasks[i];
    for (int times = 0; times < 5; ++times) {
      task.cancel();
      co_await sleep(1s);
    }
  }
}

Coro<> end_all() {
  while (all_tasks().size() > 1) {
    for (const TaskHandle& task : all_tasks()) {
      if (task != current_task()) task.cancel();
    }
    co_await sleep(1000s);
  }
}

}  // namespace nogil::testing
